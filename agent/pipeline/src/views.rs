//! OTLP requests, seen in place.
//!
//! Answers what received bytes hold without building owned trees: a message is validated once, then borrowed resources,
//! scopes and spans are read from it. Does not know what becomes of them. Bytes are what the pipeline carries because what
//! is exported is cut from what was received, unknown fields included.

mod common;
mod schema;

mod logs;
mod metrics;
mod one_pass;
mod profiles;
mod traces;

pub use crate::wire::WireError;
pub use common::UNKNOWN_SERVICE;
pub(crate) use common::key_of;
pub use logs::{LogsView, ResourceLogsView};
pub use metrics::{MetricView, MetricsView, ResourceMetricsView};
pub(crate) use one_pass::is_plain_span;
pub use profiles::{ProfilesView, ResourceProfilesView};
pub use schema::{NESTING_MAX, Problem, ViewError};
pub(crate) use traces::{CONTENT, SPAN_BYTES_MIN};
pub use traces::{ResourceView, ScopeSpans, ScopeView, SpanIds, SpanView, TracesView};
