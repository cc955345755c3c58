//! A stand-in for the user's telemetry backend.
//!
//! Answers what arrives where the agent sends the spans it keeps, and what one would conclude from these alone: every kept
//! span stands for as many as its sampling threshold says (`ot=th:…` in the trace state), so their sum estimates how many
//! requests there really were. It stores nothing; a real backend would.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::post;
use homeostat_core::ServiceName;
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use tonic::codegen::BoxFuture;
use tonic_prost::ProstCodec;

/// Services told apart; a backend for one shop needs five. What comes beyond is counted under the last name.
const SERVICES_MAX: usize = 100;

/// What has arrived.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Arrived {
    /// Spans of every kind.
    pub(crate) spans: u64,
    /// Metric exports.
    pub(crate) metric_exports: u64,
    /// Of each service, the requests it served.
    pub(crate) served: BTreeMap<ServiceName, Served>,
}

/// The served requests of one service, as far as they arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Served {
    /// Spans of served requests.
    pub(crate) spans: u64,
    /// How many requests these stand for.
    pub(crate) estimate: f64,
}

impl Arrived {
    /// How many served requests the arrived spans stand for, all services together.
    pub(crate) fn estimate(&self) -> f64 {
        self.served.values().map(|served| served.estimate).sum()
    }

    fn add(&mut self, resource: &ResourceSpans) {
        let service = service_name(resource);
        for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
            self.spans += 1;
            if span.kind == SpanKind::Server as i32
                && (self.served.len() < SERVICES_MAX || self.served.contains_key(&service))
            {
                let served = self.served.entry(service.clone()).or_default();
                served.spans += 1;
                served.estimate += adjusted_count(span);
            }
        }
    }
}

/// The backend, listening.
pub(crate) struct Backend {
    /// Its OTLP/gRPC door.
    pub(crate) address: SocketAddr,
    arrived: Arc<Mutex<Arrived>>,
}

impl Backend {
    /// Listens on a free port of loopback, on the runtime of the caller, until that ends.
    pub(crate) async fn listen() -> std::io::Result<Backend> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let arrived = Arc::new(Mutex::new(Arrived::default()));
        let router = Router::new()
            .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(take_spans))
            .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", post(take_metrics))
            .with_state(Arc::clone(&arrived));
        // It serves until the runtime ends; there is no error it could return before.
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Backend { address, arrived })
    }

    /// What has arrived so far.
    pub(crate) fn arrived(&self) -> Arrived {
        self.arrived.lock().expect("no code panics while it counts").clone()
    }
}

type Shared = Arc<Mutex<Arrived>>;

async fn take_spans(State(arrived): State<Shared>, request: Request) -> http::Response<tonic::body::Body> {
    let codec = ProstCodec::<ExportTraceServiceResponse, ExportTraceServiceRequest>::default();
    let gzip = tonic::codec::CompressionEncoding::Gzip;
    tonic::server::Grpc::new(codec).accept_compressed(gzip).unary(SpansTaker(arrived), request).await
}

async fn take_metrics(State(arrived): State<Shared>, request: Request) -> http::Response<tonic::body::Body> {
    let codec = ProstCodec::<ExportMetricsServiceResponse, ExportMetricsServiceRequest>::default();
    tonic::server::Grpc::new(codec).unary(MetricsTaker(arrived), request).await
}

struct SpansTaker(Shared);

impl tonic::server::UnaryService<ExportTraceServiceRequest> for SpansTaker {
    type Response = ExportTraceServiceResponse;
    type Future = BoxFuture<tonic::Response<ExportTraceServiceResponse>, tonic::Status>;

    fn call(&mut self, request: tonic::Request<ExportTraceServiceRequest>) -> Self::Future {
        let mut arrived = self.0.lock().expect("no code panics while it counts");
        request.get_ref().resource_spans.iter().for_each(|resource| arrived.add(resource));
        Box::pin(std::future::ready(Ok(tonic::Response::new(ExportTraceServiceResponse::default()))))
    }
}

struct MetricsTaker(Shared);

impl tonic::server::UnaryService<ExportMetricsServiceRequest> for MetricsTaker {
    type Response = ExportMetricsServiceResponse;
    type Future = BoxFuture<tonic::Response<ExportMetricsServiceResponse>, tonic::Status>;

    fn call(&mut self, _request: tonic::Request<ExportMetricsServiceRequest>) -> Self::Future {
        self.0.lock().expect("no code panics while it counts").metric_exports += 1;
        Box::pin(std::future::ready(Ok(tonic::Response::new(ExportMetricsServiceResponse::default()))))
    }
}

fn service_name(resource: &ResourceSpans) -> ServiceName {
    let attributes = resource.resource.iter().flat_map(|resource| &resource.attributes);
    let name = attributes.into_iter().find(|attribute| attribute.key == "service.name");
    match name.and_then(|name| name.value.as_ref()).and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(name)) => ServiceName::from(name.as_str()),
        _ => ServiceName::from("unknown_service"),
    }
}

/// How many spans this one stands for: 2^56 / (2^56 - T) for the threshold T in the trace state, whose hexadecimal digits
/// lack their trailing zeros (OpenTelemetry, "Probability sampling in trace state"). Without a threshold: one.
fn adjusted_count(span: &Span) -> f64 {
    let vendor = span.trace_state.split(',').find_map(|entry| entry.trim().strip_prefix("ot="));
    let threshold = vendor.and_then(|fields| fields.split(';').find_map(|field| field.strip_prefix("th:")));
    let Some(digits) = threshold.filter(|digits| (1..=14).contains(&digits.len())) else { return 1.0 };
    match u64::from_str_radix(&format!("{digits:0<14}"), 16) {
        Ok(threshold) => (1_u64 << 56) as f64 / ((1_u64 << 56) - threshold) as f64,
        Err(_) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: spans kept at one half, at one quarter, always, without a word about it, and with garbage.
    /// Guarantees: each stands for as many spans as its threshold says, and garbage for one.
    #[test]
    fn a_kept_span_stands_for_the_dropped_ones() {
        let check = |trace_state: &str, count: f64| {
            let span = Span { trace_state: trace_state.to_owned(), ..Span::default() };
            assert_eq!(adjusted_count(&span), count, "{trace_state}");
        };
        check("ot=th:8", 2.0);
        check("vendor=1,ot=rv:0123456789abcd;th:c", 4.0);
        check("ot=th:0", 1.0);
        check("", 1.0);
        check("ot=th:xyz", 1.0);
        check("ot=th:fffffffffffffff", 1.0);
    }
}
