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
        (Expectation::Relieves { by, .. }, Some(before), Some(after)) => relieved(before, after, *by),
        (Expectation::StaysBelow { limit, .. }, Some(before), Some(after)) => stayed(before, after, *limit),
        // Without both values nothing can be shown.
        (_, None, _) | (_, _, None) => Verdict::Inconclusive,
    }
}

fn relieved(before: u64, after: u64, by: BasisPoints) -> Verdict {
    let has_fallen = after <= before.saturating_sub(by.of(before)) && after < before;
    if has_fallen { Verdict::Kept } else { Verdict::Inconclusive }
}

fn stayed(before: u64, after: u64, limit: u64) -> Verdict {
    if after <= limit {
        Verdict::Kept
    } else if before.saturating_add(NOISE.of(before)) < after {
        Verdict::Undone
    } else {
        Verdict::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: an action that promises relief of a tenth brings it; brings less; is overtaken by growing load; has nothing to
    /// relieve.
    /// Guarantees: kept, and else neither: more capacity is never taken back for what grew meanwhile.
    #[test]
    fn relief_is_never_taken_back() {
        let check = |before, after, verdict| assert_eq!(relieved(before, after, BasisPoints(1000)), verdict);
        check(9000, 5000, Verdict::Kept);
        check(1000, 950, Verdict::Inconclusive);
        check(7000, 10_000, Verdict::Inconclusive);
        check(0, 0, Verdict::Inconclusive);
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
