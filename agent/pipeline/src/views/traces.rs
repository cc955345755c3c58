//! Traces, seen in place.
//!
//! Answers which spans a request holds, under which resource and scope, and the few fields of each that a decision needs;
//! everything else stays bytes. Does not judge ids before it is asked to. Resource and scope are kept as *heads*: all
//! fields of their enclosing message except the spans, so that schema URLs and fields of later protocol versions survive.

use std::borrow::Cow;
use std::ops::Range;

use super::common::{RESOURCE, SCOPE, service_of, submessages, text_attribute};
use super::one_pass;
use super::schema::{Kind, Schema, ViewError, many, one, validate};
use crate::wire::{Value, fields};

pub(super) static STATUS: Schema = Schema(&[one(2, "message", Kind::Text), one(3, "code", Kind::Varint)]);

pub(super) static EVENT: Schema = Schema(&[
    one(1, "time_unix_nano", Kind::Fixed64),
    one(2, "name", Kind::Text),
    many(3, "attributes", Kind::Attribute),
    one(4, "dropped_attributes_count", Kind::Varint),
]);

pub(super) static LINK: Schema = Schema(&[
    one(1, "trace_id", Kind::Bytes),
    one(2, "span_id", Kind::Bytes),
    one(3, "trace_state", Kind::Text),
    many(4, "attributes", Kind::Attribute),
    one(5, "dropped_attributes_count", Kind::Varint),
    one(6, "flags", Kind::Fixed32),
]);

pub(super) static SPAN: Schema = Schema(&[
    one(1, "trace_id", Kind::Bytes),
    one(2, "span_id", Kind::Bytes),
    one(3, "trace_state", Kind::Text),
    one(4, "parent_span_id", Kind::Bytes),
    one(5, "name", Kind::Text),
    one(6, "kind", Kind::Varint),
    one(7, "start_time_unix_nano", Kind::Fixed64),
    one(8, "end_time_unix_nano", Kind::Fixed64),
    many(9, "attributes", Kind::Attribute),
    one(10, "dropped_attributes_count", Kind::Varint),
    many(11, "events", Kind::Message(&EVENT)),
    one(12, "dropped_events_count", Kind::Varint),
    many(13, "links", Kind::Message(&LINK)),
    one(14, "dropped_links_count", Kind::Varint),
    one(15, "status", Kind::Message(&STATUS)),
    one(16, "flags", Kind::Fixed32),
]);

pub(super) static SCOPE_SPANS: Schema = Schema(&[
    one(1, "scope", Kind::Message(&SCOPE)),
    many(2, "spans", Kind::Message(&SPAN)),
    one(3, "schema_url", Kind::Text),
]);

pub(super) static RESOURCE_SPANS: Schema = Schema(&[
    one(1, "resource", Kind::Message(&RESOURCE)),
    many(2, "scope_spans", Kind::Message(&SCOPE_SPANS)),
    one(3, "schema_url", Kind::Text),
]);

static EXPORT: Schema = Schema(&[many(1, "resource_spans", Kind::Message(&RESOURCE_SPANS))]);

/// The field of `ResourceSpans` and of `ScopeSpans` that is not part of the head.
pub(crate) const CONTENT: u32 = 2;

/// A span with valid ids is no shorter: sixteen bytes and eight, each behind a key and a length.
pub(crate) const SPAN_BYTES_MIN: usize = 28;

/// A validated `ExportTraceServiceRequest`, with its spans read.
///
/// What is noted of a span takes sixty times the two bytes that an empty one costs its sender. Spans too short for valid ids
/// are therefore only counted, all but the first: by that the sender is told what is wrong with them.
#[derive(Clone, Debug)]
pub struct TracesView<'a> {
    raw: &'a [u8],
    scopes: Vec<ScopeSpans<'a>>,
    spans: Vec<SpanView<'a>>,
    /// Spans shorter than [`SPAN_BYTES_MIN`].
    short: u64,
}

/// A `ScopeSpans` message with the resource it belongs to.
#[derive(Clone, Debug)]
pub struct ScopeSpans<'a> {
    /// What the spans are of.
    pub resource: ResourceView<'a>,
    /// Its [`ResourceView::service`], looked up once for all scopes of a resource: it may stand behind them.
    pub service: &'a str,
    /// What recorded them.
    pub scope: ScopeView<'a>,
    /// Which of the request's spans they are.
    spans: Range<usize>,
}

