//! Targets.
//!
//! Answers what can be observed and acted on, with OpenTelemetry's resource names. Does not know how a target is reached.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{InstanceId, OperationName, ServiceName};

/// What can be observed and acted on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// This agent itself: its budgets and its own cost.
    Agent,
    /// Everything that reports under one `service.name`.
    Service(ServiceName),
    /// One kind of request into a service.
    Operation(ServiceName, OperationName),
    /// One of the processes behind a service.
    Instance(ServiceName, InstanceId),
}

impl Target {
    /// The service this target belongs to, if any.
    pub fn service(&self) -> Option<&ServiceName> {
        match self {
            Target::Agent => None,
            Target::Service(service) | Target::Operation(service, _) | Target::Instance(service, _) => Some(service),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Agent => f.write_str("agent"),
            Target::Service(service) => write!(f, "{service}"),
            Target::Operation(service, operation) => write!(f, "{service} {operation}"),
            Target::Instance(service, instance) => write!(f, "{instance} of {service}"),
        }
    }
}
