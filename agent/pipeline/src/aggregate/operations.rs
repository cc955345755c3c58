//! The requests of one service, by operation.
//!
//! Answers how many spans and requests there were and how long they took. Does not know other services. Durations go into
//! histograms because a quantile of averages is no quantile; counts stay integers because they must be exact.

use std::collections::BTreeMap;

use hashbrown::HashTable;
use homeostat_core::{Micros, OperationName, OperationPlan};

use super::durations::Durations;
use super::exemplars::{Exemplar, Exemplars};
use super::{Counted, OVERFLOW, OperationReport};

/// How long requests took. Quantiles are within 1.2 percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DurationSummary {
    /// How many.
    pub count: u64,
    /// Together.
    pub sum_micros: f64,
    /// Half were faster.
    pub p50: Micros,
    /// Nine of ten were faster.
    pub p90: Micros,
    /// 99 of 100 were faster.
    pub p99: Micros,
    /// The slowest.
    pub max: Micros,
}

/// Requests, errors, slow ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Red {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) slow: u64,
}

impl Red {
    fn count(&mut self, span: &Counted<'_>) {
        self.requests += 1;
        self.errors += u64::from(span.view.is_error());
        self.slow += u64::from(span.slow);
    }

    fn add(&mut self, other: Red) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.slow += other.slow;
    }
}

/// How many requests of one operation were slow by its own threshold. A running total may not jump when the threshold does, so
/// only what grows under one threshold is added.
struct Slow {
    above: Micros,
    last: u64,
    total: u64,
}

/// The spans of one operation and kind.
struct Series {
    key: u64,
    name: OperationName,
    kind: i32,
    red: Red,
    /// By status: unset, ok, error.
    outcomes: [Option<Box<Outcome>>; STATUSES],
}

impl Series {
    /// Requests slower than `threshold`. Where spans inside traces have the operation's name and kind too, durations do not tell
    /// them from requests; the service's own threshold has to do then.
    fn slower_than(&self, threshold: Micros) -> u64 {
        let outcomes = || self.outcomes.iter().flatten().map(|outcome| &outcome.durations);
        let all: u64 = outcomes().map(Durations::count).sum();
        if all == self.red.requests { outcomes().map(|of| of.above(threshold)).sum() } else { self.red.slow }
    }
}

/// Statuses that are told apart; any other number counts as unset, as a receiver of OTLP reads it.
const STATUSES: usize = 3;

/// The spans of a series that ended with one status.
#[derive(Default)]
struct Outcome {
    durations: Durations,
    exemplars: Exemplars,
}

/// What was counted of the spans of one operation, kind and status.
#[derive(Clone, Debug)]
pub(crate) struct SeriesReading {
    /// `None` for all operations beyond the bound together.
    pub(crate) operation: Option<OperationName>,
    /// The number of a `SpanKind`.
    pub(crate) kind: i32,
    /// The number of a `StatusCode`.
    pub(crate) status: usize,
    pub(crate) durations: Durations,
    /// Since the last reading.
    pub(crate) exemplars: Vec<Exemplar>,
}

/// All operations of one service.
pub(super) struct Operations {
    pub(super) total: Red,
    since_last: Durations,
    series: HashTable<Series>,
    series_max: usize,
    /// Of operations with a threshold of their own.
    slow: BTreeMap<OperationName, Slow>,
}

impl Operations {
    pub(super) fn new(series_max: usize) -> Operations {
        Operations {
            total: Red::default(),
            since_last: Durations::default(),
            series: HashTable::new(),
            series_max,
            slow: BTreeMap::new(),
        }
    }

    /// Counts a span; an entry span is a request as well.
    pub(super) fn record(&mut self, span: &Counted<'_>) {
        let nanos = span.view.duration_nanos();
        if span.is_entry() {
            self.total.count(span);
            self.since_last.add(nanos);
        }
        let series = self.series(span.operation, span.view.name, span.view.kind);
        if span.is_entry() {
            series.red.count(span);
        }
        let status = usize::try_from(span.view.status_code).ok().filter(|status| *status < STATUSES);
        let outcome = series.outcomes[status.unwrap_or_default()].get_or_insert_with(Box::default);
        outcome.durations.add(nanos);
        outcome.exemplars.offer(span, nanos);
    }

    /// Everything since start, in no order, with exemplars since the last call.
    pub(super) fn read(&mut self) -> Vec<SeriesReading> {
        let mut readings = Vec::with_capacity(self.series.len());
        for series in self.series.iter_mut() {
            let operation = (series.key != overflow_key(series.kind)).then(|| series.name.clone());
            for (status, outcome) in series.outcomes.iter_mut().enumerate() {
                readings.extend(outcome.as_mut().map(|outcome| SeriesReading {
                    operation: operation.clone(),
                    kind: series.kind,
                    status,
                    durations: outcome.durations.clone(),
                    exemplars: outcome.exemplars.take(),
                }));
            }
        }
        readings
    }

    /// Median and 99th percentile since the last call, if there was a request.
    pub(super) fn take_quantiles(&mut self) -> Option<(Micros, Micros)> {
        if self.since_last.count() == 0 {
            return None;
        }
        let quantiles = (self.since_last.quantile(0.5), self.since_last.quantile(0.99));
        self.since_last.clear();
        Some(quantiles)
    }

