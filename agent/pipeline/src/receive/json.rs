//! OTLP as JSON.
//!
//! Answers the protobuf bytes of a JSON request, which then take the same path as any other. Does not judge content. Here
//! a tree is built: JSON cannot be cut and sent on, and who sends it does not count cycles.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::de::DeserializeOwned;

use crate::config::Telemetry;
use crate::intake::Refusal;

/// Reads `json` as a request of `kind`.
pub(super) fn to_protobuf(kind: Telemetry, json: &[u8]) -> Result<Bytes, Refusal> {
    match kind {
        Telemetry::Traces => convert::<ExportTraceServiceRequest>(json),
        Telemetry::Metrics => convert::<ExportMetricsServiceRequest>(json),
        Telemetry::Logs => convert::<ExportLogsServiceRequest>(json),
    }
}

fn convert<M: Message + DeserializeOwned>(json: &[u8]) -> Result<Bytes, Refusal> {
    match serde_json::from_slice::<M>(json) {
        Ok(message) => Ok(message.encode_to_vec().into()),
        Err(error) => Err(Refusal::Malformed(format!("invalid OTLP JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{LogsView, MetricsView, TracesView};

    /// Scenario: a trace request as SDKs write it: hexadecimal ids, 64-bit numbers as strings and as numbers, enums as
    /// numbers, an unknown key.
    /// Guarantees: the view sees what was meant.
    #[test]
    fn traces_are_read() {
        let json = br#"{"resourceSpans":[{"resource":{"attributes":[
            {"key":"service.name","value":{"stringValue":"cart"}},
            {"key":"n","value":{"intValue":"9007199254740993"}},{"key":"m","value":{"intValue":7}}]},
          "scopeSpans":[{"scope":{"name":"lib"},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
            "spanId":"eee19b7ec3c1b174","parentSpanId":"","name":"pay","kind":2,"flags":257,"novelty":{"a":[1]},
            "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":1544712661000000000,
            "status":{"code":2,"message":"no"}}]}]}]}"#;
        let bytes = to_protobuf(Telemetry::Traces, json).unwrap();
        let view = TracesView::parse(&bytes).unwrap();
        let resource = view.resources().next().unwrap();
        let span = resource.scopes().next().unwrap().spans().next().unwrap();
        assert_eq!(resource.service(), "cart");
        assert_eq!((span.name, span.kind, span.status_code, span.duration_nanos()), ("pay", 2, 2, 1_000_000_000));
        assert_eq!(span.ids().unwrap().trace[..2], [0x5b, 0x8e]);
    }

    /// Scenario: metrics and logs as SDKs write them.
    /// Guarantees: numbers of both kinds and records are seen.
    #[test]
    fn metrics_and_logs_are_read() {
        let json = br#"{"resourceMetrics":[{"resource":{"attributes":[]},"scopeMetrics":[{"scope":{},"metrics":[
          {"name":"g","unit":"1","gauge":{"dataPoints":[{"attributes":[],"timeUnixNano":"5","asDouble":0.5},
            {"timeUnixNano":"5","asInt":"3"}]}},
          {"name":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"4"}]}},
          {"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[
            {"count":"2","sum":2,"bucketCounts":["1","1"],"explicitBounds":[1],"min":0,"max":2}]}}]}]}]}"#;
        let bytes = to_protobuf(Telemetry::Metrics, json).unwrap();
        let resource = MetricsView::parse(&bytes).unwrap().resources().next().unwrap();
        let read: Vec<_> = resource.metrics().map(|m| (m.name, m.points(), m.numbers().sum::<f64>())).collect();
        assert_eq!(read, [("g", 2, 3.5), ("s", 1, 4.0), ("h", 1, 0.0)]);

        let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","severityNumber":9,
          "body":{"stringValue":"hello"},"traceId":"","spanId":""}]}]}]}"#;
        let bytes = to_protobuf(Telemetry::Logs, json).unwrap();
        assert_eq!(LogsView::parse(&bytes).unwrap().resources().next().unwrap().records(), 1);
    }

    /// Scenario: no JSON, and JSON of the wrong shape.
    /// Guarantees: refused, with the place.
    #[test]
    fn bad_json_says_where() {
        for bad in [&b"{"[..], b"[1]", br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}"#] {
            let Err(Refusal::Malformed(message)) = to_protobuf(Telemetry::Traces, bad) else { panic!() };
            assert!(message.starts_with("invalid OTLP JSON: ") && message.contains("line 1"), "{message}");
        }
    }

    /// Scenario: an attribute of lists in lists, from shallow to absurdly deep.
    /// Guarantees: accepted or refused, never a stack overflow; the absurd is refused.
    #[test]
    fn deep_json_is_harmless() {
        let nested = |depth: usize| {
            let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(depth), "]}}".repeat(depth));
            let value = format!(r#"{open}{{"intValue":"1"}}{close}"#);
            format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"a","value":{value}}}]}}}}]}}"#)
        };
        let read = |depth| to_protobuf(Telemetry::Traces, nested(depth).as_bytes());
        let bytes = read(10).unwrap();
        assert!(TracesView::parse(&bytes).is_ok());
        for depth in [30, 38, 39, 40, 41, 42, 64, 20_000] {
            if let Ok(bytes) = read(depth) {
                drop(TracesView::parse(&bytes));
            }
        }
        assert!(matches!(read(20_000), Err(Refusal::Malformed(_))));
    }
}
