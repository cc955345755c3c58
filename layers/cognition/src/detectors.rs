//! The catalogue of detectors.
//!
//! Answers which detectors there are and in which order they run. Order is behaviour: findings appear in this order.

mod burn_rate;
mod pressure;
mod saturation;
mod slack;
mod wedged;

use crate::Detector;

/// Every detector, in the order in which they run.
pub const CATALOGUE: &[&dyn Detector] = &[
    &burn_rate::AVAILABILITY_BURN,
    &burn_rate::LATENCY_BURN,
    &saturation::SATURATION,
    &wedged::WEDGED,
    &pressure::PRESSURE,
    &slack::SLACK,
];
