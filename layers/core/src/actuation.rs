//! Actuations.
//!
//! Answers which primitive changes the outside can perform. The enum is closed on purpose: when one is added, the compiler
//! shows every place that must answer for it. Action *kinds* are the open set above it (`actions`).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{IncidentId, Indicator, InstanceId, Knob, OperationName, Replicas, ServiceName, ServiceSampling, Severity};

/// How soon a person should read a notification.
pub type Urgency = Severity;

/// A knob of a service that can be turned. Closed, because each has its unit and its reading written beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parameter {
    /// Requests in flight that the service admits; one more is refused at once, which sheds load.
    ConcurrencyLimit,
    /// The share of optional work that the service does, in basis points; less of it is a brownout.
    Dimmer,
}

impl Parameter {
    /// Every parameter, in order.
    pub const ALL: [Parameter; 2] = [Parameter::ConcurrencyLimit, Parameter::Dimmer];

    /// How its value is observed.
    pub const fn indicator(self) -> Indicator {
        match self {
            Parameter::ConcurrencyLimit => Indicator::ConcurrencyLimit,
            Parameter::Dimmer => Indicator::Dimmer,
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.indicator().as_str())
    }
}

/// What a profile is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProfileKind {
    /// Where processor time goes.
    Cpu,
    /// Who holds memory.
    Heap,
}

impl ProfileKind {
    /// The name on the wire and in explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            ProfileKind::Cpu => "cpu",
            ProfileKind::Heap => "heap",
        }
    }
}

/// One primitive change. What is set is a desired state; what happens once (`Restart`, `Profile`, `Notify`) is told apart by
/// the id of its request. Either way, performing it twice under one id is the same as once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actuation {
    /// Sample traces of `service` like this from now on.
    SetSampling {
        /// Whose traces.
        service: ServiceName,
        /// Only of those that begin with this operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<OperationName>,
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
    /// Run `service` with this value of one of its knobs.
    SetParameter {
        /// Which service.
        service: ServiceName,
        /// Which knob.
        parameter: Parameter,
        /// The value, in the unit of the parameter's indicator.
        value: u64,
    },
    /// Start one instance anew. What it was working on is lost.
    Restart {
        /// Which service.
        service: ServiceName,
        /// Which of its instances.
        instance: InstanceId,
    },
    /// Take a profile.
    Profile {
        /// Of which service.
        service: ServiceName,
        /// Of what.
        profile: ProfileKind,
        /// For how long.
        seconds: u32,
    },
    /// Tell people about an incident.
    Notify {
        /// Which incident.
        incident: IncidentId,
        /// How soon it should be read.
        urgency: Urgency,
        /// One sentence.
        text: String,
    },
}

impl Actuation {
    /// The knobs it sets, each with its level.
    pub fn levels(&self) -> Vec<(Knob, u64)> {
        match self {
            Actuation::SetSampling { sampling, .. } => {
                vec![(Knob::HeadSampling, sampling.head.ppm().into()), (Knob::TailSampling, sampling.tail.ppm().into())]
            }
            Actuation::SetReplicas { replicas, .. } => vec![(Knob::Replicas, replicas.0.into())],
            Actuation::SetParameter { parameter, value, .. } => vec![(Knob::Parameter(*parameter), *value)],
            Actuation::Restart { .. } | Actuation::Profile { .. } | Actuation::Notify { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Actuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actuation::SetSampling { service, operation, sampling } => {
                let operation = operation.iter().map(|operation| format!(" {operation}")).collect::<String>();
                write!(f, "sample {service}{operation}: head {}, tail {}", sampling.head, sampling.tail)
            }
            Actuation::SetReplicas { service, replicas } => write!(f, "run {service} with {replicas} replicas"),
            Actuation::SetParameter { service, parameter, value } => {
                write!(f, "run {service} with {parameter} {}", parameter.indicator().unit().render(*value))
            }
            Actuation::Restart { service, instance } => write!(f, "restart {instance} of {service}"),
            Actuation::Profile { service, profile, seconds } => {
                write!(f, "take a {} profile of {service} for {seconds} s", profile.as_str())
            }
            Actuation::Notify { incident, text, .. } => write!(f, "notify about {incident}: {text}"),
        }
    }
}
