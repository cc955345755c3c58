//! The scale endpoint of a service, read.
//!
//! Answers how many replicas a service says it has, and how busy they are. It does not know what they should be.

use std::collections::BTreeMap;

use homeostat_core::{Indicator, Observation, ServiceName, Target, Timestamp, Witness};
use http::Uri;
use serde::Deserialize;

use super::polled::{Polled, basis_points};

/// The source of all services in `endpoints`.
pub(super) fn source(endpoints: BTreeMap<ServiceName, Uri>) -> Polled<Answer> {
    Polled::new("scale", endpoints, observations)
}

/// What an endpoint answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    replicas: u32,
    utilization: Option<f64>,
}

fn observations(service: &ServiceName, answer: &Answer, now: Timestamp) -> Vec<Observation> {
    let target = Target::Service(service.clone());
    let replicas = Observation::new(target.clone(), Indicator::ReplicasReady, u64::from(answer.replicas), now);
    let utilization = answer.utilization.and_then(basis_points);
    let utilization = utilization.map(|value| Observation::new(target, Indicator::Utilization, value, now));
    std::iter::once(replicas).chain(utilization).map(|said| said.by(Witness::ScaleEndpoint)).collect()
}
