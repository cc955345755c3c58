//! One part of the trace buffer.
//!
//! Answers when a trace is decided, and how: at once when it is certain, when its other spans had the time they are known
//! to need, after a longest wait, or, oldest first, when memory is short. Does not write what is kept. A trace that can be
//! decided with the request that brings it never enters: its spans are cut from the request. Others are copied into their
//! trace's own memory: a slice of the request would keep the whole request alive for one slow trace.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashTable;
use homeostat_core::{SamplingPlan, SamplingProbability, Timestamp};

use super::court::Court;
use super::decided::Decided;
use super::group::{Anchor, Group};
use super::lag::{Known, Lesson, Watch};
use super::threshold::{Randomness, Threshold};
use super::{Arrival, Decision, Facts, Node, Origin, Shape, Waiting, node, tracestate};
use crate::config::BufferConfig;
use crate::stats::Due;
use crate::views::SpanView;

/// What the bookkeeping of a trace costs beside its bytes: table entry, queue entries, allocations; rounded up.
const TRACE_OVERHEAD: usize = 384;
/// Allocators round up; an eighth more than was asked for is usual.
const ROUNDING: usize = 8;
/// Entries of decided traces that may stay in a queue before it is cleaned, beside as many as there are traces.
const STALE_MAX: usize = 1024;

/// Of so many of the oldest traces, the one of least value is decided first when memory is short.
const COMPARED: usize = 4;

/// Traces of more spans are worth nothing: they take the room of many, and valuing them again and again would cost more than
/// it could save.
const VALUED_MAX: usize = 1024;

/// Spans that leave the buffer together.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) decision: Decision,
    pub(super) due: Due,
    pub(super) hash: u64,
    pub(super) randomness: Randomness,
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
}

impl Released {
    /// The spans of a request that never waited, in memory of their own.
    pub(super) fn copied(arrival: &Arrival<'_>, decision: Decision, due: Due) -> Released {
        let mut trace = Trace::new(arrival.group, 0, Timestamp(0));
        trace.add(arrival);
        trace.released(decision, due)
    }

    /// How many spans there are.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// How many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Each span with its origin, its bytes and the threshold it came with.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&Arc<Origin>, &[u8], Threshold)> {
        self.pieces.iter().map(|piece| (&piece.origin, &self.bytes[piece.range.clone()], piece.incoming))
    }
}

/// Where a span lies in its trace's memory.
#[derive(Debug)]
pub(super) struct Piece {
    origin: Arc<Origin>,
    range: Range<usize>,
    incoming: Threshold,
    node: Node,
}

/// What becomes of spans that were offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// They wait, or left with what had been waiting.
    Taken,
    /// They are all there is of their trace, and it is decided.
    Decided(Decision, Due),
    /// Their trace had been decided.
    Late(Decision),
}

#[derive(Debug)]
struct Trace {
    hash: u64,
    number: u64,
    id: [u8; 16],
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
    /// Bytes of the origins it refers to. Traces that share one are each charged for it: none of them knows who goes last.
    origins: usize,
    charged: usize,
    anchor: Anchor,
    error: bool,
    slow: bool,
    /// What it is worth under pressure, once that was asked.
    value: Option<u32>,
    randomness: Randomness,
    since: Timestamp,
    due: Timestamp,
}

/// An entry in a queue of decisions to come; stale when its number is no longer that of the trace.
type Expected = (u64, u64);

/// The traces of one part.
#[derive(Debug)]
pub(super) struct Shard {
    traces: HashTable<Trace>,
    by_age: VecDeque<Expected>,
    by_due: BTreeMap<Timestamp, Vec<Expected>>,
    expected: usize,
    decided: Decided,
    watch: Watch,
    number: u64,
    bytes: usize,
    spans: usize,
    bytes_max: usize,
    bytes_configured: usize,
    config: BufferConfig,
}

