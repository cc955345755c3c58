//! Tests of the span view against the tree that a full decoder builds from the same bytes.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, any_value::Value as V,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event, span::Link};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::views::{NESTING_MAX, Problem};
use crate::wire::{WireError, put_bytes, put_number};

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let leaf = prop_oneof![
        ".{0,8}".prop_map(V::StringValue),
        any::<i64>().prop_map(V::IntValue),
        any::<bool>().prop_map(V::BoolValue),
        vec(any::<u8>(), 0..4).prop_map(V::BytesValue),
    ];
    let value = leaf.prop_recursive(4, 8, 3, |inner| {
        vec(inner.prop_map(|value| AnyValue { value: Some(value) }), 0..3)
            .prop_map(|values| V::ArrayValue(ArrayValue { values }))
    });
    let key = prop_oneof![Just("service.name".to_owned()), ".{0,8}"];
    let pair = (key, value).prop_map(|(key, value)| KeyValue {
        key,
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    });
    vec(pair, 0..3)
}

fn span() -> impl Strategy<Value = Span> {
    let ids = (vec(any::<u8>(), 0..17), vec(any::<u8>(), 0..9), vec(any::<u8>(), 0..9));
    let words = (".{0,8}", ".{0,8}");
    let numbers = (any::<i32>(), any::<u64>(), any::<u64>(), proptest::option::of(any::<i32>()));
    (ids, words, numbers, attributes()).prop_map(|(ids, words, numbers, attributes)| Span {
        trace_id: ids.0,
        span_id: ids.1,
        parent_span_id: ids.2,
        trace_state: words.0,
        name: words.1,
        kind: numbers.0,
        start_time_unix_nano: numbers.1,
        end_time_unix_nano: numbers.2,
        status: numbers.3.map(|code| Status { code, message: "m".into() }),
        events: vec![Event { attributes: attributes.clone(), ..Default::default() }],
        links: vec![Link { flags: 3, ..Default::default() }],
        attributes,
        ..Default::default()
    })
}

fn request() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope = (vec(span(), 0..3), ".{0,4}").prop_map(|(spans, url)| ScopeSpans {
        scope: Some(InstrumentationScope { name: "lib".into(), ..Default::default() }),
        spans,
        schema_url: url,
    });
    let resource = (vec(scope, 0..3), attributes()).prop_map(|(scope_spans, attributes)| ResourceSpans {
        resource: Some(Resource { attributes, ..Default::default() }),
        scope_spans,
        ..Default::default()
    });
    vec(resource, 0..3).prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn agrees(view: SpanView<'_>, span: &Span) {
    assert_eq!(view.trace_id, span.trace_id);
    assert_eq!(view.span_id, span.span_id);
    assert_eq!(view.parent_span_id, span.parent_span_id);
    assert_eq!((view.name, view.trace_state), (span.name.as_str(), span.trace_state.as_str()));
    assert_eq!(view.kind, span.kind);
    assert_eq!((view.start_unix_nano, view.end_unix_nano), (span.start_time_unix_nano, span.end_time_unix_nano));
    assert_eq!(view.status_code, span.status.as_ref().map_or(0, |status| status.code));
    assert_eq!(&Span::decode(view.raw).unwrap(), span);
}

