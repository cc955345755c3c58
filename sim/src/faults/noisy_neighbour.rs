//! Somebody else uses the host.
//!
//! A batch job or another tenant takes cores from all services on one host. None of them is at fault, and none shows it but
//! by being slow.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;
use crate::plants::ServiceSpec;

/// Somebody else uses the host.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoisyNeighbour {
    /// A service on the host; all others there suffer alike.
    pub(crate) service: String,
    /// Cores that are used.
    pub(crate) cores: u32,
}

impl Fault for NoisyNeighbour {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, Some(&self.service), |service| service.neighbour_cores += self.cores);
    }

    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn lacks(&self, service: &ServiceSpec) -> Option<&'static str> {
        service.host.is_none().then_some("has no host that it could share")
    }

    fn describe(&self) -> String {
        format!("a neighbour of {} uses {} cores", self.service, self.cores)
    }
}
