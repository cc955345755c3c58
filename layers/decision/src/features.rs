//! What an option looks like.
//!
//! Answers which numbers describe a proposal, or doing nothing, to a learner that must compare them. All lie between zero
//! and one and say what kind of change it is, how large, and for which trouble. What does not differ between options of one
//! choice, such as the hour or the load, is left out: it could not change a choice, and every number costs trials to learn.

use homeostat_core::actions::{ADJUST_SAMPLING, SCALE_REPLICAS};
use homeostat_core::{Actuation, Assessment, Features, IncidentKind, Proposal, Severity};

/// One, in basis points.
const ONE: u16 = 10_000;

/// The places. Their meaning is [`homeostat_core::LinearSums::VERSION`] one.
mod place {
    pub(super) const ALWAYS: usize = 0;
    pub(super) const ACTS: usize = 1;
    pub(super) const SCALES: usize = 2;
    pub(super) const SAMPLES: usize = 3;
    pub(super) const GROWS_BY: usize = 4;
    pub(super) const SHRINKS_BY: usize = 5;
    pub(super) const AVAILABILITY: usize = 6;
    pub(super) const LATENCY: usize = 7;
    pub(super) const SATURATION: usize = 8;
    pub(super) const PAGES: usize = 9;
}

/// Doing nothing.
pub(crate) fn of_nothing() -> Features {
    let mut features = Features::default();
    features.0[place::ALWAYS] = ONE;
    features
}

/// Following a proposal.
pub(crate) fn of_proposal(proposal: &Proposal, assessment: &Assessment) -> Features {
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
    features
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
    use homeostat_core::{Label, Replicas};

    use super::*;

    /// Scenario: replicas are doubled, set to the same, and taken from the largest number to none.
    /// Guarantees: every number lies between zero and one, and size and direction are told apart.
    #[test]
    fn options_are_told_apart() {
        let features = |from, to| {
            let action = actions::scale_out(&"cart".into(), Replicas(from), Replicas(to), Measure::SpansKeptByChance);
            let proposal = Proposal { policy: Label::new("p"), incident: None, action, why: String::new() };
            of_proposal(&proposal, &Assessment::default()).0
        };
        assert_eq!(features(2, 4), [ONE, ONE, ONE, 0, 5000, 0, 0, 0, 0, 0]);
        assert_eq!(features(3, 3), [ONE, ONE, ONE, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(features(u32::MAX, 0), [ONE, ONE, ONE, 0, 0, ONE, 0, 0, 0, 0]);
        assert_eq!(of_nothing().0, [ONE, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}
