//! A target rests after an action.
//!
//! Answers whether the target was acted on too recently by the same kind of action. The rest is never shorter than the time
//! the world needs to show an effect, so a decision always sees the result of the one before it.

use homeostat_core::WithholdReason;
use homeostat_core::actions;

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const COOLDOWN: Cooldown = Cooldown;

pub(crate) struct Cooldown;

impl Guard for Cooldown {
    fn name(&self) -> &'static str {
        "cooldown"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let action = candidate.action;
        let last = view.view.ledger.last(&action.kind, &action.target)?;
        let kind = actions::kind(action.kind.as_str()).expect("every action's kind is in the catalogue");
        let until = last.at + kind.cooldown;
        let resting = view.view.snapshot.at < until && Some(last.id) != candidate.id;
        resting.then_some(Refusal { reason: WithholdReason::CoolingDown, until: Some(until) })
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::Timestamp;

    use super::*;
    use crate::guards::testing::{World, scale};

    /// Scenario: a service was scaled at 1000 s; the cooldown of scaling is 25 s.
    /// Guarantees: refused until exactly then, with the time at which it ends; another service is free.
    #[test]
    fn a_target_rests_until_its_time() {
        let at = |second| World::at(second).with_entry(scale("cart", 2, 3), 1000);
        let refusal = at(1024).asks(&COOLDOWN, &scale("cart", 3, 4)).expect("resting");
        assert_eq!(refusal.until, Some(Timestamp(1_025_000)));
        assert!(at(1025).asks(&COOLDOWN, &scale("cart", 3, 4)).is_none());
        assert!(at(1001).asks(&COOLDOWN, &scale("pay", 3, 4)).is_none());
    }
}
