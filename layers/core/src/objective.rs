//! Objectives.
//!
//! Answers what a service promises. Does not know whether the promise is kept.

use serde::{Deserialize, Serialize};

use crate::{BasisPoints, Micros};

/// Which promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectiveKind {
    /// Requests succeed.
    Availability,
    /// Requests are answered faster than a threshold.
    Latency,
}

/// The promises of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceObjectives {
    /// The share of requests that succeed.
    pub availability: BasisPoints,
    /// The share of requests faster than `latency_threshold`.
    pub latency: BasisPoints,
    /// What counts as slow.
    pub latency_threshold: Micros,
}

impl ServiceObjectives {
    /// The promised share of good requests.
    pub const fn target(&self, kind: ObjectiveKind) -> BasisPoints {
        match kind {
            ObjectiveKind::Availability => self.availability,
            ObjectiveKind::Latency => self.latency,
        }
    }

    /// The share of requests that may be bad: the error budget.
    pub const fn budget(&self, kind: ObjectiveKind) -> BasisPoints {
        self.target(kind).complement()
    }
}
