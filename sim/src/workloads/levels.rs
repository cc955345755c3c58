//! A rate that is written out, interval by interval.
//!
//! What a recording of a day comes to once only its load matters, in the scenario's own file.

use serde::Deserialize;

use crate::scenario::Problems;
use crate::workloads::{Shape, check_rate};

/// A rate that is written out.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Levels {
    /// How long each interval is.
    pub(crate) every_s: u64,
    /// The rates, in thousandths of a request per second; afterwards nobody asks for anything.
    pub(crate) milli_per_second: Vec<u64>,
}

impl Shape for Levels {
    fn milli_per_second(&self, at_s: u64) -> u64 {
        let interval = at_s / self.every_s.max(1);
        self.milli_per_second.get(interval as usize).copied().unwrap_or(0)
    }

    /// The end: what was recorded changes as it likes.
    fn calm_from_s(&self) -> u64 {
        self.every_s.saturating_mul(self.milli_per_second.len() as u64)
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        if self.every_s == 0 {
            problems.add(format!("{path}.every_s"), "must be at least 1".to_owned());
        }
        let busiest = self.milli_per_second.iter().max().copied().unwrap_or(0).div_ceil(1000);
        check_rate(path, "milli_per_second", u32::try_from(busiest).unwrap_or(u32::MAX), problems);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: two rates of ten seconds each.
    /// Guarantees: each holds for its interval, and silence follows.
    #[test]
    fn each_level_holds_for_its_interval() {
        let levels = Levels { every_s: 10, milli_per_second: vec![1500, 20] };
        let check = |at_s, rate| assert_eq!(levels.milli_per_second(at_s), rate);
        check(0, 1500);
        check(9, 1500);
        check(10, 20);
        check(20, 0);
    }
}