impl<'a> TracesView<'a> {
    /// Checks the whole message once and reads its spans on the way.
    pub fn parse(bytes: &'a [u8]) -> Result<TracesView<'a>, ViewError> {
        match one_pass::read(bytes) {
            Some(view) => Ok(view),
            None => TracesView::parse_by_schema(bytes),
        }
    }

    /// A view of `raw` in which nothing was found yet, with room for as many spans.
    pub(super) fn begin(raw: &'a [u8], spans: usize) -> TracesView<'a> {
        TracesView { raw, scopes: Vec::new(), spans: Vec::with_capacity(spans), short: 0 }
    }

    /// Notes a span, if it may have valid ids or is the first that does not.
    #[inline]
    pub(super) fn push(&mut self, span: SpanView<'a>) {
        if span.raw.len() < SPAN_BYTES_MIN {
            self.short += 1;
            if self.short > 1 {
                return;
            }
        }
        self.spans.push(span);
    }

    /// Notes a scope whose spans are those from `first` on, if there are any.
    pub(super) fn end_scope(&mut self, resource: ResourceView<'a>, scope: ScopeView<'a>, first: usize) {
        if first == self.spans.len() {
            return;
        }
        let same = self.scopes.last().filter(|last| std::ptr::eq(last.resource.raw, resource.raw));
        let service = same.map_or_else(|| resource.service(), |last| last.service);
        self.scopes.push(ScopeSpans { resource, service, scope, spans: first..self.spans.len() });
    }

    /// The same by the tables, slower: it reads everything, and knows where a fault is.
    fn parse_by_schema(bytes: &'a [u8]) -> Result<TracesView<'a>, ViewError> {
        validate(bytes, &EXPORT)?;
        let mut view = TracesView::begin(bytes, 0);
        for resource in submessages(bytes, 1).map(|raw| ResourceView { raw }) {
            for scope in resource.scopes() {
                let first = view.len();
                scope.spans().for_each(|span| view.push(span));
                view.end_scope(resource, scope, first);
            }
        }
        Ok(view)
    }

    /// The `ResourceSpans` in order.
    pub fn resources(&self) -> impl Iterator<Item = ResourceView<'a>> {
        submessages(self.raw, 1).map(|raw| ResourceView { raw })
    }

    /// The `ScopeSpans` with spans, in order.
    pub fn scopes(&self) -> &[ScopeSpans<'a>] {
        &self.scopes
    }

    /// The spans of one of [`Self::scopes`].
    pub fn spans(&self, scope: &ScopeSpans<'a>) -> &[SpanView<'a>] {
        &self.spans[scope.spans.clone()]
    }

    /// Where span `position` of scope `index` is, as in `resource_spans[0].scope_spans[1].spans[2]`. The position is right up
    /// to the first span without valid ids; behind it some may be left out.
    pub fn path(&self, index: usize, position: usize) -> String {
        let ScopeSpans { resource, scope, .. } = &self.scopes[index];
        let is = |raw: &[u8], other: &[u8]| std::ptr::eq(raw.as_ptr(), other.as_ptr());
        let scope = resource.scopes().position(|other| is(other.raw, scope.raw)).unwrap_or_default();
        let resource = self.resources().position(|other| is(other.raw, resource.raw)).unwrap_or_default();
        format!("resource_spans[{resource}].scope_spans[{scope}].spans[{position}]")
    }

    /// How many spans were read.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether no span was read.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many more spans there are, all without valid ids.
    pub fn left_out(&self) -> u64 {
        self.short.saturating_sub(1)
    }

    /// How much is noted of them, beside the request.
    pub fn noted_bytes(&self) -> usize {
        self.scopes.capacity() * size_of::<ScopeSpans<'_>>() + self.spans.capacity() * size_of::<SpanView<'_>>()
    }
}

/// A `ResourceSpans` message.
#[derive(Clone, Copy, Debug)]
pub struct ResourceView<'a> {
    /// Its bytes.
    pub raw: &'a [u8],
}

impl<'a> ResourceView<'a> {
    /// `service.name`, or `unknown_service`.
    pub fn service(self) -> &'a str {
        service_of(self.raw)
    }

    /// The text of a resource attribute.
    pub fn attribute(self, key: &str) -> Option<&'a str> {
        submessages(self.raw, 1).find_map(|resource| text_attribute(resource, 1, key))
    }

    /// All of the message but its spans.
    pub fn head(self) -> Cow<'a, [u8]> {
        head(self.raw)
    }

    /// The `ScopeSpans` in order.
    pub fn scopes(self) -> impl Iterator<Item = ScopeView<'a>> {
        submessages(self.raw, CONTENT).map(|raw| ScopeView { raw })
    }
}

/// A `ScopeSpans` message.
#[derive(Clone, Copy, Debug)]
pub struct ScopeView<'a> {
    /// Its bytes.
    pub raw: &'a [u8],
}

impl<'a> ScopeView<'a> {
    /// All of the message but its spans.
    pub fn head(self) -> Cow<'a, [u8]> {
        head(self.raw)
    }

    /// The spans in order.
    pub fn spans(self) -> impl Iterator<Item = SpanView<'a>> {
        submessages(self.raw, CONTENT).map(SpanView::read)
    }
}

