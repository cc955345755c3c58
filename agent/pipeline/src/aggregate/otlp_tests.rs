//! Tests of the exported aggregates, read back as any receiver of OTLP would.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::aggregate::{Counted, operation_key, service_key};
use crate::config::Cardinality;
use crate::views::{SpanIds, SpanView};

const STARTED: Timestamp = Timestamp(1_000_000);

/// One span: service, operation, kind, status, milliseconds, trace.
type Said = (&'static str, &'static str, i32, i32, u64, u8);

fn record(aggregates: &Aggregates, (service, name, kind, status_code, millis, trace): Said) {
    let end_unix_nano = nanos(STARTED) + 5_000_000_000;
    let start_unix_nano = end_unix_nano - millis * 1_000_000;
    let view = SpanView { name, kind, status_code, start_unix_nano, end_unix_nano, ..SpanView::default() };
    let parent = (kind == 2 && trace != 0).then_some([trace.wrapping_sub(1); 8]);
    let ids = SpanIds { trace: [trace.max(1); 16], span: [trace; 8], parent };
    let operation = operation_key(service_key(service), &view);
    let slow = millis > 500;
    let span = Counted { view: &view, ids, trace_hash: u64::from(trace), operation, source: 0, slow };
    aggregates.record(STARTED, &aggregates.service(service), &[span]);
}

fn decoded(written: &[Written]) -> Vec<ExportMetricsServiceRequest> {
    written.iter().map(|written| ExportMetricsServiceRequest::decode(written.bytes.clone()).unwrap()).collect()
}

fn export(aggregates: &Aggregates, secs: u64) -> Vec<ExportMetricsServiceRequest> {
    let identity = [("service.name".to_owned(), "homeostat".to_owned())];
    decoded(&Writer::new(&identity, STARTED).write(aggregates, Timestamp(STARTED.0 + secs * 1000)))
}

fn metrics(requests: &[ExportMetricsServiceRequest]) -> impl Iterator<Item = &Metric> {
    let resources = requests.iter().flat_map(|request| &request.resource_metrics);
    resources.flat_map(|resource| &resource.scope_metrics).flat_map(|scope| &scope.metrics)
}

fn label(attributes: &[KeyValue]) -> String {
    let value = |pair: &KeyValue| match pair.value.as_ref().unwrap().value.as_ref().unwrap() {
        Value::StringValue(text) => text.clone(),
        Value::BoolValue(flag) => flag.to_string(),
        other => panic!("{other:?}"),
    };
    attributes.iter().map(|pair| format!("{}={}", pair.key, value(pair))).collect::<Vec<_>>().join(" ")
}

/// What a consumer keeps of one series: counters as counts, histograms with all they hold.
#[derive(Clone, Debug, Default, PartialEq)]
struct Kept {
    start: u64,
    count: u64,
    sum: f64,
    buckets: BTreeMap<i32, u64>,
}

/// Every series by metric and attributes; a series that occurs twice in one export is an error to every consumer.
fn series(requests: &[ExportMetricsServiceRequest]) -> BTreeMap<String, Kept> {
    let mut found = BTreeMap::new();
    let mut keep = |name: &str, attributes: &[KeyValue], kept: Kept| {
        let twice = found.insert(format!("{name} {}", label(attributes)), kept);
        assert_eq!(twice, None, "{name} {}", label(attributes));
    };
    for metric in metrics(requests) {
        match metric.data.as_ref().unwrap() {
            Data::Sum(sum) => {
                assert!(sum.is_monotonic && sum.aggregation_temporality == AggregationTemporality::Cumulative as i32);
                for point in &sum.data_points {
                    let Some(number_data_point::Value::AsInt(count)) = point.value else { panic!("{point:?}") };
                    let (start, count) = (point.start_time_unix_nano, count.try_into().unwrap());
                    keep(&metric.name, &point.attributes, Kept { start, count, ..Kept::default() });
                }
            }
            Data::ExponentialHistogram(histogram) => {
                assert_eq!(histogram.aggregation_temporality, AggregationTemporality::Cumulative as i32);
                for point in &histogram.data_points {
                    let positive = point.positive.as_ref().unwrap();
                    let filled =
                        (positive.offset..).zip(positive.bucket_counts.clone()).filter(|(_, count)| *count > 0);
                    let buckets: BTreeMap<i32, u64> = filled.collect();
                    assert_eq!(point.count, point.zero_count + buckets.values().sum::<u64>());
                    let (start, count, sum) = (point.start_time_unix_nano, point.count, point.sum.unwrap());
                    keep(&metric.name, &point.attributes, Kept { start, count, sum, buckets });
                }
            }
            other => panic!("{other:?}"),
        }
    }
    found
}

