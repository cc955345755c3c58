//! Readings never arrive.
//!
//! Each second, each target's readings are lost together with the given probability, as when its exporter does not answer.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_share, everything, whose};
use crate::scenario::Problems;

/// Readings never arrive.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LostObservations {
    /// Whose; all, the agent itself included, if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// The share of seconds that are lost.
    #[serde(default = "everything")]
    pub(crate) share_bp: u32,
}

impl Fault for LostObservations {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each_sensor(names, self.service.as_deref(), |sensor| {
            sensor.lost_bp = sensor.lost_bp.max(self.share_bp);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("readings lost {}", whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_share(path, "share_bp", self.share_bp, problems);
    }
}
