//! Down only past the worst of the window.
//!
//! Answers whether fewer replicas would be left than were needed at any moment of the waiting time. Whoever proposes the
//! reduction, a policy, an operator's rule or a learner, has seen one moment; this guard has watched all of them. A window
//! that was not watched whole allows nothing.

use homeostat_core::{Actuation, Knob, Way, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const STABILISATION: Stabilisation = Stabilisation;

pub(crate) struct Stabilisation;

impl Guard for Stabilisation {
    fn name(&self) -> &'static str {
        "stabilisation"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let Actuation::SetReplicas { service, .. } = &candidate.action.actuation else { return None };
        let turns = candidate.action.turns();
        let down = turns.iter().find(|turn| turn.knob == Knob::Replicas && turn.way() == Some(Way::Down))?;
        let (now, scaling) = (view.view.snapshot.at, &view.view.settings.scaling);
        let window = match view.view.assessment.trusted_forecast(service) {
            Some(_) => scaling.predictive.reduce_after,
            None => scaling.reduce_after,
        };
        let needs = view.caution.needs.get(service);
        let most = needs.and_then(|needs| needs.most(now, window));
        let reason = WithholdReason::NeededLately { asked: down.to, needed: most };
        match most {
            Some(most) => (down.to < most).then(|| reason.into()),
            None => Some(Refusal { reason, until: needs.map(|needs| needs.watched_at(window)) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::Timestamp;

    use super::*;
    use crate::guards::testing::{World, scale};

    /// Scenario: three replicas were needed a minute ago and one since; the window of 300 s was watched whole, and not whole.
    /// Guarantees: down to three and no further; growth is free; nothing before the window was watched, and it is said when.
    #[test]
    fn down_only_past_the_worst_of_the_window() {
        let watched = World::at(1000).with_needs("cart", 600..940, 3).with_needs("cart", 940..1000, 1);
        let asks = |world: &World, from, to| world.asks(&STABILISATION, &scale("cart", from, to));
        assert!(asks(&watched, 5, 3).is_none() && asks(&watched, 2, 4).is_none());
        let reason = asks(&watched, 4, 2).expect("three were needed").reason;
        assert_eq!(reason, WithholdReason::NeededLately { asked: 2, needed: Some(3) });
        let new = World::at(1000).with_needs("cart", 900..1000, 1);
        assert_eq!(asks(&new, 4, 3).expect("unknown").until, Some(Timestamp(1_200_000)));
        assert!(asks(&World::at(1000), 4, 3).is_some());
    }
}
