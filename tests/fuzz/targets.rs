//! What every parser must hold for any bytes.
//!
//! Answers, by panicking, whether a parser agrees with the reference implementation of OTLP. Does not make bytes up: the
//! fuzzer does, and so do ordinary tests, which include this file. Where the bytes are as the reference would write them,
//! contents are compared; everywhere else only whether they are a message at all, because the reference merges fields that
//! occur twice and the views take the last.

use homeostat_pipeline::sample::{Threshold, read_tracestate};
use homeostat_pipeline::views::{LogsView, MetricsView, ProfilesView, TracesView, ViewError};
use homeostat_pipeline::{Telemetry, fuzz};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

#[path = "segments.rs"]
mod segments;

pub use segments::{BODIES, EXPORTER, GOES_ON, HEADS, NAMES, segments, segments_input};

/// A target: its name, and what is done with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const ALL: &[Target] = &[
    ("traces", traces),
    ("metrics", metrics),
    ("logs", logs),
    ("profiles", profiles),
    ("wire", wire),
    ("json", json),
    ("tracestate", tracestate),
    ("rewrite", rewrite),
    ("frame", frame),
    ("inflate", inflate),
    ("segments", segments),
];

/// Whether view and reference agree that the bytes are a message; the message, if they are as the reference writes them.
fn agreed<M: Message + Default>(data: &[u8], view: Result<(), ViewError>) -> Option<M> {
    let reference = M::decode(data);
    match (&reference, &view) {
        (Ok(_), Ok(())) | (Err(_), Err(_)) => {}
        // The two count levels differently; both refuse far before a stack ends.
        (Err(error), Ok(())) if error.to_string().contains("recursion limit") => {}
        (Ok(_), Err(error)) if error.to_string().contains("nested deeper") => {}
        (reference, view) => {
            panic!("reference {:?}, view {view:?}", reference.as_ref().map(|_| ()).map_err(|e| e.to_string()))
        }
    }
    reference.ok().filter(|message| view.is_ok() && message.encode_to_vec() == data)
}

/// `TracesView`.
pub fn traces(data: &[u8]) {
    let view = TracesView::parse(data);
    let agreed = agreed::<ExportTraceServiceRequest>(data, view.as_ref().map(|_| ()).map_err(Clone::clone));
    if let Ok(view) = &view {
        for resource in view.resources() {
            let _ = (resource.service(), resource.attribute("x"), resource.head());
            for span in resource.scopes().flat_map(|scope| scope.spans()) {
                let _ = (span.ids(), span.duration_nanos(), span.attribute("x"), span.is_error());
            }
        }
        judged_one_by_one(view, data.len());
    }
    let (Some(message), Ok(view)) = (agreed, view) else { return };
    let expected: Vec<&Span> =
        message.resource_spans.iter().flat_map(|r| &r.scope_spans).flat_map(|s| &s.spans).collect();
    let found: Vec<_> = view
        .resources()
        .flat_map(|r| r.scopes().collect::<Vec<_>>())
        .flat_map(|s| s.spans().collect::<Vec<_>>())
        .collect();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.trace_id, found.span_id), (&*expected.trace_id, &*expected.span_id));
        assert_eq!((found.parent_span_id, found.trace_state), (&*expected.parent_span_id, &*expected.trace_state));
        assert_eq!((found.name, found.kind), (&*expected.name, expected.kind));
        assert_eq!(
            (found.start_unix_nano, found.end_unix_nano),
            (expected.start_time_unix_nano, expected.end_time_unix_nano)
        );
        assert_eq!(found.status_code, expected.status.as_ref().map_or(0, |status| status.code));
        assert_eq!(found.raw, expected.encode_to_vec());
    }
}

/// The spans that were read are accepted and rejected as if none had been left out, in a small multiple of the request.
fn judged_one_by_one(view: &TracesView<'_>, bytes: usize) {
    assert!(view.noted_bytes() <= 12 * bytes + 1024, "{} bytes noted of {bytes}", view.noted_bytes());
    let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
    for (r, resource) in view.resources().enumerate() {
        for (s, scope) in resource.scopes().enumerate() {
            for (position, span) in scope.spans().enumerate() {
                match span.ids() {
                    Ok(_) => accepted.push(span.raw),
                    Err(_) => rejected.push((r, s, position)),
                }
            }
        }
    }
    let (mut read, mut first, mut count) = (Vec::new(), None, view.left_out());
    for (index, scope) in view.scopes().iter().enumerate() {
        for (position, span) in view.spans(scope).iter().enumerate() {
            match span.ids() {
                Ok(_) => read.push(span.raw),
                Err(_) => {
                    first = first.or_else(|| Some(view.path(index, position)));
                    count += 1;
                }
            }
        }
    }
    let path =
        rejected.first().map(|(r, s, position)| format!("resource_spans[{r}].scope_spans[{s}].spans[{position}]"));
    assert_eq!((read, first, count), (accepted, path, rejected.len() as u64));
}

