//! The answer.
//!
//! Answers whether a policy is better or worse than what was done, or why that cannot be told. Doubts come before figures: a
//! tight interval around a value that rests on two decisions, or on decisions that were never taken, is the most dangerous
//! answer of all. The doubts are asked in the order in which they make the next ones meaningless.

use std::fmt;

use crate::evaluation::log::Weighed;
use crate::evaluation::{Evaluation, Interval};

/// Effective episodes below which nothing is told: the intervals rest on the sample's own variance and skewness, and those
/// of fewer heavy-tailed terms than this are not to be trusted.
const EFFECTIVE_MIN: f64 = 100.0;

/// The share of the policy's decisions that the log may know nothing about: what they would earn could move the value by at
/// most a hundredth of the rewards' range.
const UNSUPPORTED_MAX: f64 = 0.01;

/// A propensity below this, where too little is effective, is named as the cause: no floor held it up.
const FLOOR_MIN: f64 = 0.001;

/// Weights average one if the propensities are true; the two-sided 99.9 % point of the normal distribution says when they
/// do not, so that one true log in a thousand is doubted.
const NORMAL_999: f64 = 3.290_526_731_491_926;

/// Nobody logs this many times as long to tell two policies apart.
const LONGER_MAX: f64 = 100.0;

/// Rounding in propensities: weights that are all equal have no spread, and may still miss one by their last digits.
const WEIGHT_TOLERANCE: f64 = 0.005;

/// What can be said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judgement {
    /// The whole interval of the gain is above zero.
    Better,
    /// The whole interval of the gain is below zero.
    Worse,
    /// Neither can be said.
    CannotTell(Doubt),
}

/// Why nothing can be said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doubt {
    /// There are no decisions.
    NothingLogged,
    /// The policy does what the log never did.
    NoOverlap {
        /// The share of its decisions.
        share: f64,
    },
    /// The log's policy had no floor, and a few unlikely decisions outweigh all others.
    NoFloor {
        /// The record with the smallest propensity.
        record: usize,
        /// That propensity.
        propensity: f64,
        /// Episodes that are left, in effect.
        effective: f64,
    },
    /// Too few episodes count.
    TooFewEffective {
        /// How many count, in effect.
        effective: f64,
        /// How many are needed.
        needed: f64,
    },
    /// The weights do not average one, so the propensities are not true or the policy does what the log's could not.
    WeightsOff {
        /// What they average.
        mean: f64,
    },
    /// The interval of the gain contains zero.
    MayBeEither {
        /// That interval.
        gain: Interval,
    },
}

pub(crate) fn judge(evaluation: &Evaluation, weighed: &Weighed<'_>) -> Judgement {
    let gain = evaluation.doubly_robust.gain;
    match doubt(evaluation, weighed) {
        Some(doubt) => Judgement::CannotTell(doubt),
        None if 0.0 < gain.low => Judgement::Better,
        None if gain.high < 0.0 => Judgement::Worse,
        None => Judgement::CannotTell(Doubt::MayBeEither { gain }),
    }
}

fn doubt(evaluation: &Evaluation, weighed: &Weighed<'_>) -> Option<Doubt> {
    let propensities = weighed.log.iter().map(|decision| decision.propensity).enumerate();
    let Some((record, propensity)) = propensities.min_by(|one, other| one.1.total_cmp(&other.1)) else {
        return Some(Doubt::NothingLogged);
    };
    if UNSUPPORTED_MAX < evaluation.unsupported {
        return Some(Doubt::NoOverlap { share: evaluation.unsupported });
    }
    let effective = evaluation.effective;
    if effective < EFFECTIVE_MIN && propensity < FLOOR_MIN {
        return Some(Doubt::NoFloor { record, propensity, effective });
    }
    if effective < EFFECTIVE_MIN {
        return Some(Doubt::TooFewEffective { effective, needed: EFFECTIVE_MIN });
    }
    let mean = Interval::at(&weighed.weights(), NORMAL_999);
    let off = !mean.contains(1.0) && WEIGHT_TOLERANCE < (mean.mean - 1.0).abs();
    off.then_some(Doubt::WeightsOff { mean: mean.mean })
}

impl Evaluation {
    /// What would make it possible to tell; nothing where it was told.
    pub fn advice(&self) -> Option<String> {
        let Judgement::CannotTell(doubt) = self.judgement else { return None };
        let times = |factor: f64| format!("a log {:.1} times as long with the same exploration", factor.max(1.1));
        Some(match doubt {
            Doubt::NothingLogged => {
                "let the agent explore (spec.automation.exploration) and log at least some hundred episodes".to_owned()
            }
            Doubt::NoOverlap { .. } => "explore until the log has tried what this policy does, with a least probability of \
                 some percent for every option; what no policy ever proposed cannot be learned from a log"
                .to_owned(),
            Doubt::NoFloor { .. } => "raise the least probability (spec.automation.exploration) to some percent and log \
                 anew: no length makes up for decisions that were hardly ever taken"
                .to_owned(),
            Doubt::TooFewEffective { effective, needed } => {
                format!("{}, or the same length with more exploration", times(needed / effective.max(1.0)))
            }
            Doubt::WeightsOff { .. } => {
                "find out whether this journal was written by another version: its probabilities are not those drawn from"
                    .to_owned()
            }
            Doubt::MayBeEither { gain } => {
                let half = (gain.high - gain.low) / 2.0;
                // Intervals shrink with the root of the log's length.
                let factor = (half / gain.mean.abs().max(f64::MIN_POSITIVE)).powi(2);
                match factor < LONGER_MAX {
                    true => format!("{}, if the gain is what it seems", times(factor)),
                    false => "nothing: both do about the same, as far as can be seen".to_owned(),
                }
            }
        })
    }
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Judgement::Better => f.write_str("better"),
            Judgement::Worse => f.write_str("worse"),
            Judgement::CannotTell(doubt) => write!(f, "cannot tell: {doubt}"),
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doubt::NothingLogged => f.write_str("nothing was logged"),
            Doubt::NoOverlap { share } => {
                write!(f, "{:.1} % of the policy's decisions are none that the log could have taken", share * 100.0)
            }
            Doubt::NoFloor { record, propensity, effective } => write!(
                f,
                "propensities have no floor (record {record} has {propensity}), and {effective:.0} episodes are left in effect"
            ),
            Doubt::TooFewEffective { effective, needed } => {
                write!(f, "{effective:.0} episodes count in effect, and {needed:.0} are needed")
            }
            Doubt::WeightsOff { mean } => {
                write!(f, "the weights average {mean:.3} instead of 1, so the propensities cannot be true")
            }
            Doubt::MayBeEither { gain } => write!(f, "the gain is {gain}, which may be either"),
        }
    }
}
