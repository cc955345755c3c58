//! The sampler.
//!
//! Answers which accepted spans are kept: those of traces with an error or a slow request always, the others by consistent
//! probability, so that adjusted counts of what is kept estimate what was received. Does not choose probabilities: they
//! come with the plan. Whole traces are decided rather than spans, because half a trace explains nothing.

mod budget;
mod buffer;
mod cap;
mod court;
mod decided;
mod facts;
mod group;
mod importance;
mod judge;
mod keys;
mod lag;
mod rewrite;
mod roots;
mod seen;
mod shape;
pub(crate) mod threshold;
mod tracestate;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use homeostat_core::{Observation, SamplingPlan, SamplingProbability, Timestamp};

use crate::aggregate::{Counted, Service};
use crate::config::{BufferConfig, SamplerConfig};
use crate::stats::{Due, Tally, Unsampled};
use crate::views::{ResourceView, ScopeSpans, ScopeView};

pub use crate::stats::Rule;
pub use budget::Certain;
use buffer::{Offered, Released, Shard};
pub use cap::CapConfig;
use cap::{Candidate, Cap, Settled};
use court::Court;
pub(crate) use facts::Facts;
use group::{Group, Groups};
pub(crate) use judge::Judge;
pub use judge::{IMPORTANT_ABOVE, JudgeConfig, Mode, Rehearsed, Spread};
use lag::{Lags, Lesson};
pub(crate) use rewrite::Mark;
pub use rewrite::RULE_ATTRIBUTE;
use roots::Roots;
pub(crate) use shape::{Node, Shape, Shaper, mix};
pub use threshold::{Randomness, Threshold};
pub use tracestate::{Sampled, read as read_tracestate};

/// Independent parts of the buffer, by trace id; sixteen keep a few cores out of each other's way.
const SHARDS: usize = 16;

/// Where a span came from: what encloses it in a request, and whose it is.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) service: Arc<Service>,
    /// `ResourceSpans` without its spans; one for all scopes of a resource.
    pub(crate) resource: Arc<[u8]>,
    /// `ScopeSpans` without its spans.
    pub(crate) scope: Vec<u8>,
}

impl Origin {
    fn bytes(&self) -> usize {
        self.resource.len() + self.scope.len()
    }
}

/// A `ScopeSpans` message of the request at hand.
#[derive(Debug)]
pub(crate) struct Source<'a> {
    service: Arc<Service>,
    resource: ResourceView<'a>,
    scope: ScopeView<'a>,
    share: SamplingProbability,
    /// Shared with the scopes of the same resource: each may be as small as its span, and the resource as large as the request.
    head: Rc<OnceCell<Arc<[u8]>>>,
    origin: OnceCell<Arc<Origin>>,
}

impl<'a> Source<'a> {
    /// Of `service`, whose ordinary traces are kept with probability `share`, behind the `last` of the request.
    pub(crate) fn new(
        service: Arc<Service>,
        scope: &ScopeSpans<'a>,
        share: SamplingProbability,
        last: Option<&Source<'a>>,
    ) -> Source<'a> {
        let head = last.filter(|last| last.encloses(scope)).map(|last| last.head.clone()).unwrap_or_default();
        Source { service, resource: scope.resource, scope: scope.scope, share, head, origin: OnceCell::new() }
    }

    /// Whether a scope is of the same resource.
    fn encloses(&self, scope: &ScopeSpans<'_>) -> bool {
        std::ptr::eq(self.resource.raw, scope.resource.raw)
    }

    /// Its service, if that is the service of `scope` because both are of the same resource.
    pub(crate) fn service_of(&self, scope: &ScopeSpans<'_>) -> Option<Arc<Service>> {
        self.encloses(scope).then(|| self.service.clone())
    }

    /// What outlives the request; copied when first needed, which for most requests is never.
    fn origin(&self) -> &Arc<Origin> {
        self.origin.get_or_init(|| {
            let resource = self.head.get_or_init(|| self.resource.head().into()).clone();
            Arc::new(Origin { service: self.service.clone(), resource, scope: self.scope.head().into_owned() })
        })
    }
}

/// The accepted spans of a request.
#[derive(Debug)]
pub(crate) struct Arrivals<'a> {
    pub(crate) sources: Vec<Source<'a>>,
    pub(crate) spans: Vec<Counted<'a>>,
}

