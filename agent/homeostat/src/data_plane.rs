//! The data plane, as the rest of the binary sees it.
//!
//! Answers what was received, counted, kept and sent, in the words of the API. Does not decide what is kept. The pipeline's
//! own types are translated here, so that the API does not change whenever the pipeline does.

use serde::{Deserialize, Serialize};

/// Exact counts of everything that arrived, before sampling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aggregates {
    /// Per service, in name order.
    pub(crate) services: Vec<ServiceCounts>,
    /// Per edge of the service graph, in name order.
    pub(crate) edges: Vec<EdgeCounts>,
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceCounts {
    /// `service.name`.
    pub(crate) service: String,
    /// Its requests.
    #[serde(flatten)]
    pub(crate) red: Red,
    /// Per operation, in name order.
    pub(crate) operations: Vec<OperationCounts>,
}

/// One operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OperationCounts {
    /// The name of its entry span.
    pub(crate) operation: String,
    /// Its requests.
    #[serde(flatten)]
    pub(crate) red: Red,
}

/// Requests since the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Red {
    /// Requests.
    pub(crate) requests: u64,
    /// Of these, failed.
    pub(crate) errors: u64,
    /// Of these, slower than the latency objective.
    pub(crate) slow: u64,
}

/// One service calls another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EdgeCounts {
    /// Who calls.
    pub(crate) caller: String,
    /// Who is called.
    pub(crate) callee: String,
    /// How often.
    pub(crate) calls: u64,
}
