//! Known answers, known truths, and records that lie.
//!
//! Answers whether the estimators say what can be computed by hand, whether they are right on average and their intervals as
//! often as promised in a world whose truth is known, and whether a bad record is named. The figures of each repetition are
//! drawn from named streams of its number, so a failure is one number.

mod world;

use super::*;
use world::{CONTEXTS, World};

fn decision(context: f64, taken: u32, propensity: f64, reward: f64) -> LoggedDecision {
    LoggedDecision {
        episode: 0,
        context: vec![context],
        offered: vec![Arm(0), Arm(1)],
        taken: Arm(taken),
        propensity,
        reward,
    }
}

/// The same decisions, each an episode of its own.
fn apart(mut log: Vec<LoggedDecision>) -> Vec<LoggedDecision> {
    (0..).zip(&mut log).for_each(|(episode, decision)| decision.episode = episode);
    log
}

/// Prefers arm one, three to one.
fn prefers_one(_: usize, _: &LoggedDecision) -> Vec<f64> {
    vec![0.25, 0.75]
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "found {found}, expected {expected}");
}

/// Scenario: two decisions: arm 0 (propensity ½, reward 1) and arm 1 (propensity ¼, reward 2); the policy has ¼ and ¾.
/// Guarantees: weights ½ and 3; IPS (½·1 + 3·2)/2 = 3.25; SNIPS 6.5/3.5; effective sample 3.5²/9.25.
#[test]
fn two_decisions_are_weighed_as_by_hand() {
    let log = apart(vec![decision(0.0, 0, 0.5, 1.0), decision(0.0, 1, 0.25, 2.0)]);
    let found = evaluate(&log, &prefers_one).unwrap();
    close(found.ips.value.mean, 3.25);
    close(found.snips.value.mean, 6.5 / 3.5);
    close(found.effective, 3.5 * 3.5 / 9.25);
    close(found.weight_max, 3.0);
    close(found.done.mean, 1.5);
    close(found.ips.gain.mean, 1.75);
}

/// Scenario: twelve decisions whose rewards are 1 for arm 0 and 3 for arm 1; a record's model has seen the other folds.
/// Guarantees: doubly robust is the prediction plus the weighted residual, record by record; the ridge of one row is
/// n r / (n + 1) for n decisions seen. With no limit, switch is the same; with limit zero it is the prediction alone.
#[test]
fn predictions_are_corrected_as_by_hand() {
    let log = apart((0..12).map(|i| decision(0.0, i % 2, 0.5, if i % 2 == 0 { 1.0 } else { 3.0 })).collect());
    let weighed = Weighed::of(&log, &prefers_one).unwrap();
    let model = RewardModel::cross_fitted(&weighed);
    let seen = |record: usize, arm: usize| (0..12).filter(|i| i % 5 != record % 5 && i % 2 == arm).count() as f64;
    let shrunk = |record, arm| [1.0, 3.0][arm] * seen(record, arm) / (seen(record, arm) + 1.0);
    let (robust, direct) = (doubly_robust::terms(&weighed, &model), switch::terms(&weighed, &model, 0.0));
    for record in 0..12 {
        let (arm, predicted) = (record % 2, 0.25 * shrunk(record, 0) + 0.75 * shrunk(record, 1));
        close(direct[record], predicted);
        close(robust[record], predicted + [0.5, 1.5][arm] * ([1.0, 3.0][arm] - shrunk(record, arm)));
    }
    assert_eq!(switch::terms(&weighed, &model, f64::INFINITY), robust);
}

/// Scenario: an episode of two decisions (propensities ½ and ¼, rewards 1 and 2) and one of a single decision; the policy
/// has ¼ for arm 0 and ¾ for arm 1, and the predictions are those of the model.
/// Guarantees: the second decision counts by both weights, ½ · 3; an episode's value is the sum of its decisions; the effective
/// sample is that of episodes, (1½ + ½)² / (2¼ + ¼).
#[test]
fn a_decision_counts_by_those_before_it() {
    let mut log = vec![decision(0.0, 0, 0.5, 1.0), decision(0.0, 1, 0.25, 2.0), decision(0.0, 0, 0.5, 4.0)];
    log[2].episode = 1;
    let found = evaluate(&log, &prefers_one).unwrap();
    assert_eq!((found.decisions, found.episodes), (3, 2));
    close(found.done.mean, 3.5);
    close(found.ips.value.mean, ((0.5 + 1.5 * 2.0) + 0.5 * 4.0) / 2.0);
    close(found.snips.value.mean, (1.5 * 3.0 + 0.5 * 4.0) / 2.0);
    close(found.effective, 4.0 / 2.5);
    close(found.weight_max, 1.5);
    let weighed = Weighed::of(&log, &prefers_one).unwrap();
    let model = RewardModel::cross_fitted(&weighed);
    let predicted = |arm| model.of_arm(0, &[0.0], Arm(arm));
    let of_policy = 0.25 * predicted(0) + 0.75 * predicted(1);
    let expected = of_policy + 0.5 * (1.0 - predicted(0)) + 0.5 * of_policy + 1.5 * (2.0 - predicted(1));
    close(doubly_robust::terms(&weighed, &model)[0], expected);
}

