//! What the planner is told about a site.
//!
//! Answers how many requests so many servers can answer in time, with caches as warm as they are, and what minutes are
//! worth. The numbers are given and not learned, as for the published planners of such sites.

use super::delay::{self, Fit};

/// A site of servers that share the load evenly and can dim their replies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Site {
    /// The most servers.
    pub max_servers: usize,
    /// Positions of the dimmer, from 0 to 1.
    pub dimmer_levels: u32,
    /// Minutes until a server that is booted now serves, rounded up.
    pub boot_minutes: usize,
    /// Mean work of a full reply, in seconds of one server.
    pub full_s: f64,
    /// Mean work of a basic reply.
    pub basic_s: f64,
    /// What an empty cache adds to a full reply.
    pub cold_full_s: f64,
    /// The number of requests after which an e-th of that is left.
    pub warm_after: f64,
    /// A minute whose mean response time is above this is late.
    pub late_above_s: f64,
    /// What minutes are worth.
    pub worth: Worth,
}

/// What minutes are worth, in units of one basic reply per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// What a full reply adds to a basic one.
    pub full_reply: f64,
    /// What each server fewer adds to a minute in which every reply was full.
    pub spare_server: f64,
    /// What a late minute loses for each request per second that the site could have answered and did not get.
    pub late_slope: f64,
    /// The requests per second that the largest site is supposed to answer.
    pub late_capacity: f64,
}

/// How much more a late minute is feared than it costs, in late minutes of an idle site: a promise is broken, and the minute
/// after it inherits the queue. A site that is nearly full loses little by the published utilities, and would not care.
const LATE_FEAR: f64 = 1.0;

impl Worth {
    /// What a late minute costs with so many requests per second, and what it is feared for on top.
    pub(super) fn late(&self, rate: f64) -> f64 {
        self.late_slope * ((self.late_capacity - rate).max(0.0) + LATE_FEAR * self.late_capacity)
    }
}

impl Site {
    /// Positions of the dimmer, brightest first.
    pub(super) fn dimmers(&self) -> impl Iterator<Item = f64> + use<> {
        let last = self.dimmer_levels.saturating_sub(1).max(1);
        (0..=last).rev().map(move |level| f64::from(level) / f64::from(last))
    }

    /// How each of the servers with these caches (the share of a cold cache's cost that is left, by server) works.
    pub(super) fn works(&self, coldness: &[f64], dimmer: f64) -> Works {
        let basic = (1.0 - dimmer) * self.basic_s;
        let mut each: Vec<(f64, f64)> = Vec::new();
        let count = coldness.len() as f64;
        for cold in coldness {
            let cold = if *cold < WARM { 0.0 } else { *cold };
            let work = dimmer * (self.full_s + self.cold_full_s * cold) + basic;
            match each.last_mut() {
                Some((last, share)) if (*last - work).abs() < 1e-12 => *share += 1.0 / count,
                _ => each.push((work, 1.0 / count)),
            }
        }
        let mean = each.iter().map(|(work, share)| work * share).sum();
        Works { each, servers: count, mean }
    }
}

/// Below this share a cache counts as warm.
const WARM: f64 = 0.02;

/// Servers that share the load evenly.
#[derive(Clone, Debug)]
pub(super) struct Works {
    /// Seconds of work of a reply, and the share of the servers for which it is so.
    each: Vec<(f64, f64)>,
    servers: f64,
    /// Their mean.
    mean: f64,
}

impl Works {
    /// The utilisation if `rate` arrives.
    pub(super) fn rho(&self, rate: f64) -> f64 {
        rate * self.mean / self.servers
    }

    /// Waiting if `rate` arrives as a Poisson process, in seconds, averaged over requests.
    fn waiting_s(&self, rate: f64) -> f64 {
        let per_server = rate / self.servers;
        self.each.iter().map(|(work, share)| share * work * delay::waiting(per_server * work)).sum()
    }

    /// By which factor replies that took so long had waited more than a Poisson process had.
    pub(super) fn factor(&self, rate: f64, response_s: f64) -> f64 {
        (response_s - self.mean) / self.waiting_s(rate).max(1e-9)
    }

    /// How likely replies take more than `limit_s` if `rate` arrives.
    pub(super) fn chance_late(&self, rate: f64, limit_s: f64, fit: &Fit) -> f64 {
        if limit_s <= self.mean {
            return 1.0;
        }
        let most = ((limit_s - self.mean) / self.waiting_s(rate).max(1e-9)).ln();
        let factor = fit.at(self.rho(rate));
        chance_above(most, factor.log_mean, factor.log_deviation)
    }
}