fn exemplars(requests: &[ExportMetricsServiceRequest]) -> Vec<(Vec<u8>, f64)> {
    let points = metrics(requests).filter_map(|metric| match metric.data.as_ref().unwrap() {
        Data::ExponentialHistogram(histogram) => Some(&histogram.data_points),
        _ => None,
    });
    let all = points.flatten().flat_map(|point| &point.exemplars);
    let value = |exemplar: &OtlpExemplar| match exemplar.value.unwrap() {
        exemplar::Value::AsDouble(seconds) => seconds,
        exemplar::Value::AsInt(_) => panic!("seconds are no whole number"),
    };
    all.map(|exemplar| (exemplar.trace_id.clone(), value(exemplar))).collect()
}

/// Scenario: a caller, a callee that succeeds twice and fails once, and nothing else.
/// Guarantees: names, attributes, counts, sums and buckets are those of the span metrics and service graph conventions; a
/// receiver that computes each bucket from the data model's formula finds every duration where it belongs.
#[test]
fn counts_leave_by_the_conventions() {
    let aggregates = Aggregates::new(Cardinality::default());
    for (trace, millis, status) in [(2, 8, 0), (4, 8, 0), (6, 250, 2)] {
        record(&aggregates, ("web", "POST", 3, 0, millis + 1, trace - 1));
        record(&aggregates, ("pay", "charge", 2, status, millis, trace));
    }
    let requests = export(&aggregates, 60);
    let resource = requests[0].resource_metrics[0].resource.as_ref().unwrap();
    assert_eq!(label(&resource.attributes), "service.name=homeostat");
    let found = series(&requests);
    let pay =
        |status: &str| format!("service.name=pay span.name=charge span.kind=SPAN_KIND_SERVER status.code={status}");
    let count = |name: &str, labels: &str| found[&format!("{name} {labels}")].count;
    assert_eq!(count(CALLS, &pay("STATUS_CODE_UNSET")), 2);
    assert_eq!(count(CALLS, &pay("STATUS_CODE_ERROR")), 1);
    assert_eq!(
        count(CALLS, "service.name=web span.name=POST span.kind=SPAN_KIND_CLIENT status.code=STATUS_CODE_UNSET"),
        3
    );
    let failed = &found[&format!("{DURATION} {}", pay("STATUS_CODE_ERROR"))];
    let base = 2_f64.powf(2_f64.powi(-SCALE));
    let bucket = |seconds: f64| seconds.log(base).ceil() as i32 - 1;
    assert_eq!(failed.buckets, BTreeMap::from([(bucket(0.25), 1)]));
    assert!((failed.sum - 0.25).abs() < 1e-9);
    let unset = &found[&format!("{DURATION} {}", pay("STATUS_CODE_UNSET"))];
    assert_eq!((unset.count, unset.buckets.clone()), (2, BTreeMap::from([(bucket(0.008), 2)])));
    assert_eq!(metrics(&requests).find(|metric| metric.name == DURATION).unwrap().unit, "s");
}

