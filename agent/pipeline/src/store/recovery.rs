//! What a former life left.
//!
//! Answers which export requests are still to be sent, which received spans were already dealt with, and which are still
//! undecided. Never fails on content: damage is skipped, counted and said. Bodies of the backlog are not read here, so that
//! a start costs what its segments number and not what they weigh.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use homeostat_core::Timestamp;

use super::kept::{ExporterId, KeptRecord, KeptSegment};
use super::record::{HEAD_BYTES, Stream};
use super::segment::{Located, Segment, log_name, parse_log_name};
use super::writer::{PROBE, RESERVE};
use super::{Inner, RequestKey, Store};
use crate::config::Telemetry;
use crate::sample::RULE_ATTRIBUTE;
use crate::stats::Rule;
use crate::views::{SpanView, TracesView};

/// Kept segments at the end whose requests are remembered: their senders may not have been told.
const LAST_SEGMENTS: usize = 2;

/// A span, precisely enough that the two ends of a call are two even where a tracer gives them one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SpanKey {
    trace: [u8; 16],
    span: [u8; 8],
    kind: i32,
    start_unix_nano: u64,
}

impl SpanKey {
    pub(crate) fn of(span: &SpanView<'_>) -> Option<SpanKey> {
        let ids = span.ids().ok()?;
        Some(SpanKey { trace: ids.trace, span: ids.span, kind: span.kind, start_unix_nano: span.start_unix_nano })
    }
}

/// What was already kept of the received requests that are still there.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) spans: HashSet<SpanKey>,
    /// By which rule each trace was kept, and with which `tracestate`.
    pub(crate) traces: HashMap<[u8; 16], (Rule, String)>,
}

/// A segment that was read at start.
#[derive(Debug)]
struct KeptLeft {
    segment: Arc<KeptSegment>,
    records: Vec<Located>,
    /// Received records from this number on cannot have left a span in it.
    received_end: u64,
}

/// The log as it was found.
#[derive(Debug)]
pub(crate) struct Leftover {
    kept: Vec<KeptLeft>,
    received: Vec<Segment>,
    pub(super) received_next: u64,
    pub(super) kept_next: u64,
}

impl Leftover {
    /// Reads the heads of everything and writes the ledger.
    pub(super) fn read(inner: &Arc<Inner>) -> io::Result<Leftover> {
        let names: BTreeSet<String> = inner.volume.list()?.into_iter().collect();
        let mut found: BTreeMap<(Stream, u64), Segment> = BTreeMap::new();
        for (name, (stream, first)) in names.iter().filter_map(|name| Some((name, parse_log_name(name)?))) {
            if let Some(segment) = open(inner, name, stream, first) {
                found.insert((stream, first), segment);
            }
        }
        let next = |stream| {
            let last = names.iter().filter_map(|name| parse_log_name(name)).filter(|(of, _)| *of == stream).max();
            let beyond_last = last.map_or(0, |(_, first)| first + 1);
            let ends = found.iter().filter(|((of, _), _)| *of == stream).map(|(_, segment)| segment.end());
            ends.max().unwrap_or(0).max(beyond_last)
        };
        let (received_next, kept_next) = (next(Stream::Received), next(Stream::Kept));
        let mut leftover = Leftover { kept: Vec::new(), received: Vec::new(), received_next, kept_next };
        for ((stream, _), segment) in found {
            match stream {
                Stream::Received => leftover.received.push(segment),
                Stream::Kept => leftover.take_kept(inner, segment),
            }
        }
        leftover.enter(inner);
        sweep_strangers(inner, &names);
        Ok(leftover)
    }

    fn take_kept(&mut self, inner: &Arc<Inner>, read: Segment) {
        if let Some(before) = self.kept.last_mut() {
            before.received_end = read.head.received_next;
        }
        let segment = KeptSegment::new(read.head.first, read.medium, inner.volume.clone());
        inner.ledger().begin_kept(Arc::new(segment), read.bytes);
        let segment = inner.ledger().kept(read.head.first).expect("entered above");
        self.kept.push(KeptLeft { segment, records: read.records, received_end: self.received_next });
    }

    fn enter(&self, inner: &Inner) {
        let mut ledger = inner.ledger();
        for segment in &self.received {
            ledger.begin_received(segment.head.first, segment.bytes);
            ledger.reopen(segment.head.first);
            ledger.seal_received(segment.head.first);
        }
        for left in &self.kept {
            ledger.seal_kept(left.segment.first, left.received_end);
        }
    }

