//! The instances of a service, read.
//!
//! Answers how many requests each instance holds and how many it has finished, as the restart endpoint of its service tells.
//! Instances that are starting or stopping are left out, so that their silence is not taken for being stuck.

use std::collections::BTreeMap;

use homeostat_core::{Indicator, InstanceId, Observation, ServiceName, Target, Timestamp};
use http::Uri;
use serde::Deserialize;

use super::polled::Polled;

/// Instances read of one service; what comes beyond them is left out. Each is two signals, a thousand services of them fill
/// what is followed.
const INSTANCES_MAX: usize = 256;

/// The source of all services in `endpoints`.
pub(super) fn source(endpoints: BTreeMap<ServiceName, Uri>) -> Polled<Answer> {
    Polled::new("restart", endpoints, observations)
}

/// What an endpoint answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    instances: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
struct Instance {
    id: String,
    /// Whether it takes requests.
    ready: bool,
    in_flight: u64,
    /// Requests finished since it started, well or not.
    completed_total: u64,
}

fn observations(service: &ServiceName, answer: &Answer, now: Timestamp) -> Vec<Observation> {
    let ready = answer.instances.iter().filter(|instance| instance.ready && !instance.id.is_empty());
    let of = |instance: &Instance| {
        let target = Target::Instance(service.clone(), InstanceId::from(instance.id.as_str()));
        [(Indicator::RequestsInFlight, instance.in_flight), (Indicator::CompletedTotal, instance.completed_total)]
            .map(|(indicator, value)| Observation::new(target.clone(), indicator, value, now))
    };
    ready.take(INSTANCES_MAX).flat_map(of).collect()
}
