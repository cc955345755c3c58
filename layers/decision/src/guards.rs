//! The catalogue of guards.
//!
//! Answers which guards there are and in which order they are asked. The first that says no is the reason given, so what
//! can never be allowed comes first, what passes with time after it, then what concerns the whole agent. Dry run comes last:
//! it is to say that nothing else stood in the way.

mod bounded_step;
mod cooldown;
mod dry_run;
mod envelope;
mod fail_static;
mod held_by_rule;
mod kill_switch;
mod open_trial;
mod rate_budget;
mod undo_first;

#[cfg(test)]
mod testing;

use crate::Guard;

/// Every guard, in the order in which they are asked.
pub const CATALOGUE: &[&dyn Guard] = &[
    &envelope::ENVELOPE,
    &bounded_step::BOUNDED_STEP,
    &held_by_rule::HELD_BY_RULE,
    &undo_first::UNDO_FIRST,
    &open_trial::OPEN_TRIAL,
    &cooldown::COOLDOWN,
    &rate_budget::RATE_BUDGET,
    &fail_static::FAIL_STATIC,
    &kill_switch::KILL_SWITCH,
    &dry_run::DRY_RUN,
];
