//! Readings arrive late.
//!
//! They carry the time at which they were true, so a loop can tell; one that goes by the time of arrival cannot.

use homeostat_core::{Millis, ServiceName};
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_delay, whose};
use crate::scenario::Problems;

/// Readings arrive late.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LateObservations {
    /// Whose; all, the agent itself included, if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// How late.
    pub(crate) delay_ms: u64,
}

impl Fault for LateObservations {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_sensor(names, self.service.as_deref(), |sensor| {
            sensor.late = sensor.late.max(Millis(self.delay_ms));
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("readings late {}", whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_delay(path, "delay_ms", self.delay_ms, problems);
    }
}
