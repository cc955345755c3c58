//! Taking a profile of a service.
//!
//! Answers what a profile is as an action: it is taken or not. It changes nothing that would have to be put back, but it
//! costs the service a few percent while it lasts, so it has a budget and a long cooldown.

use crate::actions::{Action, ActionClass, ActionKind, Expectation, Reversal};
use crate::{Actuation, Label, Millis, ProfileKind, ServiceName, Target};

/// The kind. A quarter of an hour between profiles of one service: a second one of the same trouble shows the same.
pub const PROFILE_SERVICE: ActionKind = ActionKind {
    name: Label::new("profile_service"),
    class: ActionClass::Profiling,
    reversal: Reversal::NotNeeded,
    apply_within: Millis::from_secs(30),
    settle: Millis(0),
    cooldown: Millis::from_secs(900),
};

/// Takes a `profile` of `service` for `seconds`.
pub fn profile_service(service: &ServiceName, profile: ProfileKind, seconds: u32) -> Action {
    Action {
        kind: PROFILE_SERVICE.name.clone(),
        class: PROFILE_SERVICE.class,
        target: Target::Service(service.clone()),
        actuation: Actuation::Profile { service: service.clone(), profile, seconds },
        way_back: None,
        expectation: Expectation::Delivered,
    }
}
