//! What an option looks like.
//!
//! Answers which numbers describe a proposal, or doing nothing, to a learner that must compare them. All lie between zero
//! and one and say what kind of change it is, how large, for which trouble, and whether something that the target calls is
//! at its limit too, because then more of the target may only wait together. What does not differ between options of one
//! choice, such as the hour or the load, is left out: it could not change a choice, and every number costs trials to learn.

use homeostat_core::actions::{ADJUST_SAMPLING, SCALE_REPLICAS};
use homeostat_core::{Actuation, Features, Finding, IncidentKind, PolicyView, Proposal, Severity, Target};

/// One, in basis points.
const ONE: u16 = 10_000;

/// The places. Their meaning is [`homeostat_core::LinearSums::VERSION`] two.
mod place {
    use homeostat_core::Features;

    pub(super) const ALWAYS: usize = Features::ALWAYS;
    pub(super) const ACTS: usize = Features::ACTS;
    pub(super) const SCALES: usize = 2;
    pub(super) const SAMPLES: usize = 3;
    pub(super) const GROWS_BY: usize = Features::GROWS_BY;
    pub(super) const SHRINKS_BY: usize = Features::SHRINKS_BY;
    pub(super) const AVAILABILITY: usize = 6;
    pub(super) const LATENCY: usize = 7;
    pub(super) const SATURATION: usize = 8;
    pub(super) const PAGES: usize = 9;
    pub(super) const WAITS: usize = 10;
}

/// Doing nothing.
pub(crate) fn of_nothing() -> Features {
    let mut features = Features::default();
    features.0[place::ALWAYS] = ONE;
    features
}

/// Following a proposal.
pub(crate) fn of_proposal(proposal: &Proposal, view: &PolicyView<'_>) -> Features {
    let assessment = view.assessment;
    let mut features = of_nothing();
    let mut set = |place: usize, value: u16| features.0[place] = value;
    let action = &proposal.action;
    set(place::ACTS, ONE);
    set(place::SCALES, if action.kind == SCALE_REPLICAS.name { ONE } else { 0 });
    set(place::SAMPLES, if action.kind == ADJUST_SAMPLING.name { ONE } else { 0 });
    if let Some((from, to)) = action.way_back.as_ref().and_then(|from| sizes(from, &action.actuation)) {
        let place = if from < to { place::GROWS_BY } else { place::SHRINKS_BY };
        let share = u64::from(from.abs_diff(to)) * u64::from(ONE) / u64::from(from.max(to).max(1));
        set(place, share as u16);
    }
    if let Some(incident) = proposal.incident.and_then(|id| assessment.incident(id)) {
        match incident.kind {
            IncidentKind::AvailabilityBurn => set(place::AVAILABILITY, ONE),
            IncidentKind::LatencyBurn => set(place::LATENCY, ONE),
            IncidentKind::Saturation => set(place::SATURATION, ONE),
            // Only one kind of action answers what is wedged, so there is nothing to tell apart.
            IncidentKind::Wedged | IncidentKind::Pressure | IncidentKind::Slack => {}
        }
        set(place::PAGES, if incident.severity == Severity::Page { ONE } else { 0 });
    }
    set(place::WAITS, if waits(&action.target, view) { ONE } else { 0 });
    features
}

/// Whether something that `target` calls is at its limit.
fn waits(target: &Target, view: &PolicyView<'_>) -> bool {
    let Target::Service(service) = target else { return false };
    let at_limit = |finding: &&Finding| matches!(finding.kind, IncidentKind::Pressure | IncidentKind::Saturation);
    let limited: Vec<_> = view.assessment.findings.iter().filter(at_limit).map(|finding| &finding.service).collect();
    !limited.is_empty() && view.snapshot.callees(service).any(|callee| limited.contains(&callee))
}

fn sizes(from: &Actuation, to: &Actuation) -> Option<(u32, u32)> {
    match (from, to) {
        (Actuation::SetReplicas { replicas: from, .. }, Actuation::SetReplicas { replicas: to, .. }) => {
            Some((from.0, to.0))
        }
        (Actuation::SetSampling { sampling: from, .. }, Actuation::SetSampling { sampling: to, .. }) => {
            Some((from.tail.ppm(), to.tail.ppm()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::actions::{self, Measure};
    use std::sync::Arc;

    use homeostat_core::{
        Assessment, Edge, FEATURES, FindingState, InForce, Knowledge, Label, Ledger, Replicas, Settings, Snapshot,
        Timestamp,
    };

    use super::*;

    /// What an option looks like where this is known and wrong, and nothing else.
    fn seen(snapshot: &Snapshot, assessment: &Assessment, proposal: &Proposal) -> [u16; FEATURES] {
        let (knowledge, settings) = (Knowledge::default(), Settings::default());
        let (in_force, ledger) = (InForce::default(), Ledger::default());
        let view = PolicyView {
            snapshot,
            assessment,
            knowledge: &knowledge,
            settings: &settings,
            in_force: &in_force,
            trials: &[],
            ledger: &ledger,
        };
        of_proposal(proposal, &view).0
    }

    fn scaled(from: u32, to: u32) -> Proposal {
        let action = actions::scale_out(&"cart".into(), Replicas(from), Replicas(to), Measure::SpansKeptByChance);
        Proposal { policy: Label::new("p"), incident: None, action, why: String::new() }
    }

    /// Scenario: the cart calls a database; first the database is at its limit, then only the cart is.
    /// Guarantees: only where something that is called is at its limit the option says so.
    #[test]
    fn what_waits_for_others_is_told_apart() {
        let edge = Edge { caller: "cart".into(), callee: "database".into() };
        let snapshot = Snapshot { edges: Arc::new([edge].into()), ..Snapshot::default() };
        let pressed = |service: &str| Finding {
            detector: Label::new("test"),
            service: service.into(),
            kind: IncidentKind::Pressure,
            severity: Severity::Ticket,
            since: Timestamp(0),
            state: FindingState::Pending,
            evidence: Vec::new(),
        };
        let waits = |service: &str| {
            let assessment = Assessment { findings: vec![pressed(service)], ..Assessment::default() };
            seen(&snapshot, &assessment, &scaled(2, 4))[place::WAITS]
        };
        assert_eq!((waits("database"), waits("cart")), (ONE, 0));
    }

    /// Scenario: replicas are doubled, set to the same, and taken from the largest number to none.
    /// Guarantees: every number lies between zero and one, and size and direction are told apart.
    #[test]
    fn options_are_told_apart() {
        let features = |from, to| seen(&Snapshot::default(), &Assessment::default(), &scaled(from, to));
        assert_eq!(features(2, 4), [ONE, ONE, ONE, 0, 5000, 0, 0, 0, 0, 0, 0]);
        assert_eq!(features(3, 3), [ONE, ONE, ONE, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(features(u32::MAX, 0), [ONE, ONE, ONE, 0, 0, ONE, 0, 0, 0, 0, 0]);
        assert_eq!(of_nothing().0, [ONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
