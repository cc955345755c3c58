//! Who manages the replicas.
//!
//! Answers which managers can be compared: one file each. A manager sees the plant's readings once a second and may order a
//! number of replicas. Only those that are allowed to know the future are given more.

mod agent;
mod fixed;
mod hpa;
mod schedule;
mod threshold;

use crate::plants::Readings;
use crate::queue::SimTime;

pub(crate) use agent::Agent;
pub(crate) use fixed::Fixed;
pub(crate) use hpa::Hpa;
pub(crate) use schedule::Schedule;
pub(crate) use threshold::Threshold;

/// Decides once a second.
pub(crate) trait Manager {
    /// How many replicas serve when the run begins; none leaves it to the stage.
    fn start(&self) -> Option<u32> {
        None
    }

    /// What is to be ordered, given the second that has just ended.
    fn second(&mut self, now: SimTime, seen: &Readings) -> Option<u32>;

    /// Everything that was ordered has reached the plant.
    fn carried_out(&mut self, _: SimTime) {}
}
