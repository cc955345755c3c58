//! Changing how the traces of one service, or of one operation, are sampled.
//!
//! Answers what such a change promises: what is raised stays within the budget, what is lowered keeps less. Does not choose a
//! probability.

use crate::actions::{Action, ActionClass, ActionKind, Expectation, Measure, Reversal};
use crate::{Actuation, BasisPoints, Label, Millis, OperationKey, OperationName, ServiceName, ServiceSampling, Target};

/// The kind. Sampling changes are cheap and take effect within a trace's life, so they settle quickly.
pub const ADJUST_SAMPLING: ActionKind = ActionKind {
    name: Label::new("adjust_sampling"),
    class: ActionClass::Sampling,
    reversal: Reversal::WayBack,
    apply_within: Millis::from_secs(5),
    settle: Millis::from_secs(12),
    cooldown: Millis::from_secs(15),
};

/// A reduction counts as such when the kept share fell by this much, relative to before.
const REDUCTION: BasisPoints = BasisPoints(500);

/// The budget may be exceeded by this much before what was raised counts as harmful; less is corrected by the next decision.
const EXCESS: BasisPoints = BasisPoints(2000);

/// Samples `service` like `to`, where it was `from`; the agent is to keep at most `budget_milli_per_second` thousandths of a
/// span a second by chance.
///
/// What is raised promises to stay within the budget, and is taken back if it clearly does not. What is lowered promises only
/// that the service's own kept share falls, and is never taken back: if the budget is exceeded all the same, going back up
/// would be the wrong way.
pub fn adjust_sampling(
    service: &ServiceName,
    from: ServiceSampling,
    to: ServiceSampling,
    budget_milli_per_second: u64,
) -> Action {
    Change { from, to, budget_milli_per_second }.of(service, None)
}

/// The same for traces that begin with one operation.
pub fn adjust_operation_sampling(
    (service, operation): &OperationKey,
    from: ServiceSampling,
    to: ServiceSampling,
    budget_milli_per_second: u64,
) -> Action {
    Change { from, to, budget_milli_per_second }.of(service, Some(operation))
}

struct Change {
    from: ServiceSampling,
    to: ServiceSampling,
    budget_milli_per_second: u64,
}

impl Change {
    fn of(&self, service: &ServiceName, operation: Option<&OperationName>) -> Action {
        let (service, operation) = (service.clone(), operation.cloned());
        let set =
            |sampling| Actuation::SetSampling { service: service.clone(), operation: operation.clone(), sampling };
        Action {
            kind: ADJUST_SAMPLING.name.clone(),
            class: ADJUST_SAMPLING.class,
            actuation: set(self.to),
            way_back: Some(set(self.from)),
            target: match &operation {
                Some(operation) => Target::Operation(service.clone(), operation.clone()),
                None => Target::Service(service.clone()),
            },
            expectation: if self.from.tail < self.to.tail {
                let limit = self.budget_milli_per_second + EXCESS.of(self.budget_milli_per_second);
                Expectation::StaysBelow { measure: Measure::SpansKeptByChance, limit }
            } else if self.to.tail < self.from.tail {
                Expectation::Relieves { measure: Measure::KeptShare { service, operation }, by: REDUCTION }
            } else {
                Expectation::Delivered
            },
        }
    }
}
