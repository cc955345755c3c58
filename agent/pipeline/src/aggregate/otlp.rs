//! The aggregates as OTLP metrics.
//!
//! Answers what the counts of all series are as export requests, by the conventions of the Collector's span metrics and
//! service graph connectors, so that dashboards made for those work. Does not send. Cumulative since start, because then a
//! lost request costs nothing: the next one says it all again. The counting buckets are those of the exponential
//! histogram already, so nothing is converted. A tree is built here, other than for what passes through, because this
//! is little and rare.

use bytes::Bytes;
use homeostat_core::{ServiceName, Timestamp};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar as OtlpExemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, exponential_histogram_data_point::Buckets,
    metric::Data, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::durations::SCALE;
use super::exemplars::Exemplar;
use super::operations::SeriesReading;
use super::{Aggregates, EdgeReport, OVERFLOW};

const CALLS: &str = "traces.span.metrics.calls";
const DURATION: &str = "traces.span.metrics.duration";
// The service graph connector keeps the names that its dashboards were first made for.
const REQUESTS: &str = "traces_service_graph_request_total";
const REQUESTS_FAILED: &str = "traces_service_graph_request_failed_total";

/// A request is full at so many bytes: below the 4 MiB that gRPC receivers accept by default, with room for the last series.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// One request, and how many data points it has.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) bytes: Bytes,
    pub(crate) points: u64,
}

/// Who says it, and since when it was counted.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    resource: Resource,
    started: Timestamp,
}

impl Writer {
    /// `identity`: resource attributes that tell this agent from all others.
    pub(crate) fn new(identity: &[(String, String)], started: Timestamp) -> Writer {
        let attributes = identity.iter().map(|(key, value)| text(key, value)).collect();
        Writer { resource: Resource { attributes, ..Default::default() }, started }
    }

    /// Everything that was counted, in as many requests as it needs.
    pub(crate) fn write(&self, aggregates: &Aggregates, now: Timestamp) -> Vec<Written> {
        let mut page = Page::new(self, now);
        aggregates.services.read(|service, series| page.add_series(service, &series));
        let (edges, _) = aggregates.edges.report();
        edges.iter().for_each(|edge| page.add_edge(edge));
        page.finish()
    }
}

/// Requests that are full, and the one that is being filled.
struct Page<'a> {
    writer: &'a Writer,
    start_unix_nano: u64,
    now_unix_nano: u64,
    full: Vec<Written>,
    calls: Vec<NumberDataPoint>,
    durations: Vec<ExponentialHistogramDataPoint>,
    requests: Vec<NumberDataPoint>,
    failed: Vec<NumberDataPoint>,
    bytes: usize,
}

