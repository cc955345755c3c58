//! Starts.
//!
//! Answers how long replicas take from being asked for until they serve, and how many were asked for and do not serve yet.
//! The durations are sums, so that two nodes' merge by addition; what is under way is each node's own.

use serde::{Deserialize, Serialize};

use crate::{Millis, Timestamp};

/// What was seen of one service's starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Starts {
    /// Starts that were seen from beginning to end.
    pub count: u64,
    /// How long they took together.
    pub sum_ms: u64,
    /// What is under way.
    pub awaited: Option<Awaited>,
}

/// Replicas that were asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awaited {
    /// When they were asked for.
    pub since: Timestamp,
    /// How many are to serve then.
    pub replicas: u64,
}

impl Starts {
    /// The mean of all starts, if one was seen.
    pub fn mean(&self) -> Option<Millis> {
        self.sum_ms.checked_div(self.count).map(Millis)
    }

    /// How many will serve once everything that was asked for does, with `ready` serving now.
    pub fn wanted(&self, ready: u64) -> u64 {
        self.awaited.map_or(ready, |awaited| awaited.replicas.max(ready))
    }
}
