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
        let same = |action: &homeostat_core::actions::Action| {
            action.kind == candidate.action.kind && action.target == candidate.action.target
        };
        let open = view.view.trials.iter().map(|trial| &trial.request).chain(view.accepted);
        let found = open.into_iter().find(|request| same(&request.action) && Some(request.id) != candidate.id)?;
        Some(WithholdReason::TrialOpen { trial: found.id }.into())
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
