//! A record precedes every effect it explains.
//!
//! Checks that each answer of the loop names its effects in a record before it sends them, in the same order, and sends
//! all that it names. If this broke, a crash could leave a change in the world that no journal explains.

use std::collections::VecDeque;

use homeostat_core::{ActionRequest, Effect, TickRecord};

use crate::checkers::{Checker, Complaint, Scene};

/// Effects that were announced in this answer and have not been sent. Bounded by one tick's effects.
#[derive(Default)]
pub(crate) struct RecordFirst {
    announced: VecDeque<Effect>,
}

impl Checker for RecordFirst {
    fn batch_begins(&mut self, _scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        self.announced.clear();
    }

    fn record(&mut self, record: &TickRecord, _scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        self.announced.extend(record.effects.iter().cloned());
    }

    fn effect(
        &mut self,
        effect: &Effect,
        _request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        match self.announced.pop_front() {
            Some(announced) if announced == *effect => {}
            Some(announced) => {
                complaints.push(scene.complain(format!("{announced:?} as recorded"), format!("{effect:?}")));
            }
            None => complaints.push(scene.complain("a record before every effect", format!("unrecorded {effect:?}"))),
        }
    }

    fn batch_ends(&mut self, scene: &Scene<'_>, complaints: &mut Vec<Complaint>) {
        if let Some(unsent) = self.announced.pop_front() {
            complaints.push(scene.complain("every recorded effect to be sent", format!("{unsent:?} was not")));
        }
    }
}
