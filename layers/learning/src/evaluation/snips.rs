//! Self-normalised inverse propensity scores.
//!
//! Answers with `V = Σ w r / Σ w` (Swaminathan and Joachims, The self-normalized estimator for counterfactual learning, 2015).
//! Never leaves the range of the rewards, and is biased only by the order of 1/n. It is a ratio, so its terms are those of
//! the delta method, `V + w (r − V) / w̄`: their mean is V itself, and their spread is that of V.

use crate::evaluation::log::Weighed;

pub(crate) fn terms(weighed: &Weighed<'_>) -> Vec<f64> {
    let weights: f64 = weighed.weights().sum();
    if weights == 0.0 {
        // The policy would have done nothing of what was done: the log says nothing about it, and the doubts say that.
        return vec![0.0; weighed.log.len()];
    }
    let value = weighed.pairs().map(|(decision, answer)| answer.weight * decision.reward).sum::<f64>() / weights;
    let mean = weights / weighed.log.len() as f64;
    weighed.pairs().map(|(decision, answer)| value + answer.weight * (decision.reward - value) / mean).collect()
}
