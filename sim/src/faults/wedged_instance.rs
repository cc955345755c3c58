//! Instances get stuck.
//!
//! What a deadlock or a lost event loop looks like from outside: the instance takes its share of the requests and finishes
//! none. A restart cures it; when the fault ends, what is still stuck goes on by itself. A second such fault over the first
//! wedges one that is well, also one that was just restarted.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;

/// Instances get stuck.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WedgedInstance {
    /// Of which service.
    pub(crate) service: String,
    /// How many, the first ones of the fleet.
    pub(crate) instances: u32,
}

impl Fault for WedgedInstance {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, Some(&self.service), |service| service.wedged_instances += self.instances);
    }

    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn describe(&self) -> String {
        format!("{} instances of {} get stuck", self.instances, self.service)
    }
}
