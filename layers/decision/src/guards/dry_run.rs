//! A rule that is tried out changes nothing.
//!
//! Answers whether the rule that proposes is in dry run. It is asked last, so that "in dry run" means that everything else
//! would have let the proposal pass; what another guard refuses is shown with that guard's reason.

use homeostat_core::WithholdReason;

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const DRY_RUN: DryRun = DryRun;

pub(crate) struct DryRun;

impl Guard for DryRun {
    fn name(&self) -> &'static str {
        "dry_run"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let (_, rule) = view.view.settings.rules.find(candidate.policy)?;
        rule.dry_run.then(|| WithholdReason::DryRun.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, rule, scale};

    /// Scenario: the same proposal of a rule that acts, of one in dry run, and of a coded policy.
    /// Guarantees: only the rule in dry run is held back, whatever else is allowed.
    #[test]
    fn only_a_rule_in_dry_run_is_held_back() {
        let refused = |dry_run, is_rule: bool| {
            let rule = homeostat_core::Rule { dry_run, ..rule("grow", 4) };
            let policy = if is_rule { rule.policy() } else { "target_tracking".into() };
            World::default().with_rule(rule).asks_of(&DRY_RUN, &scale("cart", 2, 3), &policy).is_some()
        };
        assert!(refused(true, true));
        assert!(!refused(false, true) && !refused(true, false));
    }
}