proptest! {
    /// Scenario: any request, encoded by a generated encoder.
    /// Guarantees: the view yields the same resources, scopes and spans as the generated decoder; heads are the rest.
    #[test]
    fn the_view_agrees_with_the_generated_decoder(request in request()) {
        let bytes = request.encode_to_vec();
        prop_assert!(one_pass::read(&bytes).is_some(), "what an encoder writes is read in one pass");
        let view = TracesView::parse(&bytes).unwrap();
        prop_assert_eq!(view.len(), view.scopes().iter().map(|scope| view.spans(scope).len()).sum::<usize>());
        prop_assert_eq!(view.resources().count(), request.resource_spans.len());
        for (seen, sent) in view.resources().zip(&request.resource_spans) {
            let rest = ResourceSpans { scope_spans: vec![], ..sent.clone() };
            prop_assert_eq!(ResourceSpans::decode(&*seen.head()).unwrap(), rest);
            prop_assert_eq!(seen.scopes().count(), sent.scope_spans.len());
            for (seen, sent) in seen.scopes().zip(&sent.scope_spans) {
                let rest = ScopeSpans { spans: vec![], ..sent.clone() };
                prop_assert_eq!(ScopeSpans::decode(&*seen.head()).unwrap(), rest);
                prop_assert_eq!(seen.spans().count(), sent.spans.len());
                seen.spans().zip(&sent.spans).for_each(|(seen, sent)| agrees(seen, sent));
            }
        }
    }

    /// Scenario: a request in which bytes were changed, or which was cut.
    /// Guarantees: the view accepts exactly what the generated decoder accepts.
    #[test]
    fn damaged_requests_are_judged_alike(request in request(), hits in vec((any::<usize>(), any::<u8>()), 0..4),
                                         cut in any::<usize>()) {
        let mut bytes = request.encode_to_vec();
        for (at, value) in hits {
            let length = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(at % length) { *byte = value; }
        }
        if cut % 4 == 0 { bytes.truncate(cut % (bytes.len() + 1)); }
        let (seen, decoded) = (TracesView::parse(&bytes), ExportTraceServiceRequest::decode(&*bytes));
        prop_assert_eq!(seen.is_ok(), decoded.is_ok(), "{:?} against {:?}", seen.err(), decoded.err());
        if let Some(quick) = one_pass::read(&bytes) {
            let slow = TracesView::parse_by_schema(&bytes).unwrap();
            prop_assert_eq!(format!("{quick:?}"), format!("{slow:?}"));
        }
    }

    /// Scenario: arbitrary bytes.
    /// Guarantees: refused or read, never a panic, also where nothing was validated.
    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(view) = TracesView::parse(&bytes) {
            for scope in view.resources().flat_map(ResourceView::scopes) {
                scope.spans().for_each(|span| drop(span.ids()));
            }
        }
        drop(SpanView::read(&bytes).ids());
        drop(ResourceView { raw: &bytes }.head());
    }
}

/// Scenario: the third span of a request has a broken name, another a number where text belongs.
/// Guarantees: the error names the field by its path and where it begins.
#[test]
fn an_error_names_the_field_and_the_byte() {
    let mut scope = Vec::new();
    put_bytes(&mut scope, 2, &[]);
    put_bytes(&mut scope, 2, &[0x2a, 2, b'o', b'k']);
    put_bytes(&mut scope, 2, &[0x2a, 1, 0xff]);
    let wrap = |scope: &[u8]| {
        let (mut resource, mut request) = (Vec::new(), Vec::new());
        put_bytes(&mut resource, 2, scope);
        put_bytes(&mut request, 1, &resource);
        request
    };
    let error = TracesView::parse(&wrap(&scope)).unwrap_err();
    let expected = "resource_spans[0].scope_spans[0].spans[2].name: text is not valid UTF-8 (at byte 14)";
    assert_eq!(error.to_string(), expected);

    let mut wrong = Vec::new();
    put_number(&mut wrong, 1, 7);
    let error = TracesView::parse(&wrap(&wrong)).unwrap_err();
    let expected = "resource_spans[0].scope_spans[0].scope: expected a message, found a varint (at byte 4)";
    assert_eq!(error.to_string(), expected);

    let error = TracesView::parse(&[0x0a, 9]).unwrap_err();
    assert_eq!((error.path.as_str(), error.problem), ("message", Problem::Wire(WireError::Truncated)));
}

/// Scenario: an attribute value of nested lists, at the limit and one beyond.
/// Guarantees: the limit is accepted, one more is refused.
#[test]
fn nesting_is_bounded() {
    let nested = |levels: u32| {
        let mut value = Vec::new();
        for _ in 1..levels {
            let (mut list, mut outer) = (Vec::new(), Vec::new());
            put_bytes(&mut list, 1, &value);
            put_bytes(&mut outer, 5, &list);
            value = outer;
        }
        [2, 9, 2, 2, 1].iter().fold(value, |inner, number| {
            let mut outer = Vec::new();
            put_bytes(&mut outer, *number, &inner);
            outer
        })
    };
    assert!(TracesView::parse(&nested(NESTING_MAX)).is_ok());
    assert_eq!(TracesView::parse(&nested(NESTING_MAX + 1)).unwrap_err().problem, Problem::Nesting);
}

