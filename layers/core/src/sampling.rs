//! Sampling decisions.
//!
//! Answers what the data plane and the SDKs are told: which share of whose traces to keep. Does not know how a trace is
//! matched to a probability; that is the pipeline's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Generation, Micros, OperationName, Parameter, SamplingProbability, ServiceName};

/// How the traces of one service are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSampling {
    /// The probability that its SDK starts a trace; served to remote samplers.
    pub head: SamplingProbability,
    /// The probability that an ordinary trace touching it is kept by the agent. Errors and slow traces are always kept.
    pub tail: SamplingProbability,
}

/// One operation of one service.
pub type OperationKey = (ServiceName, OperationName);

/// How traces that begin with one operation are sampled, and what is counted of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationPlan {
    /// Decided for it; a trace that begins with it is kept with this tail probability, whatever services it touches. Where
    /// nothing has been decided, it follows its services.
    pub sampling: Option<ServiceSampling>,
    /// Requests slower than this count as slow for the operation; for nothing else.
    pub slow_above: Option<Micros>,
}

/// Everything the data plane needs to decide about a trace. Swapped as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplingPlan {
    /// Grows with every change.
    pub generation: Generation,
    /// For services without an entry of their own.
    pub default: ServiceSampling,
    /// Decided per service.
    pub services: BTreeMap<ServiceName, ServiceSampling>,
    /// Operations that somebody wants to know about by themselves: those that begin a journey.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<ServiceName, BTreeMap<OperationName, OperationPlan>>,
    /// Requests slower than this count as slow, for services without an entry in `slow_above`.
    pub default_slow_above: Micros,
    /// The latency threshold of each service that has an objective of its own.
    pub slow_above: BTreeMap<ServiceName, Micros>,
}

impl SamplingPlan {
    /// How `service` is sampled.
    pub fn of(&self, service: &str) -> ServiceSampling {
        self.services.get(service).copied().unwrap_or(self.default)
    }

    /// How traces that begin with `operation` are sampled.
    pub fn of_operation(&self, service: &str, operation: &str) -> ServiceSampling {
        let plan = self.operations.get(service).and_then(|operations| operations.get(operation));
        plan.and_then(|plan| plan.sampling).unwrap_or_else(|| self.of(service))
    }

    /// What counts as slow for `service`.
    pub fn slow_threshold(&self, service: &str) -> Micros {
        self.slow_above.get(service).copied().unwrap_or(self.default_slow_above)
    }
}

/// What the loop has set and the world has confirmed. Replica counts are not here: they are observed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Sampling per service; a service without an entry has the settings' initial sampling.
    pub sampling: BTreeMap<ServiceName, ServiceSampling>,
    /// Sampling per operation; one without an entry follows its services.
    #[serde(default, with = "crate::pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<OperationKey, ServiceSampling>,
    /// Parameters per service. Read where the service itself does not say what it goes by.
    #[serde(default)]
    pub parameters: BTreeMap<ServiceName, BTreeMap<Parameter, u64>>,
}
