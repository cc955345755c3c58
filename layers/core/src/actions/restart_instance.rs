//! Starting one instance of a service anew.
//!
//! Answers what a restart promises: that the instance no longer holds requests without finishing any. It cannot be taken
//! back, and what the instance was working on is lost; guards and the manifest decide whether that may happen unasked.

use crate::actions::{Action, ActionClass, ActionKind, Expectation, Measure, Reversal};
use crate::{Actuation, InstanceId, Label, Millis, ServiceName, Target};

/// The kind. Half a minute covers the start of a process and the ten seconds over which its progress is read. The cooldown is
/// per instance; that the instances of a service wait for one another is a guard's.
pub const RESTART_INSTANCE: ActionKind = ActionKind {
    name: Label::new("restart_instance"),
    class: ActionClass::Remediation,
    reversal: Reversal::Impossible,
    apply_within: Millis::from_secs(60),
    settle: Millis::from_secs(30),
    cooldown: Millis::from_secs(90),
};

/// Starts `instance` of `service` anew.
pub fn restart_instance(service: &ServiceName, instance: &InstanceId) -> Action {
    let measure = Measure::Stuck { service: service.clone(), instance: instance.clone() };
    Action {
        kind: RESTART_INSTANCE.name.clone(),
        class: RESTART_INSTANCE.class,
        target: Target::Instance(service.clone(), instance.clone()),
        actuation: Actuation::Restart { service: service.clone(), instance: instance.clone() },
        way_back: None,
        expectation: Expectation::StaysBelow { measure, limit: 0 },
    }
}