impl Shard {
    /// One of `shards` equal parts.
    pub(super) fn new(config: BufferConfig, shards: usize) -> Shard {
        Shard {
            traces: HashTable::new(),
            by_age: VecDeque::new(),
            by_due: BTreeMap::new(),
            expected: 0,
            decided: Decided::new(config.decisions_max / shards),
            watch: Watch::new(),
            number: 0,
            bytes: 0,
            spans: 0,
            bytes_max: config.bytes_max / shards,
            bytes_configured: config.bytes_max / shards,
            config,
        }
    }

    /// Gives the part so many percent of its configured size; the next sweep releases what no longer fits.
    pub(super) fn set_share(&mut self, percent: usize) {
        self.bytes_max = self.bytes_configured / 100 * percent;
    }

    pub(super) fn waiting(&self) -> Waiting {
        Waiting { bytes: self.bytes as u64, spans: self.spans as u64, traces: self.traces.len() as u64 }
    }

    /// When its oldest trace began.
    pub(super) fn oldest(&mut self) -> Option<Timestamp> {
        while let Some((hash, number)) = self.by_age.front() {
            if let Some(trace) = self.traces.find(*hash, |trace| trace.number == *number) {
                return Some(trace.since);
            }
            self.by_age.pop_front();
        }
        None
    }

    /// Takes over a decision.
    pub(super) fn remember(&mut self, now: Timestamp, hash: u64, decision: Decision) {
        self.decided.insert(now, hash, decision);
    }

