//! Commands never reach their actuator.
//!
//! Nothing is changed and nobody answers, as when a network is cut in between.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_share, everything, whose};
use crate::scenario::Problems;

/// Commands never reach their actuator.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LostCommands {
    /// Whose; all, notifications included, if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// The share that is lost.
    #[serde(default = "everything")]
    pub(crate) share_bp: u32,
}

impl Fault for LostCommands {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_actuator(names, self.service.as_deref(), |actuator| {
            actuator.lost_bp = actuator.lost_bp.max(self.share_bp);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("commands lost {}", whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_share(path, "share_bp", self.share_bp, problems);
    }
}