    /// Every record that `exporter` has neither delivered nor given up, oldest first.
    pub(crate) fn unsent(
        &self,
        exporter: ExporterId,
        wants: impl Fn(Telemetry) -> bool,
        mut take: impl FnMut(KeptRecord),
    ) {
        for left in &self.kept {
            let marks = left.segment.marks();
            let is_due =
                |located: &&Located| wants(located.head.kind) && !marks.contains(&(exporter, located.head.number));
            for located in left.records.iter().filter(is_due) {
                let record = KeptRecord { segment: left.segment.clone(), located: *located };
                record.expect(1);
                take(record);
            }
        }
    }

    /// What was already kept of the received requests, read from the kept segments that may hold some of it.
    pub(crate) fn settled(&self, store: &Store, now: Timestamp) -> Settled {
        let mut settled = Settled::default();
        let floor = self.received.first().map_or(self.received_next, |segment| segment.head.first);
        let last = self.kept.len().saturating_sub(LAST_SEGMENTS);
        for (index, left) in self.kept.iter().enumerate() {
            if left.received_end <= floor && index < last {
                continue;
            }
            for located in &left.records {
                let Some(body) = located.body(&*left.segment.medium) else { continue };
                if located.head.kind == Telemetry::Traces {
                    settled.add(&body);
                } else {
                    store.repeats.remember(now, RequestKey::of(located.head.kind, &body));
                }
            }
        }
        settled
    }

    /// Every received request that can be read, oldest first. `offer` tells how many spans of it went to the sampler.
    pub(crate) fn undecided(&self, store: &Store, now: impl Fn() -> Timestamp, mut offer: impl FnMut(&Bytes) -> u64) {
        for segment in &self.received {
            for located in &segment.records {
                let Some(body) = located.body(&*segment.medium) else {
                    store.inner.lose(&log_name(Stream::Received, segment.head.first), 1, located.head.record_bytes());
                    continue;
                };
                store.repeats.remember(now(), RequestKey::of(Telemetry::Traces, &body));
                store.count_recovered(offer(&body));
            }
            store.inner.ledger().offered(segment.head.first, now());
        }
    }

    /// What is held of the records before any of them is read.
    pub(super) fn noted_bytes(&self) -> usize {
        let received: usize = self.received.iter().map(|segment| segment.records.capacity()).sum();
        let kept: usize = self.kept.iter().map(|left| left.records.capacity()).sum();
        (received + kept) * size_of::<Located>()
    }

    /// Whether there is nothing to go on with.
    pub(crate) fn is_empty(&self) -> bool {
        self.received.is_empty() && self.kept.is_empty()
    }

    /// Requests received and requests to be sent that were found.
    pub(crate) fn records(&self) -> (usize, usize) {
        let received = self.received.iter().map(|segment| segment.records.len()).sum();
        (received, self.kept.iter().map(|left| left.records.len()).sum())
    }
}

impl Settled {
    fn add(&mut self, request: &[u8]) {
        let Ok(view) = TracesView::parse(request) else { return };
        for span in view.scopes().iter().flat_map(|scope| view.spans(scope)) {
            let Some(key) = SpanKey::of(span) else { continue };
            self.spans.insert(key);
            if let Some(rule) = span.attribute(RULE_ATTRIBUTE).and_then(Rule::named) {
                self.traces.insert(key.trace, (rule, span.trace_state.to_owned()));
            }
        }
    }
}

fn open(inner: &Inner, name: &str, stream: Stream, first: u64) -> Option<Segment> {
    let medium = inner.volume.open(name).ok()?;
    let bytes = medium.bytes().ok()?;
    if bytes < HEAD_BYTES as u64 {
        // Begun and never written.
        drop(inner.volume.remove(name));
        return None;
    }
    let segment = Segment::read(medium, stream, first);
    let lost = segment.as_ref().map_or(bytes, |segment| segment.lost_bytes);
    if lost > 0 {
        // How many records they were cannot be known; at least one was begun.
        inner.lose(name, 1, lost);
    }
    segment
}

/// Removes what is no segment: files of which not even the head was written, and marks whose segment is gone.
fn sweep_strangers(inner: &Inner, names: &BTreeSet<String>) {
    let is_mark = |name: &str| name.ends_with(".sent");
    let has_log = |name: &str| names.contains(&name.replace(".sent", ".log"));
    let orphans = names.iter().filter(|name| (is_mark(name) && !has_log(name)) || *name == PROBE || *name == RESERVE);
    for name in orphans {
        drop(inner.volume.remove(name));
    }
}
