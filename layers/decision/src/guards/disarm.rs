//! What keeps hurting is given up.
//!
//! Answers whether the same change was taken back too often in a row: on this target, or on one target after another. The
//! third time is no bad luck; the loop does not understand something, and a person must say when to try again. Turning the
//! same knob the other way is another habit: what hurt was giving back, not adding.

use homeostat_core::{Habit, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const DISARM: Disarm = Disarm;

pub(crate) struct Disarm;

impl Guard for Disarm {
    fn name(&self) -> &'static str {
        "disarm"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let (action, bound) = (candidate.action, view.view.settings.guards.disarm);
        let habit = Habit { kind: action.kind.clone(), target: Some(action.target.clone()), way: action.way() };
        let streak = view.caution.undone.disarming(&habit, bound, view.view.snapshot.at)?;
        let reason = WithholdReason::Disarmed { undone: streak.count };
        Some(Refusal { reason, until: Some(streak.last + bound.rearm_after) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, scale};

    /// Scenario: a reduction was taken back twice, and three times.
    /// Guarantees: the third time disarms reductions of this service, and nothing else.
    #[test]
    fn the_third_time_disarms() {
        let undone =
            |times| (0..times).fold(World::at(1000), |world, n| world.with_undone(scale("cart", 3, 2), 900 + n));
        assert!(undone(2).asks(&DISARM, &scale("cart", 3, 2)).is_none());
        assert!(undone(3).asks(&DISARM, &scale("cart", 3, 2)).is_some());
        assert!(undone(3).asks(&DISARM, &scale("cart", 2, 3)).is_none());
        assert!(undone(3).asks(&DISARM, &scale("pay", 3, 2)).is_none());
    }
}