/// Those of one trace.
struct Arrival<'a> {
    all: &'a Arrivals<'a>,
    groups: &'a Groups,
    group: &'a Group,
}

impl<'a> Arrival<'a> {
    fn spans(&self) -> impl Iterator<Item = (&'a Source<'a>, &'a Counted<'a>)> {
        let all = self.all;
        self.groups.spans(self.group).map(move |index| {
            let span = &all.spans[index];
            (&all.sources[span.source as usize], span)
        })
    }

    fn nodes(&self) -> impl Iterator<Item = Node> {
        self.spans().map(|(_, span)| node(span))
    }
}

/// What a span is to the structure of its trace.
fn node(span: &Counted<'_>) -> Node {
    Node {
        span: u64::from_be_bytes(span.ids.span),
        parent: span.ids.parent.map_or(0, u64::from_be_bytes),
        op: span.operation,
        error: span.view.is_error(),
    }
}

/// What becomes of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Keep { rule: Rule, threshold: Threshold },
    Drop,
}

/// Takes kept spans, rewritten, with where they came from.
pub(crate) trait KeptSpans {
    /// Takes a span of `origin`, which `write` appends.
    fn take(&mut self, origin: &Arc<Origin>, write: impl FnOnce(&mut Vec<u8>));
}

/// Decides.
#[derive(Debug)]
pub(crate) struct Sampler {
    shards: Vec<Mutex<Shard>>,
    lags: Lags,
    /// Called when the first trace comes: an idle agent holds no memory for its tables.
    judge: OnceLock<Judge>,
    roots: Roots,
    config: JudgeConfig,
    /// Kept traces on their way out, where there is a cap.
    cap: Option<Mutex<Cap<Released>>>,
    /// Their spans.
    held: AtomicU64,
    counters: Counters,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) kept: Tally<Rule>,
    pub(crate) unsampled: Tally<Unsampled>,
    pub(crate) decided: Tally<Due>,
}

/// One round over the buffer, part by part: a second's traces decided in one go would hold up requests for milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    parts: usize,
    lessons: Vec<Lesson>,
}

/// What waits for its decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) bytes: u64,
    pub(crate) spans: u64,
    pub(crate) traces: u64,
}

impl Sampler {
    pub(crate) fn new(buffer: BufferConfig, config: SamplerConfig) -> Sampler {
        let shard = || Mutex::new(Shard::new(buffer, SHARDS));
        Sampler {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            lags: Lags::new(buffer.lag, buffer.wait_max),
            judge: OnceLock::new(),
            roots: Roots::default(),
            config: config.judge,
            cap: config.cap.is_set().then(|| Mutex::new(Cap::new(config.cap))),
            held: AtomicU64::new(0),
            counters: Counters::default(),
        }
    }

    /// Takes the accepted spans of a request; hands on what is decided by them.
    pub(crate) fn offer(&self, now: Timestamp, plan: &SamplingPlan, all: &Arrivals<'_>, kept: &mut impl KeptSpans) {
        let groups = Groups::of(&all.spans, &all.sources);
        let (lags, mut court) = (self.lags.known(), Court::of(self.judge(), &self.roots));
        let mut released = Vec::new();
        let mut tallies = Tallies::default();
        for group in groups.iter() {
            let arrival = Arrival { all, groups: &groups, group };
            let offered = self.shard(group.hash).offer(now, (plan, &lags, &mut court), &arrival, &mut released);
            match offered {
                Offered::Taken => {}
                Offered::Decided(decision, due) => match (&self.cap, decision) {
                    (Some(_), Decision::Keep { .. }) => released.push(Released::copied(&arrival, decision, due)),
                    _ => write_arrival(&arrival, decision, Some(due), &mut tallies, kept),
                },
                Offered::Late(decision) => {
                    self.charge(&arrival, decision);
                    write_arrival(&arrival, decision, None, &mut tallies, kept);
                }
            }
            self.let_go(now, &mut released, &mut tallies, kept);
        }
        self.count(&tallies);
    }

    /// Gives the buffer so many percent of its configured size.
    pub(crate) fn set_share(&self, percent: usize) {
        self.shards.iter().for_each(|shard| lock(shard).set_share(percent));
    }

