//! Changing how many requests a service admits at once.
//!
//! Answers what such a change promises. A lower limit refuses requests so that the others are answered in time: there must
//! then be no fewer answers than before, or it is taken back. A higher limit admits more and must not make them slow.
//! Does not choose a number.

use crate::actions::{Action, ActionClass, ActionKind, Expectation, Measure, Reversal};
use crate::{Actuation, Label, Millis, ObjectiveKind, Parameter, ServiceName, Target};

/// The kind. Queues of some seconds drain first, then answers are counted over ten seconds.
pub const LIMIT_CONCURRENCY: ActionKind = ActionKind {
    name: Label::new("limit_concurrency"),
    class: ActionClass::Shedding,
    reversal: Reversal::WayBack,
    apply_within: Millis::from_secs(10),
    settle: Millis::from_secs(12),
    cooldown: Millis::from_secs(12),
};

/// Admits fewer requests at once. `gap_us` is the time between answers now; it must not grow.
pub fn lower_limit(service: &ServiceName, from: u64, to: u64, gap_us: u64) -> Action {
    let measure = Measure::AnswerGap { service: service.clone() };
    set_limit(service, from, to, Expectation::StaysBelow { measure, limit: gap_us })
}

/// Admits more requests at once. At most `slow_bp_max` of them may be slow.
pub fn raise_limit(service: &ServiceName, from: u64, to: u64, slow_bp_max: u64) -> Action {
    let measure = Measure::BadRatio { service: service.clone(), kind: ObjectiveKind::Latency };
    set_limit(service, from, to, Expectation::StaysBelow { measure, limit: slow_bp_max })
}

fn set_limit(service: &ServiceName, from: u64, to: u64, expectation: Expectation) -> Action {
    let parameter = Parameter::ConcurrencyLimit;
    let set = |value| Actuation::SetParameter { service: service.clone(), parameter, value };
    Action {
        kind: LIMIT_CONCURRENCY.name.clone(),
        class: LIMIT_CONCURRENCY.class,
        target: Target::Service(service.clone()),
        actuation: set(to),
        way_back: Some(set(from)),
        expectation,
    }
}
