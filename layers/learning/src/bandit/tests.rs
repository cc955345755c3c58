//! The learner against worlds that are known.
//!
//! Answers whether it finds what is better, leaves alone what is worse or unknown, and distrusts what it cannot have learned;
//! and which way of exploring to ship: both are tried on the same worlds, with outcomes that come late.

use homeostat_core::{FEATURES, Features, Knowledge, Seed};
use rand::Rng;

use super::*;

/// Choices made before the first outcome is known: a minute's worth for a few hundred targets.
const DELAY: usize = 25;

/// Choices per run.
const CHOICES: usize = 600;

/// The floor that the lottery would give.
const FLOOR: f64 = 0.02;

/// The rule's step, a larger step, and nothing; `place` is the trouble they answer.
fn options(place: usize) -> Vec<Features> {
    let option = |acts: u16, grows: u16| {
        let mut features = Features::default();
        (features.0[0], features.0[1], features.0[4]) = (10_000, acts, grows);
        features.0[place] = acts;
        features
    };
    vec![option(10_000, 2500), option(10_000, 6000), option(0, 0)]
}

/// What each option earns on average: larger steps help against one trouble, and nothing helps against the other.
fn worth(place: usize) -> [f64; 3] {
    if place == 7 { [0.1, 0.45, 0.0] } else { [-0.1, 0.25, 0.0] }
}

/// Thompson sampling, the way not taken: how often each option is the best of some coefficients drawn from the posterior,
/// with the same caution.
struct Thompson;

impl Learner for Thompson {
    fn name(&self) -> &'static str {
        "thompson"
    }

    fn answer(&self, question: &Question<'_>, draws: &mut Stream) -> Result<Vec<f64>, Label> {
        const DRAWS: usize = 16;
        let posterior = believed(&question.knowledge.choices.sums)?;
        let (factor, mean) = posterior.parts();
        let mut wins = vec![0.0; question.options.len()];
        for _ in 0..DRAWS {
            let noise: Vec<f64> = (0..FEATURES).map(|_| posterior::SPREAD * nearly_normal(draws)).collect();
            let drawn: Vec<f64> = mean.iter().zip(factor.backward(&noise)).map(|(mean, shift)| mean + shift).collect();
            let value = |option: usize| crate::linear::dot(&posterior::scaled(&question.options[option]), &drawn);
            let best = (0..wins.len())
                .filter(|option| takes_part(&posterior, question, *option))
                .fold(question.rule, |best, option| if value(best) < value(option) { option } else { best });
            wins[best] += 1.0;
        }
        Ok(wins)
    }
}

/// The sum of twelve numbers between zero and one, less six: mean zero, variance one (Irwin and Hall).
fn nearly_normal(stream: &mut Stream) -> f64 {
    let sum: u64 = (0..12).map(|_| u64::from(stream.next_u32())).sum();
    sum as f64 / (1_u64 << 32) as f64 - 6.0
}

/// How a run went.
struct Run {
    /// What was lost against the best option, per choice.
    lost: f64,
    /// How many decisions of a policy that takes every option alike the log is worth.
    effective: f64,
}

