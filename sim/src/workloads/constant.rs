//! The same rate all the time.

use serde::Deserialize;

use crate::scenario::Problems;
use crate::workloads::{Shape, check_rate};

/// The same rate all the time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Constant {
    /// Requests per second.
    pub(crate) per_second: u32,
}

impl Shape for Constant {
    fn milli_per_second(&self, _at_s: u64) -> u64 {
        u64::from(self.per_second) * 1000
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_rate(path, "per_second", self.per_second, problems);
    }
}
