//! The catalogue of detectors.
//!
//! Answers which detectors there are and in which order they run. Order is behaviour: findings appear in this order.

mod burn_rate;
mod pressure;
mod saturation;
mod slack;
mod wedged;

use crate::Detector;

pub(crate) use burn_rate::is_burning;
pub use burn_rate::{PERIOD, RULES, Rule};

/// Every detector, in the order in which they run.
pub const CATALOGUE: &[&dyn Detector] = &[
    &burn_rate::AVAILABILITY_BURN,
    &burn_rate::LATENCY_BURN,
    &burn_rate::JOURNEY_AVAILABILITY_BURN,
    &burn_rate::JOURNEY_LATENCY_BURN,
    &saturation::SATURATION,
    &wedged::WEDGED,
    &pressure::PRESSURE,
    &slack::SLACK,
];
