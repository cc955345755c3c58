//! What is believed of rewards.
//!
//! Answers what an option is worth and how sure that is: the posterior of a linear regression with a normal prior. Does not
//! choose. The spread of rewards is a constant rather than an estimate, because rewards are bounded and an estimate from a few
//! trials would now and then be far too sure of itself.

use homeostat_core::{FEATURES, Features, LinearSums};

use crate::linear::{Factor, dot, triangle};

/// How strongly coefficients are held to zero: as if one choice of each feature had earned nothing.
const PRIOR: f64 = 1.0;

/// The spread of a reward around its expectation: rewards go from minus one to one, and most are within half.
pub(crate) const SPREAD: f64 = 0.5;

/// Normal with mean `A⁻¹ b` and covariance `SPREAD² A⁻¹`, where `A` is the sum of squares plus the prior.
pub(crate) struct Posterior {
    factor: Factor,
    mean: Vec<f64>,
}

/// Features from zero to one.
pub(crate) fn scaled(features: &Features) -> [f64; FEATURES] {
    features.0.map(|feature| f64::from(feature) / 10_000.0)
}

impl Posterior {
    /// From sums that have been checked; none if no regression can have them.
    pub(crate) fn of(sums: &LinearSums) -> Option<Posterior> {
        let unit = |sum: i64| sum as f64 / LinearSums::UNIT as f64;
        let element = |i: usize, j: usize| unit(sums.gram[triangle(i) + j]) + if i == j { PRIOR } else { 0.0 };
        let factor = Factor::of(FEATURES, element)?;
        let vector: Vec<f64> = sums.vector.iter().map(|sum| unit(*sum)).collect();
        let mean = factor.solve(&vector);
        mean.iter().all(|value| value.is_finite()).then_some(Posterior { factor, mean })
    }

    /// What an option is expected to earn.
    pub(crate) fn expected(&self, option: &[f64; FEATURES]) -> f64 {
        dot(option, &self.mean)
    }

    /// The standard deviation of that.
    pub(crate) fn deviation(&self, option: &[f64; FEATURES]) -> f64 {
        let half = self.factor.forward(option);
        SPREAD * dot(&half, &half).sqrt()
    }

    /// What a sum of features earns at least, `quantile` deviations below what is expected.
    pub(crate) fn lower(&self, features: &[f64; FEATURES], quantile: f64) -> f64 {
        self.expected(features) - quantile * self.deviation(features)
    }

    /// The factor of the precision, and the mean.
    #[cfg(test)]
    pub(crate) fn parts(&self) -> (&Factor, &[f64]) {
        (&self.factor, &self.mean)
    }
}
