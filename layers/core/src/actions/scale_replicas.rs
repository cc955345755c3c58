//! Changing how many instances of a service run.
//!
//! Answers what scaling promises: more instances relieve the service, fewer do not hurt it. Does not choose a number.

use crate::actions::{Action, ActionClass, ActionKind, Expectation, Measure, Reversal};
use crate::{Actuation, BasisPoints, Label, Millis, Replicas, ServiceName, Target};

/// The kind. Twenty seconds cover the start of a process and the draining of the queue it inherits.
pub const SCALE_REPLICAS: ActionKind = ActionKind {
    name: Label::new("scale_replicas"),
    class: ActionClass::Scaling,
    reversal: Reversal::WayBack,
    apply_within: Millis::from_secs(60),
    settle: Millis::from_secs(20),
    cooldown: Millis::from_secs(25),
};

/// Relief counts as such from a tenth on; less could be noise.
const RELIEF: BasisPoints = BasisPoints(1000);

/// More instances; `measure` is to be relieved.
pub fn scale_out(service: &ServiceName, from: Replicas, to: Replicas, measure: Measure) -> Action {
    scale(service, from, to, Expectation::Relieves { measure, by: RELIEF })
}

/// Fewer instances; `measure` is to stay at or below `limit`.
pub fn scale_in(service: &ServiceName, from: Replicas, to: Replicas, measure: Measure, limit: u64) -> Action {
    scale(service, from, to, Expectation::StaysBelow { measure, limit })
}

fn scale(service: &ServiceName, from: Replicas, to: Replicas, expectation: Expectation) -> Action {
    Action {
        kind: SCALE_REPLICAS.name.clone(),
        class: SCALE_REPLICAS.class,
        target: Target::Service(service.clone()),
        actuation: Actuation::SetReplicas { service: service.clone(), replicas: to },
        way_back: Some(Actuation::SetReplicas { service: service.clone(), replicas: from }),
        expectation,
    }
}
