//! Who gets how much of a budget that does not suffice.
//!
//! Answers with which probability each claim is met. Does not know services or operations. Claims are served class by class,
//! the most important first: a person who calls one thing critical and another normal wants the first known before the second
//! is looked at, and can be told so in a sentence; weights would make every precision depend on everybody's traffic. Each class
//! leaves a tenth of what it finds to those below it, because without a picture of the normal nobody can tell what is not.
//! Within a class all are cut by one factor. What is left when every claim is met is shared at one level.

use homeostat_core::{Importance, SamplingProbability};

/// What a class leaves to those below it, as a divisor of what it finds.
const LEFT_TO_OTHERS: u64 = 10;

/// What one stream of spans asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// How much it matters.
    pub class: Importance,
    /// The probability it needs.
    pub need: SamplingProbability,
    /// Its ordinary spans, in thousandths per second.
    pub ordinary_milli: u64,
}

impl Claim {
    fn costs(&self, probability: SamplingProbability) -> u64 {
        part(probability, self.ordinary_milli)
    }
}

/// This share of `whole`.
pub fn part(probability: SamplingProbability, whole: u64) -> u64 {
    (u128::from(whole) * u128::from(probability.ppm()) / 1_000_000) as u64
}

/// A probability for each claim, none below `floor`; together they keep at most `budget_milli`, floors aside.
pub fn allot(claims: &[Claim], budget_milli: u64, floor: SamplingProbability) -> Vec<SamplingProbability> {
    let needed: u64 = claims.iter().map(|claim| claim.costs(claim.need)).sum();
    if needed <= budget_milli {
        let level = level(claims, budget_milli);
        return claims.iter().map(|claim| level.max(claim.need).max(floor)).collect();
    }
    let granted = grants(claims, budget_milli);
    let cut = |claim: &Claim| {
        let (granted, needed) = granted[claim.class as usize];
        // A class that has next to no spans costs nothing and is not cut.
        if needed <= granted { claim.need.max(floor) } else { scale(claim.need, granted, needed).max(floor) }
    };
    claims.iter().map(cut).collect()
}

/// What each class gets, and what it asked for, in the order of [`Importance`].
fn grants(claims: &[Claim], budget_milli: u64) -> [(u64, u64); Importance::FIRST_TO_LAST.len()] {
    let mut grants = [(0, 0); Importance::FIRST_TO_LAST.len()];
    for claim in claims {
        grants[claim.class as usize].1 += claim.costs(claim.need);
    }
    let (mut left, mut below) = (budget_milli, grants.iter().map(|(_, needed)| *needed).sum::<u64>());
    for class in Importance::FIRST_TO_LAST {
        let (granted, needed) = &mut grants[class as usize];
        below -= *needed;
        *granted = (*needed).min(left - below.min(left / LEFT_TO_OTHERS));
        left -= *granted;
    }
    grants
}

/// The highest probability that all claims can have. Bisection over a million takes twenty steps.
fn level(claims: &[Claim], budget_milli: u64) -> SamplingProbability {
    let keeps =
        |level: SamplingProbability| -> u64 { claims.iter().map(|claim| claim.costs(level.max(claim.need))).sum() };
    let (mut low, mut high) = (0_u64, 1_000_000_u64);
    while low < high {
        let middle = (low + high).div_ceil(2);
        let fits = keeps(SamplingProbability::from_ppm_saturating(middle)) <= budget_milli;
        (low, high) = if fits { (middle, high) } else { (low, middle - 1) };
    }
    SamplingProbability::from_ppm_saturating(low)
}