impl<'a> Page<'a> {
    fn new(writer: &'a Writer, now: Timestamp) -> Page<'a> {
        Page {
            writer,
            start_unix_nano: nanos(writer.started),
            now_unix_nano: nanos(now),
            full: Vec::new(),
            calls: Vec::new(),
            durations: Vec::new(),
            requests: Vec::new(),
            failed: Vec::new(),
            bytes: 0,
        }
    }

    fn add_series(&mut self, service: Option<&ServiceName>, series: &SeriesReading) {
        let attributes = series_attributes(service, series);
        let calls = self.number(attributes.clone(), series.durations.count());
        let duration = self.duration(attributes, series);
        self.bytes += calls.encoded_len() + duration.encoded_len();
        self.calls.push(calls);
        self.durations.push(duration);
        self.turn_if_full();
    }

    fn add_edge(&mut self, edge: &EdgeReport) {
        let attributes = edge_attributes(edge);
        let requests = self.number(attributes.clone(), edge.calls);
        let failed = self.number(attributes, edge.errors);
        self.bytes += requests.encoded_len() + failed.encoded_len();
        self.requests.push(requests);
        self.failed.push(failed);
        self.turn_if_full();
    }

    fn number(&self, attributes: Vec<KeyValue>, count: u64) -> NumberDataPoint {
        NumberDataPoint {
            attributes,
            start_time_unix_nano: self.start_unix_nano,
            time_unix_nano: self.now_unix_nano,
            value: Some(number_data_point::Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX))),
            ..Default::default()
        }
    }

    fn duration(&self, attributes: Vec<KeyValue>, series: &SeriesReading) -> ExponentialHistogramDataPoint {
        let (offset, bucket_counts) = series.durations.buckets();
        ExponentialHistogramDataPoint {
            attributes,
            start_time_unix_nano: self.start_unix_nano,
            time_unix_nano: self.now_unix_nano,
            count: series.durations.count(),
            sum: Some(series.durations.sum_seconds()),
            scale: SCALE,
            zero_count: series.durations.zeros(),
            positive: Some(Buckets { offset, bucket_counts: bucket_counts.to_vec() }),
            exemplars: series.exemplars.iter().map(|exemplar| self.exemplar(exemplar)).collect(),
            ..Default::default()
        }
    }

    fn exemplar(&self, exemplar: &Exemplar) -> OtlpExemplar {
        // A clock that runs ahead must not put an example after the point that it explains.
        let at = exemplar.end_unix_nano.max(self.start_unix_nano).min(self.now_unix_nano);
        OtlpExemplar {
            time_unix_nano: at,
            value: Some(exemplar::Value::AsDouble(exemplar.nanos as f64 * 1e-9)),
            trace_id: exemplar.trace.to_vec(),
            span_id: exemplar.span.to_vec(),
            ..Default::default()
        }
    }

    fn turn_if_full(&mut self) {
        if self.bytes >= REQUEST_BYTES_MAX {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let points = self.calls.len() + self.durations.len() + self.requests.len() + self.failed.len();
        if points == 0 {
            return;
        }
        let metrics = [
            counter(CALLS, "{call}", "Spans, before sampling", &mut self.calls),
            histogram(&mut self.durations),
            counter(REQUESTS, "{request}", "Requests between two services, before sampling", &mut self.requests),
            counter(REQUESTS_FAILED, "{request}", "Those that failed", &mut self.failed),
        ];
        let scope = InstrumentationScope {
            name: "homeostat.aggregates".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..Default::default()
        };
        let metrics = metrics.into_iter().flatten().collect();
        let scope_metrics = vec![ScopeMetrics { scope: Some(scope), metrics, ..Default::default() }];
        let resource = Some(self.writer.resource.clone());
        let resource_metrics = vec![ResourceMetrics { resource, scope_metrics, ..Default::default() }];
        let bytes = ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into();
        self.full.push(Written { bytes, points: points as u64 });
        self.bytes = 0;
    }

    fn finish(mut self) -> Vec<Written> {
        self.turn();
        self.full
    }
}

fn counter(name: &str, unit: &str, description: &str, points: &mut Vec<NumberDataPoint>) -> Option<Metric> {
    let data_points = std::mem::take(points);
    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
    let is_some = !data_points.is_empty();
    is_some.then(|| Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        data: Some(Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })),
        ..Default::default()
    })
}

fn histogram(points: &mut Vec<ExponentialHistogramDataPoint>) -> Option<Metric> {
    let data_points = std::mem::take(points);
    let aggregation_temporality = AggregationTemporality::Cumulative as i32;
    let is_some = !data_points.is_empty();
    is_some.then(|| Metric {
        name: DURATION.to_owned(),
        unit: "s".to_owned(),
        description: "How long spans took, before sampling".to_owned(),
        data: Some(Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })),
        ..Default::default()
    })
}

/// What is left out of an overflow series is said by OpenTelemetry's attribute for it.
fn series_attributes(service: Option<&ServiceName>, series: &SeriesReading) -> Vec<KeyValue> {
    let kind = match series.kind {
        0 => "SPAN_KIND_UNSPECIFIED",
        1 => "SPAN_KIND_INTERNAL",
        2 => "SPAN_KIND_SERVER",
        3 => "SPAN_KIND_CLIENT",
        4 => "SPAN_KIND_PRODUCER",
        5 => "SPAN_KIND_CONSUMER",
        // Two numbers must not become one series.
        other => &other.to_string(),
    };
    let status = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"].get(series.status);
    let service_name = service.map(|name| text("service.name", name.as_str()));
    let span_name = series.operation.as_ref().map(|name| text("span.name", name.as_str()));
    let overflow = (service_name.is_none() || span_name.is_none()).then(overflow);
    let rest = [text("span.kind", kind), text("status.code", status.unwrap_or(&"STATUS_CODE_UNSET"))];
    service_name.into_iter().chain(span_name).chain(rest).chain(overflow).collect()
}

fn edge_attributes(edge: &EdgeReport) -> Vec<KeyValue> {
    let end = |key: &str, name: &ServiceName| (name.as_str() != OVERFLOW).then(|| text(key, name.as_str()));
    let (client, server) = (end("client", &edge.caller), end("server", &edge.callee));
    let overflow = (client.is_none() || server.is_none()).then(overflow);
    client.into_iter().chain(server).chain(overflow).collect()
}

fn overflow() -> KeyValue {
    pair(OVERFLOW, Value::BoolValue(true))
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

fn nanos(at: Timestamp) -> u64 {
    at.0.saturating_mul(1_000_000)
}

#[cfg(test)]
#[path = "otlp_tests.rs"]
mod tests;