    /// The requests of the operations in `wanted` since start, each slow by its own threshold; none of those never seen.
    pub(super) fn watch(&mut self, wanted: &BTreeMap<OperationName, OperationPlan>) -> Vec<(OperationName, Red)> {
        self.slow.retain(|operation, _| wanted.contains_key(operation));
        let mut seen = Vec::new();
        for (operation, plan) in wanted {
            let named = self.series.iter().filter(|series| 0 < series.red.requests && series.name == *operation);
            let (mut red, mut above) = (Red::default(), 0);
            for series in named {
                red.add(series.red);
                above += plan.slow_above.map_or(series.red.slow, |threshold| series.slower_than(threshold));
            }
            if let Some(threshold) = plan.slow_above {
                let first = Slow { above: threshold, last: above, total: above };
                let slow = self.slow.entry(operation.clone()).or_insert(first);
                let grown = if slow.above == threshold { above.saturating_sub(slow.last) } else { 0 };
                *slow = Slow { above: threshold, last: above, total: slow.total + grown };
                red.slow = slow.total;
            }
            if 0 < red.requests {
                seen.push((operation.clone(), red));
            }
        }
        seen
    }

    /// Operations that were requested, by name.
    pub(super) fn report(&self) -> Vec<OperationReport> {
        let mut requested: BTreeMap<&OperationName, (Red, Durations)> = BTreeMap::new();
        for series in self.series.iter().filter(|series| series.red.requests > 0) {
            let (red, durations) = requested.entry(&series.name).or_default();
            red.add(series.red);
            series.outcomes.iter().flatten().for_each(|outcome| durations.merge(&outcome.durations));
        }
        let one = |(operation, (red, durations)): (&OperationName, (Red, Durations))| OperationReport {
            operation: operation.clone(),
            requests: red.requests,
            errors: red.errors,
            slow: red.slow,
            durations: summary(&durations),
        };
        requested.into_iter().map(one).collect()
    }

    fn series(&mut self, key: u64, name: &str, kind: i32) -> &mut Series {
        let known = |series: &Series| series.key == key && series.kind == kind && series.name.as_str() == name;
        let (key, name) = if self.series.len() >= self.series_max && self.series.find(key, known).is_none() {
            (overflow_key(kind), OVERFLOW)
        } else {
            (key, name)
        };
        let known = |series: &Series| series.key == key && series.kind == kind && series.name.as_str() == name;
        let new = || Series { key, name: name.into(), kind, red: Red::default(), outcomes: [None, None, None] };
        self.series.entry(key, known, |series| series.key).or_insert_with(new).into_mut()
    }
}

/// Under which number the operations beyond the bound are found; a hash would only have to be computed.
fn overflow_key(kind: i32) -> u64 {
    u64::from(kind.unsigned_abs())
}

fn summary(durations: &Durations) -> DurationSummary {
    DurationSummary {
        count: durations.count(),
        sum_micros: durations.sum_seconds() * 1e6,
        p50: durations.quantile(0.5),
        p90: durations.quantile(0.9),
        p99: durations.quantile(0.99),
        max: Micros(durations.max_nanos() / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{SpanIds, SpanView};

    fn record(operations: &mut Operations, name: &str, millis: u64) {
        let view = SpanView { name, end_unix_nano: millis * 1_000_000, ..SpanView::default() };
        let ids = SpanIds { trace: [1; 16], span: [1; 8], parent: None };
        let operation = crate::aggregate::operation_key(1, &view);
        operations.record(&Counted { ids, view: &view, trace_hash: 0, operation, source: 0, slow: millis > 50 });
    }

    /// Scenario: requests of 1 to 100 ms.
    /// Guarantees: counts are exact, quantiles within one percent, and the interval starts anew after it was taken.
    #[test]
    fn durations_are_sketched() {
        let mut operations = Operations::new(10);
        (1..=100).for_each(|millis| record(&mut operations, "pay", millis));
        assert_eq!(operations.total, Red { requests: 100, errors: 0, slow: 50 });
        let (p50, p99) = operations.take_quantiles().unwrap();
        assert!((49_000..=51_500).contains(&p50.0), "{p50}");
        assert!((97_500..=100_000).contains(&p99.0), "{p99}");
        assert_eq!(operations.take_quantiles(), None);
        assert_eq!(operations.report()[0].durations.count, 100);
    }

    /// Scenario: requests of 1 to 100 ms, watched at 20 ms; then the threshold is 80 ms, and as many come again.
    /// Guarantees: those above 20 ms are slow, and then only the new ones above 80 ms are added: a new threshold makes no
    /// request of the past slow.
    #[test]
    fn a_new_threshold_does_not_judge_the_past() {
        let mut operations = Operations::new(10);
        let wanted = |millis| {
            let plan = OperationPlan { slow_above: Some(Micros::from_millis(millis)), ..OperationPlan::default() };
            BTreeMap::from([(OperationName::from("pay"), plan), (OperationName::from("never"), plan)])
        };
        (1..=100).for_each(|millis| record(&mut operations, "pay", millis));
        let slow = |seen: Vec<(OperationName, Red)>| seen.iter().map(|(_, red)| red.slow).collect::<Vec<_>>();
        assert_eq!(slow(operations.watch(&wanted(20))), [80]);
        assert_eq!(slow(operations.watch(&wanted(80))), [80]);
        (1..=100).for_each(|millis| record(&mut operations, "pay", millis));
        let later = slow(operations.watch(&wanted(80)));
        assert!((99..=101).contains(&later[0]), "{later:?}");
    }

    /// Scenario: more operation names than fit.
    /// Guarantees: the rest is counted under the overflow name; nothing is lost.
    #[test]
    fn names_are_bounded() {
        let mut operations = Operations::new(3);
        let names: Vec<_> = (0..10).map(|n| format!("op{n}")).collect();
        names.iter().for_each(|name| record(&mut operations, name, 1));
        let report = operations.report();
        assert_eq!(report.len(), 4);
        assert_eq!(report.iter().map(|operation| operation.requests).sum::<u64>(), 10);
        assert!(report.iter().any(|operation| operation.operation.as_str() == OVERFLOW && operation.requests == 7));
    }
}
