//! Good bytes for every target, to begin from.

use std::io::Write;

use bytes::Bytes;
use homeostat_pipeline::fuzz::Log;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint, Metric,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, number_data_point,
    summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::profiles::v1development::{
    Function, Line, Link as ProfileLink, Location, Mapping, Profile, ProfilesDictionary, ResourceProfiles, Sample,
    ScopeProfiles, Stack, ValueType,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event, span::Link};
use prost::Message;

use crate::targets::{BODIES, EXPORTER, GOES_ON, HEADS, NAMES, segments_input};

/// Seeds with the name of the target they are for.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let requests = [("traces", traces()), ("metrics", metrics()), ("logs", logs()), ("profiles", profiles())];
    let mut seeds = requests.to_vec();
    seeds.push(("traces", crowd()));
    for (number, (_, bytes)) in requests.iter().enumerate() {
        seeds.push(("wire", bytes.clone()));
        seeds.push(("frame", [&[0, 0, 0], &(bytes.len() as u16).to_be_bytes()[..], bytes].concat()));
        seeds.push(("inflate", [&[0][..], &gzip(bytes)].concat()));
        seeds.push(("inflate", [&[1][..], &zstd::encode_all(&**bytes, 3).expect("memory")].concat()));
        let json =
            match number {
                0 => serde_json::to_vec(&ExportTraceServiceRequest::decode(&**bytes).expect("good")),
                1 => serde_json::to_vec(&ExportMetricsServiceRequest::decode(&**bytes).expect("good")),
                2 => serde_json::to_vec(&ExportLogsServiceRequest::decode(&**bytes).expect("good")),
                _ => Ok(br#"{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{"samples":[{"values":["1"]}]}]}]}]}"#
                    .to_vec()),
            };
        seeds.push(("json", [&[number as u8][..], &json.expect("good")].concat()));
        seeds.push(("json", [&[(number + 4) as u8 + u8::from(number > 0)][..], bytes].concat()));
    }
    for text in ["ot=th:8;rv:abcdef01234567", "vendor=x,ot=th:0", "ot=rv:ffffffffffffff;x:y,b=c", ",,=", "ot=th:c;th:8"]
    {
        seeds.push(("tracestate", text.as_bytes().to_vec()));
    }
    seeds.push(("rewrite", [&[0x80][..], &span().encode_to_vec()].concat()));
    seeds.extend(logs_on_disk().map(|seed| ("segments", seed)));
    seeds
}

/// Files of the delivery log as an agent writes them: as they are, repaired after a change, and called by their own number.
fn logs_on_disk() -> [Vec<u8>; 3] {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let (log, bodies) = (Log::default(), [traces(), Vec::new(), logs()].map(Bytes::from));
    runtime.block_on(log.write(&bodies, &bodies, EXPORTER, 1));
    let files: Vec<_> = log.files().into_iter().map(|(_, content)| content).collect();
    let [kept, sent, received] = &files[..] else { panic!("three files") };
    let mut far = received.clone();
    far[8..16].copy_from_slice(&u64::MAX.to_le_bytes());
    [
        segments_input(0, received, kept, sent),
        segments_input(HEADS | BODIES | GOES_ON, received, kept, sent),
        segments_input(HEADS | NAMES, &far, kept, sent),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
}

fn any(value: Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: any(value), ..Default::default() }
}

fn attributes() -> Vec<KeyValue> {
    let inner = AnyValue { value: Some(Value::IntValue(-3)) };
    vec![
        pair("service.name", Value::StringValue("cart".into())),
        pair("flag", Value::BoolValue(true)),
        pair("ratio", Value::DoubleValue(0.5)),
        pair("list", Value::ArrayValue(ArrayValue { values: vec![inner, AnyValue::default()] })),
        pair("map", Value::KvlistValue(KeyValueList { values: vec![pair("k", Value::BytesValue(vec![0, 255]))] })),
    ]
}

fn resource() -> Option<Resource> {
    let entity = EntityRef { r#type: "host".into(), id_keys: vec!["host.id".into()], ..Default::default() };
    Some(Resource { attributes: attributes(), dropped_attributes_count: 1, entity_refs: vec![entity] })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "lib".into(), version: "1".into(), ..Default::default() })
}

fn span() -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![8; 8],
        trace_state: "vendor=x,ot=th:8;rv:abcdef01234567".into(),
        parent_span_id: vec![9; 8],
        flags: 0x101,
        name: "GET /".into(),
        kind: 2,
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        attributes: attributes(),
        dropped_attributes_count: 1,
        events: vec![Event { time_unix_nano: 1, name: "e".into(), attributes: attributes(), ..Default::default() }],
        dropped_events_count: 2,
        links: vec![Link { trace_id: vec![1; 16], span_id: vec![2; 8], flags: 1, ..Default::default() }],
        dropped_links_count: 3,
        status: Some(Status { message: "no".into(), code: 2 }),
    }
}

