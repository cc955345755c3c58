//! An actuator is stuck.
//!
//! It says that it is done, nothing changes, and asked how the world stands it tells the truth.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, whose};

/// An actuator is stuck.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrozenActuator {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
}

impl Fault for FrozenActuator {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_actuator(names, self.service.as_deref(), |actuator| actuator.frozen = true);
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("actuator stuck {}", whose(self.service.as_deref()))
    }
}
