//! Readings come from a cache.
//!
//! Something between the service and the agent answers with what it fetched last, under a new time stamp. The truth is seen
//! only when it fetches again.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::{Fault, whose};
use crate::scenario::Problems;

/// Readings come from a cache.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CachedSensor {
    /// Whose; all services if none is named.
    #[serde(default)]
    pub(crate) service: Option<String>,
    /// How often it fetches.
    pub(crate) refresh_s: u64,
}

impl Fault for CachedSensor {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, self.service.as_deref(), |service| {
            service.sensor.refresh_s = service.sensor.refresh_s.max(self.refresh_s);
        });
    }

    fn service(&self) -> Option<&str> {
        self.service.as_deref()
    }

    fn describe(&self) -> String {
        format!("readings up to {} s old {}", self.refresh_s, whose(self.service.as_deref()))
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        if self.refresh_s == 0 {
            problems.add(format!("{path}.refresh_s"), "must be at least 1".to_owned());
        }
    }
}
