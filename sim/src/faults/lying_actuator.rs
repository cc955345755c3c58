//! An actuator says it is done and has done nothing.
//!
//! Asked how the world stands, it claims what it was told. Only the readings of the service tell otherwise.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_share, everything, whose};
use crate::scenario::Problems;

/// An actuator says it is done and has done nothing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LyingActuator {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// The share of answers that are lies.
    #[serde(default = "everything")]
    pub(crate) share_bp: u32,
}

impl Fault for LyingActuator {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_actuator(names, self.service.as_deref(), |actuator| {
            actuator.lying_bp = actuator.lying_bp.max(self.share_bp);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("actuator lies {}", whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_share(path, "share_bp", self.share_bp, problems);
    }
}
