//! Does an evaluation tell the truth?
//!
//! Answers how often the intervals of an off-policy evaluation hold what the evaluated policy really earns. Each experiment
//! runs some worlds with a policy that tosses, estimates another policy from the journals alone, and runs that policy in the
//! same worlds; its mean over all experiments is the truth. Decisions about one service influence each other as they do
//! anywhere: capacity that was added is there at the next decision. What comes out when that is overlooked, and decisions are
//! taken for independent, is shown beside it.

mod worlds;

use std::collections::BTreeSet;

use homeostat_control::Following;
use homeostat_control::evaluation::{Evaluation, Interval, JournalLog, Judgement, LoggedDecision, Named, evaluate};
use homeostat_core::{BasisPoints, Learner};
use serde::Serialize;

use crate::proving::in_parallel;
use crate::proving::learners::{DoesNothing, FollowsRule, Tosses};
use worlds::records;

/// The probability of either option while the log is written.
const TOSSED: BasisPoints = BasisPoints(5000);

/// The least that any option can have: a policy that is run for the truth takes the other one as seldom as possible.
const HARDLY: BasisPoints = BasisPoints(1);

/// How many experiments, and how large each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Experiments.
    pub runs: u32,
    /// Worlds in each.
    pub worlds: u32,
    /// The first seed.
    pub seed: u64,
}

/// How often the intervals of one estimator held the truth.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// Which one.
    pub estimator: &'static str,
    /// The truth.
    pub truth: f64,
    /// The share of experiments whose 95 % interval held it.
    pub held: f64,
    /// By how much the estimates missed it on average.
    pub bias: f64,
    /// The standard error of that.
    pub bias_error: f64,
    /// The mean width of the intervals.
    pub width: f64,
}

/// What was found about the evaluation of one policy.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyReport {
    /// The policy evaluated.
    pub policy: &'static str,
    /// Experiments.
    pub runs: usize,
    /// Episodes in an experiment, on average.
    pub episodes: f64,
    /// Decisions in an episode.
    pub decisions_per_episode: f64,
    /// Episodes that count in effect.
    pub effective: f64,
    /// What an episode earned in the log, on average over all experiments.
    pub done: f64,
    /// Per estimator; the last takes decisions for independent.
    pub estimators: Vec<Coverage>,
    /// The share of experiments judged better.
    pub better: f64,
    /// The share judged worse.
    pub worse: f64,
    /// The share of which nothing could be told.
    pub cannot_tell: f64,
}

/// The estimator that judges.
const JUDGES: &str = "doubly robust";

impl PolicyReport {
    /// The share of experiments in which the interval of the estimator that judges held the truth.
    pub fn held(&self) -> f64 {
        self.estimators.iter().find(|found| found.estimator == JUDGES).map_or(0.0, |found| found.held)
    }
}

/// One experiment about one policy.
struct Experiment {
    found: Evaluation,
    independent: Evaluation,
    earned: Earned,
}

/// What a policy really earned.
#[derive(Clone, Copy, Default)]
struct Earned {
    reward: f64,
    episodes: f64,
    decisions: f64,
}

/// A policy to evaluate.
struct Candidate {
    name: &'static str,
    learner: &'static dyn Learner,
}

const CANDIDATES: &[Candidate] =
    &[Candidate { name: "rule", learner: &FollowsRule }, Candidate { name: "nothing", learner: &DoesNothing }];

/// Runs the plan; `done` is told after each experiment.
pub fn prove(plan: &Plan, done: &(dyn Fn() + Sync)) -> Vec<PolicyReport> {
    let experiments = in_parallel(plan.runs as usize, |run| experiment(plan, run as u64), done);
    let mut by_candidate: Vec<Vec<Experiment>> = CANDIDATES.iter().map(|_| Vec::new()).collect();
    for run in experiments {
        by_candidate.iter_mut().zip(run).for_each(|(all, one)| all.push(one));
    }
    CANDIDATES.iter().zip(by_candidate).map(|(candidate, all)| report(candidate, &all)).collect()
}

