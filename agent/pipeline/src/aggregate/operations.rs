//! The requests of one service, by operation.
//!
//! Answers how many there were and how long they took. Does not know other services. Durations go into sketches because a
//! quantile of averages is no quantile; counts stay integers because they must be exact.

use std::collections::BTreeMap;

use homeostat_core::{Micros, OperationName};
use sketches_ddsketch::{Config, DDSketch};

use super::{Counted, OVERFLOW, OperationReport};

/// Relative error of a quantile; one percent is finer than any latency objective is written.
const SKETCH_ERROR: f64 = 0.01;
/// Bins of a sketch: covers eight decades at that error; beyond, the fastest requests share a bin.
const SKETCH_BINS_MAX: u32 = 1024;
/// The shortest duration told apart from zero, in microseconds.
const SKETCH_FLOOR_MICROS: f64 = 1.0;

/// How long requests took. Quantiles are within one percent.
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
}

struct Series {
    red: Red,
    durations: DDSketch,
}

/// All operations of one service.
pub(super) struct Operations {
    pub(super) total: Red,
    since_last: DDSketch,
    by_name: BTreeMap<OperationName, Series>,
    names_max: usize,
}

impl Operations {
    pub(super) fn new(names_max: usize) -> Operations {
        Operations { total: Red::default(), since_last: sketch(), by_name: BTreeMap::new(), names_max }
    }

    /// Counts an entry span.
    pub(super) fn record(&mut self, span: &Counted<'_>) {
        let micros = span.view.duration_nanos() as f64 / 1000.0;
        self.total.count(span);
        self.since_last.add(micros);
        let series = self.series(span.view.name);
        series.red.count(span);
        series.durations.add(micros);
    }

    /// Median and 99th percentile since the last call, if there was a request.
    pub(super) fn take_quantiles(&mut self) -> Option<(Micros, Micros)> {
        if self.since_last.count() == 0 {
            return None;
        }
        let since_last = std::mem::replace(&mut self.since_last, sketch());
        Some((quantile(&since_last, 0.5), quantile(&since_last, 0.99)))
    }

    pub(super) fn report(&self) -> Vec<OperationReport> {
        let one = |(operation, series): (&OperationName, &Series)| OperationReport {
            operation: operation.clone(),
            requests: series.red.requests,
            errors: series.red.errors,
            slow: series.red.slow,
            durations: summary(&series.durations),
        };
        self.by_name.iter().map(one).collect()
    }

    fn series(&mut self, name: &str) -> &mut Series {
        let full = self.by_name.len() >= self.names_max;
        let name = if full && !self.by_name.contains_key(name) { OVERFLOW } else { name };
        if !self.by_name.contains_key(name) {
            self.by_name.insert(name.into(), Series { red: Red::default(), durations: sketch() });
        }
        self.by_name.get_mut(name).expect("inserted above")
    }
}

fn sketch() -> DDSketch {
    DDSketch::new(Config::new(SKETCH_ERROR, SKETCH_BINS_MAX, SKETCH_FLOOR_MICROS))
}

fn quantile(sketch: &DDSketch, q: f64) -> Micros {
    Micros(sketch.quantile(q).ok().flatten().unwrap_or(0.0).round() as u64)
}

fn summary(sketch: &DDSketch) -> DurationSummary {
    DurationSummary {
        count: sketch.count() as u64,
        sum_micros: sketch.sum().unwrap_or(0.0),
        p50: quantile(sketch, 0.5),
        p90: quantile(sketch, 0.9),
        p99: quantile(sketch, 0.99),
        max: Micros(sketch.max().unwrap_or(0.0).round() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{SpanIds, SpanView};

    fn span(name: &str, millis: u64) -> Counted<'_> {
        let view = SpanView { name, end_unix_nano: millis * 1_000_000, ..SpanView::default() };
        Counted { ids: SpanIds { trace: [1; 16], span: [1; 8], parent: None }, view, slow: millis > 50 }
    }

    /// Scenario: requests of 1 to 100 ms.
    /// Guarantees: counts are exact, quantiles within one percent, and the interval starts anew after it was taken.
    #[test]
    fn durations_are_sketched() {
        let mut operations = Operations::new(10);
        (1..=100).for_each(|millis| operations.record(&span("pay", millis)));
        assert_eq!(operations.total, Red { requests: 100, errors: 0, slow: 50 });
        let (p50, p99) = operations.take_quantiles().unwrap();
        assert!((49_000..=51_500).contains(&p50.0), "{p50}");
        assert!((97_500..=100_000).contains(&p99.0), "{p99}");
        assert_eq!(operations.take_quantiles(), None);
        assert_eq!(operations.report()[0].durations.count, 100);
    }

    /// Scenario: more operation names than fit.
    /// Guarantees: the rest is counted under the overflow name; nothing is lost.
    #[test]
    fn names_are_bounded() {
        let mut operations = Operations::new(3);
        let names: Vec<_> = (0..10).map(|n| format!("op{n}")).collect();
        names.iter().for_each(|name| operations.record(&span(name, 1)));
        let report = operations.report();
        assert_eq!(report.len(), 4);
        assert_eq!(report.iter().map(|operation| operation.requests).sum::<u64>(), 10);
        assert!(report.iter().any(|operation| operation.operation.as_str() == OVERFLOW && operation.requests == 7));
    }
}
