//! In a storm, nothing.
//!
//! Answers whether so much is wrong at once that acting would be acting blindly everywhere. People are told once; what is
//! under way is finished, and nothing is begun until the storm is over.

use homeostat_core::WithholdReason;
use homeostat_core::actions::ActionClass;

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const STORM: StormGuard = StormGuard;

pub(crate) struct StormGuard;

impl Guard for StormGuard {
    fn name(&self) -> &'static str {
        "storm"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let storm = view.view.assessment.storm?;
        let tells_first =
            candidate.action.class == ActionClass::Notification && !view.past.was_told_since(storm.since, candidate.id);
        (!tells_first).then(|| WithholdReason::Storm { storm }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, page, scale};

    /// Scenario: a storm since 1000 s: a scaling, the first page, a second one; and the same without a storm.
    /// Guarantees: one page leaves and nothing else.
    #[test]
    fn a_storm_is_told_once() {
        let storm = World::at(1010).with_storm(1000);
        assert!(storm.asks(&STORM, &scale("cart", 2, 3)).is_some());
        assert!(storm.asks(&STORM, &page("cart")).is_none());
        let told = World::at(1010).with_storm(1000).with_entry(page("pay"), 1005);
        assert!(told.asks(&STORM, &page("cart")).is_some());
        assert!(World::at(1010).with_entry(page("pay"), 1005).asks(&STORM, &page("cart")).is_none());
    }
}
