//! What the plant is known to do.

use super::*;

/// `rate` requests per second, evenly spaced, until `until` seconds.
fn evenly(rate: f64, until: f64) -> Arc<[f64]> {
    (1..=(rate * until) as u64).map(|number| number as f64 / rate).collect()
}

fn minutes(plant: &mut Swim, count: usize) -> Vec<Period> {
    (1..=count).map(|number| plant.run_minute(number as f64 * PERIOD_S)).collect()
}

/// Scenario: two warm servers, twenty full replies a second for ten minutes.
/// Guarantees: the utilisation law, U = X · S: 20 / s · 38.628 ms = 0.7726 busy servers, within 3 %, and nobody times out.
#[test]
fn busy_time_is_throughput_times_service_time() {
    let mut plant = Swim::warm(SwimConfig::small(60.0), evenly(20.0, 600.0), Seed(5), 2, 1.0);
    let seen = minutes(&mut plant, 10);
    let mean = seen.iter().map(|period| period.utilization).sum::<f64>() / 10.0;
    assert!((mean / (20.0 * 0.030 * 1.287_60) - 1.0).abs() < 0.03, "{mean}");
    assert_eq!(seen.iter().map(|period| period.timed_out).sum::<u64>(), 0);
    assert!(seen.iter().all(|period| (period.arrivals_per_s - 20.0).abs() < 0.1));
}

/// Scenario: one warm server, dimmer at 0, then at 1, thirty requests a second.
/// Guarantees: basic replies leave it nearly idle; full ones are more than it can do (30 · 38.6 ms = 1.16) and it is busy
/// all the time.
#[test]
fn the_dimmer_trades_work() {
    let of = |dimmer| {
        let mut plant = Swim::warm(SwimConfig::small(60.0), evenly(30.0, 120.0), Seed(5), 1, dimmer);
        minutes(&mut plant, 2)[1]
    };
    assert!(of(0.0).utilization < 0.05);
    assert!(of(0.0).response_s.unwrap() < 0.003);
    assert!((of(1.0).utilization - 1.0).abs() < 1e-9);
}

/// Scenario: one warm server, a hundred requests a second for two minutes, all replies full, then nobody.
/// Guarantees: who has queued for ten seconds when a thread is free leaves unserved; whoever is served spends at most ten
/// seconds in the queue, so that the backlog is gone long before it could have been worked off.
#[test]
fn a_timed_out_request_leaves() {
    let arrivals = evenly(100.0, 120.0);
    let mut plant = Swim::warm(SwimConfig::small(60.0), Arc::clone(&arrivals), Seed(5), 1, 1.0);
    let seen = minutes(&mut plant, 4);
    let timed_out: u64 = seen.iter().map(|period| period.timed_out).sum();
    assert!((7_000..9_500).contains(&timed_out), "{timed_out}");
    assert!(plant.servers[0].is_idle());
    assert_eq!(seen[3].response_s, None);
    // A queue of ten seconds, and a hundredth of the processor for each of a hundred threads.
    assert!(seen.iter().filter_map(|period| period.response_s).all(|response| 5.0 < response && response < 15.0));
}

/// Scenario: two orders for a server within one boot, and an order for one less.
/// Guarantees: one boot at a time; nothing is taken away during it; a booting server costs at once and serves only when it
/// is up.
#[test]
fn one_boots_at_a_time() {
    let mut plant = Swim::new(SwimConfig::large(90.0), evenly(1.0, 300.0), Seed(5));
    let add = Orders { scale: Some(Scale::Add), dimmer: None };
    let remove = Orders { scale: Some(Scale::Remove), dimmer: None };
    plant.run_minute(60.0);
    plant.obey(add);
    plant.obey(add);
    let booting = plant.run_minute(120.0);
    plant.obey(remove);
    let up = plant.run_minute(180.0);
    assert_eq!((booting.servers, booting.active, booting.booting), (4, 3, true));
    assert_eq!((up.servers, up.active, up.booting), (4, 4, false));
    assert!((booting.servers_mean - 4.0).abs() < 1e-9);
}

/// Scenario: every server is ordered away, and thirteen are ordered on a site of at most twelve.
/// Guarantees: the last one stays, and there is never one too many.
#[test]
fn the_site_keeps_its_bounds() {
    let mut plant = Swim::new(SwimConfig::large(0.0), evenly(1.0, 2_000.0), Seed(5));
    let mut order = |scale, count: usize, from: usize| {
        let mut last = 0;
        for number in from..from + count {
            last = plant.run_minute(number as f64 * PERIOD_S).active;
            plant.obey(Orders { scale: Some(scale), dimmer: None });
        }
        last
    };
    assert_eq!(order(Scale::Remove, 5, 1), 1);
    assert_eq!(order(Scale::Add, 14, 6), 12);
}

/// Scenario: a server is taken away while it works, and one is booted later.
/// Guarantees: it takes nothing new and finishes what it has; the new one bears its name and so finds a warm cache.
#[test]
fn a_server_that_goes_finishes_its_work() {
    let mut plant = Swim::warm(SwimConfig::small(0.0), evenly(60.0, 180.0), Seed(5), 2, 1.0);
    plant.run_minute(60.0);
    assert!(!plant.servers[1].is_idle());
    plant.obey(Orders { scale: Some(Scale::Remove), dimmer: Some(0.0) });
    assert_eq!((plant.active(), plant.servers.len()), (1, 2));
    let alone = plant.run_minute(120.0);
    assert_eq!((alone.active, plant.servers.len()), (1, 1));
    plant.obey(Orders { scale: Some(Scale::Add), dimmer: None });
    assert_eq!(plant.run_minute(180.0).active, 2);
    assert_eq!(plant.servers[1].name, 1);
}

/// Scenario: three requests of equal work on one processor, by hand: 1 s of work each, at 0, 0 and 1 s.
/// Guarantees: shared evenly, the first two end at 2.5 s and the third at 3 s.
#[test]
fn a_processor_is_shared_evenly() {
    let mut server = Server::new(0, 0.0);
    server.start(Job::new(server.progress(), 1.0, 0, 0.0));
    server.start(Job::new(server.progress(), 1.0, 1, 0.0));
    server.advance(1.0);
    server.start(Job::new(server.progress(), 1.0, 2, 1.0));
    assert_eq!(server.next_done(), Some(2.5));
    server.advance(2.5);
    assert_eq!([server.take_done().is_some(), server.take_done().is_some()], [true, true]);
    assert_eq!(server.take_done(), None);
    assert_eq!(server.next_done(), Some(3.0));
}
