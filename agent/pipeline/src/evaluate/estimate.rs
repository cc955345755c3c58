//! Estimates from what was kept.
//!
//! Answers how many spans an operation had, which share failed and how long they took, each with a 95 % interval, from kept
//! traces and their weights alone. Does not know the truth. Weights are those of Horvitz and Thompson; traces, not spans,
//! are the units that were drawn, so variances sum over traces. Quantile intervals after Woodruff, "Confidence Intervals
//! for Medians and Other Position Measures", 1952, on the logit scale, because a 99th percentile is near an end.

/// The quantities that are estimated, in order.
pub(super) const QUANTITIES: [&str; 4] = ["rate", "error_ratio", "p50", "p99"];

/// The quantiles among them.
pub(super) const QUANTILES: [f64; 2] = [0.5, 0.99];

/// Two-sided 95 % of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// A variance is itself an estimate, and from few traces of unequal weights a poor one.
const FREEDOM_MIN: f64 = 3.0;

/// A value with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Estimate {
    pub(super) value: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// One span of a kept trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn {
    pub(super) trace: u32,
    pub(super) weight: f64,
    pub(super) duration_ns: u64,
    pub(super) error: bool,
}

/// Estimates in the order of [`QUANTITIES`], from the spans of one operation, those of a trace next to each other. `None`
/// if nothing was kept.
pub(super) fn estimate(drawn: &[Drawn]) -> Option<[Estimate; QUANTITIES.len()]> {
    if drawn.is_empty() {
        return None;
    }
    let mut by_duration = drawn.to_vec();
    by_duration.sort_unstable_by_key(|span| span.duration_ns);
    let [median, high] = QUANTILES.map(|part| quantile(drawn, &by_duration, part));
    Some([count(drawn), error_ratio(drawn), median, high])
}

fn traces(drawn: &[Drawn]) -> impl Iterator<Item = &[Drawn]> {
    drawn.chunk_by(|left, right| left.trace == right.trace)
}

/// How far a 95 % interval reaches to either side of a weighted sum over traces of what `each` says of one: the square root
/// of its variance, times Student's quantile for as many degrees of freedom as the variance has parts, counted by weight.
fn reach(drawn: &[Drawn], each: impl Fn(&Drawn) -> f64) -> f64 {
    let part = |trace: &[Drawn]| {
        let (weight, sum) = (trace[0].weight, trace.iter().map(&each).sum::<f64>());
        weight * (weight - 1.0) * sum * sum
    };
    let sums = traces(drawn).map(part).fold((0.0, 0.0), |(sum, squares), part| (sum + part, squares + part * part));
    if sums.0 == 0.0 { 0.0 } else { student(sums.0 * sums.0 / sums.1) * sums.0.sqrt() }
}

/// Two-sided 95 % of Student's distribution: the first two terms of the Cornish–Fisher expansion.
fn student(freedom: f64) -> f64 {
    let freedom = freedom.max(FREEDOM_MIN);
    let second = 5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z;
    Z + (Z.powi(3) + Z) / (4.0 * freedom) + second / (96.0 * freedom * freedom)
}

fn total(drawn: &[Drawn]) -> f64 {
    drawn.iter().map(|span| span.weight).sum()
}

/// The square root evens out that large estimates come with large variances.
fn count(drawn: &[Drawn]) -> Estimate {
    let value = total(drawn);
    let certain = drawn.iter().filter(|span| span.weight <= 1.0).count() as f64;
    let root = (value - certain).max(0.0).sqrt();
    if root == 0.0 {
        return Estimate { value, low: value, high: value };
    }
    let reach = reach(drawn, |_| 1.0) / (2.0 * root);
    Estimate { value, low: certain + (root - reach).max(0.0).powi(2), high: certain + (root + reach).powi(2) }
}

fn error_ratio(drawn: &[Drawn]) -> Estimate {
    let all = total(drawn);
    let failed: f64 = drawn.iter().filter(|span| span.error).map(|span| span.weight).sum();
    let value = failed / all;
    if value == 0.0 {
        return Estimate { value, low: 0.0, high: 0.0 };
    }
    let reach = reach(drawn, |span| f64::from(u8::from(span.error)) - value) / all;
    let reach = (reach / value).exp();
    Estimate { value, low: value / reach, high: (value * reach).min(1.0) }
}

fn quantile(drawn: &[Drawn], by_duration: &[Drawn], part: f64) -> Estimate {
    let all = total(drawn);
    let at = |part: f64| {
        let mut left = part * all;
        let found = by_duration.iter().find(|span| {
            left -= span.weight;
            left <= 1e-9 * all
        });
        found.or(by_duration.last()).map_or(0.0, |span| span.duration_ns as f64)
    };
    let value = at(part);
    let below = |span: &Drawn| f64::from(u8::from(span.duration_ns as f64 <= value)) - part;
    let reach = reach(drawn, below) / all / (part * (1.0 - part));
    let moved = |by: f64| {
        let odds = (part / (1.0 - part)) * by.exp();
        odds / (1.0 + odds)
    };
    Estimate { value, low: at(moved(-reach)), high: at(moved(reach)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(trace: u32, weight: f64, duration_ns: u64, error: bool) -> Drawn {
        Drawn { trace, weight, duration_ns, error }
    }

    /// Scenario: everything was kept.
    /// Guarantees: estimates are the truth and intervals have no width.
    #[test]
    fn certainty_has_no_width() {
        let all: Vec<_> = (1..=100).map(|at| drawn(at, 1.0, u64::from(at), at <= 10)).collect();
        let [count, errors, median, high] = estimate(&all).unwrap();
        let exact = |value: f64| Estimate { value, low: value, high: value };
        assert_eq!((count, errors, median, high), (exact(100.0), exact(0.1), exact(50.0), exact(99.0)));
        assert_eq!(estimate(&[]), None);
    }

    /// Scenario: a hundred traces of weight ten, two spans each.
    /// Guarantees: the count's interval is the textbook's: traces are the units, not spans.
    #[test]
    fn traces_are_the_units() {
        let all: Vec<_> = (0..200).map(|at| drawn(at / 2, 10.0, u64::from(at), false)).collect();
        let [count, errors, median, _] = estimate(&all).unwrap();
        assert_eq!((count.value, errors.value), (2000.0, 0.0));
        // Variance 100 · 10 · 9 · 2² = 36 000; the square root's interval is nearly the plain one.
        let plain = Z * 36_000_f64.sqrt();
        assert!(((count.high - count.low) / (2.0 * plain) - 1.0).abs() < 0.02, "{count:?}");
        assert!((student(10.0) - 2.228).abs() < 0.01 && (student(1e9) - Z).abs() < 1e-6);
        assert!(median.low < 99.0 && 100.0 < median.high && 70.0 < median.low, "{median:?}");
    }
}
