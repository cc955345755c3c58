//! A knob is not turned back and forth.
//!
//! Answers whether an action turns a knob the other way than it was turned lately. At a threshold, noise proposes up and
//! down by turns, and each looks right by itself; only the time between them tells. The way back of a trial is not asked: it
//! is part of the action it takes back.

use homeostat_core::WithholdReason;
use homeostat_core::actions;

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const HYSTERESIS: Hysteresis = Hysteresis;

pub(crate) struct Hysteresis;

impl Guard for Hysteresis {
    fn name(&self) -> &'static str {
        "hysteresis"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let action = candidate.action;
        let kind = actions::kind(action.kind.as_str()).expect("every action's kind is in the catalogue");
        let dwell = view.view.settings.guards.dwell(kind);
        let now = view.view.snapshot.at;
        action.turns().iter().find_map(|turn| {
            let way = turn.way()?;
            let against = |(_, id, past): &&crate::past::PastTurn| {
                past.knob == turn.knob && past.way().is_some_and(|past| past != way) && Some(*id) != candidate.id
            };
            let (at, action, _) = view.past.turns(&action.target).iter().find(against)?;
            let reason = WithholdReason::TurnsBack { knob: turn.knob, action: *action };
            (now.since(*at) < dwell).then_some(Refusal { reason, until: Some(*at + dwell) })
        })
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::Timestamp;

    use super::*;
    use crate::guards::testing::{World, sample, scale};

    /// Scenario: a service grew at 1000 s; its dwell time is two and a half cooldowns of 25 s.
    /// Guarantees: it may not shrink before exactly then, may grow on, and neither another service nor another knob is bound.
    #[test]
    fn a_knob_is_not_turned_back_too_soon() {
        let at = |second| World::at(second).with_entry(scale("cart", 2, 3), 1000);
        let refusal = at(1062).asks(&HYSTERESIS, &scale("cart", 3, 2)).expect("too soon");
        assert_eq!(refusal.until, Some(Timestamp(1_062_500)));
        assert!(at(1063).asks(&HYSTERESIS, &scale("cart", 3, 2)).is_none());
        assert!(at(1001).asks(&HYSTERESIS, &scale("cart", 3, 4)).is_none());
        assert!(at(1001).asks(&HYSTERESIS, &scale("pay", 3, 2)).is_none());
        assert!(at(1001).asks(&HYSTERESIS, &sample("cart", 1_000_000, 500_000)).is_none());
    }

    /// Scenario: a probability was raised, then left where it is by a later entry, and is to be lowered.
    /// Guarantees: the entry that moved nothing does not hide the one that did.
    #[test]
    fn standing_still_hides_nothing() {
        let world =
            World::at(1020).with_entry(sample("cart", 100, 200), 1000).with_entry(sample("cart", 200, 200), 1016);
        assert!(world.asks(&HYSTERESIS, &sample("cart", 200, 100)).is_some());
    }
}