    /// Decides what is due at `now` in the next part of the buffer; `false` once that was the last.
    pub(crate) fn sweep(
        &self,
        sweep: &mut Sweep,
        now: Timestamp,
        plan: &SamplingPlan,
        kept: &mut impl KeptSpans,
    ) -> bool {
        let Some(judge) = self.judge.get() else { return false };
        if let Some(shard) = self.shards.get(sweep.parts) {
            sweep.parts += 1;
            let (lessons, mut court) = (&mut sweep.lessons, Court::of(judge, &self.roots));
            let release = |shard: &mut Shard, released: &mut _| shard.sweep(now, (plan, &mut court), released, lessons);
            self.each(now, std::slice::from_ref(shard), release, kept);
            return true;
        }
        self.lags.learn(&sweep.lessons);
        judge.tick(now);
        let settled = self.cap.as_ref().map(|cap| lock(cap).due(now)).unwrap_or_default();
        self.settle(now, settled, kept);
        false
    }

    /// Decides everything with what is known.
    pub(crate) fn drain(&self, now: Timestamp, plan: &SamplingPlan, kept: &mut impl KeptSpans) {
        let Some(judge) = self.judge.get() else { return };
        let mut court = Court::of(judge, &self.roots);
        self.each(now, &self.shards, |shard, released| shard.drain(now, (plan, &mut court), released), kept);
        let settled = self.cap.as_ref().map(|cap| lock(cap).drain(now)).unwrap_or_default();
        self.settle(now, settled, kept);
    }

    fn each(
        &self,
        now: Timestamp,
        shards: &[Mutex<Shard>],
        mut release: impl FnMut(&mut Shard, &mut Vec<Released>),
        kept: &mut impl KeptSpans,
    ) {
        let (mut released, mut tallies) = (Vec::new(), Tallies::default());
        for shard in shards {
            release(&mut lock(shard), &mut released);
            self.let_go(now, &mut released, &mut tallies, kept);
        }
        self.count(&tallies);
    }

    /// Takes over a decision of a former life: further spans of the trace follow it.
    pub(crate) fn remember(&self, now: Timestamp, trace_hash: u64, rule: Rule, threshold: Threshold) {
        self.shard(trace_hash).remember(now, trace_hash, Decision::Keep { rule, threshold });
    }

    /// When the oldest trace that waits for its decision began.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        self.shards.iter().filter_map(|shard| lock(shard).oldest()).min()
    }

    /// Counts what was released and writes what is kept, or lets it wait for its turn under the cap.
    fn let_go(&self, now: Timestamp, released: &mut Vec<Released>, tallies: &mut Tallies, kept: &mut impl KeptSpans) {
        for trace in released.drain(..) {
            match (&self.cap, trace.decision) {
                (Some(cap), Decision::Keep { rule, threshold }) => {
                    tallies.decided(trace.due);
                    self.held.fetch_add(trace.len() as u64, Relaxed);
                    let (spans, bytes) = (trace.len() as u32, trace.bytes() as u32);
                    let randomness = trace.randomness;
                    lock(cap).offer(now, Candidate { rule, threshold, randomness, spans, bytes, payload: trace });
                }
                (_, decision) => write_released(&trace, decision, Some(trace.due), tallies, kept),
            }
        }
    }

    /// Writes what leaves under the cap; lets late spans follow what became of their trace.
    fn settle(&self, now: Timestamp, settled: Settled<Released>, kept: &mut impl KeptSpans) {
        let mut tallies = Tallies::default();
        for (trace, rule, threshold) in settled.released {
            let decision = Decision::Keep { rule, threshold };
            self.held.fetch_sub(trace.len() as u64, Relaxed);
            self.shard(trace.hash).overrule(now, trace.hash, decision);
            write_released(&trace, decision, None, &mut tallies, kept);
        }
        for trace in settled.dropped {
            self.held.fetch_sub(trace.len() as u64, Relaxed);
            self.shard(trace.hash).overrule(now, trace.hash, Decision::Drop);
            *tallies.unsampled.entry(Unsampled::Cap).or_default() += trace.len() as u64;
        }
        self.count(&tallies);
    }

    /// Late spans of a kept trace leave with it, and what they take is missing for others.
    fn charge(&self, arrival: &Arrival<'_>, decision: Decision) {
        if let (Some(cap), Decision::Keep { .. }) = (&self.cap, decision) {
            lock(cap).charge(arrival.group.spans, arrival.group.bytes as u32);
        }
    }

    /// From now on samples traces that begin with the operations of `plan` as it says.
    pub(crate) fn follow(&self, plan: &SamplingPlan) {
        self.roots.follow(plan);
    }

    /// What the control plane is told of traces that begin with those operations.
    pub(crate) fn observe(&self, now: Timestamp, observations: &mut Vec<Observation>) {
        self.roots.observe(now, observations);
    }

    /// What the rules in dry run would have kept.
    pub(crate) fn rehearsed(&self) -> BTreeMap<&'static str, Rehearsed> {
        // Whoever asks before there is a judge is told of no rule; nothing was rehearsed.
        self.judge.get().map(Judge::rehearsed).unwrap_or_default()
    }

    fn judge(&self) -> &Judge {
        self.judge.get_or_init(|| Judge::new(self.config))
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What waits for its decision.
    pub(crate) fn waiting(&self) -> Waiting {
        let held = Waiting { spans: self.held.load(Relaxed), ..Waiting::default() };
        self.shards.iter().map(|shard| lock(shard).waiting()).fold(held, |sum, part| Waiting {
            bytes: sum.bytes + part.bytes,
            spans: sum.spans + part.spans,
            traces: sum.traces + part.traces,
        })
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[hash as usize % SHARDS])
    }

    fn count(&self, tallies: &Tallies) {
        tallies.kept.iter().for_each(|(rule, spans)| self.counters.kept.add(*rule, *spans));
        tallies.unsampled.iter().for_each(|(reason, spans)| self.counters.unsampled.add(*reason, *spans));
        tallies.decided.iter().for_each(|(due, traces)| self.counters.decided.add(*due, *traces));
    }
}

