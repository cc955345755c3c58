//! The data plane.
//!
//! Answers OTLP senders, counts what they send, keeps what matters, and passes it on. Does not think: the control plane
//! sees only its counts and hands it a sampling plan. Received bytes are read in place and cut, never decoded into trees,
//! because decoding is nine tenths of what receiving costs.
//!
//! ```text
//! receive ─▶ intake ─▶ views ─▶ aggregate ─▶ sample ─▶ export
//! ```

mod config;
mod pipeline;

mod receive;

mod durable;
mod intake;

pub mod views;

mod aggregate;

pub mod sample;

pub mod evaluate;

mod export;
mod store;

#[doc(hidden)]
pub mod fuzz;

mod calm;
mod clock;
mod descriptors;
mod generations;
mod governor;
mod stats;
mod tls;
mod tokens;
mod watched;
mod wire;

pub use aggregate::{AggregateReport, DurationSummary, EdgeReport, OVERFLOW, OperationReport, ServiceReport};
pub use config::{
    BufferConfig, Cardinality, ClientTls, Compression, DoorSecurity, Durability, ExportProtocol, ExportSignals,
    ExporterConfig, Limits, PipelineConfig, SamplerConfig, Secret, ServerTls, SpanMetrics, Telemetry, TokenSource,
};
pub use export::{ExporterError, ExporterProblem};
pub use intake::{Accepted, Refusal};
pub use pipeline::{Pipeline, StartError};
pub use stats::{
    CircuitState, Due, ExporterStats, Lost, MemoryStats, PipelineStats, Refused, Rule, StoreStats, Unsampled,
};
pub use store::StoreError;
pub use tls::TlsError;
pub use tokens::TokensError;