/// Scenario: a call between two services, one of which fails.
/// Guarantees: the edge has its totals, and its failures as a counter of its own that starts at zero.
#[test]
fn edges_leave_with_both_ends() {
    let aggregates = Aggregates::new(Cardinality::default());
    record(&aggregates, ("web", "POST", 3, 0, 9, 1));
    let call = |status_code| {
        let view = SpanView { name: "charge", kind: 2, status_code, ..SpanView::default() };
        let ids = SpanIds { trace: [1; 16], span: [9; 8], parent: Some([1; 8]) };
        let span = Counted { view: &view, ids, trace_hash: 1, operation: 1, source: 0, slow: false };
        aggregates.record(STARTED, &aggregates.service("pay"), &[span]);
    };
    let counts = |secs| {
        let found = series(&export(&aggregates, secs));
        [REQUESTS, REQUESTS_FAILED].map(|name| found[&format!("{name} client=web server=pay")].count)
    };
    call(0);
    assert_eq!(counts(1), [1, 0]);
    call(2);
    assert_eq!(counts(2), [2, 1]);
}

/// Scenario: more services, operations and edges than are kept apart; span kinds and statuses that do not exist.
/// Guarantees: nothing is lost, no series occurs twice, and the overflow series carry OpenTelemetry's attribute instead of
/// the name.
#[test]
fn what_exceeds_a_bound_is_an_overflow_series() {
    let cardinality = Cardinality { services_max: 2, operations_per_service_max: 2, ..Cardinality::default() };
    let aggregates = Aggregates::new(cardinality);
    for (index, service) in ["a", "b", "c", "d"].into_iter().enumerate() {
        for (step, name) in ["x", "y", "z", "otel.metric.overflow"].into_iter().enumerate() {
            for (kind, status) in [(1, 0), (77, 0), (0, 9)] {
                record(&aggregates, (service, name, kind, status, 1, (index * 4 + step) as u8));
            }
        }
    }
    let found = series(&export(&aggregates, 60));
    let calls: Vec<_> = found.iter().filter(|(name, _)| name.starts_with(CALLS)).collect();
    assert_eq!(calls.iter().map(|(_, kept)| kept.count).sum::<u64>(), 4 * 4 * 3);
    let overflow = |name: &str| name.contains("otel.metric.overflow=true");
    assert!(
        calls.iter().all(|(name, _)| overflow(name) != (name.contains("service.name=") && name.contains("span.name=")))
    );
    assert!(calls.iter().any(|(name, _)| overflow(name) && name.contains("service.name=a")));
    assert!(calls.iter().any(|(name, _)| overflow(name) && name.contains("span.name=x")));
    assert!(calls.iter().any(|(name, _)| name.contains("span.kind=77")));
}

/// Scenario: ordinary spans, slow spans and errors; two exports.
/// Guarantees: a series is explained by the span whose trace is likeliest to be kept and by its slowest slow one, an error
/// has one of its own; after an export only new spans are examples.
#[test]
fn examples_lead_to_what_is_kept() {
    let aggregates = Aggregates::new(Cardinality::default());
    for (millis, trace, status) in [(5, 40, 0), (7, 200, 0), (9, 90, 0), (900, 10, 0), (700, 20, 0), (3, 30, 2)] {
        record(&aggregates, ("pay", "charge", 2, status, millis, trace));
    }
    let mut found = exemplars(&export(&aggregates, 60));
    found.sort_by_key(|(trace, _)| trace[0]);
    let wanted = [(10, 0.9), (30, 0.003), (200, 0.007)].map(|(trace, seconds)| (vec![trace; 16], seconds));
    let close = |((trace, seconds), (wanted, expected)): (&(Vec<u8>, f64), &(Vec<u8>, f64))| {
        trace == wanted && (seconds - expected).abs() < 1e-12
    };
    assert!(found.len() == 3 && found.iter().zip(&wanted).all(close), "{found:?}");
    assert!(exemplars(&export(&aggregates, 120)).is_empty());
    record(&aggregates, ("pay", "charge", 2, 0, 4, 1));
    assert_eq!(exemplars(&export(&aggregates, 180)).len(), 1);
}

