//! Whether intervals cover.
//!
//! Answers how often the 95 % interval of an estimate contains the truth when sampling is repeated with other dice. Does
//! not judge single estimates. Only operations of which enough is kept by chance are asked: an interval from five traces is
//! honest in no method, and one from certain traces cannot miss.

use std::collections::BTreeMap;

use super::Options;
use super::estimate::{Drawn, Estimate, QUANTILES, QUANTITIES, estimate};
use super::replay::{Verdict, judged};
use super::traffic::{TraceFact, Traffic};

/// Traces that must be expected to be kept by chance for an estimate to be asked about, of unequal probabilities so many
/// fewer as they are worse than equal ones: Kish's effective size.
const EXPECTED_MIN: f64 = 50.0;
/// The same beyond a quantile, for the quantile.
const EXPECTED_BEYOND_MIN: f64 = 20.0;

/// Stands for all traces as wholes, beside the operations.
pub(super) const ALL_TRACES: u32 = u32::MAX;

/// What is true of one operation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Truth {
    pub(super) values: [f64; QUANTITIES.len()],
}

/// How one quantity fared over all runs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Covered {
    pub(super) operations: u64,
    pub(super) asked: u64,
    pub(super) covered: u64,
    /// Sum of relative errors.
    pub(super) errors: f64,
}

/// The spans of each operation among the traces that `weight` gives a weight.
pub(super) fn draw(traffic: &Traffic, weight: impl Fn(usize) -> Option<f64>) -> BTreeMap<u32, Vec<Drawn>> {
    let mut drawn: BTreeMap<u32, Vec<Drawn>> = BTreeMap::new();
    for (number, trace) in traffic.traces.iter().enumerate() {
        let Some(weight) = weight(number) else { continue };
        let of = |duration_ns, error| Drawn { trace: number as u32, weight, duration_ns, error };
        drawn.entry(ALL_TRACES).or_default().push(of(trace.duration_ns, trace.error));
        for span in &traffic.spans[trace.spans.clone()] {
            drawn.entry(span.operation).or_default().push(of(span.duration_ns, span.error));
        }
    }
    drawn
}

/// What is true of every operation.
pub(super) fn truths(traffic: &Traffic) -> BTreeMap<u32, Truth> {
    let values = |estimates: [Estimate; QUANTITIES.len()]| Truth { values: estimates.map(|estimate| estimate.value) };
    let all = draw(traffic, |_| Some(1.0));
    all.into_iter().filter_map(|(operation, drawn)| Some((operation, values(estimate(&drawn)?)))).collect()
}

/// Repeats sampling and counts, for each quantity, how often the interval contains the truth.
pub(super) fn coverage(
    traffic: &Traffic,
    truths: &BTreeMap<u32, Truth>,
    (options, first): (&Options, &[Verdict]),
    mut progress: impl FnMut(u32),
) -> [Covered; QUANTITIES.len()] {
    let asked = asked(traffic, truths, first);
    let mut covered = [Covered::default(); QUANTITIES.len()];
    for (quantity, covered) in covered.iter_mut().enumerate() {
        covered.operations = asked.values().filter(|asked| asked[quantity]).count() as u64;
    }
    for run in 0..options.runs {
        let verdicts = judged(traffic, options.budget, options.seed, run);
        let drawn = draw(traffic, |number| verdicts[number].kept.then(|| verdicts[number].weight()));
        for (operation, asked) in &asked {
            let estimates = drawn.get(operation).and_then(|drawn| estimate(drawn));
            for quantity in (0..QUANTITIES.len()).filter(|quantity| asked[*quantity]) {
                covered[quantity].add(estimates.map(|all| all[quantity]), truths[operation].values[quantity]);
            }
        }
        progress(run + 1);
    }
    covered
}

impl Covered {
    /// An operation of which nothing was kept has no interval: a miss, and its estimate is nothing.
    fn add(&mut self, estimate: Option<Estimate>, truth: f64) {
        let Estimate { value, low, high } = estimate.unwrap_or(Estimate { value: 0.0, low: 0.0, high: 0.0 });
        // Sums of weights are rounded; the truth is allowed as much.
        let margin = 1e-9 * truth;
        self.asked += 1;
        self.covered += u64::from(low - margin <= truth && truth <= high + margin);
        self.errors += value / truth - 1.0;
    }
}

/// Of which operations there is enough to ask for each quantity. It is decided by what can be expected to be kept, which
/// the dice of the first run hardly move, and not by what is kept in any one run.
fn asked(
    traffic: &Traffic,
    truths: &BTreeMap<u32, Truth>,
    verdicts: &[Verdict],
) -> BTreeMap<u32, [bool; QUANTITIES.len()]> {
    let mut expected: BTreeMap<u32, [Size; 3]> = BTreeMap::new();
    for (trace, verdict) in traffic.traces.iter().zip(verdicts) {
        let chance = verdict.threshold.probability();
        if chance < 1.0 {
            for (operation, beyond) in touched(traffic, trace, truths) {
                let sums = expected.entry(operation).or_default();
                sums[0].add(chance);
                (0..2).filter(|at| beyond[*at]).for_each(|at| sums[1 + at].add(chance));
            }
        }
    }
    let enough = |operation: u32, sizes: [Size; 3]| {
        let [all, beyond_median, beyond_high] = sizes.map(|size| size.effective());
        let counted = EXPECTED_MIN <= all;
        let fails = 0.0 < truths[&operation].values[1];
        [counted, counted && fails, counted && EXPECTED_BEYOND_MIN <= beyond_median, EXPECTED_BEYOND_MIN <= beyond_high]
    };
    expected.into_iter().map(|(operation, sums)| (operation, enough(operation, sums))).collect()
}

/// How many traces there are, and of what weights.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    traces: f64,
    weights: f64,
}

impl Size {
    fn add(&mut self, chance: f64) {
        self.traces += 1.0;
        self.weights += 1.0 / chance;
    }

    /// The expected sum of weights, squared, over the expected sum of squared weights.
    fn effective(self) -> f64 {
        self.traces * self.traces / self.weights.max(1.0)
    }
}

/// The operations of a trace, and whether it has a span beyond each quantile of them.
fn touched(
    traffic: &Traffic,
    trace: &TraceFact,
    truths: &BTreeMap<u32, Truth>,
) -> BTreeMap<u32, [bool; QUANTILES.len()]> {
    let mut touched: BTreeMap<u32, [bool; 2]> = BTreeMap::new();
    let mut note = |operation: u32, duration_ns: u64| {
        let values = truths[&operation].values;
        let beyond = touched.entry(operation).or_default();
        (0..2).for_each(|at| beyond[at] |= values[2 + at] < duration_ns as f64);
    };
    note(ALL_TRACES, trace.duration_ns);
    traffic.spans[trace.spans.clone()].iter().for_each(|span| note(span.operation, span.duration_ns));
    touched
}
