//! Not everything at once.
//!
//! Answers whether too many targets, too many of all services, or too large a part of one service would be changed within
//! one window. A rate budget counts actions; this guard counts what they touch, so that a decision that is wrong everywhere
//! cannot be carried out everywhere before anybody sees it. What only changes telemetry, or tells people, touches nobody.
//! A target without a name is nobody: an empty selection means nothing, never everything.

use homeostat_core::{Label, Target, WithholdReason};

use crate::past::Touched;
use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const BLAST_RADIUS: BlastRadiusGuard = BlastRadiusGuard;

pub(crate) struct BlastRadiusGuard;

impl Guard for BlastRadiusGuard {
    fn name(&self) -> &'static str {
        "blast_radius"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let (action, radius) = (candidate.action, view.view.settings.guards.blast_radius);
        if is_nobody(&action.target) {
            return Some(WithholdReason::NotAllowed.into());
        }
        if !action.class.is_felt() {
            return None;
        }
        let touched = view.past.touched(candidate.id);
        let own = Touched::by(action.class, &action.turns());
        let before = touched.get(&action.target).copied().unwrap_or_default();
        let is_new = !touched.contains_key(&action.target);
        if is_new && radius.targets_max as usize <= touched.len() {
            return Some(beyond("targets", radius.targets_max.into()));
        }
        let after = before.and(own);
        let replicas = radius.replicas_max.of(after.most).max(1);
        if 0 < own.taken && replicas < after.taken {
            return Some(beyond("replicas", replicas));
        }
        let services = radius.services_max.of(view.view.snapshot.counts.len() as u64).max(1);
        let disturbed = touched.values().filter(|touched| touched.disturbed).count() as u64;
        (own.disturbed && !before.disturbed && services <= disturbed).then(|| beyond("services", services))
    }
}

fn beyond(what: &'static str, limit: u64) -> Refusal {
    WithholdReason::BlastRadius { what: Label::new(what), limit }.into()
}

fn is_nobody(target: &Target) -> bool {
    target.service().is_some_and(|service| service.as_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, sample, scale};

    fn refused(world: &World, service: &str, from: u32, to: u32) -> Option<String> {
        match world.asks(&BLAST_RADIUS, &scale(service, from, to))?.reason {
            WithholdReason::BlastRadius { what, .. } => Some(what.to_string()),
            other => Some(other.to_string()),
        }
    }

    /// Scenario: twenty services were scaled within five minutes; a twenty-first is to be, one of the twenty, and sampling.
    /// Guarantees: only the twenty-first is refused, until the first has left the window.
    #[test]
    fn so_many_targets_and_no_more() {
        let changed =
            |now| (0..20).fold(World::at(now), |world, n| world.with_entry(scale(&format!("s{n}"), 2, 3), 1000 + n));
        assert_eq!(refused(&changed(1100), "cart", 2, 3).as_deref(), Some("targets"));
        assert_eq!(refused(&changed(1100), "s7", 3, 4), None);
        assert_eq!(refused(&changed(1300), "cart", 2, 3), None);
        assert!(changed(1100).asks(&BLAST_RADIUS, &sample("cart", 100, 200)).is_none());
    }

    /// Scenario: of six known services two lost a replica lately; a service of eight has given two back.
    /// Guarantees: half of the services and half of the replicas may go, one of anything always may, and growth is free.
    #[test]
    fn half_of_it_and_no_more() {
        let reduced = |names: &[&str]| {
            let world = World::at(1100).serving(6);
            names.iter().fold(world, |world, name| world.with_entry(scale(name, 4, 3), 1000))
        };
        assert_eq!(refused(&reduced(&["a", "b"]), "cart", 4, 3), None);
        assert_eq!(refused(&reduced(&["a", "b", "c"]), "cart", 4, 3).as_deref(), Some("services"));
        assert_eq!(refused(&reduced(&["a", "b", "c"]), "cart", 4, 5), None);
        let given = World::at(1100).serving(6).with_entry(scale("cart", 8, 6), 1000);
        assert_eq!(refused(&given, "cart", 6, 4), None);
        assert_eq!(refused(&given, "cart", 6, 3).as_deref(), Some("replicas"));
        assert_eq!(refused(&World::at(1100), "cart", 1, 0), None);
    }

    /// Scenario: a service without a name.
    /// Guarantees: nothing is done to it; an empty selection is not everything.
    #[test]
    fn nobody_is_not_everybody() {
        assert!(refused(&World::default(), "", 1, 2).is_some());
    }
}
