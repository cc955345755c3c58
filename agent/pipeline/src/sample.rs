//! The sampler.
//!
//! Answers which accepted spans are kept: those of traces with an error or a slow request always, the others by consistent
//! probability, so that adjusted counts of what is kept estimate what was received. Does not choose probabilities: they
//! come with the plan. Whole traces are decided rather than spans, because half a trace explains nothing.

mod buffer;
mod decided;
mod group;
mod lag;
mod rewrite;
mod threshold;
mod tracestate;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homeostat_core::{SamplingPlan, SamplingProbability, Timestamp};

use crate::aggregate::{Counted, Service};
use crate::config::BufferConfig;
use crate::stats::{Due, Tally, Unsampled};
use crate::views::{ResourceView, ScopeSpans, ScopeView};

pub use crate::stats::Rule;
use buffer::{Offered, Released, Shard};
use group::{Group, Groups};
use lag::Lags;
use rewrite::Mark;
pub use rewrite::RULE_ATTRIBUTE;
pub use threshold::{Randomness, Threshold};
pub use tracestate::{Sampled, read as read_tracestate};

/// Independent parts of the buffer, by trace id; sixteen keep a few cores out of each other's way.
const SHARDS: usize = 16;

/// Where a span came from: what encloses it in a request, and whose it is.
#[derive(Debug)]
pub(crate) struct Origin {
    pub(crate) service: Arc<Service>,
    /// `ResourceSpans` without its spans.
    pub(crate) resource: Vec<u8>,
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
    origin: OnceCell<Arc<Origin>>,
}

impl<'a> Source<'a> {
    /// Of `service`, whose ordinary traces are kept with probability `share`.
    pub(crate) fn new(service: Arc<Service>, scope: &ScopeSpans<'a>, share: SamplingProbability) -> Source<'a> {
        Source { service, resource: scope.resource, scope: scope.scope, share, origin: OnceCell::new() }
    }

    /// What outlives the request; copied when first needed, which for most requests is never.
    fn origin(&self) -> &Arc<Origin> {
        self.origin.get_or_init(|| {
            let (resource, scope) = (self.resource.head().into_owned(), self.scope.head().into_owned());
            Arc::new(Origin { service: self.service.clone(), resource, scope })
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
    counters: Counters,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) kept: Tally<Rule>,
    pub(crate) unsampled: Tally<Unsampled>,
    pub(crate) decided: Tally<Due>,
}

/// What waits for its decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) bytes: u64,
    pub(crate) spans: u64,
    pub(crate) traces: u64,
}

impl Sampler {
    pub(crate) fn new(config: BufferConfig) -> Sampler {
        let shard = || Mutex::new(Shard::new(config, SHARDS));
        Sampler {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            lags: Lags::new(config.lag, config.wait_max),
            counters: Counters::default(),
        }
    }

    /// Takes the accepted spans of a request; hands on what is decided by them.
    pub(crate) fn offer(&self, now: Timestamp, plan: &SamplingPlan, all: &Arrivals<'_>, kept: &mut impl KeptSpans) {
        let groups = Groups::of(&all.spans, &all.sources);
        let lags = self.lags.known();
        let mut released = Vec::new();
        let mut tallies = Tallies::default();
        for group in groups.iter() {
            let arrival = Arrival { all, groups: &groups, group };
            let offered = self.shard(group.hash).offer(now, (plan, &lags), &arrival, &mut released);
            match offered {
                Offered::Taken => {}
                Offered::Decided(decision, due) => settle_arrival(&arrival, decision, Some(due), &mut tallies, kept),
                Offered::Late(decision) => settle_arrival(&arrival, decision, None, &mut tallies, kept),
            }
            settle(&mut released, &mut tallies, kept);
        }
        self.count(&tallies);
    }

    /// Decides what is due at `now`; called several times a second.
    pub(crate) fn sweep(&self, now: Timestamp, plan: &SamplingPlan, kept: &mut impl KeptSpans) {
        let mut lessons = Vec::new();
        self.each(|shard, released| shard.sweep(now, plan, released, &mut lessons), kept);
        self.lags.learn(&lessons);
    }

    /// Decides everything with what is known.
    pub(crate) fn drain(&self, now: Timestamp, plan: &SamplingPlan, kept: &mut impl KeptSpans) {
        self.each(|shard, released| shard.drain(now, plan, released), kept);
    }

    fn each(&self, mut release: impl FnMut(&mut Shard, &mut Vec<Released>), kept: &mut impl KeptSpans) {
        let (mut released, mut tallies) = (Vec::new(), Tallies::default());
        for shard in &self.shards {
            release(&mut lock(shard), &mut released);
            settle(&mut released, &mut tallies, kept);
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

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What waits for its decision.
    pub(crate) fn waiting(&self) -> Waiting {
        self.shards.iter().map(|shard| lock(shard).waiting()).fold(Waiting::default(), |sum, part| Waiting {
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
    /// Counts a decision; says by which rule and threshold to write the spans, if they are kept.
    fn note(&mut self, decision: Decision, due: Option<Due>, spans: u64) -> Option<(Rule, Threshold)> {
        if let Some(due) = due {
            *self.decided.entry(due).or_default() += 1;
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

/// Counts what was released and writes what is kept; runs outside the shard's lock.
fn settle(released: &mut Vec<Released>, tallies: &mut Tallies, kept: &mut impl KeptSpans) {
    for trace in released.drain(..) {
        let Some((rule, threshold)) = tallies.note(trace.decision, Some(trace.due), trace.spans.len() as u64) else {
            continue;
        };
        let mark = Mark::new(threshold, rule);
        for (origin, span, incoming) in trace.spans() {
            keep(origin, rule, kept, |out| mark.write(out, span, incoming));
        }
    }
}

/// The same for spans that never waited: they are cut from the request.
fn settle_arrival(
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
    origin.service.kept(1, u64::from(rule != Rule::Probability));
    kept.take(origin, write);
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "sample/tests.rs"]
mod tests;