/// `MetricsView`.
pub fn metrics(data: &[u8]) {
    let view = MetricsView::parse(data);
    let agreed = agreed::<ExportMetricsServiceRequest>(data, view.as_ref().map(|_| ()).map_err(Clone::clone));
    let Ok(view) = view else { return };
    let found: Vec<_> = view
        .resources()
        .flat_map(|resource| resource.metrics().map(|m| (m.name, m.points(), m.numbers().count())).collect::<Vec<_>>())
        .collect();
    let Some(message) = agreed else { return };
    let expected = message.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics);
    let expected: Vec<_> = expected
        .map(|metric| {
            let points = match &metric.data {
                None => 0,
                Some(Data::Gauge(data)) => data.data_points.len(),
                Some(Data::Sum(data)) => data.data_points.len(),
                Some(Data::Histogram(data)) => data.data_points.len(),
                Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
                Some(Data::Summary(data)) => data.data_points.len(),
            };
            let valued = |points: &[opentelemetry_proto::tonic::metrics::v1::NumberDataPoint]| {
                points.iter().filter(|point| point.value.is_some()).count()
            };
            let numbers = match &metric.data {
                Some(Data::Gauge(data)) => valued(&data.data_points),
                Some(Data::Sum(data)) => valued(&data.data_points),
                _ => 0,
            };
            (metric.name.as_str(), points as u64, numbers)
        })
        .collect();
    assert_eq!(found, expected);
}

/// `LogsView`.
pub fn logs(data: &[u8]) {
    let view = LogsView::parse(data);
    let agreed = agreed::<ExportLogsServiceRequest>(data, view.as_ref().map(|_| ()).map_err(Clone::clone));
    let Ok(view) = view else { return };
    let found: Vec<_> = view.resources().map(|resource| (resource.service().len(), resource.records()).1).collect();
    let Some(message) = agreed else { return };
    let records = |scopes: &[opentelemetry_proto::tonic::logs::v1::ScopeLogs]| {
        scopes.iter().map(|scope| scope.log_records.len() as u64).sum::<u64>()
    };
    assert_eq!(found, message.resource_logs.iter().map(|resource| records(&resource.scope_logs)).collect::<Vec<_>>());
}

