//! Rate budgets hold in every window.
//!
//! Counts what was sent, per target, for scaling, and altogether, over windows that slide with the clock. Taking a change
//! back is never limited.

use std::collections::VecDeque;

use homeostat_core::actions::ActionClass;
use homeostat_core::{ActionRequest, Effect, Millis, RateBudget, Target, Timestamp};

use crate::checkers::{Checker, Complaint, Scene};

/// What was sent within the longest window. Bounded by dropping what has left it; a loop that exceeds every budget is
/// complained about long before this grows.
#[derive(Default)]
pub(crate) struct RateBudgets {
    sent: VecDeque<(Timestamp, Target, ActionClass)>,
}

impl Checker for RateBudgets {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { id, .. }, Some(request)) = (effect, request) else { return };
        let (now, guards) = (scene.now.wall(), scene.settings.guards);
        let (target, class) = (&request.action.target, request.action.class);
        self.forget(now, guards.per_target.window.max(guards.scaling.window).max(guards.global.window));
        self.sent.push_back((now, target.clone(), class));
        let mut demand = |name: &str, budget: RateBudget, counts: &dyn Fn(&Target, ActionClass) -> bool| {
            let within = self.sent.iter().filter(|(at, ..)| now.since(*at) < budget.window);
            let found = within.filter(|(_, target, class)| counts(target, *class)).count();
            if budget.actions_max as usize <= found.saturating_sub(1) {
                let expected = format!("at most {} actions in {} ({name})", budget.actions_max, budget.window);
                complaints.push(scene.complain(expected, format!("{found} with {id}")));
            }
        };
        demand("global", guards.global, &|_, _| true);
        demand("target", guards.per_target, &|of, _| of == target);
        if class == ActionClass::Scaling {
            demand("scaling", guards.scaling, &|_, class| class == ActionClass::Scaling);
        }
    }
}

impl RateBudgets {
    fn forget(&mut self, now: Timestamp, longest: Millis) {
        while self.sent.front().is_some_and(|(at, ..)| longest <= now.since(*at)) {
            self.sent.pop_front();
        }
    }
}
