//! Actuations.
//!
//! Answers which primitive changes the outside can perform. The enum is closed on purpose: when one is added, the compiler
//! shows every place that must answer for it. Action *kinds* are the open set above it (`actions`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{IncidentId, Replicas, ServiceName, ServiceSampling, Severity};

/// How soon a person should read a notification.
pub type Urgency = Severity;

/// One primitive change, as a desired state: performing it twice is the same as once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actuation {
    /// Sample `service` like this from now on.
    SetSampling {
        /// Whose traces.
        service: ServiceName,
        /// The probabilities.
        sampling: ServiceSampling,
    },
    /// Run `service` with this many instances.
    SetReplicas {
        /// Which service.
        service: ServiceName,
        /// How many.
        replicas: Replicas,
    },
    /// Tell people something.
    Notify {
        /// About which incident, if it is about one.
        incident: Option<IncidentId>,
        /// How soon it should be read.
        urgency: Urgency,
        /// One sentence.
        text: String,
    },
}

impl fmt::Display for Actuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actuation::SetSampling { service, sampling } => {
                write!(f, "sample {service}: head {}, tail {}", sampling.head, sampling.tail)
            }
            Actuation::SetReplicas { service, replicas } => write!(f, "run {service} with {replicas} replicas"),
            Actuation::Notify { incident: Some(incident), text, .. } => write!(f, "notify about {incident}: {text}"),
            Actuation::Notify { incident: None, text, .. } => write!(f, "notify: {text}"),
        }
    }
}
