//! Work takes longer than usual.
//!
//! What a noisy neighbour, a cold cache or a bad query plan looks like from outside: each request costs more.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;
use crate::scenario::Problems;

/// Work takes longer than usual.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlowService {
    /// Which one.
    pub(crate) service: String,
    /// The multiple of the usual time, in ten-thousandths.
    pub(crate) factor_bp: u64,
}

impl Fault for SlowService {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, Some(&self.service), |service| {
            service.time_factor_bp = service.time_factor_bp * self.factor_bp / 10_000;
        });
    }

    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn describe(&self) -> String {
        format!("{} {}.{}x slower", self.service, self.factor_bp / 10_000, self.factor_bp % 10_000 / 1000)
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        if !(1..=10_000_000).contains(&self.factor_bp) {
            problems.add(format!("{path}.factor_bp"), "must be between 1 and 10000000".to_owned());
        }
    }
}
