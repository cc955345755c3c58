//! Undo first.
//!
//! Answers whether what is changed could be put back, and where it could not, whether enough is left that carries on. Kinds
//! that have a way back must bring it. A restart has none, so it is only ever of one instance among several: one at a time,
//! never the last one that makes progress, and never more than a share of them within a while. That such an action is also
//! asked first, unless people said otherwise, is not decided here: that is autonomy, which gates emission alone.

use homeostat_core::actions::{self, Reversal};
use homeostat_core::{Actuation, InstanceId, Label, Millis, ServiceName, Snapshot, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const UNDO_FIRST: UndoFirst = UndoFirst;

/// Restarts of one service within this time count together. Longer than any usual start, warm-up included.
const SHARE_WINDOW: Millis = Millis::from_secs(600);

/// Of so many instances one may be restarted within the window, rounded up: two in three have then not been touched.
const SHARE: usize = 3;

pub(crate) struct UndoFirst;

impl Guard for UndoFirst {
    fn name(&self) -> &'static str {
        "undo_first"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let action = candidate.action;
        let kind = actions::kind(action.kind.as_str()).expect("every action's kind is in the catalogue");
        match (kind.reversal, &action.actuation) {
            (Reversal::NotNeeded, _) => None,
            (Reversal::Impossible, Actuation::Restart { service, instance }) => {
                last_one(service, instance, view.view.snapshot)
                    .or_else(|| another_first(service, candidate, view))
                    .or_else(|| too_many(service, candidate, view))
            }
            (Reversal::WayBack, _) if action.way_back.is_some() => None,
            (Reversal::WayBack | Reversal::Impossible, _) => Some(WithholdReason::NoWayBack.into()),
        }
    }
}

/// Refuses unless another instance is seen to make progress.
fn last_one(service: &ServiceName, instance: &InstanceId, snapshot: &Snapshot) -> Option<Refusal> {
    let others = snapshot.instances(service).filter(|(other, _)| *other != instance);
    let carries_on = others.into_iter().any(|(_, found)| found.makes_progress());
    (!carries_on).then(|| WithholdReason::LastHealthy { service: service.clone() }.into())
}

/// Refuses while another instance of the service is being restarted.
fn another_first(service: &ServiceName, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
    let mut open = view.past.open_on_instances(service, &candidate.action.kind);
    let trial = open.find(|id| Some(*id) != candidate.id)?;
    Some(WithholdReason::TrialOpen { trial }.into())
}

/// Refuses when a share of the instances has been restarted lately.
fn too_many(service: &ServiceName, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
    let kind = &candidate.action.kind;
    let (snapshot, ledger) = (view.view.snapshot, view.view.ledger);
    let limit = snapshot.instances(service).count().div_ceil(SHARE);
    let lately = ledger.within(snapshot.at, SHARE_WINDOW).filter(|entry| Some(entry.id) != candidate.id);
    let restarts: Vec<_> =
        lately.filter(|entry| entry.kind == *kind && entry.target.service() == Some(service)).collect();
    // Newest first, so the one that must leave the window is `limit` places from the front.
    let until = restarts.get(limit.checked_sub(1)?).map(|entry| entry.at + SHARE_WINDOW)?;
    let reason = WithholdReason::BudgetSpent { budget: Label::new("restart"), limit: limit as u32 };
    Some(Refusal { reason, until: Some(until) })
}

#[cfg(test)]
mod tests {
    use homeostat_core::Timestamp;
    use homeostat_core::actions::Action;

    use super::*;
    use crate::guards::testing::{World, restart, scale};

    /// Scenario: a stuck instance beside one that makes progress, beside another stuck one, beside one of which nothing is
    /// known, and alone.
    /// Guarantees: only what carries on beside it lets it be restarted.
    #[test]
    fn the_last_healthy_instance_is_left_alone() {
        let stuck = World::default().with_instance("cart", "a", (4, 0));
        let refused = |world: &World| world.asks(&UNDO_FIRST, &restart("cart", "a"));
        assert!(refused(&stuck).is_some_and(|refusal| matches!(refusal.reason, WithholdReason::LastHealthy { .. })));
        let stuck = stuck.with_instance("cart", "b", (4, 0));
        assert!(refused(&stuck).is_some());
        let stuck = stuck.with_instance("pay", "c", (4, 9000));
        assert!(refused(&stuck).is_some());
        assert!(refused(&stuck.with_instance("cart", "d", (4, 9000))).is_none());
    }

    /// Scenario: an instance is being restarted.
    /// Guarantees: no other instance of its service is, and those of other services may be.
    #[test]
    fn instances_are_restarted_one_at_a_time() {
        let names = ["a", "b", "c"];
        let healthy = |world: World, service| {
            names.iter().fold(world, |world, name| world.with_instance(service, name, (4, 9000)))
        };
        let world = healthy(healthy(World::default(), "cart"), "pay").with_trial(restart("cart", "a"));
        assert!(world.asks(&UNDO_FIRST, &restart("cart", "b")).is_some());
        assert!(world.asks(&UNDO_FIRST, &restart("pay", "b")).is_none());
    }

    /// Scenario: four instances, two of which have been restarted within the last ten minutes.
    /// Guarantees: the third waits until the first of them has left the window.
    #[test]
    fn only_a_share_is_restarted_within_a_while() {
        let four = |now| {
            ["a", "b", "c", "d"].iter().fold(World::at(now), |world, name| world.with_instance("cart", name, (4, 9000)))
        };
        let once = |now| four(now).with_entry(restart("cart", "a"), 1000);
        assert!(once(1200).asks(&UNDO_FIRST, &restart("cart", "b")).is_none());
        let twice = |now| once(now).with_entry(restart("cart", "b"), 1200);
        let refusal = twice(1400).asks(&UNDO_FIRST, &restart("cart", "c")).expect("two of four are a share");
        assert_eq!(refusal.until, Some(Timestamp(1_600_000)));
        assert!(twice(1600).asks(&UNDO_FIRST, &restart("cart", "c")).is_none());
    }

    /// Scenario: scaling with its way back, and the same without one.
    /// Guarantees: a change that could be put back must say how.
    #[test]
    fn a_change_brings_its_way_back() {
        let world = World::default();
        let with = scale("cart", 2, 3);
        let without = Action { way_back: None, ..with.clone() };
        assert!(world.asks(&UNDO_FIRST, &with).is_none());
        assert_eq!(world.asks(&UNDO_FIRST, &without).map(|refusal| refusal.reason), Some(WithholdReason::NoWayBack));
    }
}
