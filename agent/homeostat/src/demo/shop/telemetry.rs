//! A service's telemetry.
//!
//! Answers how a service of the shop is instrumented: by the OpenTelemetry SDK as any user would set it up, one provider
//! each, OTLP over gRPC, the Jaeger remote sampler asking the agent. Does not know the agent otherwise; there is no short
//! cut from the shop into it.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider};

use super::pool::Pool;

/// How long spans are gathered before they are sent. The default of five seconds would make the demo look slow, not the
/// agent.
const SPANS_EVERY: Duration = Duration::from_millis(500);

/// How often metrics are sent and the sampling strategy is fetched: as often as the agent thinks.
const METRICS_EVERY: Duration = Duration::from_secs(1);

/// How long an export or the last flush may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a service could not be instrumented.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    /// The OTLP exporter was refused its settings.
    #[error("cannot build the OTLP exporter of {service}")]
    Exporter {
        /// Whose.
        service: &'static str,
        /// Why.
        source: ExporterBuildError,
    },
    /// The sampler was refused its endpoint.
    #[error("cannot build the remote sampler of {service} for {endpoint}")]
    Sampler {
        /// Whose.
        service: &'static str,
        /// What it was to ask.
        endpoint: String,
    },
}

/// Where telemetry goes and where the sampling strategy comes from.
#[derive(Clone, Debug)]
pub(crate) struct Doors {
    /// OTLP over gRPC, for example `http://127.0.0.1:4317`.
    pub(crate) otlp_grpc: String,
    /// Jaeger remote sampling, for example `http://127.0.0.1:5778/sampling`.
    pub(crate) sampling: String,
}

/// The instruments of one service.
pub(crate) struct Telemetry {
    spans: SdkTracerProvider,
    metrics: SdkMeterProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
}

impl Telemetry {
    /// Instruments `service`; its pool's utilisation becomes a gauge. To be called inside the shop's runtime.
    pub(crate) fn start(service: &'static str, doors: &Doors, pool: &Arc<Pool>) -> Result<Telemetry, TelemetryError> {
        let resource = Resource::builder().with_service_name(service).build();
        let spans = spans(service, doors, resource.clone())?;
        let metrics = metrics(service, doors, resource)?;
        observe(&metrics, pool);
        let tracer = spans.tracer("homeostat.demo.shop");
        Ok(Telemetry { spans, metrics, tracer, propagator: TraceContextPropagator::new() })
    }

    /// Begins the span of a request that came in, as a child of the caller's span if the headers name one.
    pub(crate) fn serving(&self, method: &'static str, route: &'static str, headers: &http::HeaderMap) -> Context {
        let caller = self.propagator.extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let span = self
            .tracer
            .span_builder(format!("{method} {route}"))
            .with_kind(SpanKind::Server)
            .with_attributes([KeyValue::new("http.request.method", method), KeyValue::new("http.route", route)])
            .start_with_context(&self.tracer, &caller);
        caller.with_span(span)
    }

    /// Begins the span of a request to another service and writes its context into `headers`.
    pub(crate) fn calling(
        &self,
        within: &Context,
        call: &super::plan::CallPlan,
        headers: &mut http::HeaderMap,
    ) -> Context {
        let span = self
            .tracer
            .span_builder(call.method)
            .with_kind(SpanKind::Client)
            .with_attributes([
                KeyValue::new("http.request.method", call.method),
                KeyValue::new("server.address", call.service),
                KeyValue::new("url.path", call.path),
            ])
            .start_with_context(&self.tracer, within);
        let called = within.with_span(span);
        self.propagator.inject_context(&called, &mut HeaderInjector(headers));
        called
    }

    /// Sends what has been gathered and ends. Blocks for at most twice [`PATIENCE`]; spans that nobody takes are lost.
    pub(crate) fn finish(&self) {
        // A failed last flush changes nothing for anybody: the process is about to end.
        let _ = self.spans.shutdown_with_timeout(PATIENCE);
        let _ = self.metrics.shutdown_with_timeout(PATIENCE);
    }
}

/// Ends the span of `context` with the HTTP status it was answered with.
pub(crate) fn answered(context: &Context, status: http::StatusCode) {
    let span = context.span();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if status.is_server_error() {
        span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
        span.set_status(Status::error(status.canonical_reason().unwrap_or("server error")));
    }
    span.end();
}

fn spans(service: &'static str, doors: &Doors, resource: Resource) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&doors.otlp_grpc)
        .with_timeout(PATIENCE)
        .build()
        .map_err(|source| TelemetryError::Exporter { service, source })?;
    let batch = BatchConfigBuilder::default().with_scheduled_delay(SPANS_EVERY).build();
    let client = HyperClient::with_default_connector(PATIENCE, None);
    let remote = Sampler::jaeger_remote(Tokio, client, Sampler::AlwaysOn, service)
        .with_endpoint(&doors.sampling)
        .with_update_interval(METRICS_EVERY)
        .build()
        .map_err(|_| TelemetryError::Sampler { service, endpoint: doors.sampling.clone() })?;
    Ok(SdkTracerProvider::builder()
        .with_resource(resource)
        .with_sampler(Sampler::ParentBased(Box::new(remote)))
        .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batch).build())
        .build())
}

fn metrics(service: &'static str, doors: &Doors, resource: Resource) -> Result<SdkMeterProvider, TelemetryError> {
    let exporter = MetricExporter::builder()
        .with_tonic()
        .with_endpoint(&doors.otlp_grpc)
        .with_timeout(PATIENCE)
        .build()
        .map_err(|source| TelemetryError::Exporter { service, source })?;
    let reader = PeriodicReader::builder(exporter).with_interval(METRICS_EVERY).build();
    Ok(SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build())
}

fn observe(metrics: &SdkMeterProvider, pool: &Arc<Pool>) {
    let pool = Arc::clone(pool);
    metrics
        .meter("homeostat.demo.shop")
        .f64_observable_gauge("worker.pool.utilization")
        .with_description("The share of the workers' time spent working.")
        .with_unit("1")
        .with_callback(move |observer| {
            if let Some(used) = pool.utilization() {
                observer.observe(used, &[]);
            }
        })
        .build();
}