/// `numerator` / `denominator` of a probability, rounded down.
pub(super) fn scale(probability: SamplingProbability, numerator: u64, denominator: u64) -> SamplingProbability {
    let ppm = u128::from(probability.ppm()) * u128::from(numerator) / u128::from(denominator.max(1));
    SamplingProbability::from_ppm_saturating(u64::try_from(ppm).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ppm(ppm: u64) -> SamplingProbability {
        SamplingProbability::from_ppm_saturating(ppm)
    }

    fn claim(class: Importance, need: u64, spans: u64) -> Claim {
        Claim { class, need: ppm(need), ordinary_milli: spans * 1000 }
    }

    fn tails(claims: &[Claim], budget: u64) -> Vec<u32> {
        allot(claims, budget * 1000, ppm(100)).iter().map(|tail| tail.ppm()).collect()
    }

    /// Scenario: a critical journey needs 80 of 100 spans/s, a normal one all of its 100, a low one all of its 100.
    /// Guarantees: with 100 the critical one is met, the normal one gets 90 % of the rest, the low one what is left; with 50 the
    /// critical one is cut, and still a tenth is left to the others.
    #[test]
    fn the_important_is_met_first() {
        let claims = [
            claim(Importance::Low, 1_000_000, 100),
            claim(Importance::Critical, 800_000, 100),
            claim(Importance::Normal, 1_000_000, 100),
        ];
        assert_eq!(tails(&claims, 100), [20_000, 800_000, 180_000]);
        assert_eq!(tails(&claims, 50), [5000, 450_000, 45_000]);
    }

    /// Scenario: claims of one class need twice the budget; the budget is more than all need.
    /// Guarantees: all are halved; and what is left over is shared at one level.
    #[test]
    fn equals_are_treated_alike() {
        let claims = [claim(Importance::Normal, 400_000, 100), claim(Importance::Normal, 200_000, 100)];
        assert_eq!(tails(&claims, 30), [200_000, 100_000]);
        let [met, shared] = tails(&claims, 70)[..] else { panic!("two claims") };
        // A level is found to within a thousandth of a span.
        assert_eq!((met, shared / 100), (400_000, 3000));
        assert_eq!(tails(&claims, 1000), [1_000_000, 1_000_000]);
    }

    /// Scenario: the budget does not suffice, and one service sends nothing at present.
    /// Guarantees: it keeps what it needs, so that it is known when it begins to send.
    #[test]
    fn what_costs_nothing_is_not_cut() {
        let claims = [claim(Importance::Normal, 300_000, 0), claim(Importance::Low, 1_000_000, 100)];
        assert_eq!(tails(&claims, 50), [300_000, 500_000]);
    }

    fn claims() -> impl Strategy<Value = Vec<Claim>> {
        let class = (0..4_usize).prop_map(|index| Importance::FIRST_TO_LAST[index]);
        let one = (class, 0..=1_000_000_u64, 0..1_000_000_u64);
        let one = one.prop_map(|(class, need, spans)| claim(class, need, spans));
        proptest::collection::vec(one, 0..12)
    }

    proptest! {
        /// Scenario: any claims, any two budgets.
        /// Guarantees: what is kept stays within the budget, floors aside; every probability lies between floor and one; and a
        /// larger budget gives nobody less.
        #[test]
        fn more_budget_is_never_less(claims in claims(), one in 0..3_000_000_u64, other in 0..3_000_000_u64) {
            let (small, large) = (one.min(other) * 1000, one.max(other) * 1000);
            let floor = ppm(100);
            let (less, more) = (allot(&claims, small, floor), allot(&claims, large, floor));
            let above_floor = claims.iter().zip(&less).filter(|(_, tail)| floor < **tail);
            let kept: u64 = above_floor.map(|(claim, tail)| claim.costs(*tail)).sum();
            prop_assert!(kept <= small, "{kept} of {small}");
            prop_assert!(less.iter().all(|tail| floor <= *tail));
            // A class of many millions of spans is scaled in parts per million: one may be lost to rounding.
            prop_assert!(less.iter().zip(&more).all(|(less, more)| less.ppm() <= more.ppm() + 1), "{less:?} {more:?}");
        }

        /// Scenario: any claims that do not fit.
        /// Guarantees: if a class is cut, every class below it gets at most its tenth: nothing goes past the more important.
        #[test]
        fn nothing_goes_past_the_more_important(claims in claims(), budget in 0..3_000_000_u64) {
            let grants = grants(&claims, budget * 1000);
            let mut left = budget * 1000;
            for class in Importance::FIRST_TO_LAST {
                let (granted, needed) = grants[class as usize];
                if granted < needed {
                    prop_assert!(left - granted <= left / LEFT_TO_OTHERS);
                }
                left -= granted;
            }
        }
    }
}