    /// Takes spans of one trace; says what became of them, and releases what else they decide.
    pub(super) fn offer(
        &mut self,
        now: Timestamp,
        (plan, lags, court): (&SamplingPlan, &Known, &mut Court<'_>),
        arrival: &Arrival<'_>,
        released: &mut Vec<Released>,
    ) -> Offered {
        let group = arrival.group;
        self.watch.note(now, group.hash, group.anchor);
        if let Some(decision) = self.decided.get(now, group.hash) {
            return Offered::Late(decision);
        }
        let known = self.traces.find(group.hash, |trace| trace.id == group.trace).is_some();
        if !known {
            let certain = group.is_certain();
            if certain || lags.wait(&group.anchor).0 == 0 {
                let due = if certain { Due::Certain } else { Due::Complete };
                let decision = court.decide(now, &group.known(), arrival.nodes());
                self.decided.insert(now, group.hash, decision);
                return Offered::Decided(decision, due);
            }
        }
        let certain = self.buffer(now, lags, arrival);
        if certain {
            self.decide(now, (plan, court), (group.hash, &group.trace), Due::Certain, released);
        }
        self.relieve(now, (plan, court), released);
        Offered::Taken
    }

    /// Releases what is due.
    pub(super) fn sweep(
        &mut self,
        now: Timestamp,
        (plan, court): (&SamplingPlan, &mut Court<'_>),
        released: &mut Vec<Released>,
        lessons: &mut Vec<Lesson>,
    ) {
        while let Some(entry) = self.by_due.first_entry().filter(|entry| *entry.key() <= now) {
            let expected = entry.remove();
            self.expected -= expected.len();
            for (hash, number) in expected {
                self.decide_if(now, (plan, court), (hash, number), None, released);
            }
        }
        self.relieve(now, (plan, court), released);
        self.clean();
        self.watch.mature(now, lessons);
    }

    /// Releases everything.
    pub(super) fn drain(
        &mut self,
        now: Timestamp,
        (plan, court): (&SamplingPlan, &mut Court<'_>),
        released: &mut Vec<Released>,
    ) {
        self.by_due.clear();
        self.expected = 0;
        while let Some(expected) = self.by_age.pop_front() {
            self.decide_if(now, (plan, court), expected, Some(Due::Shutdown), released);
        }
        assert!(self.traces.is_empty(), "every trace has its entry in the queue by age");
    }

    /// Decides until the bytes fit again: of the oldest, the least valuable first.
    fn relieve(
        &mut self,
        now: Timestamp,
        (plan, court): (&SamplingPlan, &mut Court<'_>),
        released: &mut Vec<Released>,
    ) {
        while self.bytes > self.bytes_max
            && let Some(expected) = self.least_valuable(plan, court)
        {
            self.decide_if(now, (plan, court), expected, Some(Due::Memory), released);
        }
    }

    /// Takes it out of the queue by age.
    fn least_valuable(&mut self, plan: &SamplingPlan, court: &mut Court<'_>) -> Option<Expected> {
        let oldest = self.by_age.len().min(COMPARED);
        let (traces, by_age) = (&mut self.traces, &self.by_age);
        let value = |at: &usize| {
            let (hash, number) = by_age[*at];
            let trace = traces.find_mut(hash, |trace| trace.number == number)?;
            if trace.pieces.len() > VALUED_MAX {
                return Some(0);
            }
            let known = trace.known(plan);
            Some(*trace.value.get_or_insert_with(|| court.value(&known, trace.pieces.iter().map(|piece| piece.node))))
        };
        // Entries of traces that are gone come first of all.
        let least = (0..oldest).min_by_key(value)?;
        self.by_age.remove(least)
    }

    /// Replaces a decision that could not stand.
    pub(super) fn overrule(&mut self, now: Timestamp, hash: u64, decision: Decision) {
        self.decided.insert(now, hash, decision);
    }

    /// Copies spans into their trace; says whether that makes its decision certain.
    fn buffer(&mut self, now: Timestamp, lags: &Known, arrival: &Arrival<'_>) -> bool {
        let (group, number) = (arrival.group, self.number + 1);
        let entry = self.traces.entry(group.hash, |trace| trace.id == group.trace, |trace| trace.hash);
        let trace = entry.or_insert_with(|| Trace::new(group, number, now)).into_mut();
        let is_new = trace.charged == 0;
        let charged = trace.charged;
        let raised = group.anchor.standing > trace.anchor.standing;
        trace.add(arrival);
        self.bytes += trace.charged - charged;
        self.spans += group.spans as usize;
        if is_new {
            self.number = number;
            self.by_age.push_back((group.hash, number));
        }
        if is_new || raised {
            let longest = trace.since + self.config.wait_max;
            trace.due = (now + lags.wait(&trace.anchor)).min(longest);
            self.by_due.entry(trace.due).or_default().push((trace.hash, trace.number));
            self.expected += 1;
        }
        trace.error || trace.slow
    }

    /// Decides the trace of an entry, unless the entry is stale. Without a reason, only if it is due.
    fn decide_if(
        &mut self,
        now: Timestamp,
        (plan, court): (&SamplingPlan, &mut Court<'_>),
        (hash, number): Expected,
        due: Option<Due>,
        released: &mut Vec<Released>,
    ) {
        let Some(trace) = self.traces.find(hash, |trace| trace.number == number) else { return };
        let due = match due {
            Some(due) => due,
            None if trace.due > now => return,
            None if now.since(trace.since) >= self.config.wait_max => Due::Waited,
            None => Due::Root,
        };
        let id = trace.id;
        self.decide(now, (plan, court), (hash, &id), due, released);
    }

    fn decide(
        &mut self,
        now: Timestamp,
        (plan, court): (&SamplingPlan, &mut Court<'_>),
        (hash, id): (u64, &[u8; 16]),
        due: Due,
        released: &mut Vec<Released>,
    ) {
        let Ok(entry) = self.traces.find_entry(hash, |trace| trace.id == *id) else { return };
        let (trace, _) = entry.remove();
        self.bytes -= trace.charged;
        self.spans -= trace.pieces.len();
        let decision = court.decide(now, &trace.known(plan), trace.pieces.iter().map(|piece| piece.node));
        self.decided.insert(now, hash, decision);
        released.push(trace.released(decision, due));
    }

    /// Throws away queue entries of traces that were decided early, before they outnumber the others.
    fn clean(&mut self) {
        let live = |(hash, number): &Expected| self.traces.find(*hash, |trace| trace.number == *number).is_some();
        if self.by_age.len() > 2 * self.traces.len() + STALE_MAX {
            self.by_age.retain(live);
        }
        if self.expected > 2 * self.traces.len() + STALE_MAX {
            self.by_due.values_mut().for_each(|expected| expected.retain(live));
            self.by_due.retain(|_, expected| !expected.is_empty());
            self.expected = self.by_due.values().map(Vec::len).sum();
        }
    }
}

impl Group {
    /// Whether waiting would change nothing: it is kept for what is known already.
    fn is_certain(&self) -> bool {
        self.error || self.slow
    }

    fn known(&self) -> Facts {
        Facts {
            randomness: self.randomness,
            spans: self.spans,
            bytes: self.bytes as u32,
            error: self.error,
            slow: self.slow,
            root: self.anchor.operation,
            duration_nanos: self.anchor.duration_nanos,
            shape: Shape::default(),
            share: self.share,
            is_promised: false,
        }
    }
}

impl Trace {
    fn new(group: &Group, number: u64, now: Timestamp) -> Trace {
        Trace {
            hash: group.hash,
            number,
            id: group.trace,
            pieces: Vec::with_capacity(group.spans as usize),
            bytes: Vec::with_capacity(group.bytes),
            origins: 0,
            charged: 0,
            anchor: group.anchor,
            error: false,
            slow: false,
            value: None,
            randomness: group.randomness,
            since: now,
            due: Timestamp(u64::MAX),
        }
    }

    fn released(self, decision: Decision, due: Due) -> Released {
        let (hash, randomness) = (self.hash, self.randomness);
        Released { decision, due, hash, randomness, pieces: self.pieces, bytes: self.bytes }
    }

    fn known(&self, plan: &SamplingPlan) -> Facts {
        Facts {
            randomness: self.randomness,
            spans: self.pieces.len() as u32,
            bytes: self.bytes.len() as u32,
            error: self.error,
            slow: self.slow,
            root: self.anchor.operation,
            duration_nanos: self.anchor.duration_nanos,
            shape: Shape::default(),
            share: self.share(plan),
            is_promised: false,
        }
    }

    fn add(&mut self, arrival: &Arrival<'_>) {
        let group = arrival.group;
        if !self.pieces.is_empty() && group.randomness != Randomness::of(&group.trace) {
            self.randomness = group.randomness;
        }
        self.value = None;
        self.error |= group.error;
        self.slow |= group.slow;
        self.anchor = self.anchor.better(group.anchor);
        for (source, span) in arrival.spans() {
            let origin = source.origin();
            // Spans come scope by scope, and an earlier request's origins are others: it is the last one's or new.
            self.origins += match self.pieces.last().map(|piece| &piece.origin) {
                Some(last) if Arc::ptr_eq(last, origin) => 0,
                Some(last) if Arc::ptr_eq(&last.resource, &origin.resource) => origin.scope.len(),
                _ => origin.bytes(),
            };
            let start = self.bytes.len();
            self.bytes.extend_from_slice(span.view.raw);
            let (range, incoming) = (start..self.bytes.len(), incoming(span.view, self.randomness));
            self.pieces.push(Piece { origin: origin.clone(), range, incoming, node: node(span) });
        }
        let room = self.bytes.capacity() + self.pieces.capacity() * size_of::<Piece>();
        self.charged = TRACE_OVERHEAD + room + room / ROUNDING + self.origins;
    }

    /// The highest probability among the services it touches.
    fn share(&self, plan: &SamplingPlan) -> SamplingProbability {
        let mut probability = SamplingProbability::NEVER;
        let mut last: Option<&Arc<Origin>> = None;
        for piece in &self.pieces {
            if !last.is_some_and(|last| Arc::ptr_eq(last, &piece.origin)) {
                probability = probability.max(plan.of(piece.origin.service.name.as_str()).tail);
                last = Some(&piece.origin);
            }
        }
        probability
    }
}

/// The threshold a span came with. One that its own randomness contradicts says nothing, as the specification has it.
pub(super) fn incoming(span: &SpanView<'_>, randomness: Randomness) -> Threshold {
    if span.trace_state.is_empty() {
        return Threshold::ALWAYS;
    }
    let sampled = tracestate::read(span.trace_state);
    let randomness = sampled.randomness.unwrap_or(randomness);
    sampled.threshold.filter(|threshold| threshold.keeps(randomness)).unwrap_or(Threshold::ALWAYS)
}
