//! The verdict on an action.
//!
//! Answers whether an action kept its promise, made things worse, or neither. There are three verdicts, not two: what cannot
//! be shown is neither rewarded nor punished. Compares with the value before the action, which is right for the short settle
//! times used here; a forecast of what would have happened anyway is not known in this room.

use homeostat_core::actions::Expectation;
use homeostat_core::{ActionRequest, BasisPoints, Snapshot, Verdict};

/// A change smaller than this share of the value before is noise.
const NOISE: BasisPoints = BasisPoints(500);

/// The verdict, and the promised measure as it is now.
pub(crate) fn judge(request: &ActionRequest, snapshot: &Snapshot) -> (Verdict, Option<u64>) {
    let expectation = &request.action.expectation;
    let after = expectation.measure().and_then(|measure| measure.read(snapshot));
    (verdict_on(expectation, (request.baseline, after)), after)
}

fn verdict_on(expectation: &Expectation, (before, after): (Option<u64>, Option<u64>)) -> Verdict {
    match (expectation, before, after) {
        (Expectation::Delivered, _, _) => Verdict::Kept,
        (Expectation::Improves { by, .. }, Some(before), Some(after)) => improved(before, after, *by),
        (Expectation::Relieves { by, .. }, Some(before), Some(after)) => match improved(before, after, *by) {
            Verdict::Undone => Verdict::Inconclusive,
            verdict => verdict,
        },
        (Expectation::StaysBelow { limit, .. }, Some(before), Some(after)) => stayed(before, after, *limit),
        // Without both values nothing can be shown.
        (_, None, _) | (_, _, None) => Verdict::Inconclusive,
    }
}

fn improved(before: u64, after: u64, by: BasisPoints) -> Verdict {
    if after <= before - by.of(before) && after < before {
        Verdict::Kept
    } else if before + by.of(before).max(1) <= after {
        Verdict::Undone
    } else {
        Verdict::Inconclusive
    }
}

fn stayed(before: u64, after: u64, limit: u64) -> Verdict {
    if after <= limit {
        Verdict::Kept
    } else if before + NOISE.of(before) < after {
        Verdict::Undone
    } else {
        Verdict::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a measure halves, falls a little, stays, rises; with a promise of a tenth.
    /// Guarantees: only a fall of the promised size counts as kept, only a rise of that size is taken back.
    #[test]
    fn three_verdicts_on_an_improvement() {
        let check = |before, after, verdict| assert_eq!(improved(before, after, BasisPoints(1000)), verdict);
        check(1000, 500, Verdict::Kept);
        check(1000, 950, Verdict::Inconclusive);
        check(1000, 1000, Verdict::Inconclusive);
        check(1000, 1100, Verdict::Undone);
        check(0, 0, Verdict::Inconclusive);
        check(0, 1, Verdict::Undone);
    }

    /// Scenario: an action that should relieve does; does nothing; is overtaken by growing load.
    /// Guarantees: kept, and twice neither: more capacity is never taken back for what grew meanwhile.
    #[test]
    fn relief_is_never_taken_back() {
        let check = |before, after, verdict| {
            let measured = (Some(before), Some(after));
            assert_eq!(verdict_on(&relieves(), measured), verdict);
        };
        check(9000, 5000, Verdict::Kept);
        check(9000, 9000, Verdict::Inconclusive);
        check(7000, 10_000, Verdict::Inconclusive);
    }

    fn relieves() -> Expectation {
        Expectation::Relieves { measure: homeostat_core::actions::Measure::SpansKeptByChance, by: BasisPoints(1000) }
    }

    /// Scenario: a measure must stay below 100; it does, it does not and is worse than before, it was above already.
    /// Guarantees: kept, taken back, and neither.
    #[test]
    fn three_verdicts_on_a_limit() {
        let check = |before, after, verdict| assert_eq!(stayed(before, after, 100), verdict);
        check(50, 100, Verdict::Kept);
        check(50, 101, Verdict::Undone);
        check(150, 150, Verdict::Inconclusive);
    }
}
