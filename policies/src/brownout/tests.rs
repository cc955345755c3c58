//! What the planner does with forecasts, doubts and boots.

use super::*;

fn site() -> Site {
    Site {
        max_servers: 6,
        dimmer_levels: 5,
        boot_minutes: 3,
        full_s: 0.04,
        basic_s: 0.001,
        cold_full_s: 0.0,
        warm_after: 2000.0,
        late_above_s: 0.75,
        worth: Worth { full_reply: 0.5, spare_server: 10.0, late_slope: 1.5, late_capacity: 130.0 },
    }
}

/// Plans for each of `rates` on a site that does what it is told; returns how many served and where the dimmer was.
fn follow(site: Site, rates: impl Iterator<Item = f64>, mut active: usize) -> Vec<(usize, f64)> {
    let (mut planner, mut boot_left, mut told) = (Brownout::new(site), 0, Vec::new());
    let mut dimmer = 1.0;
    for arrivals_per_s in rates {
        if 0 < boot_left {
            boot_left -= 1;
            active += usize::from(boot_left == 0);
        }
        // What processor sharing would show: S / (1 - ρ).
        let work = dimmer * site.full_s + (1.0 - dimmer) * site.basic_s;
        let response_s = Some(work / (1.0 - (arrivals_per_s * work / active as f64).min(0.96)));
        let advice = planner.decide(&Seen { arrivals_per_s, response_s, active, booting: 0 < boot_left });
        dimmer = advice.dimmer;
        match advice.change {
            Some(Change::Boot) => boot_left = site.boot_minutes,
            Some(Change::TakeAway) => active -= 1,
            None => {}
        }
        told.push((active, advice.dimmer));
    }
    told
}

/// Scenario: forty quiet minutes at 12 requests per second on five servers, each of which can answer 25.
/// Guarantees: one server is left in the end, and every reply is full.
#[test]
fn quiet_sites_shrink() {
    let told = follow(site(), std::iter::repeat_n(12.0, 40), 5);
    assert_eq!(told.last(), Some(&(1, 1.0)));
}

/// Scenario: servers cost nothing.
/// Guarantees: none is taken away.
#[test]
fn free_servers_stay() {
    let free = Site { worth: Worth { spare_server: 0.0, ..site().worth }, ..site() };
    let told = follow(free, std::iter::repeat_n(12.0, 40), 5);
    assert!(told.iter().all(|(active, _)| 5 <= *active), "{told:?}");
}

/// Scenario: half an hour at 15, then a rise by one a minute to 60.
/// Guarantees: servers are up before they are needed; at no minute are there fewer than full replies or the dimmer need.
#[test]
fn a_rise_is_met_in_time() {
    let rates: Vec<f64> = (0..75).map(|minute| 15.0 + f64::from(minute - 30).max(0.0)).collect();
    let told = follow(site(), rates.iter().copied(), 2);
    // What is planned at the end of one minute holds in the next.
    for (minute, rate) in rates.iter().enumerate().skip(1) {
        let (active, dimmer) = told[minute - 1];
        let work = dimmer * 0.04 + (1.0 - dimmer) * 0.001;
        assert!(rate * work < active as f64, "minute {minute}: {rate} on {active} at {dimmer}");
    }
    assert!(3 <= told[74].0);
}

/// Scenario: twenty minutes at 20 requests per second, then 120, on two servers.
/// Guarantees: the dimmer goes down at once, because servers take minutes, and one boots.
#[test]
fn a_surge_dims_until_servers_are_up() {
    let rates = std::iter::repeat_n(20.0, 20).chain(std::iter::repeat_n(120.0, 3));
    let told = follow(site(), rates, 2);
    assert!(told[20].1 < 0.5, "{told:?}");
    assert!(told.iter().take(20).all(|(_, dimmer)| 1.0 <= *dimmer), "{told:?}");
}

/// Scenario: servers cost nothing, forty requests a second on three servers whose caches are empty but for those three.
/// Guarantees: more servers are booted although each dims replies while its cache is cold: what is gained afterwards counts.
#[test]
fn a_cold_server_is_worth_its_beginning() {
    let cold = Site { cold_full_s: 0.05, worth: Worth { spare_server: 0.0, ..site().worth }, ..site() };
    let told = follow(cold, std::iter::repeat_n(66.0, 60), 3);
    assert!(3 < told[59].0, "{told:?}");
    assert_eq!(told[59].1, 1.0);
}

/// Scenario: a site of quiet minutes, and one at its very limit.
/// Guarantees: advice says how likely the next minute is late: hardly, and not above what a dimmer can prevent.
#[test]
fn advice_tells_its_doubt() {
    let mut planner = Brownout::new(site());
    let seen =
        |arrivals_per_s, response_s| Seen { arrivals_per_s, response_s: Some(response_s), active: 2, booting: false };
    (0..10).for_each(|_| planner.observe(&seen(10.0, 0.05)));
    assert!(planner.decide(&seen(10.0, 0.05)).chance_late < 0.001);
    (0..10).for_each(|_| planner.observe(&seen(49.0, 0.7)));
    let advice = planner.decide(&seen(49.0, 0.7));
    assert!(advice.dimmer < 1.0 && advice.chance_late < 0.1, "{advice:?}");
}
