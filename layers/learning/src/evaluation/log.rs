//! Logged decisions, checked and weighed.
//!
//! Answers what a record must be to be believed, and how much each counts for another policy. Does not estimate anything. A
//! bad record stops the evaluation instead of being left out: which records are bad is seldom independent of the rewards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::evaluation::EvaluatedPolicy;
use crate::linear;

/// Features of a context: as many as a linear system may have rows, less the constant.
pub(crate) const FEATURES_MAX: usize = linear::ROWS_MAX - 1;

/// Arms offered at once; more than a tick has proposals for one target.
pub(crate) const OFFERED_MAX: usize = 1024;

/// Features and rewards beyond this are not believed; below it, no sum of weighted cubes overflows.
pub(crate) const MAGNITUDE_MAX: f64 = 1e9;

/// Propensities below this are not believed: no log is long enough to have seen one.
pub(crate) const PROPENSITY_MIN: f64 = 1e-9;

/// Weights of whole episodes beyond this are held here; a log in which one occurs is doubted in any case.
const WEIGHT_MAX: f64 = 1e18;

/// How far from one the probabilities of a policy may sum: room for rounding to six digits.
const SUM_TOLERANCE: f64 = 1e-6;

/// Something that could be done. The number is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arm(pub u32);

impl fmt::Display for Arm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arm {}", self.0)
    }
}

/// One decision and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedDecision {
    /// The episode it belongs to; the number is the caller's. Decisions of one episode stand in the order in which they were made,
    /// and may influence the later ones of that episode and no others.
    pub episode: u64,
    /// What was known.
    pub context: Vec<f64>,
    /// What could be done.
    pub offered: Vec<Arm>,
    /// What was done.
    pub taken: Arm,
    /// With which probability it was chosen.
    pub propensity: f64,
    /// What came of it; more is better.
    pub reward: f64,
}

/// A record that cannot be used, by its place in the log, from zero.
#[derive(Clone, Debug, PartialEq)]
pub struct BadRecord {
    /// Which.
    pub record: usize,
    /// What is wrong with it.
    pub flaw: Flaw,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Flaw {
    /// Its context has another number of features than the first, or too many.
    ContextLength {
        /// How many it should have, or may have at most.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A feature is not finite, or beyond what is believed.
    Feature {
        /// Which.
        index: usize,
        /// Its value.
        value: f64,
    },
    /// It offers nothing, or more than is believed.
    Offered(
        /// How many arms.
        usize,
    ),
    /// It offers an arm twice.
    OfferedTwice(Arm),
    /// The arm taken was not offered.
    TakenNotOffered(Arm),
    /// The propensity is no probability above zero.
    Propensity(f64),
    /// The reward is not finite, or beyond what is believed.
    Reward(f64),
    /// The evaluated policy gave another number of probabilities than arms were offered.
    PolicyLength {
        /// Arms offered.
        offered: usize,
        /// Probabilities given.
        given: usize,
    },
    /// The evaluated policy gave something that is no probability.
    PolicyProbability {
        /// For which arm.
        arm: Arm,
        /// What it gave.
        value: f64,
    },
    /// The evaluated policy's probabilities do not sum to one.
    PolicySum(f64),
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}: ", self.record)?;
        match self.flaw {
            Flaw::ContextLength { expected, found } => write!(f, "has {found} features instead of {expected}"),
            Flaw::Feature { index, value } => write!(f, "feature {index} is {value}, not a number to reckon with"),
            Flaw::Offered(count) => write!(f, "offers {count} arms, not 1 to {OFFERED_MAX}"),
            Flaw::OfferedTwice(arm) => write!(f, "offers {arm} twice"),
            Flaw::TakenNotOffered(arm) => write!(f, "{arm} was taken but not offered"),
            Flaw::Propensity(value) => write!(f, "propensity is {value}, not from {PROPENSITY_MIN} to 1"),
            Flaw::Reward(value) => write!(f, "reward is {value}, not a number to reckon with"),
            Flaw::PolicyLength { offered, given } => {
                write!(f, "the policy gives {given} probabilities for {offered} arms")
            }
            Flaw::PolicyProbability { arm, value } => write!(f, "the policy gives {arm} the probability {value}"),
            Flaw::PolicySum(sum) => write!(f, "the policy's probabilities sum to {sum} instead of 1"),
        }
    }
}

impl std::error::Error for BadRecord {}

/// A log with what another policy would have done at each record.
pub(crate) struct Weighed<'a> {
    pub(crate) log: &'a [LoggedDecision],
    pub(crate) answers: Vec<Answer>,
    pub(crate) episodes: Vec<Episode>,
}

/// What is summed over the decisions of one episode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Episode {
    /// The weight of all its decisions together.
    pub(crate) weight: f64,
    /// What it earned.
    pub(crate) reward: f64,
}

/// What the evaluated policy would have done at one record.
pub(crate) struct Answer {
    /// The probability of each arm offered.
    pub(crate) probabilities: Vec<f64>,
    /// The place of its episode, in the order in which episodes begin.
    pub(crate) episode: usize,
    /// How likely the policy would have come to this decision, relative to the log's: the weight of those before it.
    pub(crate) before: f64,
    /// That, times the probability of the arm taken over its propensity: the importance weight.
    pub(crate) weight: f64,
}

