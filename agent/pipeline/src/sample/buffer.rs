//! One part of the trace buffer.
//!
//! Answers when a trace is decided, and how: at once when it is certain, some time after its root, after a longest wait,
//! or, oldest first, when memory is short. Does not write what is kept. Span bytes are copied into their trace's own
//! memory: a slice of the request would keep the whole request alive for one slow trace.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use homeostat_core::{Millis, SamplingPlan, SamplingProbability, Timestamp};

use super::threshold::{Randomness, Threshold};
use super::{Decision, Origin, Waiting, tracestate};
use crate::aggregate::Counted;
use crate::config::BufferConfig;
use crate::generations::Generations;
use crate::stats::{Due, Rule};

/// What the bookkeeping of a trace costs beside its bytes: map entry, queue entries, allocations; rounded up.
const TRACE_OVERHEAD: usize = 256;
/// The same for a span.
const SPAN_OVERHEAD: usize = 64;
/// How long a decision is remembered at least.
const REMEMBERED: Millis = Millis::from_secs(120);
/// Entries of decided traces that may stay in a queue before it is cleaned, beside as many as there are traces.
const STALE_MAX: usize = 1024;

type TraceId = [u8; 16];

/// Spans that leave the buffer together.
#[derive(Debug)]
pub(super) struct Released {
    pub(super) decision: Decision,
    /// What made the decision due; `None` for a late span, which follows an earlier one.
    pub(super) due: Option<Due>,
    pub(super) spans: Vec<Piece>,
    bytes: Vec<u8>,
}

impl Released {
    /// Each span with its origin, its bytes and the threshold it came with.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&Origin, &[u8], Threshold)> {
        self.spans.iter().map(|piece| (&*piece.origin, &self.bytes[piece.range.clone()], piece.incoming))
    }
}

/// Where a span lies in its trace's memory.
#[derive(Debug)]
pub(super) struct Piece {
    origin: Arc<Origin>,
    range: Range<usize>,
    incoming: Threshold,
}

#[derive(Debug)]
struct Trace {
    number: u64,
    pieces: Vec<Piece>,
    bytes: Vec<u8>,
    charged: usize,
    rooted: bool,
    rule: Option<Rule>,
    randomness: Randomness,
}

/// An entry in a queue of decisions to come; stale when its number is no longer that of the trace.
type Expected = (Timestamp, TraceId, u64);

/// The traces of one part.
#[derive(Debug)]
pub(super) struct Shard {
    traces: HashMap<TraceId, Trace>,
    by_age: VecDeque<Expected>,
    by_root: VecDeque<Expected>,
    decisions: Generations<TraceId, Decision>,
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
            traces: HashMap::new(),
            by_age: VecDeque::new(),
            by_root: VecDeque::new(),
            decisions: Generations::new(config.decisions_max / shards, REMEMBERED),
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
        while let Some((at, id, number)) = self.by_age.front() {
            if self.traces.get(id).is_some_and(|trace| trace.number == *number) {
                return Some(*at);
            }
            self.by_age.pop_front();
        }
        None
    }

    /// Takes over a decision.
    pub(super) fn remember(&mut self, now: Timestamp, id: TraceId, decision: Decision) {
        self.decisions.insert(now, id, decision);
    }

    /// Takes a span; releases what it decides.
    pub(super) fn offer(
        &mut self,
        now: Timestamp,
        plan: &SamplingPlan,
        (origin, span): (&Arc<Origin>, &Counted<'_>),
        released: &mut Vec<Released>,
    ) {
        let id = span.ids.trace;
        if let Some(decision) = self.decisions.get_mut(&id) {
            released.push(late(*decision, origin, span));
            return;
        }
        let trace = self.trace(now, id);
        let (was_rooted, charged) = (trace.rooted, trace.charged);
        trace.add(origin, span);
        let (rooted, grown) = (trace.rooted && !was_rooted, trace.charged - charged);
        let (certain, number) = (trace.rule.is_some(), trace.number);
        self.bytes += grown;
        self.spans += 1;
        if certain {
            self.decide(now, plan, (id, Due::Certain), released);
        } else if rooted {
            self.by_root.push_back((now, id, number));
        }
        self.relieve(now, plan, released);
    }

    /// Releases what is due.
    pub(super) fn sweep(&mut self, now: Timestamp, plan: &SamplingPlan, released: &mut Vec<Released>) {
        while let Some((at, id, number)) = self.by_root.front().copied()
            && now.since(at) >= self.config.lag
        {
            self.by_root.pop_front();
            self.decide_if(number, now, plan, (id, Due::Root), released);
        }
        while let Some((at, id, number)) = self.by_age.front().copied()
            && now.since(at) >= self.config.wait_max
        {
            self.by_age.pop_front();
            self.decide_if(number, now, plan, (id, Due::Waited), released);
        }
        self.decisions.turn(now);
        self.clean();
    }

    /// Releases everything.
    pub(super) fn drain(&mut self, now: Timestamp, plan: &SamplingPlan, released: &mut Vec<Released>) {
        self.by_root.clear();
        while let Some((_, id, number)) = self.by_age.pop_front() {
            self.decide_if(number, now, plan, (id, Due::Shutdown), released);
        }
        assert!(self.traces.is_empty(), "every trace has its entry in the queue by age");
    }

    /// Decides the oldest until the bytes fit again.
    fn relieve(&mut self, now: Timestamp, plan: &SamplingPlan, released: &mut Vec<Released>) {
        while self.bytes > self.bytes_max
            && let Some((_, id, number)) = self.by_age.pop_front()
        {
            self.decide_if(number, now, plan, (id, Due::Memory), released);
        }
    }

    fn trace(&mut self, now: Timestamp, id: TraceId) -> &mut Trace {
        let (number, by_age, bytes) = (&mut self.number, &mut self.by_age, &mut self.bytes);
        self.traces.entry(id).or_insert_with(|| {
            *number += 1;
            *bytes += TRACE_OVERHEAD;
            by_age.push_back((now, id, *number));
            Trace {
                number: *number,
                pieces: Vec::new(),
                bytes: Vec::new(),
                charged: TRACE_OVERHEAD,
                rooted: false,
                rule: None,
                randomness: Randomness::of(&id),
            }
        })
    }

    fn decide_if(
        &mut self,
        number: u64,
        now: Timestamp,
        plan: &SamplingPlan,
        (id, due): (TraceId, Due),
        released: &mut Vec<Released>,
    ) {
        if self.traces.get(&id).is_some_and(|trace| trace.number == number) {
            self.decide(now, plan, (id, due), released);
        }
    }

    fn decide(&mut self, now: Timestamp, plan: &SamplingPlan, (id, due): (TraceId, Due), released: &mut Vec<Released>) {
        let Some(trace) = self.traces.remove(&id) else { return };
        self.bytes -= trace.charged;
        self.spans -= trace.pieces.len();
        let decision = trace.decision(plan);
        self.decisions.insert(now, id, decision);
        released.push(Released { decision, due: Some(due), spans: trace.pieces, bytes: trace.bytes });
    }

    /// Throws away queue entries of traces that were decided early, before they outnumber the others.
    fn clean(&mut self) {
        let traces = &self.traces;
        for queue in [&mut self.by_age, &mut self.by_root] {
            if queue.len() > 2 * traces.len() + STALE_MAX {
                queue.retain(|(_, id, number)| traces.get(id).is_some_and(|trace| trace.number == *number));
            }
        }
    }
}

