//! Instances are taken away.
//!
//! What a lost node looks like. What is lost comes back when the fault ends, unless the number was set anew meanwhile.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;

/// Instances are taken away.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplicaLoss {
    /// Which one.
    pub(crate) service: String,
    /// How many.
    pub(crate) replicas: u32,
}

impl Fault for ReplicaLoss {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, Some(&self.service), |service| service.lost_replicas += self.replicas);
    }

    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn describe(&self) -> String {
        format!("{} loses {} replicas", self.service, self.replicas)
    }
}
