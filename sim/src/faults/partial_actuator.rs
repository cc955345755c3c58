//! An actuator goes part of the way.
//!
//! Of the change from what is to what was told it makes a share and says that it is done, as when a quota is used up.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_share, whose};
use crate::scenario::Problems;

/// An actuator goes part of the way.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartialActuator {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// The part of the way.
    #[serde(default = "half")]
    pub(crate) share_bp: u32,
}

fn half() -> u32 {
    5000
}

impl Fault for PartialActuator {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_actuator(names, self.service.as_deref(), |actuator| {
            actuator.partial_bp = Some(self.share_bp);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("actuator goes {} % of the way {}", self.share_bp / 100, whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_share(path, "share_bp", self.share_bp, problems);
    }
}
