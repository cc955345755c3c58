//! The batch.
//!
//! Answers when kept spans become one request, and builds it: spans regrouped under their resource and scope, all cut
//! from received bytes. Does not send. Grouping compares the bytes of resource and scope instead of their meaning; two
//! encodings of one resource merely become two groups.

use std::collections::BTreeMap;

use bytes::Bytes;
use homeostat_core::{Millis, Timestamp};

use crate::sample::Origin;
use crate::store::BatchState;
use crate::views::CONTENT;
use crate::wire::{put_bytes, put_header};

/// The field of the export request that holds `ResourceSpans`.
const RESOURCE_SPANS: u32 = 1;

/// A request ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) bytes: Bytes,
    pub(super) spans: u64,
}

type Scopes = BTreeMap<Vec<u8>, Vec<u8>>;

/// How large a request becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchSize {
    /// At most so many bytes.
    Fixed(usize),
    /// What is kept within [`IN_FLIGHT`], and at most so many bytes. A request in flight when the agent is killed arrives
    /// twice, so its size is a bound for duplicates; in proportion to the stream it is the same bound at every rate.
    InFlight(usize),
}

/// How much of the stream one request may hold: of five seconds between two kills it is a thousandth.
const IN_FLIGHT: Millis = Millis(5);
/// Below this a request costs more than what it carries: a hundred spans of the usual size.
const IN_FLIGHT_BYTES_MIN: usize = 32 << 10;
/// So many requests waiting double the size: senders that wait for a far destination would otherwise never keep up.
const WAITING: u64 = 8;
/// Over how long the rate is taken.
const PACE: Millis = Millis(1000);

/// The size that a request may have now.
#[derive(Debug)]
struct Limit {
    size: BatchSize,
    bytes: usize,
    /// Requests that wait to be sent.
    waiting: u64,
    /// What came since `since`.
    came: usize,
    since: Timestamp,
}

impl Limit {
    fn new(size: BatchSize) -> Limit {
        let bytes = match size {
            BatchSize::Fixed(max) => max,
            BatchSize::InFlight(max) => max.min(IN_FLIGHT_BYTES_MIN),
        };
        Limit { size, bytes, waiting: 0, came: 0, since: Timestamp(0) }
    }

    fn bytes(&self) -> usize {
        match self.size {
            BatchSize::Fixed(max) => max,
            BatchSize::InFlight(max) => self.bytes.saturating_mul(1 + (self.waiting / WAITING) as usize).min(max),
        }
    }

    fn count(&mut self, now: Timestamp, bytes: usize) {
        self.came += bytes;
        let span = now.since(self.since);
        let BatchSize::InFlight(max) = self.size else { return };
        if span >= PACE {
            let share = self.came as u64 * IN_FLIGHT.0 / span.0;
            self.bytes = (share as usize).max(IN_FLIGHT_BYTES_MIN).min(max);
            (self.came, self.since) = (0, now);
        }
    }
}

/// Spans on their way into a request. Holds at most its configured bytes, one resource with its scope and as many bytes of
/// spans as of those, and one span: a resource larger than the limit would otherwise be sent with every single span.
#[derive(Debug)]
pub(super) struct Batch {
    groups: BTreeMap<Vec<u8>, Scopes>,
    /// Bytes of resources and scopes.
    heads: usize,
    /// Bytes of spans.
    content: usize,
    spans: u64,
    /// Requests handed in so far.
    handed_in: u64,
    opened: Timestamp,
    limit: Limit,
    delay: Millis,
}

impl Batch {
    pub(super) fn new(size: BatchSize, delay: Millis) -> Batch {
        let limit = Limit::new(size);
        Batch {
            groups: BTreeMap::new(),
            heads: 0,
            content: 0,
            spans: 0,
            handed_in: 0,
            opened: Timestamp(0),
            limit,
            delay,
        }
    }

    pub(super) fn state(&self) -> BatchState {
        BatchState { handed_in: self.handed_in, is_empty: self.spans == 0 }
    }

