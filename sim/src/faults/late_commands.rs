//! Commands reach their actuator late.
//!
//! What was commanded is done all the same, possibly after the loop has given up on it and thinks otherwise.

use homeostat_core::{Millis, ServiceName};
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_delay, whose};
use crate::scenario::Problems;

/// Commands reach their actuator late.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LateCommands {
    /// Whose; all, notifications included, if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// How late.
    pub(crate) delay_ms: u64,
}

impl Fault for LateCommands {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_actuator(names, self.service.as_deref(), |actuator| {
            actuator.late = actuator.late.max(Millis(self.delay_ms));
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("commands {} late {}", Millis(self.delay_ms), whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_delay(path, "delay_ms", self.delay_ms, problems);
    }
}
