//! A rate that changes once, at once: a launch, or a failed-over region.

use serde::Deserialize;

use crate::scenario::Problems;
use crate::workloads::{Shape, check_rate};

/// A rate that changes once.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// Requests per second before.
    pub(crate) from: u32,
    /// Requests per second afterwards.
    pub(crate) to: u32,
    /// When it changes.
    pub(crate) at_s: u64,
}

impl Shape for Step {
    fn milli_per_second(&self, at_s: u64) -> u64 {
        u64::from(if at_s < self.at_s { self.from } else { self.to }) * 1000
    }

    fn calm_from_s(&self) -> u64 {
        self.at_s
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_rate(path, "from", self.from, problems);
        check_rate(path, "to", self.to, problems);
    }
}
