//! The agent's own spans.
//!
//! Answers, where somebody asked for it, how long ticks and effects took, as spans of the service `homeostat`. Off unless
//! asked, because an agent that is observed by its own receiver would see itself as load. The rooms inside a tick have no
//! spans: they are pure and know no clock.

use std::time::{Duration, SystemTime};

use homeostat_core::{ActionId, ReportKind, TickRecord};
use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Status, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use thiserror::Error;

use crate::view::EffectKind;

/// A receiver that takes longer gets the spans of the next batch.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// Spans, or silence.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnSpans {
    tracing: Option<(SdkTracerProvider, SdkTracer)>,
}

/// Why own spans cannot be sent.
#[derive(Debug, Error)]
pub(crate) enum OwnSpansError {
    /// There is nowhere to send them.
    #[error(
        "--self-tracing needs a trace exporter over gRPC with http://; add one to spec.tracing.exporters in the manifest"
    )]
    NoExporter,
    /// The SDK refuses the endpoint.
    #[error("own spans cannot be sent to {endpoint}")]
    Exporter {
        /// Where to.
        endpoint: String,
        /// The cause.
        source: opentelemetry_otlp::ExporterBuildError,
    },
}

impl OwnSpans {
    /// Spans that are sent over OTLP to `endpoint`.
    pub(crate) fn sent_to(endpoint: &str) -> Result<OwnSpans, OwnSpansError> {
        let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(SEND_WITHIN).build();
        let exporter = exporter.map_err(|source| OwnSpansError::Exporter { endpoint: endpoint.to_owned(), source })?;
        let resource = Resource::builder().with_service_name("homeostat").with_attribute(version()).build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        let tracer = provider.tracer("homeostat");
        Ok(OwnSpans { tracing: Some((provider, tracer)) })
    }

    /// Now, as the beginning of a span. Wall-clock time, because spans are compared with those of other programs.
    #[expect(clippy::disallowed_methods, reason = "a span's times are wall-clock times by their definition")]
    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    /// One tick, from `began` until now.
    pub(crate) fn tick(&self, began: SystemTime, record: &TickRecord) {
        let attributes = vec![
            KeyValue::new("homeostat.tick", record.tick.to_string()),
            KeyValue::new("homeostat.regime", record.regime.to_string()),
            KeyValue::new("homeostat.incidents", record.assessment.incidents.len() as i64),
            KeyValue::new("homeostat.requests", record.plan.requests.len() as i64),
            KeyValue::new("homeostat.withheld", record.plan.withheld.len() as i64),
        ];
        self.write("tick", SpanKind::Internal, began, attributes, None);
    }

    /// One effect, from `began` until now.
    pub(crate) fn effect(&self, began: SystemTime, id: ActionId, kind: EffectKind, report: &ReportKind) {
        let failure = match report {
            ReportKind::Failed { why } => Some(why.clone()),
            _ => None,
        };
        let attributes = vec![KeyValue::new("homeostat.action", id.to_string())];
        self.write(kind.as_str(), SpanKind::Client, began, attributes, failure);
    }

    /// Sends what is left. Blocks for a bounded time.
    pub(crate) fn finish(&self) {
        if let Some((provider, _)) = &self.tracing
            && let Err(error) = provider.shutdown_with_timeout(SEND_WITHIN)
        {
            tracing::warn!("the last own spans were not sent: {error}");
        }
    }

    fn write(
        &self,
        name: &'static str,
        kind: SpanKind,
        began: SystemTime,
        attributes: Vec<KeyValue>,
        failure: Option<String>,
    ) {
        let Some((_, tracer)) = &self.tracing else {
            return;
        };
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_start_time(began).with_attributes(attributes);
        let mut span = tracer.build_with_context(builder, &Context::new());
        if let Some(why) = failure {
            span.set_status(Status::error(why));
        }
        span.end();
    }
}

fn version() -> KeyValue {
    KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))
}
