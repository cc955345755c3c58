//! Telling people something.
//!
//! Answers what a notification is as an action: it is delivered or not, and cannot be taken back.

use crate::actions::{Action, ActionClass, ActionKind, Expectation, Reversal};
use crate::{Actuation, IncidentId, Label, Millis, ServiceName, Target, Urgency};

/// The kind. The cooldown keeps a flapping incident from paging every minute.
pub const NOTIFY: ActionKind = ActionKind {
    name: Label::new("notify"),
    class: ActionClass::Notification,
    reversal: Reversal::NotNeeded,
    apply_within: Millis::from_secs(30),
    settle: Millis(0),
    cooldown: Millis::from_secs(300),
};

/// Says `text` about `service`, and about `incident` where that is suspected to start in it.
pub fn notify(service: &ServiceName, incident: Option<IncidentId>, urgency: Urgency, text: String) -> Action {
    Action {
        kind: NOTIFY.name.clone(),
        class: NOTIFY.class,
        target: Target::Service(service.clone()),
        actuation: Actuation::Notify { incident, urgency, text },
        way_back: None,
        expectation: Expectation::Delivered,
    }
}
