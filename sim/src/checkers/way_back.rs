//! Every change has a way back on record.
//!
//! Telling people and looking closer change nothing. A restart cannot be taken back: it must have been permitted, and leave
//! others that serve. An undo must put back exactly what was recorded.

use std::collections::BTreeMap;

use homeostat_core::{ActionRequest, Actuation, Effect, RestartPermission, ServiceName};

use crate::checkers::{Checker, Complaint, Scene};
use crate::plants::Readings;

/// How many instances of each service served in the last second.
#[derive(Default)]
pub(crate) struct WayBack {
    serving: BTreeMap<ServiceName, u32>,
}

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
            let serving = self.serving.get(service).copied().unwrap_or(0);
            if serving < 2 {
                complaints
                    .push(scene.complain("another instance that serves", format!("{serving} and \"{actuation}\"")));
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

    fn second(&mut self, truth: &Readings, scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        for (name, readings) in scene.names.iter().zip(&truth.services) {
            self.serving.insert(name.clone(), readings.replicas);
        }
    }
}
