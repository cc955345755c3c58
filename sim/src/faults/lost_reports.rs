//! Answers of actuators never arrive.
//!
//! The change is carried out all the same: the loop must neither do it twice nor believe it failed for good.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_share, everything};
use crate::scenario::Problems;

/// Answers of actuators never arrive.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LostReports {
    /// The share that is lost.
    #[serde(default = "everything")]
    pub(crate) share_bp: u32,
}

impl Fault for LostReports {
    fn apply(&self, _names: &[ServiceName], conditions: &mut Conditions) {
        conditions.reports_lost_bp = conditions.reports_lost_bp.max(self.share_bp);
    }

    fn describe(&self) -> String {
        format!("{} % of reports lost", self.share_bp / 100)
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_share(path, "share_bp", self.share_bp, problems);
    }
}
