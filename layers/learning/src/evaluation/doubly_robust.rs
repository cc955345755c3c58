//! The doubly robust estimator.
//!
//! Answers with the mean of `Σₐ π(a) q̂(a) + w (r − q̂(taken))`: the prediction for the policy, corrected by what the
//! prediction got wrong (Dudík, Langford, Li, Doubly robust policy evaluation and learning, 2011). Right if the propensities
//! or the predictions are right; ours are known propensities, so the predictions only make it less uncertain. The predictions
//! for a record come from a model that has not seen it, so that the terms stay independent given the model.

use crate::evaluation::direct::RewardModel;
use crate::evaluation::log::{Answer, LoggedDecision, Weighed};

pub(crate) fn terms(weighed: &Weighed<'_>, model: &RewardModel) -> Vec<f64> {
    let term = |(record, (decision, answer)): (usize, (&LoggedDecision, &Answer))| {
        let predicted = model.of_policy(record, decision, answer);
        predicted + answer.weight * model.residual(record, decision)
    };
    weighed.pairs().enumerate().map(term).collect()
}