/// Scenario: ids of wrong lengths and of zeros.
/// Guarantees: each is named with what was expected and found; a parent of zeros is a root.
#[test]
fn ids_are_judged_span_by_span() {
    let good = SpanView { trace_id: &[1; 16], span_id: &[2; 8], ..SpanView::default() };
    assert_eq!(good.ids().unwrap().parent, None);
    assert_eq!(SpanView { parent_span_id: &[0; 8], ..good }.ids().unwrap().parent, None);
    assert_eq!(SpanView { parent_span_id: &[3; 8], ..good }.ids().unwrap().parent, Some([3; 8]));
    let problem = |span: SpanView<'_>| span.ids().unwrap_err();
    assert_eq!(problem(SpanView { trace_id: &[1; 8], ..good }), "trace_id: expected 16 bytes, found 8");
    assert_eq!(problem(SpanView { span_id: &[0; 8], ..good }), "span_id: all bytes are zero");
    assert_eq!(problem(SpanView { parent_span_id: &[1; 3], ..good }), "parent_span_id: expected 8 bytes, found 3");
}

/// Scenario: requests of a mebibyte, of the shortest resources, scopes and spans there are, without valid ids and with zeros.
/// Guarantees: what is noted of them is a small multiple of their size, and every span is either read or counted.
#[test]
fn what_is_noted_is_bounded_by_what_was_sent() {
    let field = |number, payload: &[u8]| {
        let mut out = Vec::new();
        put_bytes(&mut out, number, payload);
        out
    };
    let many = |piece: &[u8]| piece.repeat((1 << 20) / piece.len());
    let (empty, nearly) = (field(2, &[]), field(2, &field(1, &[7; SPAN_BYTES_MIN - 3])));
    let zeros = field(2, &[field(1, &[0; 16]), field(2, &[0; 8])].concat());
    let requests = [
        ("empty resources", many(&field(1, &[])), 0),
        ("empty scopes", field(1, &many(&empty)), 0),
        ("empty spans", field(1, &field(2, &many(&empty))), (1 << 20) / 2),
        ("spans too short", field(1, &field(2, &many(&nearly))), (1 << 20) / 29),
        ("the shortest spans", field(1, &field(2, &many(&zeros))), (1 << 20) / 30),
        ("a scope for each span", field(1, &many(&field(2, &zeros))), (1 << 20) / 32),
        ("a resource for each span", many(&field(1, &field(2, &zeros))), (1 << 20) / 34),
    ];
    for (name, request, spans) in requests {
        for view in [one_pass::read(&request).unwrap(), TracesView::parse_by_schema(&request).unwrap()] {
            assert_eq!(view.len() as u64 + view.left_out(), spans, "{name}");
            assert_eq!(view.scopes().is_empty(), spans == 0, "{name}");
            assert!(view.noted_bytes() <= 12 * request.len(), "{name}: {} bytes", view.noted_bytes());
        }
    }
}

/// Scenario: a good span, two empty ones and one with an id of zeros, behind a scope and a resource without any.
/// Guarantees: the first empty one is there, under the path by which its sender knows it, and the other is counted.
#[test]
fn a_span_without_ids_is_named_by_the_first() {
    let identified = Span { trace_id: vec![1; 16], span_id: vec![2; 8], ..Default::default() };
    let zeros = Span { trace_id: vec![0; 16], ..identified.clone() };
    let scope = |spans| ScopeSpans { spans, ..Default::default() };
    let full = scope(vec![identified, Span::default(), Span::default(), zeros]);
    let resource = ResourceSpans { scope_spans: vec![scope(Vec::new()), full], ..Default::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![ResourceSpans::default(), resource] };
    let bytes = request.encode_to_vec();
    let view = TracesView::parse(&bytes).unwrap();
    let [scope] = view.scopes() else { panic!("one scope has spans") };
    let judged: Vec<_> = view.spans(scope).iter().map(SpanView::ids).collect();
    assert!(judged[0].is_ok() && judged.len() == 3 && view.left_out() == 1);
    assert_eq!(judged[1], Err("trace_id: expected 16 bytes, found 0".to_owned()));
    assert_eq!(judged[2], Err("trace_id: all bytes are zero".to_owned()));
    assert_eq!(view.path(0, 1), "resource_spans[1].scope_spans[1].spans[1]");
}
