//! Nobody is fought.
//!
//! Answers whether somebody else has set what the action would set. Two controllers on one knob undo each other's work
//! forever; the one that gives way ends it. It is left alone for a while and then looked at anew.

use homeostat_core::{Turn, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const OWNERSHIP: Ownership = Ownership;

pub(crate) struct Ownership;

impl Guard for Ownership {
    fn name(&self) -> &'static str {
        "ownership"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let action = candidate.action;
        let service = action.target.service()?;
        let of_knob = |turn: &Turn| view.caution.hands.get(&(service.clone(), turn.knob))?.other;
        let other = action.turns().iter().find_map(of_knob)?;
        let reason = WithholdReason::OwnedElsewhere { found: other.found, expected: other.expected };
        Some(Refusal { reason, until: Some(other.at + view.view.settings.guards.yield_for) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, scale};

    /// Scenario: somebody set five replicas where three were expected.
    /// Guarantees: neither up nor down is decided on that service, others are free, and it is said until when.
    #[test]
    fn what_others_set_is_left_alone() {
        let world = World::at(1000).with_other_hand("cart", 3, 5);
        for to in [4, 6] {
            let refusal = world.asks(&OWNERSHIP, &scale("cart", 5, to)).expect("owned elsewhere");
            assert_eq!(refusal.reason, WithholdReason::OwnedElsewhere { found: 5, expected: 3 });
            assert!(refusal.until.is_some());
        }
        assert!(world.asks(&OWNERSHIP, &scale("pay", 5, 6)).is_none());
    }
}
