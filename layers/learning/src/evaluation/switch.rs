//! The switch estimator.
//!
//! Answers like the doubly robust one, but does not correct a prediction by a decision whose weight exceeds a limit (Wang,
//! Agarwal, Dudík, Optimal and adaptive off-policy evaluation in contextual bandits, 2017). Less uncertain where few
//! weights are huge, and biased there by what the prediction gets wrong. The limit is √n, so that the bias vanishes as the log
//! grows (the argument of Ionides, Truncated importance sampling, 2008); choosing it by the data would need the bias, which
//! is not known. It is shown for comparison and never judges.

use crate::evaluation::direct::RewardModel;
use crate::evaluation::log::Weighed;

/// The largest weight by which a prediction is corrected, in a log of so many episodes.
pub(crate) fn limit(episodes: usize) -> f64 {
    (episodes as f64).sqrt()
}

pub(crate) fn terms(weighed: &Weighed<'_>, model: &RewardModel, limit: f64) -> Vec<f64> {
    weighed.per_episode(|(decision, answer)| {
        let predicted = answer.before.min(limit.max(1.0)) * model.of_policy(decision, answer);
        if answer.weight <= limit { predicted + answer.weight * model.residual(decision, answer) } else { predicted }
    })
}
