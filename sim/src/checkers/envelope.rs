//! Replicas, limits and dimmers stay within what people allowed.
//!
//! Checks what is asked for, and what the plant then has: never more than the ceiling. Fewer than the floor can be the
//! world's doing, so the floor is demanded of requests only. The way back may lead below it for the same reason.

use homeostat_core::{ActionRequest, Actuation, Effect};

use crate::checkers::{Checker, Complaint, Scene};
use crate::plants::Readings;

/// Has no memory.
pub(crate) struct Envelope;

impl Checker for Envelope {
    fn effect(
        &mut self,
        effect: &Effect,
        _request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (actuation, is_undo) = match effect {
            Effect::Apply { actuation, .. } => (actuation, false),
            Effect::Undo { actuation, .. } => (actuation, true),
            Effect::ReadBack { .. } => return,
        };
        if let Actuation::SetParameter { service, parameter, value } = actuation {
            let allowed = scene.settings.permissions.of(service).range(*parameter);
            if allowed.is_none_or(|allowed| *value < allowed.min || allowed.max < *value) {
                complaints.push(scene.complain(format!("{allowed:?} for {parameter}"), format!("\"{actuation}\"")));
            }
            return;
        }
        let Actuation::SetReplicas { service, replicas } = actuation else { return };
        let Some(allowed) = scene.settings.scaling.services.get(service) else {
            complaints.push(scene.complain(format!("{service} to be left alone"), format!("\"{actuation}\"")));
            return;
        };
        if allowed.max < *replicas || (!is_undo && *replicas < allowed.min) {
            let expected = format!("{} to {} replicas of {service}", allowed.min, allowed.max);
            complaints.push(scene.complain(expected, format!("\"{actuation}\"")));
        }
    }

    fn second(&mut self, truth: &Readings, scene: &Scene<'_>, complaints: &mut Vec<Complaint>) {
        for (name, readings) in scene.names.iter().zip(&truth.services) {
            let Some(allowed) = scene.settings.scaling.services.get(name) else { continue };
            if allowed.max.0 < readings.replicas_wanted {
                let expected = format!("at most {} replicas of {name}", allowed.max);
                complaints.push(scene.complain(expected, format!("{} in the world", readings.replicas_wanted)));
            }
        }
    }
}
