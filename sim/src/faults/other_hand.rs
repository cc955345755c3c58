//! Somebody else sets the number of instances.
//!
//! What a second controller looks like, or a person at a keyboard: the number is set when the fault begins, and again
//! whenever it has changed.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;

/// Somebody else sets the number of instances.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OtherHand {
    /// Of which service.
    pub(crate) service: String,
    /// To how many.
    pub(crate) replicas: u32,
}

impl Fault for OtherHand {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, Some(&self.service), |service| service.other_hand = Some(self.replicas));
    }

    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn describe(&self) -> String {
        format!("somebody else sets {} to {} replicas", self.service, self.replicas)
    }
}
