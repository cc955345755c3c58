//! Every change has a way back on record.
//!
//! Telling people and looking closer change nothing. A restart cannot be taken back: it must have been permitted, and leave
//! others that serve. An undo must put back exactly what was recorded.

use homeostat_core::{ActionRequest, Actuation, Effect, RestartPermission};

use crate::checkers::{Checker, Complaint, Scene};

/// Has no memory.
pub(crate) struct WayBack;

impl Checker for WayBack {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { actuation, id } | Effect::Undo { actuation, id }) = effect else { return };
        if let Actuation::Restart { service, .. } = actuation {
            if scene.settings.permissions.of(service).restart != Some(RestartPermission::Unasked) {
                complaints.push(scene.complain("permission to restart unasked", format!("\"{actuation}\"")));
            }
            return;
        }
        if matches!(actuation, Actuation::Notify { .. } | Actuation::Profile { .. }) {
            return;
        }
        let Some(request) = request else {
            complaints.push(scene.complain(format!("a request {id} on record"), "none".to_owned()));
            return;
        };
        let way_back = request.action.way_back.as_ref();
        match effect {
            Effect::Apply { .. } if way_back.is_none() => {
                complaints.push(scene.complain(format!("a way back from \"{actuation}\""), "none"));
            }
            Effect::Apply { .. } if request.action.actuation != *actuation => {
                complaints
                    .push(scene.complain(format!("\"{}\"", request.action.actuation), format!("\"{actuation}\"")));
            }
            Effect::Undo { .. } if way_back != Some(actuation) => {
                complaints.push(scene.complain(format!("{id} undone by {way_back:?}"), format!("\"{actuation}\"")));
            }
            _ => {}
        }
    }
}
