//! How much work a request is.
//!
//! Answers how long a whole processor takes for one reply, full or basic, with the cache as warm as it is. Normal
//! distributions cut off at zero by drawing again, as the published model does, rather than by inversion: the mean of the
//! full reply is then the 38.6 ms that every planner of the exemplar was measured with, not the nominal 30 ms.

use std::f64::consts::TAU;

use homeostat_core::{Seed, Stream};
use rand::Rng;

/// Mean and deviation of a full reply before the cut, in seconds.
const FULL_S: f64 = 0.030;

/// The same of a basic reply.
const BASIC_S: f64 = 0.001;

/// What an empty cache adds to a full reply, in seconds.
pub(crate) const COLD_FULL_S: f64 = 0.050;

/// What an empty cache adds to a basic reply.
pub(crate) const COLD_BASIC_S: f64 = 0.0019;

/// After this many requests 95 % of the cold cache's cost are gone.
pub(crate) const WARM_AFTER: f64 = 6750.0;

/// The mean of a normal variable whose deviation is its mean, cut at zero, relative to it: 1 + φ(1) / Φ(1).
const CUT: f64 = 1.287_60;

/// The mean work of a full reply from a warm cache, in seconds.
pub(crate) const MEAN_FULL_S: f64 = FULL_S * CUT;

/// The same of a basic reply.
pub(crate) const MEAN_BASIC_S: f64 = BASIC_S * CUT;

/// No reply is done in no time; what is cut off here is below any reading.
const WORK_MIN_S: f64 = 1e-6;

/// Draws again before it takes the nominal value. The chance of a negative draw is 0.16, so that it is never reached.
const DRAWS_MAX: usize = 64;

/// The work of requests, from two named streams: which reply is given, and how long it takes.
pub(crate) struct ServiceTimes {
    fidelity: Stream,
    work: Stream,
    /// Requests that each server name has begun.
    served: Vec<u64>,
}

impl ServiceTimes {
    pub(crate) fn new(names: usize, seed: Seed) -> ServiceTimes {
        // A name is the number of servers that take requests, and there are never more than the most.
        let served = vec![0; names + 1];
        ServiceTimes { fidelity: seed.stream("swim/fidelity"), work: seed.stream("swim/service_time"), served }
    }

    /// As if every name had served for hours.
    pub(crate) fn warm_up(&mut self) {
        self.served.fill(WARM_AFTER as u64 * 10);
    }

    /// The work of the next request at the server called `name`.
    pub(crate) fn draw(&mut self, name: usize, dimmer: f64) -> f64 {
        let is_full = uniform(&mut self.fidelity) < dimmer;
        let (mean_s, cold_s) = if is_full { (FULL_S, COLD_FULL_S) } else { (BASIC_S, COLD_BASIC_S) };
        let served = self.served[name];
        self.served[name] += 1;
        (cut_normal(&mut self.work, mean_s) + cold_s * coldness(served)).max(WORK_MIN_S)
    }
}

/// The share of a cold cache's cost that is left after `served` requests.
pub(crate) fn coldness(served: u64) -> f64 {
    (0.05_f64.ln() / WARM_AFTER * served as f64).exp()
}

/// A normal draw whose deviation is its mean, repeated until it is not negative.
fn cut_normal(stream: &mut Stream, mean_s: f64) -> f64 {
    let draws = (0..DRAWS_MAX).map(|_| mean_s + mean_s * standard_normal(stream));
    draws.into_iter().find(|draw| 0.0 <= *draw).unwrap_or(mean_s)
}

/// Box and Muller, "A note on the generation of random normal deviates", 1958.
fn standard_normal(stream: &mut Stream) -> f64 {
    let (radius, angle) = (1.0 - uniform(stream), uniform(stream));
    (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
}

/// Uniform in [0, 1), from 53 random bits.
pub(crate) fn uniform(stream: &mut Stream) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_s(dimmer: f64, is_warm: bool) -> f64 {
        let mut times = ServiceTimes::new(1, Seed(3));
        let draws = 100_000;
        let sum: f64 = (0..draws)
            .map(|_| {
                if is_warm {
                    times.warm_up();
                } else {
                    times.served.fill(0);
                }
                times.draw(0, dimmer)
            })
            .sum();
        sum / f64::from(draws)
    }

    /// Scenario: a hundred thousand full replies, and as many basic ones, from a warm cache.
    /// Guarantees: their means are those of a normal distribution cut at zero, m · (1 + φ(1) / Φ(1)) = 1.28760 m, within 1 %.
    #[test]
    fn replies_take_the_mean_of_a_cut_normal() {
        assert!((mean_s(1.0, true) / (1.287_60 * FULL_S) - 1.0).abs() < 0.01);
        assert!((mean_s(0.0, true) / (1.287_60 * BASIC_S) - 1.0).abs() < 0.01);
    }

    /// Scenario: an empty cache, and one that has served 6 750 requests.
    /// Guarantees: it costs 50 ms for a full and 1.9 ms for a basic reply, and a twentieth of that afterwards.
    #[test]
    fn a_cold_cache_costs_what_is_documented() {
        assert!((mean_s(1.0, false) - mean_s(1.0, true) - 0.050).abs() < 1e-9);
        assert!((mean_s(0.0, false) - mean_s(0.0, true) - 0.0019).abs() < 1e-9);
        assert!((coldness(0) - 1.0).abs() < 1e-12);
        assert!((coldness(6750) - 0.05).abs() < 1e-12);
    }
}
