//! Aggregates, taken before sampling.
//!
//! Answers how many spans and requests each service and operation had, how many failed or were slow, how long they took,
//! and who called whom: from every accepted span, and exactly, but for who called whom when more calls are under way than
//! can be remembered. Does not know what becomes of a span afterwards. Counting after
//! sampling would be cheaper and would only estimate.
//!
//! A *request* is an entry span: kind `SERVER` or `CONSUMER`, or a root span of any kind. A service that calls itself
//! through the network counts both ends, because both were asked for.

mod durations;
mod edges;
mod exemplars;
mod operations;
pub(crate) mod otlp;
mod services;
pub(crate) mod utilization;

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;
use homeostat_core::{Observation, SamplingPlan, ServiceName, Timestamp};

use crate::config::Cardinality;
use crate::views::{SpanIds, SpanView};

use edges::Edges;
pub use operations::DurationSummary;
pub(crate) use services::Service;
use services::Services;

/// The name of the series that takes what exceeds a bound, after OpenTelemetry's overflow attribute.
pub const OVERFLOW: &str = "otel.metric.overflow";

/// What was counted since start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AggregateReport {
    /// By name.
    pub services: Vec<ServiceReport>,
    /// By caller, then callee.
    pub edges: Vec<EdgeReport>,
    /// Calls whose other end did not arrive in time to be matched, or never will.
    pub calls_unmatched: u64,
}

/// What was counted of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceReport {
    /// Whose; [`OVERFLOW`] for all services beyond the bound together.
    pub service: ServiceName,
    /// Entry spans.
    pub requests: u64,
    /// Those with status `ERROR`.
    pub errors: u64,
    /// Those slower than the plan's threshold at the time they arrived.
    pub slow: u64,
    /// Spans accepted.
    pub spans_received: u64,
    /// Spans kept, for whatever reason.
    pub spans_kept: u64,
    /// Spans kept because of what they are.
    pub spans_kept_by_rule: u64,
    /// By name.
    pub operations: Vec<OperationReport>,
}

/// What was counted of one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationReport {
    /// The entry span's name; [`OVERFLOW`] for all beyond the bound together.
    pub operation: homeostat_core::OperationName,
    /// Entry spans.
    pub requests: u64,
    /// Those with status `ERROR`.
    pub errors: u64,
    /// Those slower than the threshold.
    pub slow: u64,
    /// How long they took.
    pub durations: DurationSummary,
}

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeReport {
    /// Who called.
    pub caller: ServiceName,
    /// Who was called.
    pub callee: ServiceName,
    /// How often.
    pub calls: u64,
    /// How often the called side failed.
    pub errors: u64,
}

/// An accepted span, as it is counted and sampled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a> {
    pub(crate) view: &'a SpanView<'a>,
    pub(crate) ids: SpanIds,
    /// A hash of its trace id, keyed by this process.
    pub(crate) trace_hash: u64,
    /// What [`operation_key`] says.
    pub(crate) operation: u64,
    /// Which of the request's sources it came from.
    pub(crate) source: u32,
    /// Whether it is an entry span above its service's threshold.
    pub(crate) slow: bool,
}

/// A number for service, operation and kind of a span; the same in every process.
pub(crate) fn operation_key(service: u64, span: &SpanView<'_>) -> u64 {
    FixedState::with_seed(service ^ u64::from(span.kind.unsigned_abs())).hash_one(span.name)
}

/// A number for a service; the same in every process.
pub(crate) fn service_key(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

impl Counted<'_> {
    /// Whether somebody asked for this span's work.
    pub(crate) fn is_entry(&self) -> bool {
        self.view.is_served() || self.ids.parent.is_none()
    }
}

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Aggregates {
    services: Services,
    edges: Edges,
}

impl Aggregates {
    pub(crate) fn new(cardinality: Cardinality) -> Aggregates {
        Aggregates { services: Services::new(cardinality), edges: Edges::new(cardinality) }
    }

    /// The counters of `name`, or those of the overflow when there are too many services.
    pub(crate) fn service(&self, name: &str) -> Arc<Service> {
        self.services.get(name)
    }

    /// Counts the accepted spans of one service.
    pub(crate) fn record(&self, now: Timestamp, service: &Arc<Service>, spans: &[Counted<'_>]) {
        service.record(spans);
        self.edges.record(now, service, spans);
    }

    /// What the control plane is told; called once a second.
    pub(crate) fn observe(&self, now: Timestamp, plan: &SamplingPlan) -> Vec<Observation> {
        let mut observations = self.services.observe(now, plan);
        observations.extend(self.edges.observe(now));
        observations
    }

    /// Everything since start.
    pub(crate) fn report(&self) -> AggregateReport {
        let (edges, calls_unmatched) = self.edges.report();
        AggregateReport { services: self.services.report(), edges, calls_unmatched }
    }
}
