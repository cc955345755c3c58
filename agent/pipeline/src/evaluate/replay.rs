//! Traffic before the judge.
//!
//! Answers what becomes of each trace in one run: its threshold, the rule behind it, and whether its die reaches it. Does
//! not estimate. Time is the traffic's own, so a run is the same on every machine.

use homeostat_core::{Millis, SamplingProbability, Timestamp};

use super::traffic::{Traffic, die};
use crate::sample::threshold::Threshold;
use crate::sample::{Certain, Judge, JudgeConfig};
use crate::stats::Rule;

/// How often the judge is told the time, as in production.
const TICK: Millis = Millis(100);

/// What became of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) rule: Rule,
    pub(super) threshold: Threshold,
    pub(super) kept: bool,
}

impl Verdict {
    /// For how many traces a kept one stands.
    pub(super) fn weight(&self) -> f64 {
        self.threshold.adjusted_count()
    }
}

/// Lets a fresh judge decide all traces in the order in which they completed.
pub(super) fn judged(traffic: &Traffic, budget: f64, seed: u64, run: u32) -> Vec<Verdict> {
    let judge = Judge::new(JudgeConfig { certain: Certain::Within, ..JudgeConfig::default() });
    let share = share(budget);
    let mut ticked = Timestamp(0);
    let decide = |trace| {
        let now = traffic.completed(trace);
        if TICK <= now.since(ticked) {
            judge.tick(now);
            ticked = now;
        }
        let facts = traffic.facts(trace, share, die(trace.key, seed, run));
        let (rule, threshold) = judge.weigh(now, &facts);
        Verdict { rule, threshold, kept: threshold.keeps(facts.randomness) }
    };
    traffic.traces.iter().map(decide).collect()
}

/// Keeps every trace with one probability.
pub(super) fn plain(traffic: &Traffic, budget: f64, seed: u64, run: u32) -> Vec<Verdict> {
    let threshold = Threshold::at_most(budget);
    let decide = |key| Verdict { rule: Rule::Probability, threshold, kept: threshold.keeps(die(key, seed, run)) };
    traffic.traces.iter().map(|trace| decide(trace.key)).collect()
}

fn share(budget: f64) -> SamplingProbability {
    SamplingProbability::from_ppm_saturating((budget * 1e6).round() as u64)
}