/// Scenario: the policy to evaluate is the one that was followed, in a world with an exploring policy.
/// Guarantees: every estimator gives the mean reward, the gain is nothing, and neither better nor worse is claimed.
#[test]
fn what_was_done_gains_nothing() {
    let world = World;
    let found = evaluate(&world.log(1, 500), &|_, decision| world.followed(&decision.context)).unwrap();
    close(found.ips.value.mean, found.done.mean);
    close(found.snips.value.mean, found.done.mean);
    close(found.effective, 500.0);
    assert!(matches!(found.judgement, Judgement::CannotTell(Doubt::MayBeEither { .. })), "{}", found.judgement);
}

/// Logs drawn. 400 would leave a standard error of 1.1 % in the share that holds the truth, so that a right estimator
/// would fail for some seeds; with a thousand it is 0.7 %.
const REPETITIONS: u64 = 1000;

/// Decisions in each.
const DECISIONS: usize = 400;

/// How many intervals held the truth, and by how many standard errors the mean estimate missed it.
fn held_and_missed(intervals: &[Interval], truth: f64) -> (usize, f64) {
    let held = intervals.iter().filter(|interval| interval.contains(truth)).count();
    let errors: Vec<f64> = intervals.iter().map(|interval| interval.mean - truth).collect();
    let (n, mean) = (errors.len() as f64, errors.iter().sum::<f64>() / errors.len() as f64);
    let variance = errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (held, mean / (variance / n).sqrt())
}

/// Scenario: a thousand logs of a world with skewed rewards that no linear model can predict; the truth is a finite sum.
/// Guarantees: 93 to 97 % of the 95 % intervals hold it, for the value and for the gain, and no estimator that promises to
/// be unbiased misses it on average by more than chance explains.
#[test]
fn intervals_hold_the_truth_as_often_as_promised() {
    let world = World;
    let evaluated =
        |seed| evaluate(&world.log(seed, DECISIONS), &|_, decision| world.proposed(&decision.context)).unwrap();
    let all: Vec<Evaluation> = (0..REPETITIONS).map(evaluated).collect();
    let (value, gain) = (world.value_of_proposed(), world.value_of_proposed() - world.value_of_followed());
    let check = |name: &str, of: fn(&Evaluation) -> Interval, truth: f64| {
        let intervals: Vec<Interval> = all.iter().map(of).collect();
        let (held, missed) = held_and_missed(&intervals, truth);
        assert!((930..=970).contains(&held), "{name}: {held} of 1000 intervals hold the truth");
        assert!(missed.abs() < 3.0, "{name}: misses by {missed:.2} standard errors on average");
    };
    check("ips, value", |found| found.ips.value, value);
    check("ips, gain", |found| found.ips.gain, gain);
    check("snips, value", |found| found.snips.value, value);
    check("snips, gain", |found| found.snips.gain, gain);
    check("doubly robust, value", |found| found.doubly_robust.value, value);
    check("doubly robust, gain", |found| found.doubly_robust.gain, gain);
}

/// Scenario: a policy that is better, the same seen from the other side, and one log of each.
/// Guarantees: enough decisions tell better from worse, and predictions make the interval narrower.
#[test]
fn enough_decisions_tell_better_from_worse() {
    let world = World;
    let log = world.log(7, 4000);
    let better = evaluate(&log, &|_, decision| world.proposed(&decision.context)).unwrap();
    let worse = evaluate(&log, &|_, decision| world.contrary(&decision.context)).unwrap();
    assert_eq!((better.judgement, worse.judgement), (Judgement::Better, Judgement::Worse));
    let width = |interval: Interval| interval.high - interval.low;
    assert!(width(better.doubly_robust.value) < width(better.ips.value));
}

