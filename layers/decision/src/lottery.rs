//! From a learner's answer to one option.
//!
//! Answers with which probabilities the options of a choice are drawn, and which is. A learner is believed no further than
//! that: whatever it says, NaN and nonsense included, the result is a distribution in whole basis points that sums to one,
//! in which every option has the floor. The draw is made from those whole basis points, so what is journalled is exactly what
//! was drawn from.

use homeostat_core::{BasisPoints, Label, Stream};
use rand::Rng;

/// One, in basis points.
const ONE: u64 = 10_000;

/// Said where a learner's answer is none.
const NO_DISTRIBUTION: Label = Label::new("the learner gave no distribution");

/// With which probability each of `weights` is taken, at least `floor`; or why the answer cannot be used.
pub(crate) fn probabilities(weights: &[f64], options: usize, floor: BasisPoints) -> Result<Vec<BasisPoints>, Label> {
    let sum: f64 = weights.iter().sum();
    let good = |weight: &f64| weight.is_finite() && 0.0 <= *weight;
    if weights.len() != options || !weights.iter().all(good) || !sum.is_finite() || sum <= 0.0 {
        return Err(NO_DISTRIBUTION);
    }
    // More options than the floor allows would leave nothing to choose with: then all floors together take half.
    let floor = u64::from(floor.0).min(ONE / (2 * options as u64)).max(1);
    let free = ONE - floor * options as u64;
    let mut shares: Vec<u64> = weights.iter().map(|weight| (weight / sum * free as f64) as u64).collect();
    // Rounding leaves at most one basis point per option, and it goes to the most likely.
    let given = shares.iter().sum::<u64>().min(free);
    let most = (0..options).fold(0, |most, index| if shares[most] < shares[index] { index } else { most });
    shares[most] += free - given;
    Ok(shares.into_iter().map(|share| BasisPoints((floor + share) as u32)).collect())
}

/// All probability on one option.
pub(crate) fn certain(option: usize, options: usize) -> Vec<BasisPoints> {
    (0..options).map(|index| if index == option { BasisPoints::ONE } else { BasisPoints(0) }).collect()
}

/// The option on which the draw falls.
pub(crate) fn draw(probabilities: &[BasisPoints], stream: &mut Stream) -> usize {
    // 2⁶⁴ is not a multiple of ten thousand; the first remainders are more likely by 5 in 10¹⁶.
    let mut rest = stream.next_u64() % ONE;
    for (option, probability) in probabilities.iter().enumerate() {
        let width = u64::from(probability.0);
        if rest < width {
            return option;
        }
        rest -= width;
    }
    unreachable!("probabilities sum to one")
}

#[cfg(test)]
mod tests {
    use homeostat_core::Seed;

    use super::*;

    /// Scenario: answers that lean, are one-sided, tiny, huge, or for a thousand options.
    /// Guarantees: whole basis points that sum to one, every option with its floor, none beyond what was asked plus floor.
    #[test]
    fn every_option_has_its_floor() {
        let check = |weights: &[f64], least: u32| {
            let found = probabilities(weights, weights.len(), BasisPoints(100)).unwrap();
            assert_eq!(found.iter().map(|p| p.0).sum::<u32>(), 10_000, "{weights:?}");
            assert!(found.iter().all(|p| least <= p.0), "{weights:?}: {found:?}");
        };
        check(&[1.0, 3.0], 100);
        check(&[0.0, 1.0, 0.0], 100);
        check(&[1e-300, 1e-300], 100);
        check(&[f64::MIN_POSITIVE, 0.0], 100);
        check(&[0.3; 1000], 5);
        assert_eq!(probabilities(&[1.0, 3.0], 2, BasisPoints(100)).unwrap(), [BasisPoints(2550), BasisPoints(7450)]);
    }

    /// Scenario: answers with NaN, infinity, negative weights, nothing but zeros, too few, too many, and a sum that overflows.
    /// Guarantees: none is drawn from.
    #[test]
    fn nonsense_is_no_distribution() {
        let answers: [&[f64]; 7] =
            [&[f64::NAN, 1.0], &[f64::INFINITY, 1.0], &[-1.0, 2.0], &[0.0, 0.0], &[1.0], &[1.0; 3], &[f64::MAX; 2]];
        for answer in answers {
            assert_eq!(probabilities(answer, 2, BasisPoints(100)), Err(NO_DISTRIBUTION), "{answer:?}");
        }
    }

    /// Scenario: ten thousand draws from one stream, and the same again.
    /// Guarantees: each option is drawn as often as its probability says, and the same seed gives the same draws.
    #[test]
    fn draws_follow_the_probabilities() {
        let probabilities = [BasisPoints(100), BasisPoints(9000), BasisPoints(900)];
        let draws = || {
            let mut stream = Seed(1).stream("tests/lottery");
            (0..10_000).map(|_| draw(&probabilities, &mut stream)).collect::<Vec<_>>()
        };
        let counts = |option| draws().into_iter().filter(|drawn| *drawn == option).count();
        assert_eq!(draws(), draws());
        // Four standard deviations of a binomial count: 40, 120, 114.
        assert!((60..=140).contains(&counts(0)) && (8880..=9120).contains(&counts(1)), "{} {}", counts(0), counts(1));
        assert_eq!(draw(&certain(2, 3), &mut Seed(1).stream("x")), 2);
    }
}
