//! A rate that moves evenly from one value to another.

use serde::Deserialize;

use crate::scenario::Problems;
use crate::workloads::{Shape, check_rate};

/// A rate that moves evenly from one value to another.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ramp {
    /// Requests per second before.
    pub(crate) from: u32,
    /// Requests per second afterwards.
    pub(crate) to: u32,
    /// When it begins to move.
    pub(crate) from_s: u64,
    /// When it has arrived.
    pub(crate) to_s: u64,
}

impl Shape for Ramp {
    fn milli_per_second(&self, at_s: u64) -> u64 {
        let (from, to) = (u64::from(self.from) * 1000, u64::from(self.to) * 1000);
        let length = self.to_s.saturating_sub(self.from_s).max(1);
        let done = at_s.saturating_sub(self.from_s).min(length);
        (from * (length - done) + to * done) / length
    }

    fn calm_from_s(&self) -> u64 {
        self.to_s
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_rate(path, "from", self.from, problems);
        check_rate(path, "to", self.to, problems);
        if self.to_s <= self.from_s {
            problems.add(format!("{path}.to_s"), "must be later than from_s".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a ramp from ten to thirty between seconds 100 and 200.
    /// Guarantees: flat before, halfway in the middle, flat after.
    #[test]
    fn a_ramp_is_flat_at_both_ends() {
        let ramp = Ramp { from: 10, to: 30, from_s: 100, to_s: 200 };
        let check = |at_s, rate| assert_eq!(ramp.milli_per_second(at_s), rate);
        check(0, 10_000);
        check(150, 20_000);
        check(900, 30_000);
    }
}