/// Scenario: logs from which nothing can be told: empty, short, never exploring, without a floor, with false propensities.
/// Guarantees: each is answered with its own doubt, whatever the figures say.
#[test]
fn every_doubt_is_named() {
    let world = World;
    let doubt = |log: &[LoggedDecision]| match evaluate(log, &prefers_one).unwrap().judgement {
        Judgement::CannotTell(doubt) => doubt,
        sure => panic!("{sure}"),
    };
    assert_eq!(doubt(&[]), Doubt::NothingLogged);
    let log = |count: usize, each: &dyn Fn(usize) -> LoggedDecision| apart((0..count).map(each).collect());
    let short = log(50, &|i| decision(0.0, i as u32 % 2, 0.5, 1.0));
    assert!(matches!(doubt(&short), Doubt::TooFewEffective { .. }));
    let certain = log(500, &|_| decision(0.0, 0, 1.0, 1.0));
    assert_eq!(doubt(&certain), Doubt::NoOverlap { share: 0.75 });
    let one_sided = log(500, &|_| decision(0.0, 0, 0.5, 1.0));
    assert_eq!(doubt(&one_sided), Doubt::NoOverlap { share: 0.75 });
    let no_floor = log(5000, &|i| decision(0.0, u32::from(i == 77), if i == 77 { 1e-6 } else { 1.0 - 1e-6 }, 1.0));
    assert!(matches!(doubt(&no_floor), Doubt::NoFloor { record: 77, .. }));
    let wrong = log(5000, &|i| decision(0.0, i as u32 % 2, 0.25, (i % 3) as f64));
    assert!(matches!(doubt(&wrong), Doubt::WeightsOff { .. }));
    assert_eq!(world.log(0, 3).len(), 3);
}

/// Scenario: a good log in which one record at a time lies.
/// Guarantees: each lie is an error that names the record and what is wrong with it.
#[test]
fn a_bad_record_is_named() {
    let check = |lie: &dyn Fn(&mut LoggedDecision), expected: Flaw| {
        let mut log = vec![decision(0.5, 0, 0.5, 1.0); 4];
        lie(&mut log[2]);
        let found = evaluate(&log, &prefers_one).unwrap_err();
        // Not `==`, because a value that is no number is not equal to itself.
        assert_eq!(format!("{found:?}"), format!("{:?}", BadRecord { record: 2, flaw: expected }));
        assert!(found.to_string().starts_with("record 2: "));
    };
    for propensity in [0.0, -0.1, 1.1, 1e-300, f64::NAN, f64::INFINITY] {
        check(&|record| record.propensity = propensity, Flaw::Propensity(propensity));
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        check(&|record| record.reward = value, Flaw::Reward(value));
        check(&|record| record.context = vec![value], Flaw::Feature { index: 0, value });
    }
    check(&|record| record.taken = Arm(9), Flaw::TakenNotOffered(Arm(9)));
    check(&|record| record.offered = Vec::new(), Flaw::Offered(0));
    check(&|record| record.offered = vec![Arm(0), Arm(0)], Flaw::OfferedTwice(Arm(0)));
    check(&|record| record.context = vec![0.0; 2], Flaw::ContextLength { expected: 1, found: 2 });
}

/// Scenario: policies that answer with too few, too many, negative, excessive or no probabilities.
/// Guarantees: each is an error that names the record at which it happened; nothing panics.
#[test]
fn a_policy_without_probabilities_is_named() {
    let log = vec![decision(0.5, 0, 0.5, 1.0); 4];
    let flaw = |answer: &[f64]| evaluate(&log, &|_, _| answer.to_vec()).unwrap_err().flaw;
    assert_eq!(flaw(&[1.0]), Flaw::PolicyLength { offered: 2, given: 1 });
    assert_eq!(flaw(&[1.5, -0.5]), Flaw::PolicyProbability { arm: Arm(0), value: 1.5 });
    assert!(matches!(flaw(&[0.5, f64::NAN]), Flaw::PolicyProbability { arm: Arm(1), .. }));
    assert_eq!(flaw(&[0.25, 0.25]), Flaw::PolicySum(0.5));
}

/// Scenario: the world of these tests.
/// Guarantees: its policies are distributions with a floor, so that its truth is one.
#[test]
fn the_world_is_sound() {
    let world = World;
    for context in CONTEXTS {
        for probabilities in [world.followed(&context), world.proposed(&context), world.contrary(&context)] {
            close(probabilities.iter().sum(), 1.0);
            assert!(probabilities.iter().all(|p| 0.04 < *p));
        }
    }
}
