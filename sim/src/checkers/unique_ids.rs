//! An action id stands for one actuation.
//!
//! Actuators use the id to refuse doing a thing twice; an id that is used for something else would make them refuse the
//! wrong thing. Sending the same again is allowed.

use std::collections::VecDeque;

use homeostat_core::{ActionId, ActionRequest, Actuation, Effect};

use crate::checkers::{Checker, Complaint, Scene};

/// Ids remembered. An id is reused, if ever, after a restart within minutes; at the default global budget this is an hour.
const REMEMBERED_MAX: usize = 4096;

/// What was applied lately under which id.
#[derive(Default)]
pub(crate) struct UniqueIds {
    applied: VecDeque<(ActionId, Actuation)>,
}

impl Checker for UniqueIds {
    fn effect(
        &mut self,
        effect: &Effect,
        _request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let Effect::Apply { id, actuation } = effect else { return };
        match self.applied.iter().rev().find(|(known, _)| known == id) {
            Some((_, before)) if before != actuation => {
                complaints.push(scene.complain(format!("{id} to mean \"{before}\""), format!("\"{actuation}\"")));
            }
            Some(_) => {}
            None => {
                if self.applied.len() == REMEMBERED_MAX {
                    self.applied.pop_front();
                }
                self.applied.push_back((*id, actuation.clone()));
            }
        }
    }
}