/// Scenario: so many series that they fill several requests.
/// Guarantees: every request stays within what receivers accept by default, every series is in exactly one, and the points
/// are counted as the exporters' statistics need them.
#[test]
fn many_series_become_several_requests() {
    let aggregates = Aggregates::new(Cardinality::default());
    let names: Vec<&'static str> = (0..90).map(|name| &*format!("operation-{name:0>250}").leak()).collect();
    for service in 0..60 {
        let service: &'static str = format!("service-{service}").leak();
        names.iter().for_each(|name| record(&aggregates, (service, name, 1, 0, 1, 1)));
    }
    let written = Writer::new(&[], STARTED).write(&aggregates, STARTED);
    assert!(written.len() > 2, "{}", written.len());
    assert!(written.iter().all(|written| written.bytes.len() < 2 * REQUEST_BYTES_MAX));
    let found = series(&decoded(&written));
    assert_eq!(found.len(), 60 * 90 * 2);
    assert_eq!(written.iter().map(|written| written.points).sum::<u64>(), found.len() as u64);
}

/// Scenario: nothing was counted.
/// Guarantees: nothing is sent.
#[test]
fn nothing_counted_is_nothing_said() {
    assert!(export(&Aggregates::new(Cardinality::default()), 60).is_empty());
}

fn spans() -> impl Strategy<Value = Vec<Said>> {
    let service = prop_oneof![Just("web"), Just("pay"), Just("mail")];
    let name = prop_oneof![Just("a"), Just("b")];
    vec((service, name, 0..6_i32, 0..4_i32, 0..20_000_u64, any::<u8>()), 0..60)
}

proptest! {
    /// Scenario: any spans, exported three times while more come.
    /// Guarantees: what a consumer of cumulative series relies on: no series disappears, its start time never changes,
    /// counts, sums and buckets never decrease, and a series' calls are its durations' count.
    #[test]
    fn series_only_grow(parts in vec(spans(), 3)) {
        let aggregates = Aggregates::new(Cardinality::default());
        let mut last: BTreeMap<String, Kept> = BTreeMap::new();
        for (index, part) in parts.iter().enumerate() {
            part.iter().for_each(|span| record(&aggregates, *span));
            let now = series(&export(&aggregates, 60 * (index as u64 + 1)));
            for (name, before) in &last {
                let after = &now[name];
                prop_assert_eq!(after.start, nanos(STARTED));
                prop_assert!(before.count <= after.count && before.sum <= after.sum, "{}", name);
                prop_assert!(before.buckets.iter().all(|(bucket, count)| *count <= after.buckets[bucket]), "{}", name);
            }
            for (name, kept) in now.iter().filter(|(name, _)| name.starts_with(CALLS)) {
                prop_assert_eq!(kept.count, now[&name.replace(CALLS, DURATION)].count);
            }
            last = now;
        }
        let sent: usize = parts.iter().map(Vec::len).sum();
        let calls = last.iter().filter(|(name, _)| name.starts_with(CALLS));
        prop_assert_eq!(calls.map(|(_, kept)| kept.count).sum::<u64>(), sent as u64);
    }

    /// Scenario: the same spans seen by one agent, or divided among two.
    /// Guarantees: a consumer that adds the two agents' series finds what the one agent says, bucket by bucket.
    #[test]
    fn two_agents_add_up_to_one(all in spans()) {
        let [whole, one, other] = [(); 3].map(|()| Aggregates::new(Cardinality::default()));
        for (index, span) in all.iter().enumerate() {
            record(&whole, *span);
            record(if index % 3 == 0 { &one } else { &other }, *span);
        }
        let mut sum = series(&export(&one, 60));
        for (name, kept) in series(&export(&other, 60)) {
            let total = sum.entry(name).or_default();
            total.count += kept.count;
            total.sum += kept.sum;
            kept.buckets.iter().for_each(|(bucket, count)| *total.buckets.entry(*bucket).or_default() += count);
        }
        for (name, kept) in series(&export(&whole, 60)).iter().filter(|(name, _)| name.starts_with("traces.span")) {
            prop_assert_eq!((kept.count, &kept.buckets), (sum[name].count, &sum[name].buckets));
            prop_assert!((kept.sum - sum[name].sum).abs() <= 1e-9 * kept.sum, "{}", name);
        }
    }
}