    /// So many requests wait to be sent.
    pub(super) fn set_waiting(&mut self, requests: u64) {
        self.limit.waiting = requests;
    }

    /// Adds a span; returns the request that is full with it, or was without it.
    pub(super) fn add(&mut self, now: Timestamp, origin: &Origin, span: &[u8]) -> Option<Request> {
        let was_full = self.heads + self.content >= self.limit.bytes() && !self.has_group(origin);
        let full = if was_full { self.take() } else { None };
        if self.spans == 0 {
            self.opened = now;
        }
        let spans = self.group(origin);
        let before = spans.len();
        put_bytes(spans, CONTENT, span);
        let bytes = spans.len() - before;
        self.content += bytes;
        self.spans += 1;
        self.limit.count(now, bytes);
        let is_full = self.heads + self.content >= self.limit.bytes() && self.content >= self.heads;
        if is_full && full.is_none() { self.take() } else { full }
    }

    /// The request, if it is old enough.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<Request> {
        if now.since(self.opened) >= self.delay { self.take() } else { None }
    }

    /// The request, if there is anything.
    pub(super) fn take(&mut self) -> Option<Request> {
        if self.spans == 0 {
            return None;
        }
        let mut request = Vec::with_capacity((self.heads + self.content) / 8 * 9);
        for (resource, scopes) in std::mem::take(&mut self.groups) {
            let scopes: Vec<_> =
                scopes.into_iter().map(|(scope, spans)| (headed(&scope, spans.len()), spans)).collect();
            let length = scopes.iter().map(|(head, spans)| head.len() + spans.len()).sum::<usize>();
            put_header(&mut request, RESOURCE_SPANS, resource.len() + length);
            request.extend_from_slice(&resource);
            for (head, spans) in scopes {
                request.extend_from_slice(&head);
                request.extend_from_slice(&spans);
            }
        }
        (self.heads, self.content) = (0, 0);
        self.handed_in += 1;
        Some(Request { bytes: request.into(), spans: std::mem::take(&mut self.spans) })
    }

    fn has_group(&self, origin: &Origin) -> bool {
        self.groups.get(&origin.resource[..]).is_some_and(|scopes| scopes.contains_key(&origin.scope))
    }

    fn group(&mut self, origin: &Origin) -> &mut Vec<u8> {
        if !self.groups.contains_key(&origin.resource[..]) {
            self.heads += origin.resource.len();
            self.groups.insert(origin.resource.to_vec(), Scopes::new());
        }
        let scopes = self.groups.get_mut(&origin.resource[..]).expect("inserted above");
        if !scopes.contains_key(&origin.scope) {
            self.heads += origin.scope.len();
            scopes.insert(origin.scope.clone(), Vec::new());
        }
        scopes.get_mut(&origin.scope).expect("inserted above")
    }
}

