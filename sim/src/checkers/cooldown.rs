//! A target is left alone until the last change could be seen.
//!
//! Checks the time between two changes of one kind on one target against the kind's cooldown.

use std::collections::BTreeMap;

use homeostat_core::{ActionId, ActionRequest, Effect, Label, Target, Timestamp, actions};

use crate::checkers::{Checker, Complaint, Scene};

/// The last change of each kind on each target. Bounded by kinds times services.
#[derive(Default)]
pub(crate) struct Cooldown {
    last: BTreeMap<(Label, Target), (ActionId, Timestamp)>,
}

impl Checker for Cooldown {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { id, .. }, Some(request)) = (effect, request) else { return };
        let (kind, target) = (&request.action.kind, &request.action.target);
        let Some(known) = actions::kind(kind.as_str()) else {
            complaints.push(scene.complain("a kind of action from the catalogue", kind.as_str()));
            return;
        };
        let now = scene.now.wall();
        let before = self.last.insert((kind.clone(), target.clone()), (*id, now));
        // Sending the same request again is not a second action.
        let Some((earlier, at)) = before.filter(|(earlier, _)| earlier != id) else { return };
        if now.since(at) < known.cooldown {
            let expected = format!("{} between {kind} on {target}", known.cooldown);
            complaints.push(scene.complain(expected, format!("{id} {} after {earlier}", now.since(at))));
        }
    }
}
