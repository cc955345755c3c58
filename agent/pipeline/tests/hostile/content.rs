//! Bodies that are not what they claim to be.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use prost::Message;

use crate::good::{request, span};

/// Protobuf, broken in every way the wire format can be, or hostile although it is not broken.
pub(crate) fn protobuf() -> Vec<(&'static str, Vec<u8>)> {
    let good = request(1, vec![span()]).encode_to_vec();
    vec![
        ("cut in the middle", good[..good.len() / 2].to_vec()),
        ("length beyond the end", vec![0x0a, 0x7f, 1]),
        ("length of 2^63", [&[0x0a][..], &[0xff; 8], &[0x7f]].concat()),
        ("varint without end", vec![0xff; 64]),
        ("field zero", vec![0x00, 0x01]),
        ("wire types that do not exist", vec![0x0e, 0x0f]),
        ("end of a group that never began", vec![0x0c]),
        ("groups within groups", vec![0x0b; 100_000]),
        ("another type than the field has", vec![0x08, 0x01]),
        ("text that is no UTF-8", vec![0x0a, 4, 0x1a, 2, 0xff, 0xfe]),
        ("noise", (0..50_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
        ("values nested ten thousand deep", deep_protobuf(10_000)),
    ]
}

/// JSON of the same kind.
pub(crate) fn json() -> Vec<(&'static str, Vec<u8>)> {
    let spans = |spans: &str| format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":{spans}}}]}}]}}"#).into_bytes();
    vec![
        ("nothing", Vec::new()),
        ("brackets ten thousand deep", b"[".repeat(10_000)),
        ("unknown keys ten thousand deep", br#"{"x":"#.repeat(10_000)),
        ("values nested ten thousand deep", deep_json(10_000)),
        ("a number for a list", spans("7")),
        ("an id that is no hexadecimal", spans(r#"[{"traceId":"xyz"}]"#)),
        ("a time beyond 64 bits", spans(r#"[{"startTimeUnixNano":"99999999999999999999999"}]"#)),
        ("half a surrogate", spans(r#"[{"name":"\ud800"}]"#)),
        ("text that is no UTF-8", spans("[{\"name\":\"\u{1}\"}]")),
        ("more after the end", b"{}{}".to_vec()),
    ]
}

/// Good protobuf with content that makes no sense; it is for the pipeline to bear, not to refuse.
pub(crate) fn senseless() -> Vec<(&'static str, Vec<u8>)> {
    let mut far = span();
    (far.start_time_unix_nano, far.end_time_unix_nano) = (u64::MAX, 0);
    let mut later = span();
    (later.start_time_unix_nano, later.end_time_unix_nano) = (0, u64::MAX);
    let not_a_number = AnyValue { value: Some(any_value::Value::DoubleValue(f64::NAN)) };
    let attribute = KeyValue { key: "x".into(), value: Some(not_a_number), ..Default::default() };
    let mut nan = span();
    nan.attributes = vec![attribute; 100];
    let ids = |trace, id| {
        let mut span = span();
        (span.trace_id, span.span_id) = (vec![1; trace], vec![1; id]);
        span
    };
    let wrong_ids = [(0, 8), (15, 8), (17, 8), (16, 0), (16, 9), (4000, 4000)].map(|(trace, id)| ids(trace, id));
    vec![
        ("times far away", request(1, vec![far, later]).encode_to_vec()),
        ("not a number", request(1, vec![nan]).encode_to_vec()),
        ("ids of every wrong length", request(1, wrong_ids.to_vec()).encode_to_vec()),
        ("a hundred thousand empty spans", request(1, vec![Default::default(); 100_000]).encode_to_vec()),
        ("ten thousand services", request(10_000, vec![span()]).encode_to_vec()),
    ]
}

/// A megabyte of the least there is of something, how many spans that are, and what is wrong with the first.
pub(crate) struct Crowd {
    pub(crate) name: &'static str,
    pub(crate) body: Vec<u8>,
    pub(crate) spans: usize,
    pub(crate) problem: &'static str,
}

pub(crate) fn crowds() -> Vec<Crowd> {
    let (empty, nearly) = (field(2, &[]), field(2, &field(1, &[7; 25])));
    let zeros = field(2, &[field(1, &[0; 16]), field(2, &[0; 8])].concat());
    let many = |piece: &[u8]| (piece.repeat(1_000_000 / piece.len()), 1_000_000 / piece.len());
    let in_scope = |(spans, count): (Vec<u8>, usize)| (field(1, &field(2, &spans)), count);
    let in_resource = |(scopes, count): (Vec<u8>, usize)| (field(1, &scopes), count);
    let crowd = |name, (body, spans), problem| Crowd { name, body, spans, problem };
    let (missing, short) = ("trace_id: expected 16 bytes, found 0", "trace_id: expected 16 bytes, found 25");
    vec![
        crowd("resources", (many(&field(1, &[])).0, 0), ""),
        crowd("scopes", (in_resource(many(&empty)).0, 0), ""),
        crowd("empty spans", in_scope(many(&empty)), missing),
        crowd("spans too short for ids", in_scope(many(&nearly)), short),
        crowd("spans with ids of zeros", in_scope(many(&zeros)), "trace_id: all bytes are zero"),
        crowd("scopes of one span", in_resource(many(&field(2, &zeros))), "trace_id: all bytes are zero"),
        crowd("resources of one span", many(&field(1, &field(2, &zeros))), "trace_id: all bytes are zero"),
    ]
}

/// As many scopes of one good span as fit, all of one trace, beside a resource as large as they are and behind all of them.
pub(crate) fn scattered() -> (Vec<u8>, usize) {
    let one = field(2, &field(2, &[field(1, &[7; 16]), field(2, &[8; 8])].concat()));
    let name = field(1, &[field(1, b"service.name"), field(2, &field(1, &[b'x'; 500_000]))].concat());
    let count = 500_000 / one.len();
    (field(1, &[one.repeat(count), field(1, &name)].concat()), count)
}

/// Much in little.
pub(crate) fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; 16 << 20];
    let one = gzip(&zeros);
    let wide = {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(27).unwrap();
        encoder.write_all(&zeros).unwrap();
        encoder.finish().unwrap()
    };
    vec![
        ("gzip", one.clone()),
        ("gzip", one.repeat(20)),
        ("gzip", gzip(&one)),
        ("gzip", one[..one.len() / 2].to_vec()),
        ("zstd", zstd::encode_all(&*zeros, 3).unwrap()),
        ("zstd", wide),
        ("zstd", zstd::encode_all(&*zeros, 3).unwrap().repeat(20)),
        ("zstd", vec![0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ]
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn field(number: u8, inner: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = inner.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    [&out, inner].concat()
}

/// The attribute of a resource, a list in a list in a list. Built from the inside out, without recursion.
fn deep_protobuf(depth: usize) -> Vec<u8> {
    let mut value = Vec::new();
    for _ in 0..depth {
        value = field(5, &field(1, &value));
    }
    // AnyValue, KeyValue, Resource, ResourceSpans, request.
    field(1, &field(1, &field(1, &field(2, &value))))
}

fn deep_json(depth: usize) -> Vec<u8> {
    let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(depth), "]}}".repeat(depth));
    let attribute = format!(r#"{{"key":"a","value":{open}{{}}{close}}}"#);
    format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{attribute}]}}}}]}}"#).into_bytes()
}
