//! What an action on a service is about.
//!
//! Answers which incident it answers and what more capacity is to relieve. Shared by the policies that scale, so that the
//! same step is judged by the same measure whoever proposes it.

use homeostat_core::actions::Measure;
use homeostat_core::{
    BasisPoints, IncidentId, Indicator, ObjectiveKind, PolicyView, ServiceName, Signal, Target, Window,
};

/// From this share of bad requests on, relief is measured in what users feel rather than in utilisation.
const FELT_FROM: BasisPoints = BasisPoints(500);

/// The incident an action on `service` answers: one that suspects it, else one that touches it.
pub(crate) fn incident(service: &ServiceName, view: &PolicyView<'_>) -> Option<IncidentId> {
    let incidents = &view.assessment.incidents;
    let suspects = incidents.iter().find(|incident| incident.suspect() == Some(service));
    let touches = || incidents.iter().find(|incident| incident.services.contains(service));
    suspects.or_else(touches).map(|incident| incident.id)
}

/// What is promised to fall when `service` gets more capacity: what users feel, if they feel it; else utilisation.
pub(crate) fn relief(service: &ServiceName, view: &PolicyView<'_>) -> Measure {
    let counts = view.snapshot.counts.get(service).map(|counts| counts.over(Window::Now)).unwrap_or_default();
    if FELT_FROM <= counts.bad_ratio(ObjectiveKind::Latency) {
        return Measure::BadRatio { service: service.clone(), kind: ObjectiveKind::Latency };
    }
    Measure::Reading(Signal::new(Target::Service(service.clone()), Indicator::Utilization))
}
