//! The dimmer endpoint of a service, read.
//!
//! Answers which share of its optional work a service does. It does not know what users miss of it.

use std::collections::BTreeMap;

use homeostat_core::{Indicator, Observation, ServiceName, Target, Timestamp};
use http::Uri;
use serde::Deserialize;

use super::polled::{Polled, basis_points};

/// The source of all services in `endpoints`.
pub(super) fn source(endpoints: BTreeMap<ServiceName, Uri>) -> Polled<Answer> {
    Polled::new("dimmer", endpoints, observations)
}

/// What an endpoint answers.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    dimmer: f64,
}

fn observations(service: &ServiceName, answer: &Answer, now: Timestamp) -> Vec<Observation> {
    let share = basis_points(answer.dimmer);
    let target = Target::Service(service.clone());
    share.map(|share| Observation::new(target, Indicator::Dimmer, share, now)).into_iter().collect()
}