/// Counts of one request, so that shared counters are touched once.
#[derive(Default)]
struct Tallies {
    kept: BTreeMap<Rule, u64>,
    unsampled: BTreeMap<Unsampled, u64>,
    decided: BTreeMap<Due, u64>,
}

impl Tallies {
    fn decided(&mut self, due: Due) {
        *self.decided.entry(due).or_default() += 1;
    }

    /// Counts a decision; says by which rule and threshold to write the spans, if they are kept.
    fn note(&mut self, decision: Decision, due: Option<Due>, spans: u64) -> Option<(Rule, Threshold)> {
        if let Some(due) = due {
            self.decided(due);
        }
        match decision {
            Decision::Keep { rule, threshold } => {
                *self.kept.entry(rule).or_default() += spans;
                Some((rule, threshold))
            }
            Decision::Drop => {
                let reason = if due.is_some() { Unsampled::Probability } else { Unsampled::Late };
                *self.unsampled.entry(reason).or_default() += spans;
                None
            }
        }
    }
}

/// Counts spans that were waiting, and writes them if they are kept.
fn write_released(
    trace: &Released,
    decision: Decision,
    due: Option<Due>,
    tallies: &mut Tallies,
    kept: &mut impl KeptSpans,
) {
    let Some((rule, threshold)) = tallies.note(decision, due, trace.len() as u64) else { return };
    let mark = Mark::new(threshold, rule);
    for (origin, span, incoming) in trace.spans() {
        keep(origin, rule, kept, |out| mark.write(out, span, incoming));
    }
}

/// The same for spans that never waited: they are cut from the request.
fn write_arrival(
    arrival: &Arrival<'_>,
    decision: Decision,
    due: Option<Due>,
    tallies: &mut Tallies,
    kept: &mut impl KeptSpans,
) {
    let Some((rule, threshold)) = tallies.note(decision, due, arrival.group.spans.into()) else { return };
    let mark = Mark::new(threshold, rule);
    for (source, span) in arrival.spans() {
        let incoming = buffer::incoming(span.view, arrival.group.randomness);
        keep(source.origin(), rule, kept, |out| mark.write(out, span.view.raw, incoming));
    }
}

fn keep(origin: &Arc<Origin>, rule: Rule, kept: &mut impl KeptSpans, write: impl FnOnce(&mut Vec<u8>)) {
    origin.service.kept(1, u64::from(rule.is_beside_share()));
    kept.take(origin, write);
}

fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "sample/tests.rs"]
mod tests;