impl Trace {
    fn add(&mut self, origin: &Arc<Origin>, span: &Counted<'_>) {
        let sampled = tracestate::read(span.view.trace_state);
        if let Some(randomness) = sampled.randomness {
            self.randomness = randomness;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(span.view.raw);
        let known = self.pieces.iter().any(|piece| Arc::ptr_eq(&piece.origin, origin));
        self.charged += span.view.raw.len() + SPAN_OVERHEAD + if known { 0 } else { origin.bytes() };
        self.pieces.push(Piece {
            origin: origin.clone(),
            range: start..self.bytes.len(),
            incoming: incoming(sampled, self.randomness),
        });
        self.rooted |= span.ids.parent.is_none();
        self.rule = match (span.view.is_error(), span.slow) {
            (true, _) => Some(Rule::Error),
            (false, true) => self.rule.or(Some(Rule::Slow)),
            (false, false) => self.rule,
        };
    }

    /// By rule, or by the highest probability among the services it touches.
    fn decision(&self, plan: &SamplingPlan) -> Decision {
        if let Some(rule) = self.rule {
            return Decision::Keep { rule, threshold: Threshold::ALWAYS };
        }
        let mut probability = SamplingProbability::NEVER;
        let mut last: Option<&Arc<Origin>> = None;
        for piece in &self.pieces {
            if !last.is_some_and(|last| Arc::ptr_eq(last, &piece.origin)) {
                probability = probability.max(plan.of(piece.origin.service.name.as_str()).tail);
                last = Some(&piece.origin);
            }
        }
        let threshold = Threshold::of(probability);
        if threshold.keeps(self.randomness) {
            Decision::Keep { rule: Rule::Probability, threshold }
        } else {
            Decision::Drop
        }
    }
}

/// The threshold a span came with. One that its own randomness contradicts says nothing, as the specification has it.
fn incoming(sampled: tracestate::Sampled, randomness: Randomness) -> Threshold {
    sampled.threshold.filter(|threshold| threshold.keeps(randomness)).unwrap_or(Threshold::ALWAYS)
}

fn late(decision: Decision, origin: &Arc<Origin>, span: &Counted<'_>) -> Released {
    let sampled = tracestate::read(span.view.trace_state);
    let randomness = sampled.randomness.unwrap_or(Randomness::of(&span.ids.trace));
    let bytes = span.view.raw.to_vec();
    let piece = Piece { origin: origin.clone(), range: 0..bytes.len(), incoming: incoming(sampled, randomness) };
    Released { decision, due: None, spans: vec![piece], bytes }
}
