//! Day and night: a sine between a low and a high rate.

use std::f64::consts::TAU;

use serde::Deserialize;

use crate::scenario::Problems;
use crate::workloads::{Shape, check_rate};

/// A sine between two rates, beginning at the low one.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Diurnal {
    /// Requests per second at night.
    pub(crate) low: u32,
    /// Requests per second at noon.
    pub(crate) high: u32,
    /// The length of a day.
    pub(crate) period_s: u64,
}

impl Shape for Diurnal {
    fn milli_per_second(&self, at_s: u64) -> u64 {
        let phase = (at_s % self.period_s.max(1)) as f64 / self.period_s.max(1) as f64;
        let (low, high) = (f64::from(self.low), f64::from(self.high));
        ((low + (high - low) * (1.0 - (TAU * phase).cos()) / 2.0) * 1000.0).round() as u64
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_rate(path, "low", self.low, problems);
        check_rate(path, "high", self.high, problems);
        if self.high < self.low {
            problems.add(format!("{path}.high"), "must not be below low".to_owned());
        }
        if self.period_s == 0 {
            problems.add(format!("{path}.period_s"), "must be at least 1".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a day of an hour between ten and thirty.
    /// Guarantees: lowest at its edges, highest in the middle.
    #[test]
    fn noon_is_in_the_middle_of_the_day() {
        let day = Diurnal { low: 10, high: 30, period_s: 3600 };
        let check = |at_s, rate| assert_eq!(day.milli_per_second(at_s), rate);
        check(0, 10_000);
        check(900, 20_000);
        check(1800, 30_000);
        check(3600, 10_000);
    }
}