fn run(learner: &dyn Learner, seed: u64) -> Run {
    let mut stream = Seed(seed).stream("tests/world");
    let mut draws = Seed(seed).stream("tests/learner");
    let mut unit = move || (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (mut knowledge, mut late) = (Knowledge::default(), std::collections::VecDeque::new());
    let (mut lost, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for _ in 0..CHOICES {
        let place = if unit() < 0.5 { 7 } else { 8 };
        let (options, worth) = (options(place), worth(place));
        let question = Question { options: &options, rule: 0, knowledge: &knowledge };
        let answer = learner.answer(&question, &mut draws).unwrap_or_else(|_| vec![1.0, 0.0, 0.0]);
        let total: f64 = answer.iter().sum();
        let probability = |index: usize| FLOOR + (1.0 - 3.0 * FLOOR) * answer[index] / total;
        let drawn = unit();
        let taken = if drawn < probability(0) { 0 } else { 1 + usize::from(probability(0) + probability(1) <= drawn) };
        let weight = 1.0 / 3.0 / probability(taken);
        knowledge.choices.sums.note(&options[taken], &options[0]);
        (sum, squares) = (sum + weight, squares + weight * weight);
        lost += worth.iter().copied().fold(f64::MIN, f64::max) - worth[taken];
        let reward = worth[taken] + unit() - 0.5;
        late.push_back((options[taken], (reward * 10_000.0) as i64));
        if late.len() == DELAY
            && let Some((features, reward)) = late.pop_front()
        {
            knowledge.choices.sums.add(&features, reward);
        }
    }
    Run { lost: lost / CHOICES as f64, effective: sum * sum / squares }
}

/// What a learner loses, and what its logs are worth, on average.
fn mean(learner: &dyn Learner) -> (f64, f64) {
    const SEEDS: u64 = 6;
    let runs: Vec<Run> = (0..SEEDS).map(|seed| run(learner, seed)).collect();
    let mean = |of: fn(&Run) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
    (mean(|run| run.lost), mean(|run| run.effective))
}

/// Follows the rule.
struct Rule;

impl Learner for Rule {
    fn name(&self) -> &'static str {
        "rule"
    }

    fn answer(&self, _: &Question<'_>, _: &mut Stream) -> Result<Vec<f64>, Label> {
        Err(Label::new("always the rule"))
    }
}

/// Scenario: six worlds where another option is better than the rule's, with outcomes 25 choices late.
/// Guarantees: the shipped learner loses less than a quarter of what the rule loses, and Thompson sampling would lose no less
/// by more than a tenth and leave logs of no more worth by more than a quarter: that is why the cheaper one ships.
#[test]
fn upper_bounds_earn_their_place() {
    let ((rule, _), (upper, worth), (thompson, thompson_worth)) = (mean(&Rule), mean(&LINEAR_BANDIT), mean(&Thompson));
    let figures = format!(
        "lost: rule {rule:.4}, upper bounds {upper:.4}, Thompson {thompson:.4}; effective of {CHOICES}: upper bounds \
         {worth:.0}, Thompson {thompson_worth:.0}"
    );
    assert!(upper < rule * 0.25, "{figures}");
    assert!(upper < thompson * 1.1 && thompson_worth < worth * 1.25, "{figures}");
}

fn knowing(choices: &[(usize, i64, usize)]) -> Knowledge {
    let mut knowledge = Knowledge::default();
    for (option, reward, times) in choices {
        for _ in 0..*times {
            knowledge.choices.sums.add(&options(7)[*option], *reward);
        }
    }
    knowledge
}

fn asked(knowledge: &Knowledge) -> Result<Vec<f64>, Label> {
    let options = options(7);
    let question = Question { options: &options, rule: 0, knowledge };
    LINEAR_BANDIT.answer(&question, &mut Seed(1).stream("tests/asked"))
}

/// Scenario: the larger step is known to be better; known to be worse; not known at all, before and after a hundred choices of
/// the rule's option; and not known, but taken fifty times in a hundred already. Nothing is known at all.
/// Guarantees: what is better wins and what is worse does not; what is unknown is tried once enough was earned by the rule to
/// risk it, and not beyond that; before thirty outcomes the rule is preferred.
#[test]
fn what_is_unknown_is_tried_within_the_margin() {
    let (rules, larger) = (vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]);
    let check = |known: &[(usize, i64, usize)], [rule_taken, larger_taken]: [usize; 2], expected: &[f64]| {
        let mut knowledge = knowing(known);
        let options = options(7);
        (0..rule_taken).for_each(|_| knowledge.choices.sums.note(&options[0], &options[0]));
        (0..larger_taken).for_each(|_| knowledge.choices.sums.note(&options[1], &options[0]));
        assert_eq!(asked(&knowledge).unwrap(), expected, "{known:?} {rule_taken} {larger_taken}");
    };
    check(&[(0, 0, 200), (1, 5000, 200)], [0, 0], &larger);
    check(&[(0, 5000, 200), (1, 0, 200), (2, 0, 200)], [400, 200], &rules);
    check(&[(0, 0, 200)], [0, 0], &rules);
    check(&[(0, 0, 200), (2, 0, 200)], [100, 0], &larger);
    check(&[(0, 0, 200), (2, 0, 200)], [100, 50], &rules);
    check(&[], [100, 0], &rules);
}

/// Scenario: knowledge that is of another version, misshapen, too large, or contradicts itself.
/// Guarantees: the learner says so in its own words and nothing is chosen by it.
#[test]
fn what_cannot_have_been_learned_is_not_believed() {
    let check = |poison: &dyn Fn(&mut LinearSums), expected: &'static str| {
        let mut knowledge = knowing(&[(0, 0, 200)]);
        poison(&mut knowledge.choices.sums);
        assert_eq!(asked(&knowledge), Err(Label::new(expected)));
    };
    check(&|sums| sums.version = 7, "what was learned is of another version");
    check(&|sums| sums.vector.clear(), "what was learned has another shape");
    check(&|sums| sums.vector[0] = i64::MAX, "what was learned is larger than it can be");
    let most = 200 * LinearSums::UNIT;
    check(
        &|sums| sums.gram = vec![most; FEATURES * (FEATURES + 1) / 2 - 1].into_iter().chain([0]).collect(),
        "what was learned contradicts itself",
    );
}

/// Scenario: the same knowledge, question and stream, twice.
/// Guarantees: the same answer to the last bit.
#[test]
fn the_same_stream_gives_the_same_answer() {
    let knowledge = knowing(&[(0, 0, 40), (1, 500, 40), (2, 0, 40)]);
    assert_eq!(asked(&knowledge), asked(&knowledge));
}
