//! One question at a time.
//!
//! Answers whether the same kind of action is still open on the target. Two overlapping trials could not be told apart when
//! they are judged.

use homeostat_core::WithholdReason;

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const OPEN_TRIAL: OpenTrial = OpenTrial;

pub(crate) struct OpenTrial;

impl Guard for OpenTrial {
    fn name(&self) -> &'static str {
        "open_trial"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let trial = view.past.open_like(candidate.action).find(|id| Some(*id) != candidate.id)?;
        Some(WithholdReason::TrialOpen { trial }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, sample, scale};

    /// Scenario: a scaling trial is open on one service.
    /// Guarantees: no second scaling of it; another kind on it, and the same kind elsewhere, pass.
    #[test]
    fn one_open_trial_per_target_and_kind() {
        let world = World::default().with_trial(scale("cart", 2, 3));
        assert!(world.asks(&OPEN_TRIAL, &scale("cart", 3, 4)).is_some());
        assert!(world.asks(&OPEN_TRIAL, &sample("cart", 1_000_000, 500_000)).is_none());
        assert!(world.asks(&OPEN_TRIAL, &scale("pay", 3, 4)).is_none());
    }
}
