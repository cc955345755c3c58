//! Self-normalised inverse propensity scores.
//!
//! Answers with `V = Σ w R / Σ w`, where `R` is what an episode earned and `w` its weight (Swaminathan and Joachims, The
//! self-normalized estimator for counterfactual learning, 2015). Never leaves the range of the rewards, and is biased only by
//! the order of 1/n. It is a ratio, so its terms are those of the delta method, `V + w (R − V) / w̄`: their mean is V itself,
//! and their spread is that of V.

use crate::evaluation::log::Weighed;

pub(crate) fn terms(weighed: &Weighed<'_>) -> Vec<f64> {
    let (weights, rewards) = (weighed.weights(), weighed.rewards());
    let sum: f64 = weights.iter().sum();
    if sum == 0.0 {
        // The policy would have done nothing of what was done: the log says nothing about it, and the doubts say that.
        return vec![0.0; weights.len()];
    }
    let pairs = || weights.iter().zip(&rewards);
    let value = pairs().map(|(weight, reward)| weight * reward).sum::<f64>() / sum;
    let mean = sum / weights.len() as f64;
    pairs().map(|(weight, reward)| value + weight * (reward - value) / mean).collect()
}
