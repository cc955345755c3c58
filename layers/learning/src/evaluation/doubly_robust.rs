//! The doubly robust estimator.
//!
//! Answers with the mean over episodes of `Σ (w′ Σₐ π(a) q̂(a) + w (r − q̂(taken)))`, where `w` is the weight up to a decision
//! and `w′` that before it: the prediction for the policy, corrected by what the prediction got wrong (Dudík, Langford, Li,
//! Doubly robust policy evaluation and learning, 2011; for episodes Jiang and Li, Doubly robust off-policy value evaluation,
//! 2016). Right if the propensities or the predictions are right; ours are known propensities, so the predictions only make
//! it less uncertain. Only the reward of a decision is predicted, not what follows it. The predictions for an episode come
//! from a model that has not seen it, so that the terms stay independent given the model.

use crate::evaluation::direct::RewardModel;
use crate::evaluation::log::Weighed;

pub(crate) fn terms(weighed: &Weighed<'_>, model: &RewardModel) -> Vec<f64> {
    weighed.per_episode(|(decision, answer)| {
        answer.before * model.of_policy(decision, answer) + answer.weight * model.residual(decision, answer)
    })
}
