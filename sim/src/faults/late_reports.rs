//! Answers of actuators arrive late.
//!
//! Possibly after the loop has given up on them.

use homeostat_core::{Millis, ServiceName};
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_delay};
use crate::scenario::Problems;

/// Answers of actuators arrive late.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LateReports {
    /// How late.
    pub(crate) delay_ms: u64,
}

impl Fault for LateReports {
    fn apply(&self, _names: &[ServiceName], conditions: &mut Conditions) {
        conditions.reports_late = conditions.reports_late.max(Millis(self.delay_ms));
    }

    fn describe(&self) -> String {
        format!("reports {} late", homeostat_core::Millis(self.delay_ms))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_delay(path, "delay_ms", self.delay_ms, problems);
    }
}