impl<'a> Weighed<'a> {
    pub(crate) fn of(log: &'a [LoggedDecision], policy: EvaluatedPolicy<'_>) -> Result<Weighed<'a>, BadRecord> {
        let features = log.first().map_or(0, |first| first.context.len());
        let (mut answers, mut episodes, mut places) = (Vec::with_capacity(log.len()), Vec::new(), BTreeMap::new());
        for (record, decision) in log.iter().enumerate() {
            let (probabilities, ratio) = check(decision, features)
                .and_then(|()| ratio(decision, policy(record, decision)))
                .map_err(|flaw| BadRecord { record, flaw })?;
            let place = *places.entry(decision.episode).or_insert(episodes.len());
            if place == episodes.len() {
                episodes.push(Episode { weight: 1.0, reward: 0.0 });
            }
            let episode = &mut episodes[place];
            let before = episode.weight;
            episode.weight = (before * ratio).min(WEIGHT_MAX);
            episode.reward += decision.reward;
            answers.push(Answer { probabilities, episode: place, before, weight: episode.weight });
        }
        Ok(Weighed { log, answers, episodes })
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&LoggedDecision, &Answer)> {
        self.log.iter().zip(&self.answers)
    }

    /// The sum of one term per decision, for each episode.
    pub(crate) fn per_episode(&self, term: impl Fn((&LoggedDecision, &Answer)) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.episodes.len()];
        for pair in self.pairs() {
            sums[pair.1.episode] += term(pair);
        }
        sums
    }

    /// The weight of each episode.
    pub(crate) fn weights(&self) -> Vec<f64> {
        self.episodes.iter().map(|episode| episode.weight).collect()
    }

    /// What each episode earned.
    pub(crate) fn rewards(&self) -> Vec<f64> {
        self.episodes.iter().map(|episode| episode.reward).collect()
    }

    /// The effective sample size (Kish, Survey Sampling, 1965).
    pub(crate) fn effective(&self) -> f64 {
        let (sum, squares) =
            self.weights().into_iter().fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
        if squares == 0.0 { 0.0 } else { sum * sum / squares }
    }

    /// The mean probability that the evaluated policy gives to arms which certainly could not have been taken, because
    /// another was certain, or which the whole log never took.
    pub(crate) fn unsupported(&self) -> f64 {
        let taken: BTreeSet<Arm> = self.log.iter().map(|decision| decision.taken).collect();
        let of_record = |(decision, answer): (&LoggedDecision, &Answer)| -> f64 {
            let certain = 1.0 <= decision.propensity;
            let impossible = |arm: Arm| if certain { arm != decision.taken } else { !taken.contains(&arm) };
            decision
                .offered
                .iter()
                .zip(&answer.probabilities)
                .filter(|(arm, _)| impossible(**arm))
                .map(|(_, p)| p)
                .sum()
        };
        if self.log.is_empty() { 0.0 } else { self.pairs().map(of_record).sum::<f64>() / self.log.len() as f64 }
    }
}

fn is_believed(value: f64) -> bool {
    value.is_finite() && value.abs() <= MAGNITUDE_MAX
}

fn check(decision: &LoggedDecision, features: usize) -> Result<(), Flaw> {
    let LoggedDecision { context, offered, taken, propensity, reward, .. } = decision;
    let expected = features.min(FEATURES_MAX);
    if context.len() != expected {
        return Err(Flaw::ContextLength { expected, found: context.len() });
    }
    if let Some((index, &value)) = context.iter().enumerate().find(|(_, value)| !is_believed(**value)) {
        return Err(Flaw::Feature { index, value });
    }
    if offered.is_empty() || OFFERED_MAX < offered.len() {
        return Err(Flaw::Offered(offered.len()));
    }
    let mut seen = BTreeSet::new();
    if let Some(&arm) = offered.iter().find(|arm| !seen.insert(**arm)) {
        return Err(Flaw::OfferedTwice(arm));
    }
    if !seen.contains(taken) {
        return Err(Flaw::TakenNotOffered(*taken));
    }
    if !(PROPENSITY_MIN..=1.0).contains(propensity) {
        return Err(Flaw::Propensity(*propensity));
    }
    if is_believed(*reward) { Ok(()) } else { Err(Flaw::Reward(*reward)) }
}

/// The probabilities, checked, and that of the arm taken over its propensity.
fn ratio(decision: &LoggedDecision, probabilities: Vec<f64>) -> Result<(Vec<f64>, f64), Flaw> {
    let offered = &decision.offered;
    if probabilities.len() != offered.len() {
        return Err(Flaw::PolicyLength { offered: offered.len(), given: probabilities.len() });
    }
    if let Some((&arm, &value)) = offered.iter().zip(&probabilities).find(|(_, p)| !(0.0..=1.0).contains(*p)) {
        return Err(Flaw::PolicyProbability { arm, value });
    }
    let sum: f64 = probabilities.iter().sum();
    if SUM_TOLERANCE < (sum - 1.0).abs() {
        return Err(Flaw::PolicySum(sum));
    }
    let taken = offered.iter().position(|arm| *arm == decision.taken).expect("checked: what was taken was offered");
    let ratio = probabilities[taken] / decision.propensity;
    Ok((probabilities, ratio))
}
