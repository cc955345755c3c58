//! What the planner is told about a site.
//!
//! Answers how many requests so many servers can answer in time, with caches as warm as they are, and what minutes are
//! worth. The numbers are given and not learned, as for the published planners of such sites.

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

/// How much more a late minute is feared than it costs: a promise is broken, and the minute after it inherits the queue.
const LATE_FEAR: f64 = 3.0;

/// The utilisation above which a minute is late whatever the formula for steady state says: a minute is too short for it.
const RHO_MAX: f64 = 0.945;

/// Below this utilisation replies take about their own work, whatever arrives in bursts.
const RHO_TELLING: f64 = 0.55;

/// How fast a queue's delay grows within a minute above that, in seconds for a whole server too little: half a minute on
/// average.
const OVERLOAD_S: f64 = 30.0;

/// Halvings of the interval in which the capacity is searched; sixteen find it within a thousandth of a request.
const HALVINGS: usize = 16;

impl Worth {
    /// What a late minute costs with so many requests per second.
    pub(super) fn late(&self, rate: f64) -> f64 {
        LATE_FEAR * self.late_slope * (self.late_capacity - rate).max(0.0)
    }
}

impl Site {
    /// Positions of the dimmer, brightest first.
    pub(super) fn dimmers(&self) -> impl Iterator<Item = f64> + use<> {
        let last = self.dimmer_levels.saturating_sub(1).max(1);
        (0..=last).rev().map(move |level| f64::from(level) / f64::from(last))
    }

    /// The rate at which, in steady state, replies would take as long as they took; `None` where delays say little, because
    /// the servers were mostly idle, or overloaded so that a queue's age is seen and not a rate.
    pub(super) fn rate_behind(&self, coldness: &[f64], dimmer: f64, rate: f64, response_s: f64) -> Option<f64> {
        let works = self.works(coldness, dimmer);
        let work = works.iter().sum::<f64>() / works.len() as f64;
        let rho = rate * work / works.len() as f64;
        let behind = (1.0 - work / response_s.max(work)).min(RHO_MAX);
        (RHO_TELLING < rho && rho < RHO_MAX && 1.0 <= dimmer).then(|| behind / work * works.len() as f64)
    }

    fn works(&self, coldness: &[f64], dimmer: f64) -> Vec<f64> {
        let basic = (1.0 - dimmer) * self.basic_s;
        coldness.iter().map(|cold| dimmer * (self.full_s + self.cold_full_s * cold) + basic).collect()
    }

    /// The most requests per second that servers with these caches (the share of a cold cache's cost that is left, by
    /// server) answer on time.
    pub(super) fn capacity(&self, coldness: &[f64], dimmer: f64) -> f64 {
        let works = self.works(coldness, dimmer);
        let (mut low, mut high) = (0.0, works.len() as f64 / self.basic_s);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (low + high);
            if self.response_s(&works, middle) <= self.late_above_s {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The mean response time when `rate` is shared evenly by servers whose replies take this much work: processor sharing
    /// in steady state, S / (1 - ρ), and beyond it a queue that grows for a minute.
    fn response_s(&self, works: &[f64], rate: f64) -> f64 {
        let each = rate / works.len() as f64;
        let of = |work: &f64| {
            let rho = each * work;
            let steady = work / (1.0 - rho.min(RHO_MAX));
            steady + (rho - RHO_MAX).max(0.0) * OVERLOAD_S
        };
        works.iter().map(of).sum::<f64>() / works.len() as f64
    }
}

/// How much worse a minute is than its mean rate says, because arrivals come in bursts: a mean and a deviation, relative
/// to the rate, learned from how long replies took.
#[derive(Clone, Debug)]
pub(super) struct Bursts {
    sum: f64,
    squares: f64,
    minutes: f64,
}

/// What is assumed of bursts at first, and for how many minutes that counts.
const BURSTS_FIRST: (f64, f64) = (0.05, 4.0);

impl Bursts {
    pub(super) fn new() -> Bursts {
        let (deviation, minutes) = BURSTS_FIRST;
        Bursts { sum: 0.0, squares: minutes * deviation * deviation, minutes }
    }

    /// A minute behaved as if `excess`, relative to its rate, had come on top.
    pub(super) fn learn(&mut self, excess: f64) {
        self.sum += excess;
        self.squares += excess * excess;
        self.minutes += 1.0;
    }

    /// Mean and deviation. Lucky minutes are no capacity: the mean is never below zero.
    pub(super) fn excess(&self) -> (f64, f64) {
        let mean = self.sum / self.minutes;
        (mean.max(0.0), (self.squares / self.minutes - mean * mean).max(0.0).sqrt())
    }
}

/// How warm the cache of each server is: by its place, because the cache outlives the server.
#[derive(Clone, Debug)]
pub(super) struct Heat {
    served: Vec<f64>,
    warm_after: f64,
}

/// Minutes after which a server that is still to come is looked at: it warms up while it serves.
const LATER_MINUTES: f64 = 1.5;

impl Heat {
    pub(super) fn new(site: &Site) -> Heat {
        Heat { served: vec![0.0; site.max_servers], warm_after: site.warm_after }
    }

    /// A minute has passed in which `active` servers shared `rate`.
    pub(super) fn serve(&mut self, rate: f64, active: usize) {
        let each = rate * 60.0 / active.max(1) as f64;
        self.served.iter_mut().take(active).for_each(|served| *served += each);
    }

    /// The share of a cold cache's cost that is left at each of the first `servers`, in the middle of the next minute.
    pub(super) fn next(&self, servers: usize, rate: f64) -> Vec<f64> {
        self.after(servers, 0.5, rate)
    }

    /// The same, some minutes later.
    pub(super) fn later(&self, servers: usize, rate: f64) -> Vec<f64> {
        self.after(servers, LATER_MINUTES, rate)
    }

    fn after(&self, servers: usize, minutes: f64, rate: f64) -> Vec<f64> {
        let more = minutes * 60.0 * rate / servers.max(1) as f64;
        self.served.iter().take(servers).map(|served| (-(served + more) / self.warm_after).exp()).collect()
    }
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

    /// Scenario: one to four warm servers whose full replies take 40 ms, that is 25 a second each.
    /// Guarantees: each adds nearly as much as it can do; dimming adds far more; a cold cache takes more than half away.
    #[test]
    fn capacity_grows_with_servers_and_falls_with_cold() {
        let site = site();
        for servers in 1..=4 {
            let capacity = site.capacity(&vec![0.0; servers], 1.0) / servers as f64;
            assert!((22.0..25.0).contains(&capacity), "{capacity}");
        }
        assert!(20.0 * site.capacity(&[0.0], 1.0) < site.capacity(&[0.0], 0.0));
        assert!(site.capacity(&[1.0], 1.0) < 0.5 * site.capacity(&[0.0], 1.0));
    }

    /// Scenario: one server serves two thousand requests; the other none.
    /// Guarantees: an e-th of the first one's cold is left and all of the second's, but for what they are about to serve.
    #[test]
    fn caches_warm_by_what_they_serve() {
        let mut heat = Heat::new(&site());
        heat.serve(2000.0 / 60.0, 1);
        let cold = heat.next(2, 0.0);
        assert!((cold[0] - (-1.0_f64).exp()).abs() < 1e-9 && (cold[1] - 1.0).abs() < 1e-9);
        assert!(heat.later(2, 30.0)[1] < heat.next(2, 30.0)[1]);
    }
}
