//! OTLP as JSON.
//!
//! Answers the protobuf bytes of a JSON request, which then take the same path as any other. Does not judge content. The
//! text is written over value by value, without a tree: a million empty spans are three megabytes of JSON, but some
//! hundred megabytes as structs.

mod scalars;
mod shapes;

use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::config::Telemetry;
use crate::intake::Refusal;
use crate::wire::put_varint;
use scalars::Scalar;
use shapes::{Key, Kind, Shape, Times};

/// Reads `json` as a request of `kind`, of at most `limit` bytes as protobuf. How deep it may nest is bounded by the JSON
/// reader, at 128.
pub(crate) fn to_protobuf(kind: Telemetry, json: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    let shape = match kind {
        Telemetry::Traces => &shapes::TRACES,
        Telemetry::Metrics => &shapes::METRICS,
        Telemetry::Logs => &shapes::LOGS,
        Telemetry::Profiles => &shapes::PROFILES,
    };
    // Protobuf is rarely more than two thirds of the JSON it came from.
    let mut writer = Writer { out: Vec::with_capacity(json.len() / 3 * 2), limit };
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = Object { shape, writer: &mut writer }.deserialize(&mut reader).and_then(|()| reader.end());
    match read {
        Ok(()) => Ok(writer.out.into()),
        Err(_) if writer.out.len() > limit => Err(Refusal::TooLarge { limit }),
        Err(error) => Err(Refusal::Malformed(format!("invalid OTLP JSON: {error}"))),
    }
}

/// What has been written, and how much it may become: packed numbers are longer than their digits.
struct Writer {
    out: Vec<u8>,
    limit: usize,
}

impl Writer {
    fn tag(&mut self, number: u32, wire_type: u32) {
        put_varint(&mut self.out, u64::from(number << 3 | wire_type));
    }

    /// Begins something length-delimited; most are shorter than 128 bytes, so one byte is kept free for the length.
    fn open(&mut self, number: u32) -> usize {
        self.tag(number, 2);
        self.out.push(0);
        self.out.len()
    }

    /// Writes the length of what was opened and filled.
    fn close(&mut self, start: usize) {
        let length = self.out.len() - start;
        if let Ok(short @ 0..0x80) = u8::try_from(length) {
            self.out[start - 1] = short;
            return;
        }
        let mut prefix = Vec::with_capacity(10);
        put_varint(&mut prefix, length as u64);
        self.out.splice(start - 1..start, prefix);
    }

    fn bounded<E: Error>(&self) -> Result<(), E> {
        if self.out.len() > self.limit { Err(E::custom("larger than the limit")) } else { Ok(()) }
    }
}

/// An object, written as the fields of a message.
struct Object<'w> {
    shape: &'static Shape,
    writer: &'w mut Writer,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeyOf(self.shape))? {
            match key {
                Some(key) => map.next_value_seed(Valued { key, writer: self.writer })?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The key a text names, if it is known.
struct KeyOf(&'static Shape);

impl<'de> DeserializeSeed<'de> for KeyOf {
    type Value = Option<&'static Key>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeyOf {
    type Value = Option<&'static Key>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.key(name))
    }
}

/// What stands behind a key: null, which is as if the key were not there, one value, or a list.
struct Valued<'w> {
    key: &'static Key,
    writer: &'w mut Writer,
}

impl Valued<'_> {
    fn one<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let Valued { key, writer } = self;
        if let Kind::Message(shape) = key.kind {
            let start = writer.open(key.number);
            Object { shape, writer }.deserialize(deserializer)?;
            writer.close(start);
        } else {
            Scalar { kind: &key.kind, tag: Some(key.number), writer }.deserialize(deserializer)?;
        }
        writer.bounded()
    }
}

impl<'de> DeserializeSeed<'de> for Valued<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Valued<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.key.times == Times::Once { "a value" } else { "a list" })
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.key.times {
            Times::Once => self.one(deserializer),
            Times::Repeated | Times::Packed => deserializer.deserialize_any(self),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Valued { key, writer } = self;
        if key.times == Times::Repeated {
            while list.next_element_seed(Element(Valued { key, writer: &mut *writer }))?.is_some() {}
            return Ok(());
        }
        let start = writer.open(key.number);
        while list.next_element_seed(Scalar { kind: &key.kind, tag: None, writer: &mut *writer })?.is_some() {
            writer.bounded()?;
        }
        writer.close(start);
        Ok(())
    }
}