/// One experiment: the log once, and each candidate from it and in truth.
fn experiment(plan: &Plan, run: u64) -> Vec<Experiment> {
    let seeds = || (0..u64::from(plan.worlds)).map(|world| plan.seed + run * u64::from(plan.worlds) + world);
    let logged: Vec<_> = seeds().map(|seed| records(seed, &Tosses, TOSSED)).collect();
    let of_candidate = |candidate: &Candidate| {
        let mut journal = JournalLog::default();
        let mut policy = Following::new(candidate.learner, HARDLY);
        for world in &logged {
            world.iter().for_each(|record| journal.read(record, &mut policy));
            journal.part();
        }
        let (log, answers) = journal.decisions();
        let evaluated = |log: &[LoggedDecision]| evaluate(log, &|record, _| answers[record].clone()).expect("sound");
        let mut apart = log.clone();
        (0..).zip(&mut apart).for_each(|(episode, decision)| decision.episode = episode);
        let (found, independent) = (evaluated(&log), evaluated(&apart));
        let earned = seeds().map(|seed| earned(seed, candidate)).fold(Earned::default(), Earned::plus);
        Experiment { found, independent, earned }
    };
    CANDIDATES.iter().map(of_candidate).collect()
}

/// What the candidate earns in one world, when it is really run there.
fn earned(seed: u64, candidate: &Candidate) -> Earned {
    let mut journal = JournalLog::default();
    records(seed, candidate.learner, HARDLY).iter().for_each(|record| journal.read(record, &mut Named::Rule));
    let (log, _) = journal.decisions();
    let episodes: BTreeSet<u64> = log.iter().map(|decision| decision.episode).collect();
    Earned {
        reward: log.iter().map(|decision| decision.reward).sum(),
        episodes: episodes.len() as f64,
        decisions: log.len() as f64,
    }
}

impl Earned {
    fn plus(self, other: Earned) -> Earned {
        Earned {
            reward: self.reward + other.reward,
            episodes: self.episodes + other.episodes,
            decisions: self.decisions + other.decisions,
        }
    }
}

fn report(candidate: &Candidate, all: &[Experiment]) -> PolicyReport {
    let earned = all.iter().map(|run| run.earned).fold(Earned::default(), Earned::plus);
    let (truth, each) = (earned.reward / earned.episodes, earned.reward / earned.decisions);
    let done = mean(all, |run| run.found.done.mean);
    let coverage = |estimator, truth: f64, of: fn(&Experiment) -> Interval| covered(estimator, all, truth, of);
    let share = |judged: fn(Judgement) -> bool| mean(all, |run| f64::from(u8::from(judged(run.found.judgement))));
    PolicyReport {
        policy: candidate.name,
        runs: all.len(),
        episodes: mean(all, |run| run.found.episodes as f64),
        decisions_per_episode: mean(all, |run| run.found.decisions as f64 / run.found.episodes.max(1) as f64),
        effective: mean(all, |run| run.found.effective),
        done,
        estimators: vec![
            coverage("ips", truth, |run| run.found.ips.value),
            coverage("snips", truth, |run| run.found.snips.value),
            coverage("switch", truth, |run| run.found.switch.value),
            coverage(JUDGES, truth, |run| run.found.doubly_robust.value),
            coverage("gain", truth - done, |run| run.found.doubly_robust.gain),
            coverage("as if independent", each, |run| run.independent.doubly_robust.value),
        ],
        better: share(|judgement| judgement == Judgement::Better),
        worse: share(|judgement| judgement == Judgement::Worse),
        cannot_tell: share(|judgement| matches!(judgement, Judgement::CannotTell(_))),
    }
}

fn covered(estimator: &'static str, all: &[Experiment], truth: f64, of: fn(&Experiment) -> Interval) -> Coverage {
    let bias = mean(all, |run| of(run).mean - truth);
    let variance = mean(all, |run| (of(run).mean - truth - bias).powi(2));
    Coverage {
        estimator,
        truth,
        held: mean(all, |run| f64::from(u8::from(of(run).contains(truth)))),
        bias,
        bias_error: (variance / all.len() as f64).sqrt(),
        width: mean(all, |run| of(run).high - of(run).low),
    }
}

fn mean(all: &[Experiment], of: impl Fn(&Experiment) -> f64) -> f64 {
    all.iter().map(of).sum::<f64>() / all.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: two small experiments, and the same again.
    /// Guarantees: nearly every episode is evaluated and most have more than one decision, so that they do influence each other;
    /// every candidate has a truth; and the same seed gives the same report.
    #[test]
    fn experiments_repeat_and_have_a_truth() {
        let plan = Plan { runs: 2, worlds: 2, seed: 1 };
        let (found, again) = (prove(&plan, &|| ()), prove(&plan, &|| ()));
        assert_eq!(format!("{found:?}"), format!("{again:?}"));
        for report in &found {
            assert!(10.0 < report.episodes && 1.3 < report.decisions_per_episode, "{report:?}");
            assert!(
                report.estimators.iter().all(|found| found.truth.is_finite() && found.width.is_finite()),
                "{report:?}"
            );
        }
        assert_ne!(found[1].estimators[0].truth, found[0].estimators[0].truth, "acting changes what is earned");
    }
}
