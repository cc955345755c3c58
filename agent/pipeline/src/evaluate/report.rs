//! What an evaluation found.
//!
//! Answers in numbers that a person and a script can read. Does not print.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Options;
use super::estimate::{QUANTITIES, estimate};
use super::intervals::{self, ALL_TRACES, Covered, Truth};
use super::replay::{self, Verdict};
use super::traffic::{TraceFact, Traffic, die};
use homeostat_core::{SamplingProbability, Timestamp};

use crate::sample::{Judge, JudgeConfig, Node, Shaper};

/// Everything that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// What was sampled.
    pub traffic: TrafficSummary,
    /// The share that may be kept.
    pub budget: f64,
    /// What the judge kept.
    pub judged: Kept,
    /// What plain probability keeps of as many traces.
    pub plain: Kept,
    /// How often intervals cover, if sampling was repeated.
    pub intervals: Option<IntervalReport>,
    /// Estimates and truth, most frequent operation first; the first row is all traces as wholes.
    pub operations: Vec<OperationRow>,
    /// What deciding costs, if there was a clock.
    pub cost: Option<Cost>,
}

/// What was sampled.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TrafficSummary {
    /// How many.
    pub traces: u64,
    /// How many.
    pub spans: u64,
    /// How many.
    pub services: u64,
    /// How many that occur.
    pub operations: u64,
    /// Traces with a failed span.
    pub error_traces: u64,
    /// Distinct sets of edges between operations.
    pub shapes_edge_set: u64,
    /// Distinct trees, whatever the order of siblings.
    pub shapes_tree: u64,
    /// From the first start to the last end.
    pub seconds: f64,
}

/// What survived. Everything is a share, from 0 to 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Kept {
    /// Of all traces.
    pub traces: f64,
    /// Of all spans.
    pub spans: f64,
    /// Of the distinct sets of edges.
    pub shapes_edge_set: f64,
    /// Of the distinct trees.
    pub shapes_tree: f64,
    /// Of the traces with a failed span.
    pub error_traces: f64,
    /// Of the operations.
    pub operations: f64,
    /// Of the root operations.
    pub root_operations: f64,
    /// Traces kept, by rule.
    pub traces_by_rule: BTreeMap<&'static str, u64>,
}

/// How often intervals cover.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntervalReport {
    /// How often sampling was repeated.
    pub runs: u32,
    /// By quantity: `rate`, `error_ratio`, `p50`, `p99`.
    pub coverage: BTreeMap<&'static str, Coverage>,
}

/// How one quantity fared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// Operations of which enough is kept by chance to ask.
    pub operations: u64,
    /// The share of 95 % intervals that contain the truth.
    pub covered: f64,
    /// The mean relative error of the estimates.
    pub bias: f64,
}

/// One operation, in truth and as estimated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OperationRow {
    /// Whose; empty for all traces as wholes.
    pub service: String,
    /// Its name.
    pub operation: String,
    /// Spans there were.
    pub spans: u64,
    /// Spans that were kept.
    pub spans_kept: u64,
    /// By quantity: `rate` per second, `error_ratio`, `p50` and `p99` in nanoseconds.
    pub truth: BTreeMap<&'static str, f64>,
    /// The same as estimated from what was kept; empty if nothing was.
    pub estimate: BTreeMap<&'static str, f64>,
}

/// What deciding costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// Finding the structure.
    pub shape_ns_per_span: f64,
    /// Deciding, learning included.
    pub decide_ns_per_trace: f64,
    /// Both together.
    pub ns_per_span: f64,
}

/// Evaluates the judge on `traffic`. `clock` counts nanoseconds, if costs are wanted; `progress` hears of finished runs.
pub fn evaluate(
    traffic: &Traffic,
    options: &Options,
    clock: Option<&mut dyn FnMut() -> u64>,
    progress: &mut dyn FnMut(u32),
) -> Evaluation {
    let verdicts = replay::judged(traffic, options.budget, options.seed, 0);
    let judged = kept(traffic, &verdicts);
    let plain = kept(traffic, &replay::plain(traffic, judged.traces, options.seed, 0));
    let truths = intervals::truths(traffic);
    let intervals = (0 < options.runs).then(|| {
        let covered = intervals::coverage(traffic, &truths, (options, &verdicts), progress);
        let coverage = QUANTITIES.into_iter().zip(covered.map(Coverage::from)).collect();
        IntervalReport { runs: options.runs, coverage }
    });
    Evaluation {
        traffic: summary(traffic),
        budget: options.budget,
        judged,
        plain,
        intervals,
        operations: operations(traffic, &truths, &verdicts),
        cost: clock.map(|clock| cost(traffic, options, clock)),
    }
}

impl From<Covered> for Coverage {
    fn from(covered: Covered) -> Coverage {
        let asked = covered.asked.max(1) as f64;
        Coverage {
            operations: covered.operations,
            covered: covered.covered as f64 / asked,
            bias: covered.errors / asked,
        }
    }
}

fn summary(traffic: &Traffic) -> TrafficSummary {
    let (edge_sets, trees) = Traffic::shapes(traffic.traces.iter());
    TrafficSummary {
        traces: traffic.traces.len() as u64,
        spans: traffic.spans.len() as u64,
        services: traffic.services() as u64,
        operations: traffic.by_operation().len() as u64,
        error_traces: traffic.traces.iter().filter(|trace| trace.error).count() as u64,
        shapes_edge_set: edge_sets.len() as u64,
        shapes_tree: trees.len() as u64,
        seconds: traffic.seconds(),
    }
}

