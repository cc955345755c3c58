//! Metrics, seen in place.
//!
//! Answers how many data points a request holds and what named gauges and sums read. Does not aggregate: metrics pass
//! through the agent as they came.

use super::common::{RESOURCE, SCOPE, service_of, submessages};
use super::schema::{Kind, Schema, ViewError, many, one, validate};
use crate::wire::{Value, fields};

static EXEMPLAR: Schema = Schema(&[
    one(2, "time_unix_nano", Kind::Fixed64),
    one(3, "as_double", Kind::Fixed64),
    one(4, "span_id", Kind::Bytes),
    one(5, "trace_id", Kind::Bytes),
    one(6, "as_int", Kind::Fixed64),
    many(7, "filtered_attributes", Kind::Attribute),
]);

static NUMBER_POINT: Schema = Schema(&[
    one(2, "start_time_unix_nano", Kind::Fixed64),
    one(3, "time_unix_nano", Kind::Fixed64),
    one(4, "as_double", Kind::Fixed64),
    many(5, "exemplars", Kind::Message(&EXEMPLAR)),
    one(6, "as_int", Kind::Fixed64),
    many(7, "attributes", Kind::Attribute),
    one(8, "flags", Kind::Varint),
]);

static HISTOGRAM_POINT: Schema = Schema(&[
    one(2, "start_time_unix_nano", Kind::Fixed64),
    one(3, "time_unix_nano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Fixed64),
    one(6, "bucket_counts", Kind::PackedFixed64),
    one(7, "explicit_bounds", Kind::PackedFixed64),
    many(8, "exemplars", Kind::Message(&EXEMPLAR)),
    many(9, "attributes", Kind::Attribute),
    one(10, "flags", Kind::Varint),
    one(11, "min", Kind::Fixed64),
    one(12, "max", Kind::Fixed64),
]);

static BUCKETS: Schema = Schema(&[one(1, "offset", Kind::Varint), one(2, "bucket_counts", Kind::PackedVarint)]);

static EXPONENTIAL_POINT: Schema = Schema(&[
    many(1, "attributes", Kind::Attribute),
    one(2, "start_time_unix_nano", Kind::Fixed64),
    one(3, "time_unix_nano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Fixed64),
    one(6, "scale", Kind::Varint),
    one(7, "zero_count", Kind::Fixed64),
    one(8, "positive", Kind::Message(&BUCKETS)),
    one(9, "negative", Kind::Message(&BUCKETS)),
    one(10, "flags", Kind::Varint),
    many(11, "exemplars", Kind::Message(&EXEMPLAR)),
    one(12, "min", Kind::Fixed64),
    one(13, "max", Kind::Fixed64),
    one(14, "zero_threshold", Kind::Fixed64),
]);

static QUANTILE: Schema = Schema(&[one(1, "quantile", Kind::Fixed64), one(2, "value", Kind::Fixed64)]);

static SUMMARY_POINT: Schema = Schema(&[
    one(2, "start_time_unix_nano", Kind::Fixed64),
    one(3, "time_unix_nano", Kind::Fixed64),
    one(4, "count", Kind::Fixed64),
    one(5, "sum", Kind::Fixed64),
    many(6, "quantile_values", Kind::Message(&QUANTILE)),
    many(7, "attributes", Kind::Attribute),
    one(8, "flags", Kind::Varint),
]);

static GAUGE: Schema = Schema(&[many(1, "data_points", Kind::Message(&NUMBER_POINT))]);

static SUM: Schema = Schema(&[
    many(1, "data_points", Kind::Message(&NUMBER_POINT)),
    one(2, "aggregation_temporality", Kind::Varint),
    one(3, "is_monotonic", Kind::Varint),
]);

static HISTOGRAM: Schema =
    Schema(&[many(1, "data_points", Kind::Message(&HISTOGRAM_POINT)), one(2, "aggregation_temporality", Kind::Varint)]);

static EXPONENTIAL: Schema = Schema(&[
    many(1, "data_points", Kind::Message(&EXPONENTIAL_POINT)),
    one(2, "aggregation_temporality", Kind::Varint),
]);

static SUMMARY: Schema = Schema(&[many(1, "data_points", Kind::Message(&SUMMARY_POINT))]);

static METRIC: Schema = Schema(&[
    one(1, "name", Kind::Text),
    one(2, "description", Kind::Text),
    one(3, "unit", Kind::Text),
    one(5, "gauge", Kind::Message(&GAUGE)),
    one(7, "sum", Kind::Message(&SUM)),
    one(9, "histogram", Kind::Message(&HISTOGRAM)),
    one(10, "exponential_histogram", Kind::Message(&EXPONENTIAL)),
    one(11, "summary", Kind::Message(&SUMMARY)),
    many(12, "metadata", Kind::Attribute),
]);

static SCOPE_METRICS: Schema = Schema(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "metrics", Kind::Message(&METRIC)),
    one(3, "schema_url", Kind::Text),
]);

