//! Nobody is fought.
//!
//! Knows when somebody else set the replicas of a service, because the world tells it, and demands that the loop leaves them
//! alone for as long as it promised. The loop is given time to notice.

use homeostat_core::{ActionRequest, Actuation, Effect, Millis};

use crate::checkers::{Checker, Complaint, Scene};

/// How long the loop may take to notice: instances must start before they can be counted.
const NOTICED_AFTER: Millis = Millis::from_secs(30);

/// Has no memory.
pub(crate) struct OtherHand;

impl Checker for OtherHand {
    fn effect(
        &mut self,
        effect: &Effect,
        _request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let Effect::Apply { id, actuation } = effect else { return };
        let Actuation::SetReplicas { service, .. } = actuation else { return };
        let Some(at) = scene.other_hands.get(service) else { return };
        let since = scene.now.wall().since(at.wall());
        if NOTICED_AFTER < since && since < scene.settings.guards.yield_for {
            let expected = format!("{service} left alone, which somebody else set {since} before");
            complaints.push(scene.complain(expected, format!("{id} \"{actuation}\"")));
        }
    }
}
