//! Inverse propensity scores.
//!
//! Answers with the mean of `Σ w r` over an episode's decisions: each reward counts as often as the policy would have earned it
//! (Horvitz and Thompson, 1952). Unbiased whenever the policy does only what the log's could have done. The most uncertain of
//! all, because it believes nothing but the weights; a shift of all rewards changes its uncertainty.

use crate::evaluation::log::Weighed;

pub(crate) fn terms(weighed: &Weighed<'_>) -> Vec<f64> {
    weighed.per_episode(|(decision, answer)| answer.weight * decision.reward)
}
