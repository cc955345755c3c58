//! What was sent.
//!
//! Answers whether an action's last actuation was this very one, so that a repeated command changes nothing outside. It does
//! not survive a restart: then the loop asks how the world stands before it acts. The last actuation is remembered rather
//! than the id alone, because the way back has the id of the action that it takes back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use homeostat_core::{ActionId, Actuation};

/// Actions remembered. A trial is over within minutes and the global budget is sixty actions a minute, so this is more than
/// can be open; beyond it the oldest is forgotten, and repeating it would be sent again.
const REMEMBERED_MAX: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Sent {
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    last: BTreeMap<ActionId, Actuation>,
    order: VecDeque<ActionId>,
}

impl Sent {
    /// Whether the last thing done for `id` is `actuation`.
    pub(super) fn was_last(&self, id: ActionId, actuation: &Actuation) -> bool {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.last.get(&id) == Some(actuation)
    }

    /// `actuation` was done for `id`.
    pub(super) fn remember(&self, id: ActionId, actuation: &Actuation) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.last.insert(id, actuation.clone()).is_some() {
            return;
        }
        memory.order.push_back(id);
        if REMEMBERED_MAX < memory.order.len()
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.last.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Replicas, ServiceName};

    use super::*;

    fn replicas(count: u32) -> Actuation {
        Actuation::SetReplicas { service: ServiceName::from("shop"), replicas: Replicas(count) }
    }

    /// Scenario: an action is applied, taken back, and asked for again.
    /// Guarantees: only an exact repetition of the last step counts as done.
    #[test]
    fn only_the_last_step_of_an_action_counts_as_done() {
        let sent = Sent::default();
        assert!(!sent.was_last(ActionId(1), &replicas(4)));
        sent.remember(ActionId(1), &replicas(4));
        assert!(sent.was_last(ActionId(1), &replicas(4)));
        assert!(!sent.was_last(ActionId(1), &replicas(2)));
        assert!(!sent.was_last(ActionId(2), &replicas(4)));
        sent.remember(ActionId(1), &replicas(2));
        assert!(!sent.was_last(ActionId(1), &replicas(4)));
    }

    /// Scenario: far more actions than are remembered.
    /// Guarantees: memory stays at its bound and the newest are kept.
    #[test]
    fn memory_is_bounded() {
        let sent = Sent::default();
        let last = 3 * REMEMBERED_MAX as u64;
        for id in 0..=last {
            sent.remember(ActionId(id), &replicas(1));
        }
        let memory = sent.memory.lock().unwrap();
        assert_eq!((memory.last.len(), memory.order.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
        assert!(memory.last.contains_key(&ActionId(last)));
    }
}
