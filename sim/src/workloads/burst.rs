//! A rate that is exceeded for a while and comes back.

use serde::Deserialize;

use crate::scenario::Problems;
use crate::workloads::{Shape, check_rate};

/// A rate that is exceeded for a while and comes back.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Burst {
    /// Requests per second outside the burst.
    pub(crate) base: u32,
    /// Requests per second within it.
    pub(crate) peak: u32,
    /// When it begins.
    pub(crate) from_s: u64,
    /// When it is over.
    pub(crate) to_s: u64,
}

impl Shape for Burst {
    fn milli_per_second(&self, at_s: u64) -> u64 {
        u64::from(if (self.from_s..self.to_s).contains(&at_s) { self.peak } else { self.base }) * 1000
    }

    fn calm_from_s(&self) -> u64 {
        self.to_s
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_rate(path, "base", self.base, problems);
        check_rate(path, "peak", self.peak, problems);
        if self.to_s <= self.from_s {
            problems.add(format!("{path}.to_s"), "must be later than from_s".to_owned());
        }
    }
}
