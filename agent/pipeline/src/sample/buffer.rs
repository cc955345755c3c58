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

use super::decided::Decided;
use super::group::{Anchor, stronger};
use super::lag::{Known, Lesson, Watch};
use super::threshold::{Randomness, Threshold};
use super::{Arrival, Decision, Origin, Waiting, tracestate};
use crate::config::BufferConfig;
use crate::stats::{Due, Rule};
use crate::views::SpanView;

/// What the bookkeeping of a trace costs beside its bytes: table entry, queue entries, allocations; rounded up.
const TRACE_OVERHEAD: usize = 384;
/// The same for a span.
const SPAN_OVERHEAD: usize = 64;
/// Entries of decided traces that may stay in a queue before it is cleaned, beside as many as there are traces.
const STALE_MAX: usize = 1024;

/// Spans that leave the buffer together.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) decision: Decision,
    pub(super) due: Due,
    pub(super) spans: Vec<Piece>,
    bytes: Vec<u8>,
}

impl Released {
    /// Each span with its origin, its bytes and the threshold it came with.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&Arc<Origin>, &[u8], Threshold)> {
        self.spans.iter().map(|piece| (&piece.origin, &self.bytes[piece.range.clone()], piece.incoming))
    }
}

/// Where a span lies in its trace's memory.
#[derive(Debug)]
pub(super) struct Piece {
    origin: Arc<Origin>,
    range: Range<usize>,
    incoming: Threshold,
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
    charged: usize,
    anchor: Anchor,
    rule: Option<Rule>,
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
            config,
        }
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
        (plan, lags): (&SamplingPlan, &Known),
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
            let wait = lags.wait(&group.anchor);
            if group.rule.is_some() || wait.0 == 0 {
                let due = if group.rule.is_some() { Due::Certain } else { Due::Complete };
                let decision = decide(group.rule, group.share, group.randomness);
                self.decided.insert(now, group.hash, decision);
                return Offered::Decided(decision, due);
            }
        }
        let certain = self.buffer(now, lags, arrival);
        if certain {
            self.decide(now, plan, (group.hash, &group.trace), Due::Certain, released);
        }
        self.relieve(now, plan, released);
        Offered::Taken
    }

    /// Releases what is due.
    pub(super) fn sweep(
        &mut self,
        now: Timestamp,
        plan: &SamplingPlan,
        released: &mut Vec<Released>,
        lessons: &mut Vec<Lesson>,
    ) {
        while let Some(entry) = self.by_due.first_entry().filter(|entry| *entry.key() <= now) {
            let expected = entry.remove();
            self.expected -= expected.len();
            for (hash, number) in expected {
                self.decide_if(now, plan, (hash, number), None, released);
            }
        }
        self.clean();
        self.watch.mature(now, lessons);
    }

    /// Releases everything.
    pub(super) fn drain(&mut self, now: Timestamp, plan: &SamplingPlan, released: &mut Vec<Released>) {
        self.by_due.clear();
        self.expected = 0;
        while let Some(expected) = self.by_age.pop_front() {
            self.decide_if(now, plan, expected, Some(Due::Shutdown), released);
        }
        assert!(self.traces.is_empty(), "every trace has its entry in the queue by age");
    }

    /// Decides the oldest until the bytes fit again.
    fn relieve(&mut self, now: Timestamp, plan: &SamplingPlan, released: &mut Vec<Released>) {
        while self.bytes > self.bytes_max
            && let Some(expected) = self.by_age.pop_front()
        {
            self.decide_if(now, plan, expected, Some(Due::Memory), released);
        }
    }

    /// Copies spans into their trace; says whether that makes its decision certain.
    fn buffer(&mut self, now: Timestamp, lags: &Known, arrival: &Arrival<'_>) -> bool {
        let (group, number) = (arrival.group, self.number + 1);
        let entry =
            self.traces.entry(group.hash, |trace| trace.id == group.trace, |trace| trace.hash).or_insert_with(|| {
                Trace {
                    hash: group.hash,
                    number,
                    id: group.trace,
                    pieces: Vec::with_capacity(group.spans as usize),
                    bytes: Vec::with_capacity(group.bytes),
                    charged: 0,
                    anchor: group.anchor,
                    rule: None,
                    randomness: group.randomness,
                    since: now,
                    due: Timestamp(u64::MAX),
                }
            });
        let trace = entry.into_mut();
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
        trace.rule.is_some()
    }

    /// Decides the trace of an entry, unless the entry is stale. Without a reason, only if it is due.
    fn decide_if(
        &mut self,
        now: Timestamp,
        plan: &SamplingPlan,
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
        self.decide(now, plan, (hash, &id), due, released);
    }

    fn decide(
        &mut self,
        now: Timestamp,
        plan: &SamplingPlan,
        (hash, id): (u64, &[u8; 16]),
        due: Due,
        released: &mut Vec<Released>,
    ) {
        let Ok(entry) = self.traces.find_entry(hash, |trace| trace.id == *id) else { return };
        let (trace, _) = entry.remove();
        self.bytes -= trace.charged;
        self.spans -= trace.pieces.len();
        let decision = decide(trace.rule, trace.share(plan), trace.randomness);
        self.decided.insert(now, hash, decision);
        released.push(Released { decision, due, spans: trace.pieces, bytes: trace.bytes });
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

impl Trace {
    fn add(&mut self, arrival: &Arrival<'_>) {
        let group = arrival.group;
        if self.pieces.is_empty() {
            self.charged += TRACE_OVERHEAD;
        } else if group.randomness != Randomness::of(&group.trace) {
            self.randomness = group.randomness;
        }
        self.rule = stronger(self.rule, group.rule);
        self.anchor = self.anchor.better(group.anchor);
        for (source, span) in arrival.spans() {
            let origin = source.origin();
            let known = self.pieces.iter().rev().any(|piece| Arc::ptr_eq(&piece.origin, origin));
            self.charged += span.view.raw.len() + SPAN_OVERHEAD + if known { 0 } else { origin.bytes() };
            let start = self.bytes.len();
            self.bytes.extend_from_slice(span.view.raw);
            let range = start..self.bytes.len();
            self.pieces.push(Piece { origin: origin.clone(), range, incoming: incoming(span.view, self.randomness) });
        }
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

/// By rule, or by consistent probability.
fn decide(rule: Option<Rule>, share: SamplingProbability, randomness: Randomness) -> Decision {
    if let Some(rule) = rule {
        return Decision::Keep { rule, threshold: Threshold::ALWAYS };
    }
    let threshold = Threshold::of(share);
    if threshold.keeps(randomness) { Decision::Keep { rule: Rule::Probability, threshold } } else { Decision::Drop }
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
