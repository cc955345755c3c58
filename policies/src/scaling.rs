//! What scaling policies share.
//!
//! Answers what more replicas are to relieve, and which incident they answer. Does not know how many are wanted.

use homeostat_core::actions::Measure;
use homeostat_core::{
    BasisPoints, IncidentId, Indicator, ObjectiveKind, PolicyView, Replicas, ServiceName, Signal, Target, Window,
};

/// From this share of bad requests on, relief is measured in what users feel rather than in utilisation.
const FELT_FROM: BasisPoints = BasisPoints(500);

/// What is promised to fall: what users feel, if they feel it; else utilisation.
pub(crate) fn relief(service: &ServiceName, view: &PolicyView<'_>) -> Measure {
    let counts = view.snapshot.counts.get(service).map(|counts| counts.over(Window::Now)).unwrap_or_default();
    if FELT_FROM <= counts.bad_ratio(ObjectiveKind::Latency) {
        return Measure::BadRatio { service: service.clone(), kind: ObjectiveKind::Latency };
    }
    Measure::Reading(Signal::new(Target::Service(service.clone()), Indicator::Utilization))
}

/// The incident that scaling `service` answers: one that suspects it, else one that touches it.
pub(crate) fn answered(service: &ServiceName, view: &PolicyView<'_>) -> Option<IncidentId> {
    let incidents = &view.assessment.incidents;
    let suspects = incidents.iter().find(|incident| incident.suspect() == Some(service));
    let touches = || incidents.iter().find(|incident| incident.services.contains(service));
    suspects.or_else(touches).map(|incident| incident.id)
}

/// As many replicas, or as many as can be said.
pub(crate) fn replicas(number: u64) -> Replicas {
    Replicas(u32::try_from(number).unwrap_or(u32::MAX))
}
