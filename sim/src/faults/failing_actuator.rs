//! Changes are refused.
//!
//! Nothing is changed and the refusal is reported, as when a permission is missing.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_share, everything, whose};
use crate::scenario::Problems;

/// Changes are refused.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailingActuator {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// The share that is refused.
    #[serde(default = "everything")]
    pub(crate) share_bp: u32,
}

impl Fault for FailingActuator {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_actuator(names, self.service.as_deref(), |actuator| {
            actuator.failing_bp = actuator.failing_bp.max(self.share_bp);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("actuator fails {}", whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_share(path, "share_bp", self.share_bp, problems);
    }
}