/// One element of a list.
struct Element<'w>(Valued<'w>);

impl<'de> DeserializeSeed<'de> for Element<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.one(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{LogsView, MetricsView, TracesView};

    fn read(kind: Telemetry, json: &[u8]) -> Result<Bytes, Refusal> {
        to_protobuf(kind, json, 1 << 20)
    }

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
        let bytes = read(Telemetry::Traces, json).unwrap();
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
        let bytes = read(Telemetry::Metrics, json).unwrap();
        let resource = MetricsView::parse(&bytes).unwrap().resources().next().unwrap();
        let seen: Vec<_> = resource.metrics().map(|m| (m.name, m.points(), m.numbers().sum::<f64>())).collect();
        assert_eq!(seen, [("g", 2, 3.5), ("s", 1, 4.0), ("h", 1, 0.0)]);

        let json = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1","severityNumber":9,
          "body":{"stringValue":"hello"},"traceId":"","spanId":""}]}]}]}"#;
        let bytes = read(Telemetry::Logs, json).unwrap();
        assert_eq!(LogsView::parse(&bytes).unwrap().resources().next().unwrap().records(), 1);
    }

    /// Scenario: no JSON, and JSON of the wrong shape.
    /// Guarantees: refused, with the place.
    #[test]
    fn bad_json_says_where() {
        for bad in [&b"{"[..], b"[1]", br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}"#] {
            let Err(Refusal::Malformed(message)) = read(Telemetry::Traces, bad) else { panic!() };
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
        let read = |depth| read(Telemetry::Traces, nested(depth).as_bytes());
        let bytes = read(10).unwrap();
        assert!(TracesView::parse(&bytes).is_ok());
        for depth in [30, 38, 39, 40, 41, 42, 64, 20_000] {
            if let Ok(bytes) = read(depth) {
                drop(TracesView::parse(&bytes));
            }
        }
        assert!(matches!(read(20_000), Err(Refusal::Malformed(_))));
    }

    /// Scenario: floating-point numbers that JSON has no literal for, numbers as texts, and nulls.
    /// Guarantees: protobuf's own mapping holds: the former are texts, a null is as good as no key.
    #[test]
    fn protobufs_json_mapping_holds() {
        let value = |text: &str| {
            let json = format!(
                r#"{{"resourceMetrics":[{{"resource":null,"scopeMetrics":[{{"metrics":[{{"gauge":
                {{"dataPoints":[{{"attributes":null,"asDouble":{text}}}]}}}}]}}]}}]}}"#
            );
            let bytes = read(Telemetry::Metrics, json.as_bytes()).ok()?;
            let metric = MetricsView::parse(&bytes).unwrap().resources().next().unwrap().metrics().next().unwrap();
            metric.numbers().next()
        };
        assert!(value("\"NaN\"").unwrap().is_nan());
        assert_eq!(value("\"Infinity\""), Some(f64::INFINITY));
        assert_eq!(value("\"-Infinity\""), Some(f64::NEG_INFINITY));
        assert_eq!((value("\"1.5\""), value("-2e3"), value("7")), (Some(1.5), Some(-2000.0), Some(7.0)));
        for bad in ["\"nan\"", "\"\"", "true", "[]", "NaN"] {
            assert_eq!(value(bad), None, "{bad}");
        }
    }

    /// Scenario: a million empty spans, and packed numbers that are four times longer than their digits.
    /// Guarantees: the first costs no more than its bytes; the second stops at the limit, as too large.
    #[test]
    fn what_is_written_is_bounded() {
        let spans =
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}{{}}]}}]}}]}}"#, "{},".repeat(1_000_000));
        let bytes = to_protobuf(Telemetry::Traces, spans.as_bytes(), 4 << 20).unwrap();
        assert!(bytes.len() < spans.len());
        let counts = "1,".repeat(200_000);
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"histogram":{{"dataPoints":[{{"bucketCounts":
            [{counts}1]}}]}}}}]}}]}}]}}"#
        );
        assert_eq!(read(Telemetry::Metrics, json.as_bytes()), Err(Refusal::TooLarge { limit: 1 << 20 }));
        let bytes = to_protobuf(Telemetry::Metrics, json.as_bytes(), 2 << 20).unwrap();
        assert!(MetricsView::parse(&bytes).is_ok());
    }
}
