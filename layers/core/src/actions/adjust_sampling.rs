//! Changing how the traces of one service are sampled.
//!
//! Answers what such a change promises: the spans kept by chance stay within the budget. Does not choose a probability.

use crate::actions::{Action, ActionClass, ActionKind, Expectation, Measure};
use crate::{Actuation, Label, Millis, ServiceName, ServiceSampling, Target};

/// The kind. Sampling changes are cheap and take effect within a trace's life, so they settle quickly.
pub const ADJUST_SAMPLING: ActionKind = ActionKind {
    name: Label::new("adjust_sampling"),
    class: ActionClass::Sampling,
    apply_within: Millis::from_secs(5),
    settle: Millis::from_secs(12),
    cooldown: Millis::from_secs(15),
};

/// Samples `service` like `to`, where it was `from`; the agent is to keep at most
/// `budget_milli_per_second` thousandths of a span a second by chance.
pub fn adjust_sampling(
    service: &ServiceName,
    from: ServiceSampling,
    to: ServiceSampling,
    budget_milli_per_second: u64,
) -> Action {
    Action {
        kind: ADJUST_SAMPLING.name.clone(),
        class: ADJUST_SAMPLING.class,
        target: Target::Service(service.clone()),
        actuation: Actuation::SetSampling { service: service.clone(), sampling: to },
        way_back: Some(Actuation::SetSampling { service: service.clone(), sampling: from }),
        expectation: Expectation::StaysBelow { measure: Measure::SpansKeptByChance, limit: budget_milli_per_second },
    }
}
