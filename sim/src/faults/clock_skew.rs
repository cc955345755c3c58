//! A clock is ahead or behind.
//!
//! Readings arrive at once and carry the time of another clock: stamps of the future, or of the past.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_delay, whose};
use crate::scenario::Problems;

/// A clock is ahead or behind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClockSkew {
    /// Whose; all, the agent's on itself included, if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// How far ahead; behind, if negative.
    pub(crate) ahead_ms: i64,
}

impl Fault for ClockSkew {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_sensor(names, self.service.as_deref(), |sensor| sensor.ahead_ms += self.ahead_ms);
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("clock off by {} ms {}", self.ahead_ms, whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_delay(path, "ahead_ms", self.ahead_ms.unsigned_abs(), problems);
    }
}