/// What a decision needs of a span; the rest stays in `raw`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpanView<'a> {
    /// The `Span` message.
    pub raw: &'a [u8],
    /// As sent: any length.
    pub trace_id: &'a [u8],
    /// As sent: any length.
    pub span_id: &'a [u8],
    /// As sent: any length.
    pub parent_span_id: &'a [u8],
    /// The W3C `tracestate`.
    pub trace_state: &'a str,
    /// The operation.
    pub name: &'a str,
    /// The number of a `SpanKind`.
    pub kind: i32,
    /// When it began.
    pub start_unix_nano: u64,
    /// When it ended.
    pub end_unix_nano: u64,
    /// The number of a `StatusCode`.
    pub status_code: i32,
}

/// The ids of a span, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanIds {
    /// 16 bytes, not all zero.
    pub trace: [u8; 16],
    /// 8 bytes, not all zero.
    pub span: [u8; 8],
    /// 8 bytes, not all zero; `None` for a root.
    pub parent: Option<[u8; 8]>,
}

impl<'a> SpanView<'a> {
    /// Reads a validated `Span` message. A repeated field counts as its last occurrence.
    pub fn read(raw: &'a [u8]) -> SpanView<'a> {
        let mut span = SpanView { raw, ..SpanView::default() };
        for field in fields(raw) {
            match (field.number, field.value) {
                (1, Value::Bytes(id)) => span.trace_id = id,
                (2, Value::Bytes(id)) => span.span_id = id,
                (3, Value::Bytes(text)) => span.trace_state = std::str::from_utf8(text).unwrap_or_default(),
                (4, Value::Bytes(id)) => span.parent_span_id = id,
                (5, Value::Bytes(text)) => span.name = std::str::from_utf8(text).unwrap_or_default(),
                (6, Value::Varint(kind)) => span.kind = kind as i32,
                (7, Value::Fixed64(nanos)) => span.start_unix_nano = nanos,
                (8, Value::Fixed64(nanos)) => span.end_unix_nano = nanos,
                (15, Value::Bytes(status)) => span.read_status(status),
                _ => {}
            }
        }
        span
    }

    pub(super) fn read_status(&mut self, status: &[u8]) {
        for field in fields(status) {
            if let (3, Value::Varint(code)) = (field.number, field.value) {
                self.status_code = code as i32;
            }
        }
    }

    /// The ids, or what is wrong with them, as in `trace_id: expected 16 bytes, found 8`.
    #[inline]
    pub fn ids(&self) -> Result<SpanIds, String> {
        let sized = (self.trace_id.try_into(), self.span_id.try_into(), self.parent_span_id.try_into());
        match sized {
            (Ok(trace), Ok(span), Ok(parent)) if trace != [0; 16] && span != [0; 8] && parent != [0; 8] => {
                Ok(SpanIds { trace, span, parent: Some(parent) })
            }
            _ => self.unusual_ids(),
        }
    }

    fn unusual_ids(&self) -> Result<SpanIds, String> {
        let parent = match self.parent_span_id {
            [] => None,
            id => Some(sized::<8>("parent_span_id", id)?).filter(|id| *id != [0; 8]),
        };
        Ok(SpanIds { trace: id("trace_id", self.trace_id)?, span: id("span_id", self.span_id)?, parent })
    }

    /// How long it took; zero if it ended before it began.
    pub fn duration_nanos(&self) -> u64 {
        self.end_unix_nano.saturating_sub(self.start_unix_nano)
    }

    /// Whether its status is `ERROR`.
    pub fn is_error(&self) -> bool {
        self.status_code == 2
    }

    /// Whether its kind is `SERVER` or `CONSUMER`: work that somebody else asked for.
    pub fn is_served(&self) -> bool {
        matches!(self.kind, 2 | 5)
    }

    /// Whether its kind is `CLIENT` or `PRODUCER`: asking somebody else.
    pub fn is_call(&self) -> bool {
        matches!(self.kind, 3 | 4)
    }

    /// The text of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&'a str> {
        text_attribute(self.raw, 9, key)
    }
}

fn id<const N: usize>(name: &str, bytes: &[u8]) -> Result<[u8; N], String> {
    let id = sized(name, bytes)?;
    if id == [0; N] { Err(format!("{name}: all bytes are zero")) } else { Ok(id) }
}

fn sized<const N: usize>(name: &str, bytes: &[u8]) -> Result<[u8; N], String> {
    bytes.try_into().map_err(|_| format!("{name}: expected {N} bytes, found {}", bytes.len()))
}

/// The message without its fields [`CONTENT`]: borrowed when these fields are at its end or absent, else copied.
fn head(message: &[u8]) -> Cow<'_, [u8]> {
    let mut kept: Cow<'_, [u8]> = Cow::Borrowed(&[]);
    for field in fields(message).filter(|field| field.number != CONTENT) {
        match &mut kept {
            Cow::Borrowed(run) if run.len() == field.start => kept = Cow::Borrowed(&message[..field.end]),
            run => run.to_mut().extend_from_slice(&message[field.range()]),
        }
    }
    kept
}

#[cfg(test)]
#[path = "traces_tests.rs"]
mod tests;
