//! Nothing is taken to zero, and nothing comes of zero.
//!
//! Answers whether an action would leave nothing at all, or raise what somebody has switched off. Zero is not a small number:
//! it removes the only evidence by which the change could be judged, and the way back from it needs a cold start.

use homeostat_core::{Knob, Parameter, Turn, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const NEVER_ZERO: NeverZero = NeverZero;

pub(crate) struct NeverZero;

impl Guard for NeverZero {
    fn name(&self) -> &'static str {
        "never_zero"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let is_allowed = view.view.settings.guards.allow_zero;
        // A dimmer at zero leaves out what is optional; the rest is done.
        let counts = |turn: &&Turn| turn.knob != Knob::Parameter(Parameter::Dimmer) && turn.way().is_some();
        let turns = candidate.action.turns();
        let touches_zero = turns.iter().filter(counts).any(|turn| turn.from == 0 || turn.to == 0);
        (!is_allowed && touches_zero).then(|| WithholdReason::ZeroNotAllowed.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, sample, scale};

    /// Scenario: replicas and probabilities to zero, from zero, and between other values; the same where zero is allowed.
    /// Guarantees: only what touches zero is refused, and only where it is not allowed.
    #[test]
    fn zero_is_not_a_small_number() {
        let passes = |world: &World, action| world.asks(&NEVER_ZERO, &action).is_none();
        let strict = World::default();
        assert!(!passes(&strict, scale("cart", 1, 0)) && !passes(&strict, scale("cart", 0, 1)));
        assert!(!passes(&strict, sample("cart", 10, 0)) && passes(&strict, scale("cart", 2, 1)));
        let loose = World::default().with_guards(|guards| guards.allow_zero = true);
        assert!(passes(&loose, scale("cart", 1, 0)));
    }
}
