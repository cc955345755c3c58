//! Readings stop following the world.
//!
//! They keep arriving and look new. A loop cannot know; what is checked is that its guards bound the damage.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, whose};

/// Readings stop following the world.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FrozenSensor {
    /// Whose; all, the agent itself included, if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
}

impl Fault for FrozenSensor {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_sensor(names, self.service.as_deref(), |sensor| sensor.frozen = true);
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("sensor frozen {}", whose(self.service.as_deref()))
    }
}
