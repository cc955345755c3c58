//! An actuator sets another value than it was told.
//!
//! It says that it is done. What a percentage taken for a count, or a second autoscaler with its own mind, looks like.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_factor, whose};
use crate::scenario::Problems;

/// An actuator sets another value than it was told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrongActuator {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// What is set, in ten-thousandths of what was told.
    pub(crate) factor_bp: u32,
}

impl Fault for WrongActuator {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_actuator(names, self.service.as_deref(), |actuator| {
            actuator.wrong_bp = Some(self.factor_bp);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("actuator wrong {}", whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_factor(path, "factor_bp", self.factor_bp, problems);
    }
}
