//! Answers of actuators arrive several times.
//!
//! What a network that delivers at least once does. The same answer must count once.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;
use crate::scenario::Problems;

/// Answers of actuators arrive several times.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DuplicateReports {
    /// How often each arrives.
    #[serde(default = "twice")]
    pub(crate) copies: u32,
}

fn twice() -> u32 {
    2
}

impl Fault for DuplicateReports {
    fn apply(&self, _names: &[ServiceName], conditions: &mut Conditions) {
        conditions.reports_copies = conditions.reports_copies.max(self.copies);
    }

    fn describe(&self) -> String {
        format!("reports arrive {} times", self.copies)
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        /// More would only test memory.
        const COPIES_MAX: u32 = 100;
        if !(1..=COPIES_MAX).contains(&self.copies) {
            problems.add(format!("{path}.copies"), format!("is {}, must be between 1 and {COPIES_MAX}", self.copies));
        }
    }
}
