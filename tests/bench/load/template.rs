//! Requests to be sent, encoded once.
//!
//! Answers what one request of each workload looks like, and which of its bytes change from request to request. Does not
//! send. The content is what HTTP services with semantic conventions emit, 334 bytes a span, so that figures compare with
//! published ones.

use clap::ValueEnum;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric::Data,
    number_data_point::Value as Number,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event};
use prost::Message;

use crate::Outcome;
use crate::patch::{self, Patch};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Traces whose spans all come in one request, from one service.
    Whole,
    /// Traces whose spans come from several services, in requests some time apart, as SDKs send them.
    Split,
    /// Log records.
    Logs,
    /// Data points.
    Metrics,
}

/// How requests look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) workload: Workload,
    /// Spans, records or data points of a request.
    pub(crate) batch: usize,
    /// Spans of a trace.
    pub(crate) trace_spans: usize,
    /// Services: of different traces, or of one trace when it is split.
    pub(crate) services: usize,
    /// One trace in so many has an error; zero: none.
    pub(crate) error_every: usize,
}

/// One request, and what changes in it.
pub(crate) struct Template {
    pub(crate) bytes: Vec<u8>,
    pub(crate) patches: Vec<Patch>,
    /// Spans, records or data points.
    pub(crate) items: u64,
    /// Traces that have spans in it.
    pub(crate) traces: u64,
    /// Spans with the status error.
    pub(crate) errors: u64,
}

impl Shape {
    /// Spans that one trace has in one request.
    fn spans_per_request(&self) -> usize {
        match self.workload {
            Workload::Split => self.trace_spans / self.services,
            _ => self.trace_spans,
        }
    }

    /// One template per service.
    pub(crate) fn templates(&self) -> Outcome<Vec<Template>> {
        let counted = matches!(self.workload, Workload::Whole | Workload::Split);
        if [self.batch, self.trace_spans, self.services].contains(&0) {
            return Err("--batch, --trace-spans and --services must be at least 1".into());
        }
        if self.workload == Workload::Split && !self.trace_spans.is_multiple_of(self.services) {
            return Err("a split trace needs --trace-spans to be a multiple of --services".into());
        }
        let build = |service: usize| {
            let bytes = match self.workload {
                Workload::Whole | Workload::Split => self.spans(service),
                Workload::Logs => self.logs(service),
                Workload::Metrics => self.metrics(service),
            };
            let patches = patch::find(&bytes, self.workload, self.spans_per_request())?;
            let traces = if counted { self.batch.div_ceil(self.spans_per_request()) } else { 0 };
            let errors = if counted { (0..traces).filter(|trace| self.fails(service, *trace)).count() } else { 0 };
            Ok(Template { bytes, patches, items: self.batch as u64, traces: traces as u64, errors: errors as u64 })
        };
        (0..self.services).map(build).collect()
    }

    /// Whether a trace has its error in this service: a split trace only in the last one, so that all others must wait for
    /// it. The last trace of a request may be cut short and never fails.
    fn fails(&self, service: usize, trace: usize) -> bool {
        let is_here = self.workload != Workload::Split || service + 1 == self.services;
        let is_complete = (trace + 1) * self.spans_per_request() <= self.batch;
        let turn = trace + service * 11;
        is_here && is_complete && self.error_every != 0 && turn % self.error_every == self.error_every / 2
    }

    fn spans(&self, service: usize) -> Vec<u8> {
        let spans = (0..self.batch).map(|index| {
            let trace = index / self.spans_per_request();
            let step = index % self.spans_per_request();
            let depth = if self.workload == Workload::Split { service * self.spans_per_request() + step } else { step };
            let is_error = step + 1 == self.spans_per_request() && self.fails(service, trace);
            span(depth, trace, service, is_error)
        });
        let scope_spans = vec![ScopeSpans { scope: scope(), spans: spans.collect(), ..Default::default() }];
        let resource_spans = vec![ResourceSpans { resource: resource(service), scope_spans, ..Default::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }

    fn logs(&self, service: usize) -> Vec<u8> {
        let log_records = (0..self.batch).map(record).collect();
        let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..Default::default() }];
        let resource_logs = vec![ResourceLogs { resource: resource(service), scope_logs, ..Default::default() }];
        ExportLogsServiceRequest { resource_logs }.encode_to_vec()
    }

    fn metrics(&self, service: usize) -> Vec<u8> {
        let metrics = (0..self.batch).step_by(POINTS_PER_METRIC);
        let metrics = metrics.map(|first| metric(first, POINTS_PER_METRIC.min(self.batch - first))).collect();
        let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..Default::default() }];
        let resource_metrics =
            vec![ResourceMetrics { resource: resource(service), scope_metrics, ..Default::default() }];
        ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
    }
}

