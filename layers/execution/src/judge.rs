//! The verdict on an action.
//!
//! Answers whether an action kept its promise, made things worse, or neither. There are three verdicts, not two: what cannot
//! be shown is neither rewarded nor punished. What was measured is held against what would have been without the action,
//! which was forecast when it was decided (see [`homeostat_core::Counterfactual`]); the value before the action would credit it
//! with every load that fell and blame it for every one that grew.

use homeostat_core::actions::Expectation;
use homeostat_core::{ActionRequest, BasisPoints, Counterfactual, Expected, Snapshot, Timestamp, Verdict};

use crate::Measured;

/// The verdict, and what it rests on.
pub(crate) fn judge(request: &ActionRequest, snapshot: &Snapshot, now: Timestamp) -> (Verdict, Measured) {
    let expectation = &request.action.expectation;
    let Some(measure) = expectation.measure() else { return (Verdict::Kept, Measured::default()) };
    // A request of an earlier version carries no forecast, only the value before.
    let plain = || Some(Counterfactual::without_past(request.decided, request.baseline?, None));
    let expected = request.forecast.or_else(plain).map(|made| made.expected(measure, now, measure.load(snapshot)));
    let after = measure.read(snapshot);
    let measured = Measured { after, expected, complaint: None };
    let Some((expected, after)) = expected.zip(after) else { return (Verdict::Inconclusive, measured) };
    (verdict_on(expectation, expected, after), measured)
}

fn verdict_on(expectation: &Expectation, expected: Expected, after: u64) -> Verdict {
    match expectation {
        Expectation::Delivered => Verdict::Kept,
        Expectation::Relieves { by, .. } => relieved(expected, after, *by),
        Expectation::StaysBelow { limit, .. } => stayed(expected, after, *limit),
    }
}

/// More capacity and fewer spans are never taken back, not even when they surely did not help.
fn relieved(expected: Expected, after: u64, by: BasisPoints) -> Verdict {
    let middle = expected.middle();
    let has_fallen = after < expected.low && after <= middle - by.of(middle).min(middle);
    if has_fallen { Verdict::Kept } else { Verdict::Inconclusive }
}

fn stayed(expected: Expected, after: u64, limit: u64) -> Verdict {
    if after <= limit {
        Verdict::Kept
    } else if expected.high < after {
        Verdict::Undone
    } else {
        Verdict::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(low: u64, high: u64) -> Expected {
        Expected { low, high }
    }

    /// Scenario: an action that promises relief of a tenth brings it; brings less than the doubt or less than promised; is
    /// overtaken by growing load; has nothing to relieve; relieves although more was expected.
    /// Guarantees: kept, and else neither: more capacity is never taken back for what grew meanwhile.
    #[test]
    fn relief_is_never_taken_back() {
        let check = |low, high, after, verdict| {
            assert_eq!(relieved(expected(low, high), after, BasisPoints(1000)), verdict);
        };
        check(8500, 9500, 5000, Verdict::Kept);
        check(8500, 9500, 8600, Verdict::Inconclusive);
        check(990, 1010, 950, Verdict::Inconclusive);
        check(6500, 7500, 10_000, Verdict::Inconclusive);
        check(0, 0, 0, Verdict::Inconclusive);
        check(10_000, 10_000, 7000, Verdict::Kept);
    }

    /// Scenario: a measure must stay below 100; it does, it does not and is worse than expected, it would have been above.
    /// Guarantees: kept, taken back, and neither.
    #[test]
    fn three_verdicts_on_a_limit() {
        let check = |low, high, after, verdict| assert_eq!(stayed(expected(low, high), after, 100), verdict);
        check(45, 55, 100, Verdict::Kept);
        check(45, 55, 101, Verdict::Undone);
        check(130, 170, 150, Verdict::Inconclusive);
        check(95, 105, 103, Verdict::Inconclusive);
    }
}
