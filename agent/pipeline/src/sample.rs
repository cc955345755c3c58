//! The sampler.
//!
//! Answers which accepted spans are kept: those of traces with an error or a slow request always, the others by consistent
//! probability, so that adjusted counts of what is kept estimate what was received. Does not choose probabilities: they
//! come with the plan. Whole traces are decided rather than spans, because half a trace explains nothing.

mod buffer;
mod rewrite;
mod threshold;
mod tracestate;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use homeostat_core::{SamplingPlan, Timestamp};

use crate::aggregate::{Counted, Service};
use crate::config::BufferConfig;
use crate::stats::{Due, Tally, Unsampled};

pub use crate::stats::Rule;
use buffer::{Released, Shard};
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

/// What becomes of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Keep { rule: Rule, threshold: Threshold },
    Drop,
}

/// Takes kept spans, rewritten, with where they came from.
pub(crate) trait KeptSpans {
    fn take(&mut self, origin: &Origin, span: &[u8]);
}

/// Decides.
#[derive(Debug)]
pub(crate) struct Sampler {
    shards: Vec<Mutex<Shard>>,
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
        Sampler { shards: (0..SHARDS).map(|_| shard()).collect(), counters: Counters::default() }
    }

    /// Takes accepted spans of one origin; hands on what is decided by them.
    pub(crate) fn offer(
        &self,
        now: Timestamp,
        plan: &SamplingPlan,
        (origin, spans): (&Arc<Origin>, &[Counted<'_>]),
        kept: &mut impl KeptSpans,
    ) {
        for span in spans {
            let mut released = Vec::new();
            self.shard(span.ids.trace).offer(now, plan, (origin, span), &mut released);
            self.settle(released, kept);
        }
    }

    /// Decides what is due at `now`; called several times a second.
    pub(crate) fn sweep(&self, now: Timestamp, plan: &SamplingPlan, kept: &mut impl KeptSpans) {
        for shard in &self.shards {
            let mut released = Vec::new();
            lock(shard).sweep(now, plan, &mut released);
            self.settle(released, kept);
        }
    }

    /// Decides everything with what is known.
    pub(crate) fn drain(&self, now: Timestamp, plan: &SamplingPlan, kept: &mut impl KeptSpans) {
        for shard in &self.shards {
            let mut released = Vec::new();
            lock(shard).drain(now, plan, &mut released);
            self.settle(released, kept);
        }
    }

    /// Takes over a decision of a former life: further spans of the trace follow it.
    pub(crate) fn remember(&self, now: Timestamp, trace: [u8; 16], rule: Rule, threshold: Threshold) {
        self.shard(trace).remember(now, trace, Decision::Keep { rule, threshold });
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

    fn shard(&self, trace: [u8; 16]) -> MutexGuard<'_, Shard> {
        lock(&self.shards[usize::from(trace[15]) % SHARDS])
    }

    /// Counts what was released and writes what is kept; runs outside the shard's lock.
    fn settle(&self, released: Vec<Released>, kept: &mut impl KeptSpans) {
        let mut out = Vec::new();
        for trace in released {
            let spans = trace.spans.len() as u64;
            if let Some(due) = trace.due {
                self.counters.decided.add(due, 1);
            }
            let Decision::Keep { rule, threshold } = trace.decision else {
                let reason = if trace.due.is_some() { Unsampled::Probability } else { Unsampled::Late };
                self.counters.unsampled.add(reason, spans);
                continue;
            };
            self.counters.kept.add(rule, spans);
            for (origin, span, incoming) in trace.spans() {
                origin.service.kept(1, u64::from(rule != Rule::Probability));
                out.clear();
                rewrite::kept_span(&mut out, span, incoming.max(threshold), rule);
                kept.take(origin, &out);
            }
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "sample/tests.rs"]
mod tests;
