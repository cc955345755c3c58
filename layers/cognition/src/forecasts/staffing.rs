//! Staffing.
//!
//! Answers how many replicas a demand takes so that few requests wait longer than they may. Workers per replica, work per
//! request and its usual latency are not told but learned while nothing waits. The share that waits longer than t is that of an
//! M/M/c queue, C(c, a) · e^(−(c − a) t / s), with Erlang's C, a the demand in workers, s the work (Kleinrock, "Queueing
//! Systems" I, 1975, section 3.4; Gans, Koole and Mandelbaum, "Telephone Call Centers", 2003, on staffing by it). Few workers
//! thus get much to spare and many get little, which a fixed utilisation cannot say.

use homeostat_core::ServiceObjectives;

/// Sums are faded by this share at each reading: half is gone after three minutes.
const FADE: u64 = 256;

/// Workers of one replica at most; who seems to have more waits for others rather than works.
const WORKERS_MAX: u64 = 64;

/// Workers together at most; beyond it square roots no longer matter and the demand itself is the answer.
const TOGETHER_MAX: u64 = 8192;

/// What was learned of one service while it had capacity to spare. Sums, so that moments with much traffic count for more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Staffing {
    /// Busy replicas, in thousandths.
    busy: u64,
    /// Requests answered per second, in thousandths.
    answered: u64,
    /// Requests under way, in thousandths: Little's law, rate times latency.
    under_way: u64,
}

impl Staffing {
    /// Takes in a reading of a service with capacity to spare.
    pub(super) fn learn(&mut self, busy: u64, rate: u64, latency_us: u64) {
        let under_way = (u128::from(rate) * u128::from(latency_us) / 1_000_000) as u64;
        for (sum, value) in [(&mut self.busy, busy), (&mut self.answered, rate), (&mut self.under_way, under_way)] {
            // Scaled up, so that what is faded is not lost in rounding.
            *sum = *sum - *sum / FADE + value.saturating_mul(FADE).min(u64::MAX / FADE);
        }
    }

    /// The demand of requests that come at `rate`, in thousandths of a busy replica; none before anything was learned.
    pub(super) fn work_of(&self, rate: u64) -> Option<u64> {
        let work = u128::from(rate) * u128::from(self.busy);
        work.checked_div(u128::from(self.answered)).map(|work| u64::try_from(work).unwrap_or(u64::MAX))
    }

    /// The replicas that `demand`, in thousandths of a busy one, takes so that `promise` is kept.
    pub(super) fn replicas(&self, demand: u64, promise: ServiceObjectives) -> u64 {
        // To the nearest: medians are a little below means.
        let workers = (self.under_way + self.busy / 2) / self.busy.max(1);
        let workers = workers.clamp(1, WORKERS_MAX);
        let together = demand.saturating_mul(workers);
        let least = together.div_ceil(1000).max(1);
        if TOGETHER_MAX < least {
            return demand.div_ceil(1000);
        }
        let usual_us = u128::from(self.under_way) * 1_000_000 / u128::from(self.answered.max(1));
        let spare_us = u128::from(promise.latency_threshold.0).saturating_sub(usual_us * 2);
        let patience = if usual_us == 0 { 0.0 } else { spare_us as f64 / usual_us as f64 };
        let late_max = f64::from(promise.latency.complement().0) / 10_000.0;
        enough(together as f64 / 1000.0, least, patience, late_max).div_ceil(workers)
    }
}

/// The fewest workers with which at most `late_max` of all wait longer than `patience` times their work, for a demand of
/// `busy`. Ends at [`TOGETHER_MAX`] workers beyond the least.
fn enough(busy: f64, least: u64, patience: f64, late_max: f64) -> u64 {
    // Erlang's B by its recursion: B(0) = 1, B(c) = a B(c−1) / (c + a B(c−1)).
    let mut blocked = 1.0;
    for workers in 1..least {
        blocked = busy * blocked / (workers as f64 + busy * blocked);
    }
    for workers in least..least + TOGETHER_MAX {
        let all = workers as f64;
        blocked = busy * blocked / (all + busy * blocked);
        let spare = all - busy;
        if spare <= 0.0 {
            continue;
        }
        // Erlang's C from B: C = c B / (c − a (1 − B)).
        let waits = all * blocked / (all - busy * (1.0 - blocked));
        if waits * falls_to(spare * patience) <= late_max {
            return workers;
        }
    }
    least + TOGETHER_MAX
}

/// An upper bound of e^(−x) that is the same on every machine: one over the first terms of e^x.
fn falls_to(x: f64) -> f64 {
    1.0 / (1.0 + x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0 * (1.0 + x / 5.0)))))
}

#[cfg(test)]
mod tests {
    use homeostat_core::{BasisPoints, Micros};

    use super::*;

    /// Scenario: a demand of ten workers, nobody may wait at all; and half of them a little.
    /// Guarantees: what tables of Erlang's C say: with 14 of them 0.174 wait, with 15 0.102, with 19 0.0089.
    #[test]
    fn staffing_agrees_with_tables() {
        assert_eq!(enough(10.0, 10, 0.0, 0.175), 14);
        assert_eq!(enough(10.0, 10, 0.0, 0.103), 15);
        assert_eq!(enough(10.0, 10, 0.0, 0.01), 19);
        assert_eq!(enough(10.0, 10, 4.0, 0.01), 12);
    }

    /// Scenario: four workers a replica, work of 200 ms, a promise of 99 % within a second; one and twenty busy replicas.
    /// Guarantees: few replicas get half as much again to spare, and many very little.
    #[test]
    fn many_need_less_to_spare_than_few() {
        let promise = ServiceObjectives {
            availability: BasisPoints(9900),
            latency: BasisPoints(9900),
            latency_threshold: Micros::from_millis(1000),
        };
        let mut staffing = Staffing::default();
        (0..1000).for_each(|_| staffing.learn(2000, 40_000, 200_000));
        assert_eq!(staffing.work_of(20_000), Some(1000));
        assert_eq!((staffing.replicas(1000, promise), staffing.replicas(20_000, promise)), (2, 21));
        assert_eq!(Staffing::default().replicas(2500, promise), 8);
    }
}
