//! No knob is turned back and forth.
//!
//! Checks the direction of every change against that of the last one of the same quantity. The way back of a trial is no
//! change of its own.

use std::collections::BTreeMap;

use homeostat_core::{ActionRequest, Actuation, Effect, ServiceName, Timestamp, actions};

use crate::checkers::{Checker, Complaint, Scene};

/// When each quantity was last raised and last lowered. Bounded by five quantities per service.
#[derive(Default)]
pub(crate) struct Reversal {
    raised: BTreeMap<(ServiceName, &'static str), Timestamp>,
    lowered: BTreeMap<(ServiceName, &'static str), Timestamp>,
}

impl Checker for Reversal {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { id, actuation }, Some(request)) = (effect, request) else { return };
        let Some(kind) = actions::kind(request.action.kind.as_str()) else { return };
        let apart = scene.settings.guards.dwell_factor.of(kind.cooldown.0);
        let now = scene.now.wall();
        for (service, quantity, from, to) in quantities(request.action.way_back.as_ref(), actuation) {
            if from == to {
                continue;
            }
            let key = (service.clone(), quantity);
            let (same, other) =
                if from < to { (&mut self.raised, &self.lowered) } else { (&mut self.lowered, &self.raised) };
            if let Some(at) = other.get(&key).filter(|at| now.since(**at).0 < apart) {
                let expected = format!("{apart} ms before {quantity} of {service} turns round");
                complaints.push(scene.complain(expected, format!("{id} after {}", now.since(*at))));
            }
            same.insert(key, now);
        }
    }
}

type Quantity<'a> = (&'a ServiceName, &'static str, u64, u64);

fn quantities<'a>(from: Option<&'a Actuation>, to: &'a Actuation) -> Vec<Quantity<'a>> {
    match (from, to) {
        (Some(Actuation::SetReplicas { replicas: from, .. }), Actuation::SetReplicas { service, replicas: to }) => {
            vec![(service, "replicas", from.0.into(), to.0.into())]
        }
        (Some(Actuation::SetSampling { sampling: from, .. }), Actuation::SetSampling { service, sampling: to }) => {
            vec![
                (service, "the head probability", from.head.ppm().into(), to.head.ppm().into()),
                (service, "the tail probability", from.tail.ppm().into(), to.tail.ppm().into()),
            ]
        }
        (
            Some(Actuation::SetParameter { value: from, .. }),
            Actuation::SetParameter { service, parameter, value: to },
        ) => vec![(service, parameter.indicator().as_str(), *from, *to)],
        _ => Vec::new(),
    }
}
