//! Sampling decisions.
//!
//! Answers what the data plane and the SDKs are told: which share of whose traces to keep. Does not know how a trace is
//! matched to a probability; that is the pipeline's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Generation, Micros, Parameter, SamplingProbability, ServiceName};

/// How the traces of one service are sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSampling {
    /// The probability that its SDK starts a trace; served to remote samplers.
    pub head: SamplingProbability,
    /// The probability that an ordinary trace touching it is kept by the agent. Errors and slow traces are always kept.
    pub tail: SamplingProbability,
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
    /// Parameters per service. Read where the service itself does not say what it goes by.
    #[serde(default)]
    pub parameters: BTreeMap<ServiceName, BTreeMap<Parameter, u64>>,
}
