//! Off-policy evaluation.
//!
//! Answers how much better or worse another policy would have done than what was done, from logged decisions alone, how sure
//! that is, and whether it can be told at all. Does not run the policy and does not know where the decisions come from. The
//! obvious alternative, the mean reward of those decisions in which both agree, answers for the wrong contexts: agreement
//! depends on the context, and so does the reward.
//!
//! **The unit is the episode**: decisions of which one may change what the next one meets. A decision in it counts by the
//! product of all weights up to it, because the other policy would have come there only by its own earlier decisions
//! (Precup, Sutton, Singh, Eligibility traces for off-policy policy evaluation, 2000). A value is what an episode earns in
//! all. Taking such decisions for independent answers for states that the other policy would never have reached, with
//! intervals that are too narrow; `homeostat bench evaluation` shows both against the truth.
//!
//! Every estimator is the mean of one term per episode, so all share one interval (see [`Interval`]), which is robust to
//! anything that goes on within an episode, and one comparison with what was done: the mean of the terms less the rewards,
//! episode by episode. The doubly robust estimator was named before any figure was seen as the one that judges; taking
//! whichever estimator pleases most would not be a 95 % interval.
//!
//! It assumes that the logged propensities are true and that episodes do not influence each other. Where the log's policy
//! learns from one to the next, the terms are martingale differences, and the intervals hold as their number grows, as
//! long as the propensities have a floor.

mod direct;
mod doubly_robust;
mod interval;
mod ips;
mod journal;
mod judgement;
mod log;
mod snips;
mod switch;

pub use interval::Interval;
pub use journal::{ChoicePolicy, JournalLog, Named};
pub use judgement::{Doubt, Judgement};
pub use log::{Arm, BadRecord, Flaw, LoggedDecision};

use crate::evaluation::direct::RewardModel;
use crate::evaluation::log::Weighed;

/// The policy to evaluate: the probability of each offered arm, in the order offered, at a record given by its place.
pub type EvaluatedPolicy<'a> = &'a dyn Fn(usize, &LoggedDecision) -> Vec<f64>;

/// What one estimator says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What the policy earns in an episode, on average.
    pub value: Interval,
    /// How much more than what was done.
    pub gain: Interval,
}

/// What can be told of a policy from a log.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Decisions in the log.
    pub decisions: usize,
    /// Episodes they belong to.
    pub episodes: usize,
    /// What was earned in an episode, on average.
    pub done: Interval,
    /// Inverse propensity scores: unbiased, and the most uncertain.
    pub ips: Estimate,
    /// Self-normalised: hardly biased, and immune to a shift of all rewards.
    pub snips: Estimate,
    /// Doubly robust: unbiased, and the less uncertain the better rewards can be predicted. The one that judges.
    pub doubly_robust: Estimate,
    /// Switched to the prediction where weights are large: less uncertain, and biased where the prediction is wrong, which
    /// its interval does not contain.
    pub switch: Estimate,
    /// How many episodes of the policy itself would tell as much: (Σw)² / Σw² (Kish, 1965).
    pub effective: f64,
    /// The largest importance weight.
    pub weight_max: f64,
    /// The share of the policy's decisions that the log's policy could not have taken or never took.
    pub unsupported: f64,
    /// The answer.
    pub judgement: Judgement,
}

/// Evaluates `policy` on `log`.
///
/// # Errors
/// The first record that cannot be believed, or for which the policy gives no probabilities.
pub fn evaluate(log: &[LoggedDecision], policy: EvaluatedPolicy<'_>) -> Result<Evaluation, BadRecord> {
    let weighed = Weighed::of(log, policy)?;
    let rewards = weighed.rewards();
    let model = RewardModel::cross_fitted(&weighed);
    let estimate = |terms: Vec<f64>| Estimate::of(&terms, &rewards);
    let mut evaluation = Evaluation {
        decisions: log.len(),
        episodes: weighed.episodes.len(),
        done: Interval::of_mean(&rewards),
        ips: estimate(ips::terms(&weighed)),
        snips: estimate(snips::terms(&weighed)),
        doubly_robust: estimate(doubly_robust::terms(&weighed, &model)),
        switch: estimate(switch::terms(&weighed, &model, switch::limit(weighed.episodes.len()))),
        effective: weighed.effective(),
        weight_max: weighed.weights().into_iter().fold(0.0, f64::max),
        unsupported: weighed.unsupported(),
        judgement: Judgement::CannotTell(Doubt::NothingLogged),
    };
    evaluation.judgement = judgement::judge(&evaluation, &weighed);
    Ok(evaluation)
}

impl Estimate {
    fn of(terms: &[f64], rewards: &[f64]) -> Estimate {
        let gains: Vec<f64> = terms.iter().zip(rewards).map(|(term, reward)| term - reward).collect();
        Estimate { value: Interval::of_mean(terms), gain: Interval::of_mean(&gains) }
    }
}

#[cfg(test)]
mod tests;
