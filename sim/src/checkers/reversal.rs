//! No knob is turned back and forth.
//!
//! Checks the direction of every change against that of the last one of the same quantity. The way back of a trial is no
//! change of its own.

use std::collections::BTreeMap;

use homeostat_core::{ActionRequest, Actuation, Effect, Target, Timestamp, actions};

use crate::checkers::{Checker, Complaint, Scene};

/// When each quantity was last raised and last lowered. Bounded by five quantities per target.
#[derive(Default)]
pub(crate) struct Reversal {
    raised: BTreeMap<(Target, &'static str), Timestamp>,
    lowered: BTreeMap<(Target, &'static str), Timestamp>,
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
        let target = &request.action.target;
        for (quantity, from, to) in quantities(request.action.way_back.as_ref(), actuation) {
            if from == to {
                continue;
            }
            let key = (target.clone(), quantity);
            let (same, other) =
                if from < to { (&mut self.raised, &self.lowered) } else { (&mut self.lowered, &self.raised) };
            if let Some(at) = other.get(&key).filter(|at| now.since(**at).0 < apart) {
                let expected = format!("{apart} ms before {quantity} of {target} turns round");
                complaints.push(scene.complain(expected, format!("{id} after {}", now.since(*at))));
            }
            same.insert(key, now);
        }
    }
}

type Quantity = (&'static str, u64, u64);

fn quantities(from: Option<&Actuation>, to: &Actuation) -> Vec<Quantity> {
    match (from, to) {
        (Some(Actuation::SetReplicas { replicas: from, .. }), Actuation::SetReplicas { replicas: to, .. }) => {
            vec![("replicas", from.0.into(), to.0.into())]
        }
        (Some(Actuation::SetSampling { sampling: from, .. }), Actuation::SetSampling { sampling: to, .. }) => {
            vec![
                ("the head probability", from.head.ppm().into(), to.head.ppm().into()),
                ("the tail probability", from.tail.ppm().into(), to.tail.ppm().into()),
            ]
        }
        (Some(Actuation::SetParameter { value: from, .. }), Actuation::SetParameter { parameter, value: to, .. }) => {
            vec![(parameter.indicator().as_str(), *from, *to)]
        }
        _ => Vec::new(),
    }
}
