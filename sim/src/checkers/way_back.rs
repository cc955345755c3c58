//! Every change has a way back on record.
//!
//! Telling people is the only thing that cannot be taken back. An undo must put back exactly what was recorded.

use homeostat_core::{ActionRequest, Actuation, Effect};

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
        if matches!(actuation, Actuation::Notify { .. }) {
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
