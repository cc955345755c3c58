//! Changing how much optional work a service does.
//!
//! Answers what dimming promises: work that users can do without is left out so that they get their answers in time. If
//! there are fewer answers than before, it is taken back. Does not choose a share.

use crate::actions::{Action, ActionClass, ActionKind, Expectation, Measure, Reversal};
use crate::{Actuation, BasisPoints, Label, Millis, ObjectiveKind, Parameter, ServiceName, Target};

/// The kind. As long as for a concurrency limit: the same queues drain, and the same measure is read.
pub const SET_DIMMER: ActionKind = ActionKind {
    name: Label::new("set_dimmer"),
    class: ActionClass::Shedding,
    reversal: Reversal::WayBack,
    apply_within: Millis::from_secs(10),
    settle: Millis::from_secs(12),
    cooldown: Millis::from_secs(12),
};

/// Does less optional work. `gap_us` is the time between answers now; it must not grow.
pub fn dim(service: &ServiceName, from: BasisPoints, to: BasisPoints, gap_us: u64) -> Action {
    let measure = Measure::AnswerGap { service: service.clone() };
    set_dimmer(service, from, to, Expectation::StaysBelow { measure, limit: gap_us })
}

/// Does more optional work. At most `slow_bp_max` of the requests may be slow.
pub fn brighten(service: &ServiceName, from: BasisPoints, to: BasisPoints, slow_bp_max: u64) -> Action {
    let measure = Measure::BadRatio { service: service.clone(), kind: ObjectiveKind::Latency };
    set_dimmer(service, from, to, Expectation::StaysBelow { measure, limit: slow_bp_max })
}

fn set_dimmer(service: &ServiceName, from: BasisPoints, to: BasisPoints, expectation: Expectation) -> Action {
    let parameter = Parameter::Dimmer;
    let set =
        |share: BasisPoints| Actuation::SetParameter { service: service.clone(), parameter, value: share.0.into() };
    Action {
        kind: SET_DIMMER.name.clone(),
        class: SET_DIMMER.class,
        target: Target::Service(service.clone()),
        actuation: set(to),
        way_back: Some(set(from)),
        expectation,
    }
}
