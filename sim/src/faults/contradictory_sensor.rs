//! Two readings disagree.
//!
//! Two exporters report the same: one tells the truth, the other, a moment later and with the same time stamp, something
//! else. Which of them a loop believes must not depend on luck.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, check_factor, whose};
use crate::scenario::Problems;

/// Two readings disagree.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContradictorySensor {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// What the second one says of latency, utilisation and instances, in ten-thousandths of the truth.
    pub(crate) factor_bp: u32,
}

impl Fault for ContradictorySensor {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, self.service.as_deref(), |service| {
            service.sensor.contradicted_bp = Some(self.factor_bp);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("readings contradict {}", whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        check_factor(path, "factor_bp", self.factor_bp, problems);
    }
}