static RESOURCE_METRICS: Schema = Schema(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scope_metrics", Kind::Message(&SCOPE_METRICS)),
    one(3, "schema_url", Kind::Text),
]);

static EXPORT: Schema = Schema(&[many(1, "resource_metrics", Kind::Message(&RESOURCE_METRICS))]);

/// A validated `ExportMetricsServiceRequest`.
#[derive(Clone, Copy, Debug)]
pub struct MetricsView<'a>(&'a [u8]);

/// The metrics of one resource.
#[derive(Clone, Copy, Debug)]
pub struct ResourceMetricsView<'a> {
    raw: &'a [u8],
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct MetricView<'a> {
    raw: &'a [u8],
    /// Its name.
    pub name: &'a str,
}

impl<'a> MetricsView<'a> {
    /// Checks the whole message once.
    pub fn parse(bytes: &'a [u8]) -> Result<MetricsView<'a>, ViewError> {
        validate(bytes, &EXPORT)?;
        Ok(MetricsView(bytes))
    }

    /// The resources in order.
    pub fn resources(self) -> impl Iterator<Item = ResourceMetricsView<'a>> {
        submessages(self.0, 1).map(|raw| ResourceMetricsView { raw })
    }
}

impl<'a> ResourceMetricsView<'a> {
    /// `service.name`, or `unknown_service`.
    pub fn service(self) -> &'a str {
        service_of(self.raw)
    }

    /// The metrics in order.
    pub fn metrics(self) -> impl Iterator<Item = MetricView<'a>> {
        submessages(self.raw, 2).flat_map(|scope| submessages(scope, 2)).map(|raw| {
            let name = submessages(raw, 1).last().and_then(|name| std::str::from_utf8(name).ok());
            MetricView { raw, name: name.unwrap_or_default() }
        })
    }
}

impl<'a> MetricView<'a> {
    /// How many data points it holds, of whatever type.
    pub fn points(self) -> u64 {
        self.data(&[5, 7, 9, 10, 11]).count() as u64
    }

    /// The values of a gauge or sum, integers as floats.
    pub fn numbers(self) -> impl Iterator<Item = f64> {
        self.data(&[5, 7]).filter_map(|point| {
            fields(point)
                .filter_map(|field| match (field.number, field.value) {
                    (4, Value::Fixed64(bits)) => Some(f64::from_bits(bits)),
                    (6, Value::Fixed64(bits)) => Some(bits as i64 as f64),
                    _ => None,
                })
                .last()
        })
    }

    fn data(self, kinds: &'static [u32]) -> impl Iterator<Item = &'a [u8]> {
        kinds.iter().flat_map(move |kind| submessages(self.raw, *kind)).flat_map(|data| submessages(data, 1))
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
    use opentelemetry_proto::tonic::metrics::v1::{
        Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data,
        number_data_point,
    };
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use prost::Message;

    use super::*;

    fn request() -> ExportMetricsServiceRequest {
        let value = AnyValue { value: Some(any_value::Value::StringValue("cart".into())) };
        let name = KeyValue { key: "service.name".into(), value: Some(value), ..Default::default() };
        let point = |value| NumberDataPoint { value: Some(value), ..Default::default() };
        let points = vec![point(number_data_point::Value::AsDouble(0.25)), point(number_data_point::Value::AsInt(-3))];
        let bars = HistogramDataPoint { bucket_counts: vec![1, 2], explicit_bounds: vec![0.5], ..Default::default() };
        let metric = |name: &str, data| Metric { name: name.into(), data: Some(data), ..Default::default() };
        let metrics = vec![
            metric("load", Data::Gauge(Gauge { data_points: points })),
            metric("bars", Data::Histogram(Histogram { data_points: vec![bars], ..Default::default() })),
        ];
        let resource = Some(Resource { attributes: vec![name], ..Default::default() });
        let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
        ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics { resource, scope_metrics, ..Default::default() }],
        }
    }

    /// Scenario: a gauge with a float and an integer, and a histogram, of one service.
    /// Guarantees: points are counted, numbers read with their service, histograms have none.
    #[test]
    fn points_are_counted_and_numbers_read() {
        let bytes = request().encode_to_vec();
        let view = MetricsView::parse(&bytes).unwrap();
        let resource = view.resources().next().unwrap();
        assert_eq!(resource.service(), "cart");
        let read: Vec<_> = resource.metrics().map(|m| (m.name, m.points(), m.numbers().collect::<Vec<_>>())).collect();
        assert_eq!(read, [("load", 2, vec![0.25, -3.0]), ("bars", 1, vec![])]);
    }

    /// Scenario: the request is cut at every byte.
    /// Guarantees: a cut request is refused or is a shorter request; nothing panics.
    #[test]
    fn a_cut_request_is_no_panic() {
        let bytes = request().encode_to_vec();
        let accepted = (0..bytes.len()).filter(|cut| MetricsView::parse(&bytes[..*cut]).is_ok()).count();
        assert_eq!(accepted, 1, "only the empty message is a whole one");
    }
}
