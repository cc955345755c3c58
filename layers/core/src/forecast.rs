//! Forecasts.
//!
//! Answers what demand a service will meet when replicas that are asked for at once serve, how sure that is, and how many
//! replicas it takes. Does not propose anything. Demand is in thousandths of a replica that is never idle, so that a rate, a
//! kind of work and a number of workers need not be known to compare it.

use serde::{Deserialize, Serialize};

use crate::{BasisPoints, Label, Millis, ServiceName};

/// What is expected of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// Of which service.
    pub service: ServiceName,
    /// How far ahead: until replicas that are asked for at once serve, and the next decision could be made.
    pub ahead: Millis,
    /// Demand now, in thousandths of a busy replica, averaged over the time that requests may take.
    pub demand: u64,
    /// Demand expected then.
    pub expected: u64,
    /// What it will not exceed, as often as was asked for.
    pub upper: u64,
    /// How it is forecast: the way that would have served best so far.
    pub method: Label,
    /// Forecasts whose time has come.
    pub settled: u32,
    /// How many of these, lately, were not exceeded.
    pub covered: BasisPoints,
    /// Whether there were enough of them and they held.
    pub trusted: bool,
    /// Replicas that demand needs now.
    pub needed_now: u64,
    /// Replicas that `upper` will need.
    pub needed_ahead: u64,
    /// The least that was needed at any of the last few steps, now included: what is no mere noise.
    pub needed_steadily: u64,
    /// The most that was needed at any moment of the waiting time before a reduction, now included.
    pub needed_lately: u64,
}
