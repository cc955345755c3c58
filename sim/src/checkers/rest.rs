//! The loop comes to rest.
//!
//! Counts, once faults and grace time are over, how often the loop still changes something, and how often it turns round
//! on the same replicas. A loop that oscillates meets its objective half of the time and wears out everything it touches.

use std::collections::BTreeMap;

use homeostat_core::{ActionRequest, Actuation, Effect, ServiceName, Trial};

use crate::checkers::{Checker, Complaint, Scene};

/// Changes since it became calm.
#[derive(Default)]
pub(crate) struct Rest {
    changes: u32,
    reversals: u32,
    direction: BTreeMap<ServiceName, Direction>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

impl Checker for Rest {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        _complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { actuation, .. }, Some(request)) = (effect, request) else { return };
        if !scene.calm || matches!(actuation, Actuation::Notify { .. }) {
            return;
        }
        self.changes += 1;
        if let (Actuation::SetReplicas { service, replicas: to }, Some(Actuation::SetReplicas { replicas: from, .. })) =
            (actuation, &request.action.way_back)
        {
            let direction = if from < to { Direction::Up } else { Direction::Down };
            let before = self.direction.insert(service.clone(), direction);
            self.reversals += u32::from(before.is_some_and(|before| before != direction));
        }
    }

    fn end(&mut self, _trials: &[Trial], scene: &Scene<'_>, complaints: &mut Vec<Complaint>) {
        let limits = scene.liveness;
        if limits.actions_max < self.changes {
            let expected = format!("at most {} changes once calm", limits.actions_max);
            complaints.push(scene.complain(expected, self.changes.to_string()));
        }
        if limits.reversals_max < self.reversals {
            let expected = format!("at most {} reversals of scaling once calm", limits.reversals_max);
            complaints.push(scene.complain(expected, self.reversals.to_string()));
        }
    }
}