/// A scope with the key and length it begins with, before so many bytes of spans.
fn headed(scope: &[u8], spans: usize) -> Vec<u8> {
    let mut head = Vec::with_capacity(scope.len() + 16);
    put_header(&mut head, CONTENT, scope.len() + spans);
    head.extend_from_slice(scope);
    head
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    use super::*;
    use crate::aggregate::Service;

    fn origin(resource: &str, scope: &str) -> Origin {
        Origin {
            service: Arc::new(Service::new(resource, 1)),
            resource: ResourceSpans { schema_url: resource.into(), ..Default::default() }.encode_to_vec().into(),
            scope: ScopeSpans { schema_url: scope.into(), ..Default::default() }.encode_to_vec(),
        }
    }

    fn span(name: &str) -> Vec<u8> {
        Span { name: name.into(), ..Default::default() }.encode_to_vec()
    }

    /// Scenario: spans of two resources and three scopes arrive mixed.
    /// Guarantees: the request has each resource and scope once, with its spans in order.
    #[test]
    fn spans_are_regrouped() {
        let mut batch = Batch::new(BatchSize::Fixed(1 << 20), Millis(10));
        for (resource, scope, name) in [("a", "x", "1"), ("b", "x", "2"), ("a", "y", "3"), ("a", "x", "4")] {
            assert_eq!(batch.add(Timestamp(5), &origin(resource, scope), &span(name)), None);
        }
        assert_eq!(batch.take_due(Timestamp(14)), None);
        let request = batch.take_due(Timestamp(15)).unwrap();
        assert_eq!(request.spans, 4);
        let decoded = ExportTraceServiceRequest::decode(request.bytes).unwrap();
        let flat = decoded.resource_spans.iter().flat_map(|resource| {
            resource.scope_spans.iter().map(move |scope| {
                let names: String = scope.spans.iter().map(|span| span.name.as_str()).collect();
                format!("{}/{}:{names}", resource.schema_url, scope.schema_url)
            })
        });
        assert_eq!(flat.collect::<Vec<_>>(), ["a/x:14", "a/y:3", "b/x:2"]);
        assert_eq!(batch.take(), None);
    }

    /// Scenario: spans arrive until the batch is full.
    /// Guarantees: the request leaves at its size, and a new batch begins.
    #[test]
    fn a_full_batch_leaves_at_once() {
        let mut batch = Batch::new(BatchSize::Fixed(100), Millis(1000));
        let sent: Vec<_> =
            (0..50).filter_map(|_| batch.add(Timestamp(1), &origin("a", "x"), &span("0123456789"))).collect();
        assert!(sent.len() > 5);
        assert!(sent.iter().all(|request| request.bytes.len() < 150));
        assert_eq!(sent.iter().map(|request| request.spans).sum::<u64>() + batch.spans, 50);
    }

    /// Scenario: small spans of a resource thirty times as large as a request may be, then spans that each have such a one.
    /// Guarantees: what is sent is at most about twice what was kept, and no request holds two such resources.
    #[test]
    fn a_large_resource_is_not_sent_with_every_span() {
        let mut batch = Batch::new(BatchSize::Fixed(100), Millis(1000));
        let large = |name: &str| origin(&name.repeat(3000), "x");
        let one = large("a");
        let sent: Vec<_> = (0..1000).filter_map(|_| batch.add(Timestamp(1), &one, &span("0123456789"))).collect();
        assert!((3..6).contains(&sent.len()), "{}", sent.len());
        assert!(sent.iter().all(|request| request.bytes.len() < 6100));
        batch.take();
        let others: Vec<_> = ["a", "b", "c", "d"].map(large).into();
        let sent: Vec<_> =
            others.iter().filter_map(|origin| batch.add(Timestamp(1), origin, &span("0123456789"))).collect();
        assert_eq!(sent.len(), 3);
        assert!(sent.iter().all(|request| request.bytes.len() < 3100));
    }

    /// Scenario: kept spans come slowly, then at ten, then at a hundred megabytes a second, then slowly again.
    /// Guarantees: a request holds what comes within five milliseconds, within its bounds, a second after the change.
    #[test]
    fn a_request_in_flight_is_a_share_of_the_stream() {
        let mut batch = Batch::new(BatchSize::InFlight(256 << 10), Millis(60_000));
        let span = vec![0_u8; 1000];
        let mut now = Timestamp(1_000_000);
        let mut largest = |per_milli: usize| {
            let mut largest = 0;
            for milli in 0..3000 {
                now = now + Millis(1);
                for _ in 0..per_milli {
                    let sent = batch.add(now, &origin("a", "x"), &span);
                    largest = largest.max(sent.filter(|_| milli > 2000).map_or(0, |request| request.bytes.len()));
                }
            }
            largest
        };
        let sizes = [1, 10, 100, 1].map(|per_milli| largest(per_milli) >> 10);
        assert_eq!(sizes, [32, 48, 256, 32]);
        batch.set_waiting(2 * WAITING);
        let sent = (0..1000).find_map(|_| batch.add(Timestamp(2_000_000), &origin("a", "x"), &span));
        assert_eq!(sent.unwrap().bytes.len() >> 10, 96, "a queue makes it larger");
    }
}
