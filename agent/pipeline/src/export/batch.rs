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

/// Spans on their way into a request. Holds at most its configured bytes and one span.
#[derive(Debug)]
pub(super) struct Batch {
    groups: BTreeMap<Vec<u8>, Scopes>,
    bytes: usize,
    spans: u64,
    /// Requests handed in so far.
    handed_in: u64,
    opened: Timestamp,
    bytes_max: usize,
    delay: Millis,
}

impl Batch {
    pub(super) fn new(bytes_max: usize, delay: Millis) -> Batch {
        Batch { groups: BTreeMap::new(), bytes: 0, spans: 0, handed_in: 0, opened: Timestamp(0), bytes_max, delay }
    }

    pub(super) fn state(&self) -> BatchState {
        BatchState { handed_in: self.handed_in, is_empty: self.spans == 0 }
    }

    /// Adds a span; returns the request when it is full.
    pub(super) fn add(&mut self, now: Timestamp, origin: &Origin, span: &[u8]) -> Option<Request> {
        if self.spans == 0 {
            self.opened = now;
        }
        let spans = self.group(origin);
        let before = spans.len();
        put_bytes(spans, CONTENT, span);
        self.bytes += spans.len() - before;
        self.spans += 1;
        if self.bytes >= self.bytes_max { self.take() } else { None }
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
        let mut request = Vec::with_capacity(self.bytes + self.bytes / 8);
        for (resource, scopes) in std::mem::take(&mut self.groups) {
            let mut message = resource;
            for (scope, spans) in scopes {
                put_header(&mut message, CONTENT, scope.len() + spans.len());
                message.extend_from_slice(&scope);
                message.extend_from_slice(&spans);
            }
            put_bytes(&mut request, RESOURCE_SPANS, &message);
        }
        self.bytes = 0;
        self.handed_in += 1;
        Some(Request { bytes: request.into(), spans: std::mem::take(&mut self.spans) })
    }

    fn group(&mut self, origin: &Origin) -> &mut Vec<u8> {
        if !self.groups.contains_key(&origin.resource) {
            self.bytes += origin.resource.len();
            self.groups.insert(origin.resource.clone(), Scopes::new());
        }
        let scopes = self.groups.get_mut(&origin.resource).expect("inserted above");
        if !scopes.contains_key(&origin.scope) {
            self.bytes += origin.scope.len();
            scopes.insert(origin.scope.clone(), Vec::new());
        }
        scopes.get_mut(&origin.scope).expect("inserted above")
    }
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
            resource: ResourceSpans { schema_url: resource.into(), ..Default::default() }.encode_to_vec(),
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
        let mut batch = Batch::new(1 << 20, Millis(10));
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
        let mut batch = Batch::new(100, Millis(1000));
        let sent: Vec<_> =
            (0..50).filter_map(|_| batch.add(Timestamp(1), &origin("a", "x"), &span("0123456789"))).collect();
        assert!(sent.len() > 5);
        assert!(sent.iter().all(|request| request.bytes.len() < 150));
        assert_eq!(sent.iter().map(|request| request.spans).sum::<u64>() + batch.spans, 50);
    }
}
