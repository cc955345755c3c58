//! No change rests on stale evidence.
//!
//! Checks the measure that an action promises to improve against what really reached the loop, not against what its
//! snapshot claims.

use homeostat_core::actions::Measure;
use homeostat_core::{ActionRequest, Effect, Indicator, ServiceName};

use crate::checkers::{Checker, Complaint, Scene};

/// Has no memory.
pub(crate) struct FreshEvidence;

/// The indicators that actions rest on; for others nobody needs to remember when they were last seen.
pub(crate) fn watches(indicator: Indicator) -> bool {
    matches!(indicator, Indicator::RequestsTotal | Indicator::LatencyP99 | Indicator::Utilization)
}

impl Checker for FreshEvidence {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { id, .. }, Some(request)) = (effect, request) else { return };
        let Some((service, indicator)) = request.action.expectation.measure().and_then(evidence) else { return };
        // A question to a person may be answered long after the evidence was fresh.
        let (now, stale_after) = (request.decided, scene.settings.perception.stale_after);
        let seen = scene.last_seen.get(&(service.clone(), indicator));
        if seen.is_none_or(|at| stale_after < now.since(*at)) {
            let age = seen.map_or_else(|| "never".to_owned(), |at| format!("{} ago", now.since(*at)));
            let expected = format!("{} of {service} seen at most {stale_after} before {id}", indicator.as_str());
            complaints.push(scene.complain(expected, age));
        }
    }
}

fn evidence(measure: &Measure) -> Option<(&ServiceName, Indicator)> {
    match measure {
        Measure::Reading(signal) => {
            signal.target.service().filter(|_| watches(signal.indicator)).map(|service| (service, signal.indicator))
        }
        Measure::BadRatio { service, .. } => Some((service, Indicator::RequestsTotal)),
        Measure::AnswerGap { service } => Some((service, Indicator::RequestsTotal)),
        // Instances are not remembered one by one.
        Measure::Stuck { .. } | Measure::KeptShare { .. } | Measure::SpansKeptByChance => None,
    }
}
