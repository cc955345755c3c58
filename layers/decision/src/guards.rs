//! The catalogue of guards.
//!
//! Answers which guards there are and in which order they are asked. The first that says no is the reason given, so what
//! can never be allowed comes first, what passes with time after it, and what concerns the whole agent last.

mod bounded_step;
mod cooldown;
mod envelope;
mod fail_static;
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
    &undo_first::UNDO_FIRST,
    &open_trial::OPEN_TRIAL,
    &cooldown::COOLDOWN,
    &rate_budget::RATE_BUDGET,
    &fail_static::FAIL_STATIC,
    &kill_switch::KILL_SWITCH,
];