/// `ProfilesView`.
pub fn profiles(data: &[u8]) {
    let view = ProfilesView::parse(data);
    let agreed = agreed::<ExportProfilesServiceRequest>(data, view.as_ref().map(|_| ()).map_err(Clone::clone));
    let Ok(view) = view else { return };
    let found: Vec<_> = view.resources().map(|resource| (resource.service().len(), resource.profiles()).1).collect();
    let Some(message) = agreed else { return };
    let profiles = |scopes: &[opentelemetry_proto::tonic::profiles::v1development::ScopeProfiles]| {
        scopes.iter().map(|scope| scope.profiles.len() as u64).sum::<u64>()
    };
    let expected = message.resource_profiles.iter().map(|resource| profiles(&resource.scope_profiles));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

/// The wire reader: against a message without any field, which skips everything.
pub fn wire(data: &[u8]) {
    match (fuzz::wire(data), <() as Message>::decode(data)) {
        (Ok((_, covered)), Ok(())) => assert_eq!(covered, data.len()),
        (Err(_), Err(_)) => {}
        // A hundred levels of groups there, sixty-four here.
        (Err(error), Ok(())) if error.to_string().contains("nested deeper") => {}
        (ours, reference) => panic!("ours {ours:?}, reference {reference:?}"),
    }
}

/// JSON: any text is refused or becomes a message within the limit; what the reference writes is read as it was meant.
pub fn json(data: &[u8]) {
    let Some((kind, data)) = data.split_first() else { return };
    match kind % 8 {
        0 => any_json(Telemetry::Traces, data, |bytes| TracesView::parse(bytes).err()),
        1 => any_json(Telemetry::Metrics, data, |bytes| MetricsView::parse(bytes).err()),
        2 => any_json(Telemetry::Logs, data, |bytes| LogsView::parse(bytes).err()),
        3 => any_json(Telemetry::Profiles, data, |bytes| ProfilesView::parse(bytes).err()),
        4 | 5 => round_trip::<ExportTraceServiceRequest>(Telemetry::Traces, data),
        6 => round_trip::<ExportMetricsServiceRequest>(Telemetry::Metrics, data),
        _ => round_trip::<ExportLogsServiceRequest>(Telemetry::Logs, data),
    }
}

fn any_json(kind: Telemetry, text: &[u8], parse: impl Fn(&[u8]) -> Option<ViewError>) {
    let limit = text.len() * 2;
    let Ok(bytes) = fuzz::json(kind, text, limit) else { return };
    assert!(bytes.len() <= limit);
    if let Some(error) = parse(&bytes) {
        assert!(error.to_string().contains("nested deeper"), "{error}");
    }
}

fn round_trip<M: Message + Default + serde::Serialize + std::fmt::Debug + PartialEq>(kind: Telemetry, data: &[u8]) {
    let Ok(message) = M::decode(data) else { return };
    let Ok(text) = serde_json::to_string(&message) else { return };
    // The reference writes what JSON has no number for, and oneofs without a value, as null.
    if text.contains("null") {
        return;
    }
    match fuzz::json(kind, text.as_bytes(), usize::MAX) {
        Ok(bytes) => assert!(is_same(&M::decode(&*bytes).expect("a message was written"), &message), "{text}"),
        Err(error) => assert!(error.to_string().contains("recursion limit"), "{error}: {text}"),
    }
}

/// Equal, where a number that is none counts as equal to itself.
fn is_same<M: std::fmt::Debug + PartialEq>(one: &M, other: &M) -> bool {
    one == other || format!("{one:?}") == format!("{other:?}")
}

/// `tracestate`: what is read from any text is a threshold and a randomness that are written as they are read.
pub fn tracestate(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let sampled = read_tracestate(text);
    if let Some(rendered) = sampled.threshold.and_then(Threshold::render) {
        assert_eq!(Threshold::parse(&rendered), sampled.threshold);
        assert_eq!(read_tracestate(&format!("ot=th:{rendered}")).threshold, sampled.threshold);
    }
}

/// A kept span: everything it came with stays, and its threshold can be read again.
pub fn rewrite(data: &[u8]) {
    let Some((threshold, span)) = data.split_first() else { return };
    let Ok(before) = Span::decode(span) else { return };
    let threshold = Threshold::parse(&format!("{threshold:02x}")).unwrap_or(Threshold::ALWAYS);
    let trace_id = before.trace_id.as_slice().try_into().unwrap_or([1; 16]);
    let after = fuzz::rewrite(span, &before.trace_state, &trace_id, threshold);
    let mut after = Span::decode(&*after).expect("a kept span is a span");
    let written = read_tracestate(&after.trace_state).threshold.unwrap_or(Threshold::ALWAYS);
    assert!(written >= threshold, "{written:?} of {threshold:?}");
    let rule = after.attributes.pop().expect("the rule");
    assert_eq!(rule.key, "homeostat.sampling.rule");
    let mut before = before;
    before.attributes.retain(|attribute| attribute.key != rule.key);
    (before.trace_state, after.trace_state) = Default::default();
    assert_eq!(before.encode_to_vec(), after.encode_to_vec());
}

/// A gRPC frame: any bytes are refused, or are one message with its length before it.
pub fn frame(data: &[u8]) {
    let limit = 1 << 16;
    if let Ok((compressed, message)) = fuzz::unframe(data, limit) {
        assert!(message.len() <= limit);
        let length = (message.len() as u32).to_be_bytes();
        assert_eq!([&[u8::from(compressed)], &length[..], &message].concat(), data);
    }
}

/// Compressed bodies: any bytes are refused, or inflate to what another decoder says, within the limit.
pub fn inflate(data: &[u8]) {
    let Some((which, body)) = data.split_first() else { return };
    let (gzip, limit) = (which & 1 == 0, 1 << 18);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
    let (plain, reserved) = runtime.block_on(fuzz::inflate(gzip, body, limit));
    assert!(reserved <= (limit + (64 << 10)) * 2);
    let Ok(plain) = plain else { return };
    assert!(plain.len() <= limit);
    let mut expected = Vec::new();
    if gzip {
        std::io::Read::read_to_end(&mut flate2::bufread::MultiGzDecoder::new(body), &mut expected)
            .expect("it did inflate");
    } else {
        expected =
            zstd::bulk::decompress(body, limit).unwrap_or_else(|_| zstd::decode_all(body).expect("it did inflate"));
    }
    assert_eq!(plain, expected);
}
