//! An actuator says two things.
//!
//! What was told is done, and two answers come: that it was done, and that it failed.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, whose};

/// An actuator says two things.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContradictoryActuator {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
}

impl Fault for ContradictoryActuator {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_actuator(names, self.service.as_deref(), |actuator| actuator.contradictory = true);
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("actuator contradicts itself {}", whose(self.service.as_deref()))
    }
}