fn traces() -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { scope: scope(), spans: vec![span(), Span::default()], schema_url: "u".into() }];
    let one = ResourceSpans { resource: resource(), scope_spans, schema_url: "u".into() };
    ExportTraceServiceRequest { resource_spans: vec![one, ResourceSpans::default()] }.encode_to_vec()
}

/// Spans too short for valid ids among others, behind scopes and resources without any.
fn crowd() -> Vec<u8> {
    let identified = Span { trace_id: vec![1; 16], span_id: vec![2; 8], ..Default::default() };
    let zeros = Span { trace_id: vec![0; 16], span_id: vec![0; 8], ..Default::default() };
    let spans = vec![identified.clone(), Span::default(), zeros, Span::default(), identified];
    let scopes = [Vec::new(), spans, vec![Span::default()]].map(|spans| ScopeSpans { spans, ..Default::default() });
    let one = ResourceSpans { scope_spans: scopes.to_vec(), ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans::default(), one.clone(), one] }.encode_to_vec()
}

fn metrics() -> Vec<u8> {
    let exemplars =
        vec![Exemplar { value: Some(exemplar::Value::AsInt(-1)), trace_id: vec![1; 16], ..Default::default() }];
    let number = |value| NumberDataPoint {
        attributes: attributes(),
        time_unix_nano: 1,
        exemplars: exemplars.clone(),
        value: Some(value),
        ..Default::default()
    };
    let points = vec![number(number_data_point::Value::AsDouble(0.5)), number(number_data_point::Value::AsInt(-2))];
    let bars = HistogramDataPoint {
        count: 3,
        sum: Some(1.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        min: Some(0.0),
        exemplars,
        ..Default::default()
    };
    let buckets = Some(Buckets { offset: -1, bucket_counts: vec![1, 300] });
    let exponential = ExponentialHistogramDataPoint {
        count: 1,
        scale: -2,
        zero_count: 1,
        positive: buckets.clone(),
        negative: buckets,
        ..Default::default()
    };
    let quantile_values = vec![ValueAtQuantile { quantile: 0.5, value: 2.0 }];
    let summary = SummaryDataPoint { count: 1, sum: 2.0, quantile_values, ..Default::default() };
    let data = [
        Data::Gauge(Gauge { data_points: points.clone() }),
        Data::Sum(Sum { data_points: points, aggregation_temporality: 2, is_monotonic: true }),
        Data::Histogram(Histogram { data_points: vec![bars], aggregation_temporality: 1 }),
        Data::ExponentialHistogram(ExponentialHistogram { data_points: vec![exponential], aggregation_temporality: 1 }),
        Data::Summary(Summary { data_points: vec![summary] }),
    ];
    let metric = |data| Metric { name: "m".into(), unit: "1".into(), data: Some(data), ..Default::default() };
    let scope_metrics =
        vec![ScopeMetrics { scope: scope(), metrics: data.into_iter().map(metric).collect(), schema_url: "u".into() }];
    let resource_metrics = vec![ResourceMetrics { resource: resource(), scope_metrics, schema_url: "u".into() }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
}

fn logs() -> Vec<u8> {
    let record = LogRecord {
        time_unix_nano: 1,
        observed_time_unix_nano: 2,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: any(Value::StringValue("hello".into())),
        attributes: attributes(),
        flags: 1,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        event_name: "e".into(),
        ..Default::default()
    };
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records: vec![record], schema_url: "u".into() }];
    let resource_logs = vec![ResourceLogs { resource: resource(), scope_logs, schema_url: "u".into() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn profiles() -> Vec<u8> {
    let sample = Sample {
        stack_index: 1,
        values: vec![1, -1],
        timestamps_unix_nano: vec![3],
        attribute_indices: vec![1, 2],
        link_index: 1,
    };
    let profile = Profile {
        sample_type: Some(ValueType { type_strindex: 1, unit_strindex: 2 }),
        samples: vec![sample],
        time_unix_nano: 1,
        duration_nano: 2,
        profile_id: vec![5; 16],
        original_payload: vec![1, 2],
        ..Default::default()
    };
    let dictionary = ProfilesDictionary {
        mapping_table: vec![Mapping { memory_start: 1, memory_limit: 300, ..Default::default() }],
        location_table: vec![Location { lines: vec![Line { line: -1, ..Default::default() }], ..Default::default() }],
        function_table: vec![Function { name_strindex: 1, ..Default::default() }],
        link_table: vec![ProfileLink { trace_id: vec![1; 16], span_id: vec![2; 8] }],
        string_table: vec![String::new(), "cpu".into()],
        stack_table: vec![Stack { location_indices: vec![1, 300] }],
        ..Default::default()
    };
    let scope_profiles = vec![ScopeProfiles { scope: scope(), profiles: vec![profile], schema_url: "u".into() }];
    let resource_profiles = vec![ResourceProfiles { resource: resource(), scope_profiles, schema_url: "u".into() }];
    ExportProfilesServiceRequest { resource_profiles, dictionary: Some(dictionary) }.encode_to_vec()
}