/// How likely a reading of this mean and deviation is above `limit`. By the logistic distribution, whose tails are heavier
/// than the normal one's: 1 / (1 + exp((limit - mean) / s)) with s = σ √3 / π.
fn chance_above(limit: f64, mean: f64, deviation: f64) -> f64 {
    let scale = (deviation * 3.0_f64.sqrt() / std::f64::consts::PI).max(1e-9);
    1.0 / (1.0 + ((limit - mean) / scale).clamp(-500.0, 500.0).exp())
}

/// How warm the cache of each server is: by its place, because the cache outlives the server.
#[derive(Clone, Debug)]
pub(super) struct Heat {
    served: Vec<f64>,
    warm_after: f64,
}

impl Heat {
    pub(super) fn new(site: &Site) -> Heat {
        Heat { served: vec![0.0; site.max_servers], warm_after: site.warm_after }
    }

    /// A minute has passed in which `active` servers shared `rate`.
    pub(super) fn serve(&mut self, rate: f64, active: usize) {
        let each = rate * 60.0 / active.max(1) as f64;
        self.served.iter_mut().take(active).for_each(|served| *served += each);
    }

    /// The share of a cold cache's cost that is left at each of the first `servers`, in the middle of a minute.
    pub(super) fn at(&self, servers: usize, rate: f64, fleet: &Fleet) -> Vec<f64> {
        let each = 60.0 * rate / servers.max(1) as f64;
        let of = |(place, served): (usize, &f64)| {
            let minutes = if place < fleet.active { fleet.minutes } else { fleet.minutes_new };
            (-(served + (minutes + 0.5) * each) / self.warm_after).exp()
        };
        self.served.iter().take(servers).enumerate().map(of).collect()
    }

    /// Whether the server at `place` has a warm cache.
    pub(super) fn is_warm(&self, place: usize) -> bool {
        self.served.get(place).is_none_or(|served| (-served / self.warm_after).exp() < WARM)
    }
}

/// For how long servers will have served by the minute in question.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fleet {
    /// Servers that take requests now.
    pub(super) active: usize,
    /// Whole minutes that they serve before that minute.
    pub(super) minutes: f64,
    /// Whole minutes that those serve which come in between.
    pub(super) minutes_new: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            max_servers: 4,
            dimmer_levels: 5,
            boot_minutes: 2,
            full_s: 0.04,
            basic_s: 0.001,
            cold_full_s: 0.05,
            warm_after: 2000.0,
            late_above_s: 0.75,
            worth: Worth { full_reply: 0.5, spare_server: 10.0, late_slope: 1.5, late_capacity: 90.0 },
        }
    }

    /// Scenario: one to four warm servers whose full replies take 40 ms, that is 25 a second each, and nothing learned yet.
    /// Guarantees: nine tenths of what they can do are on time and a twentieth more than that is late; dimming helps; a cold
    /// cache makes late what a warm one does in time.
    #[test]
    fn servers_are_on_time_up_to_what_they_can_do() {
        let (site, fit) = (site(), super::super::delay::Bursts::new().fit());
        let late =
            |coldness: &[f64], dimmer: f64, rate: f64| site.works(coldness, dimmer).chance_late(rate, 0.75, &fit);
        for servers in 1..=4 {
            let warm = vec![0.0; servers];
            let all = 25.0 * servers as f64;
            assert!(late(&warm, 1.0, 0.88 * all) < 0.05, "{}", late(&warm, 1.0, 0.88 * all));
            assert!(0.9 < late(&warm, 1.0, 1.05 * all));
            assert!(late(&warm, 0.5, 1.05 * all) < 0.01);
            assert!(0.9 < late(&vec![1.0; servers], 1.0, 0.8 * all));
        }
    }

    /// Scenario: one server serves two thousand requests; the other none.
    /// Guarantees: an e-th of the first one's cold is left and all of the second's, but for what they are about to serve.
    #[test]
    fn caches_warm_by_what_they_serve() {
        let mut heat = Heat::new(&site());
        heat.serve(2000.0 / 60.0, 1);
        let now = Fleet { active: 1, minutes: 0.0, minutes_new: 0.0 };
        let cold = heat.at(2, 0.0, &now);
        assert!((cold[0] - (-1.0_f64).exp()).abs() < 1e-9 && (cold[1] - 1.0).abs() < 1e-9);
        assert!(heat.at(2, 30.0, &Fleet { minutes: 1.0, ..now })[0] < heat.at(2, 30.0, &now)[0]);
        assert!(heat.at(2, 30.0, &Fleet { minutes_new: 1.0, ..now })[1] < heat.at(2, 30.0, &now)[1]);
        assert!(!heat.is_warm(0));
        heat.serve(300.0, 1);
        assert!(heat.is_warm(0) && !heat.is_warm(1));
    }
}
