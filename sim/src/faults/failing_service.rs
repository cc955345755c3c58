//! Requests fail by themselves.
//!
//! What a broken release or an unreachable database looks like: more capacity does not help.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_share};
use crate::scenario::Problems;

/// Requests fail by themselves.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailingService {
    /// Which one.
    pub(crate) service: String,
    /// The share that fails.
    pub(crate) share_bp: u32,
}

impl Fault for FailingService {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, Some(&self.service), |service| {
            service.extra_error_ppm = (service.extra_error_ppm + self.share_bp * 100).min(1_000_000);
        });
    }

    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn describe(&self) -> String {
        format!("{} fails {} %", self.service, self.share_bp / 100)
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_share(path, "share_bp", self.share_bp, problems);
    }
}
