//! New instances take longer to start.
//!
//! What a slow image registry or a cold node looks like: the cure works, but later than usual.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;
use crate::scenario::Problems;

/// New instances take longer to start.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlowStart {
    /// Which one.
    pub(crate) service: String,
    /// The multiple of the usual time, in ten-thousandths.
    pub(crate) factor_bp: u64,
}

impl Fault for SlowStart {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, Some(&self.service), |service| {
            service.start_delay_factor_bp = service.start_delay_factor_bp * self.factor_bp / 10_000;
        });
    }

    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn describe(&self) -> String {
        format!("{} starts slowly", self.service)
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        if !(1..=10_000_000).contains(&self.factor_bp) {
            problems.add(format!("{path}.factor_bp"), "must be between 1 and 10000000".to_owned());
        }
    }
}