fn kept(traffic: &Traffic, verdicts: &[Verdict]) -> Kept {
    let all = || traffic.traces.iter();
    let kept = || all().zip(verdicts).filter(|(_, verdict)| verdict.kept).map(|(trace, _)| trace);
    let part = |part: usize, whole: usize| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
    let ((edges, trees), (kept_edges, kept_trees)) = (Traffic::shapes(all()), Traffic::shapes(kept()));
    let mut traces_by_rule = BTreeMap::new();
    for verdict in verdicts.iter().filter(|verdict| verdict.kept) {
        *traces_by_rule.entry(verdict.rule.as_str()).or_default() += 1;
    }
    Kept {
        traces: part(kept().count(), all().count()),
        spans: part(kept().map(|trace| trace.spans.len()).sum(), traffic.spans.len()),
        shapes_edge_set: part(kept_edges.len(), edges.len()),
        shapes_tree: part(kept_trees.len(), trees.len()),
        error_traces: part(kept().filter(|trace| trace.error).count(), all().filter(|trace| trace.error).count()),
        operations: part(touched(traffic, kept()).len(), touched(traffic, all()).len()),
        root_operations: part(roots(kept()).len(), roots(all()).len()),
        traces_by_rule,
    }
}

fn touched<'a>(traffic: &Traffic, traces: impl Iterator<Item = &'a TraceFact>) -> BTreeSet<u32> {
    traces.flat_map(|trace| &traffic.spans[trace.spans.clone()]).map(|span| span.operation).collect()
}

fn roots<'a>(traces: impl Iterator<Item = &'a TraceFact>) -> BTreeSet<u32> {
    traces.map(|trace| trace.root_operation).collect()
}

fn operations(traffic: &Traffic, truths: &BTreeMap<u32, Truth>, verdicts: &[Verdict]) -> Vec<OperationRow> {
    let drawn = intervals::draw(traffic, |number| verdicts[number].kept.then(|| verdicts[number].weight()));
    let named = |mut values: [f64; QUANTITIES.len()]| {
        values[0] /= traffic.seconds();
        QUANTITIES.into_iter().zip(values).collect::<BTreeMap<_, _>>()
    };
    let row = |operation: &u32, truth: &Truth| {
        let (service, name) = match traffic.operations.get(*operation as usize) {
            Some((service, name)) => (service.clone(), name.clone()),
            None => (String::new(), "all traces".to_owned()),
        };
        let drawn = drawn.get(operation).map_or(&[][..], Vec::as_slice);
        OperationRow {
            service,
            operation: name,
            spans: truth.values[0] as u64,
            spans_kept: drawn.len() as u64,
            truth: named(truth.values),
            estimate: estimate(drawn).map(|all| named(all.map(|estimate| estimate.value))).unwrap_or_default(),
        }
    };
    let mut order: Vec<_> = truths.iter().collect();
    order.sort_by_key(|(operation, truth)| (**operation != ALL_TRACES, std::cmp::Reverse(truth.values[0] as u64)));
    order.into_iter().map(|(operation, truth)| row(operation, truth)).collect()
}

/// Times structure and decision apart, over all traces, on one thread.
fn cost(traffic: &Traffic, options: &Options, clock: &mut dyn FnMut() -> u64) -> Cost {
    let traces: Vec<Vec<Node>> = traffic.traces.iter().map(|trace| chain(traffic, trace)).collect();
    let mut shaper = Shaper::default();
    let began = clock();
    let folded = traces.iter().fold(0, |folded, nodes| folded ^ shaper.shape(nodes).tree);
    let shaped = clock().saturating_sub(began) as f64;
    std::hint::black_box(folded);
    let share = SamplingProbability::from_ppm_saturating((options.budget * 1e6) as u64);
    let facts: Vec<_> = traffic
        .traces
        .iter()
        .map(|trace| (traffic.completed(trace), traffic.facts(trace, share, die(trace.key, 0, 0))))
        .collect();
    let judge = Judge::new(JudgeConfig::default());
    let mut ticked = Timestamp(0);
    let began = clock();
    for (now, facts) in &facts {
        if 100 <= now.since(ticked).0 {
            judge.tick(*now);
            ticked = *now;
        }
        std::hint::black_box(judge.decide(*now, facts));
    }
    let decided = clock().saturating_sub(began) as f64;
    let (spans, traces) = (traffic.spans.len().max(1) as f64, traffic.traces.len().max(1) as f64);
    Cost {
        shape_ns_per_span: shaped / spans,
        decide_ns_per_trace: decided / traces,
        ns_per_span: (shaped + decided) / spans,
    }
}

/// Ids are not kept, so that parents are made up: what finding the structure costs depends on how many spans there are.
fn chain(traffic: &Traffic, trace: &TraceFact) -> Vec<Node> {
    let spans = &traffic.spans[trace.spans.clone()];
    let node = |(at, span): (usize, &super::traffic::SpanFact)| Node {
        span: at as u64 + 1,
        parent: at as u64 / 2,
        op: u64::from(span.operation),
        error: span.error,
    };
    spans.iter().enumerate().map(node).collect()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
