//! The catalogue of guards.
//!
//! Answers which guards there are and in which order they are asked. The first that says no is the reason given, so what
//! can never be allowed comes first, what passes with time after it, and what concerns the whole agent last.

mod blast_radius;
mod bounded_step;
mod cooldown;
mod disarm;
mod envelope;
mod fail_static;
mod hysteresis;
mod kill_switch;
mod never_zero;
mod open_trial;
mod ownership;
mod rate_budget;
mod stabilisation;
mod storm;
mod undo_first;

#[cfg(test)]
mod testing;

use crate::Guard;

/// Every guard, in the order in which they are asked.
pub const CATALOGUE: &[&dyn Guard] = &[
    &envelope::ENVELOPE,
    &never_zero::NEVER_ZERO,
    &bounded_step::BOUNDED_STEP,
    &undo_first::UNDO_FIRST,
    &disarm::DISARM,
    &ownership::OWNERSHIP,
    &open_trial::OPEN_TRIAL,
    &cooldown::COOLDOWN,
    &hysteresis::HYSTERESIS,
    &stabilisation::STABILISATION,
    &rate_budget::RATE_BUDGET,
    &blast_radius::BLAST_RADIUS,
    &storm::STORM,
    &fail_static::FAIL_STATIC,
    &kill_switch::KILL_SWITCH,
];
