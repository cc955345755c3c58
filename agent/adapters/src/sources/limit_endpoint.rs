//! The limit endpoint of a service, read.
//!
//! Answers how many requests in flight a service admits, how many there are, and how many it has refused. It does not know
//! what the limit should be.

use std::collections::BTreeMap;

use homeostat_core::{Indicator, Observation, ServiceName, Target, Timestamp};
use http::Uri;
use serde::Deserialize;

use super::polled::Polled;

/// The source of all services in `endpoints`.
pub(super) fn source(endpoints: BTreeMap<ServiceName, Uri>) -> Polled<Answer> {
    Polled::new("limit", endpoints, observations)
}

/// What an endpoint answers. All three are needed: a limit is moved by what is in flight and what is refused.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    limit: u64,
    in_flight: u64,
    /// Since the service started.
    shed_total: u64,
}

fn observations(service: &ServiceName, answer: &Answer, now: Timestamp) -> Vec<Observation> {
    let readings = [
        (Indicator::RequestsInFlight, answer.in_flight),
        (Indicator::ConcurrencyLimit, answer.limit),
        (Indicator::ShedTotal, answer.shed_total),
    ];
    let of = |(indicator, value)| Observation::new(Target::Service(service.clone()), indicator, value, now);
    readings.into_iter().map(of).collect()
}
