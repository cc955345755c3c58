//! So many actions in so much time, and no more.
//!
//! Answers whether a budget is spent: of the target, of the class of action, of the whole agent. Budgets count decisions in
//! a sliding window rather than refilling a bucket, so that *no* window ever holds more than its budget.

use homeostat_core::{Label, RateBudget, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const RATE_BUDGET: RateBudgets = RateBudgets;

pub(crate) struct RateBudgets;

impl Guard for RateBudgets {
    fn name(&self) -> &'static str {
        "rate_budget"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let guards = &view.view.settings.guards;
        let (target, class) = (&candidate.action.target, candidate.action.class);
        let spent = |counted: usize, budget: RateBudget| counted.saturating_sub(own(candidate, view, budget));
        None.or_else(|| over(Label::new("target"), guards.per_target, spent(view.past.on(target), guards.per_target)))
            .or_else(|| {
                over(
                    Label::new(class.as_str()),
                    guards.budget(class),
                    spent(view.past.of_class(class), guards.budget(class)),
                )
            })
            .or_else(|| over(Label::new("global"), guards.global, spent(view.past.all(), guards.global)))
    }
}

/// What a candidate that is looked at again has spent itself: its own past must not count against it.
fn own(candidate: &Candidate<'_>, view: &GuardView<'_>, budget: RateBudget) -> usize {
    let Some(id) = candidate.id else { return 0 };
    view.view.ledger.within(view.view.snapshot.at, budget.window).filter(|entry| entry.id == id).count()
}

fn over(name: Label, budget: RateBudget, spent: usize) -> Option<Refusal> {
    let limit = budget.actions_max;
    (limit as usize <= spent).then(|| WithholdReason::BudgetSpent { budget: name, limit }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, scale};

    /// Scenario: the default of six scalings a minute, spent on six services within the last minute.
    /// Guarantees: the seventh waits, and passes once the first has left the window.
    #[test]
    fn the_seventh_scaling_waits() {
        let spent =
            |now| (0..6).fold(World::at(now), |world, n| world.with_entry(scale(&format!("s{n}"), 2, 3), 1000 + n));
        let refusal = spent(1010).asks(&RATE_BUDGET, &scale("cart", 2, 3)).expect("spent");
        assert_eq!(refusal.reason, WithholdReason::BudgetSpent { budget: Label::new("scaling"), limit: 6 });
        assert!(spent(1060).asks(&RATE_BUDGET, &scale("cart", 2, 3)).is_none());
    }
}