/// Name, method and path of what services do.
const OPERATIONS: [(&str, &str, &str); 8] = [
    ("GET /api/v2/basket/{basket}", "GET", "/api/v2/basket/{basket}"),
    ("POST /api/v2/orders", "POST", "/api/v2/orders"),
    ("GET /api/v2/catalogue/search", "GET", "/api/v2/catalogue/search"),
    ("GET /ready", "GET", "/ready"),
    ("PATCH /api/v2/accounts/{account}", "PATCH", "/api/v2/accounts/{account}"),
    ("GET /internal/prices", "GET", "/internal/prices"),
    ("DELETE /api/v2/sessions/{session}", "DELETE", "/api/v2/sessions/{session}"),
    ("POST /internal/events", "POST", "/internal/events"),
];

/// Attribute sets of one metric.
const POINTS_PER_METRIC: usize = 8;

fn text(key: &str, text: &str) -> KeyValue {
    pair(key, Value::StringValue(text.to_owned()))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "bench".to_owned(), version: "1".to_owned(), ..Default::default() })
}

fn resource(service: usize) -> Option<Resource> {
    let attributes = vec![
        text("service.name", &format!("service-{service:02}")),
        text("service.version", "2.31.0"),
        text("service.instance.id", &format!("service-{service:02}-6c9f7d88b4-k2x9q")),
        text("deployment.environment.name", "production"),
        text("telemetry.sdk.language", "rust"),
    ];
    Some(Resource { attributes, ..Default::default() })
}

/// Bytes that occur in no other place; ids are written anew for each request, this only keeps the length.
const fn filler<const N: usize>() -> [u8; N] {
    [0xA5; N]
}

/// The span at `depth` of a chain of calls: services are entered by a server span and left by a client span.
fn span(depth: usize, trace: usize, service: usize, is_error: bool) -> Span {
    let (name, method, route) = OPERATIONS[(trace + depth / 2) % OPERATIONS.len()];
    let attributes = vec![
        text("http.request.method", method),
        text("http.route", route),
        text("url.scheme", "https"),
        pair("http.response.status_code", Value::IntValue(if is_error { 503 } else { 200 })),
        text("server.address", &format!("service-{service:02}.prod.svc.cluster.local")),
        pair("server.port", Value::IntValue(8443)),
        text("network.protocol.version", "1.1"),
    ];
    let exception = Event {
        time_unix_nano: 1,
        name: "exception".to_owned(),
        attributes: vec![text("exception.type", "ConnectionRefused")],
        ..Default::default()
    };
    Span {
        trace_id: filler::<16>().to_vec(),
        span_id: filler::<8>().to_vec(),
        parent_span_id: if depth == 0 { vec![] } else { filler::<8>().to_vec() },
        name: name.to_owned(),
        kind: if depth.is_multiple_of(2) { 2 } else { 3 },
        flags: 0x101,
        start_time_unix_nano: 1,
        end_time_unix_nano: 1,
        attributes,
        events: if is_error { vec![exception] } else { vec![] },
        status: Some(Status { code: if is_error { 2 } else { 0 }, ..Default::default() }),
        ..Default::default()
    }
}

fn record(index: usize) -> LogRecord {
    let (name, method, route) = OPERATIONS[index % OPERATIONS.len()];
    let body = format!(
        "handled {name} for customer {:06} in {} ms: cache miss, one retry",
        index * 7919 % 1_000_000,
        index % 90
    );
    LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 1,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(AnyValue { value: Some(Value::StringValue(body)) }),
        attributes: vec![
            text("http.request.method", method),
            text("http.route", route),
            text("code.function.name", "shop::handler::handle"),
            pair("thread.id", Value::IntValue(index as i64 % 64)),
        ],
        trace_id: filler::<16>().to_vec(),
        span_id: filler::<8>().to_vec(),
        flags: 1,
        ..Default::default()
    }
}

/// Of four metrics two are sums, one is a gauge and one is a histogram.
fn metric(first: usize, points: usize) -> Metric {
    let attributes = |index: usize| {
        let (_, method, route) = OPERATIONS[index % OPERATIONS.len()];
        vec![text("http.request.method", method), text("http.route", route), pair("server.port", Value::IntValue(8443))]
    };
    let number = |index: usize| NumberDataPoint {
        attributes: attributes(index),
        start_time_unix_nano: 1_790_000_000_000_000_000,
        time_unix_nano: 1,
        value: Some(Number::AsInt(1000 + index as i64)),
        ..Default::default()
    };
    let histogram = |index: usize| HistogramDataPoint {
        attributes: attributes(index),
        start_time_unix_nano: 1_790_000_000_000_000_000,
        time_unix_nano: 1,
        count: 120,
        sum: Some(8.5),
        bucket_counts: vec![10; 12],
        explicit_bounds: vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0],
        ..Default::default()
    };
    let number = (0..points).map(number);
    let data = match first / POINTS_PER_METRIC % 4 {
        0 | 1 => Data::Sum(Sum { data_points: number.collect(), aggregation_temporality: 2, is_monotonic: true }),
        2 => Data::Gauge(Gauge { data_points: number.collect() }),
        _ => {
            Data::Histogram(Histogram { data_points: (0..points).map(histogram).collect(), aggregation_temporality: 2 })
        }
    };
    Metric {
        name: format!("shop.requests.{first:03}"),
        description: "Requests that were handled".to_owned(),
        unit: "{request}".to_owned(),
        data: Some(data),
        ..Default::default()
    }
}
