//! Tests of the judge: which rule keeps what, that no rule eats everything, and that weights stay honest.

use homeostat_core::Seed;
use rand::Rng;

use super::*;
use crate::sample::shape::{Node, Shaper};
use crate::sample::threshold::Randomness;

/// A stream of traces: each has operations `ops` in a chain, at a thousand a second.
struct Court {
    judge: Judge,
    shaper: Shaper,
    stream: homeostat_core::Stream,
    at: u64,
    share: SamplingProbability,
}

/// What was decided of some traces.
#[derive(Default)]
struct Tally {
    rules: BTreeMap<&'static str, u64>,
    offered: u64,
    weight: f64,
}

impl Tally {
    fn kept(&self) -> u64 {
        self.rules.values().sum()
    }

    fn of(&self, rule: Rule) -> u64 {
        self.rules.get(rule.as_str()).copied().unwrap_or(0)
    }
}

impl Court {
    fn new(config: JudgeConfig, ppm: u32) -> Court {
        let share = SamplingProbability::from_ppm(ppm).unwrap();
        Court {
            judge: Judge::new(config),
            shaper: Shaper::default(),
            stream: Seed(1).stream("test/judge"),
            at: 0,
            share,
        }
    }

    fn facts(&mut self, ops: &[u64]) -> Facts {
        let nodes: Vec<Node> = ops
            .iter()
            .zip(1..)
            .map(|(op, span)| Node { span, parent: span - 1, op: mixed(*op), error: false })
            .collect();
        let die = u128::from(self.stream.next_u64()).to_be_bytes();
        Facts {
            randomness: Randomness::of(&die),
            spans: ops.len() as u32,
            bytes: 100 * ops.len() as u32,
            error: false,
            slow: false,
            root: mixed(ops[0]),
            duration_nanos: 1_000_000 + self.stream.next_u64() % 1_000_000,
            shape: self.shaper.shape(&nodes),
            share: self.share,
            is_promised: false,
        }
    }

    fn try_one(&mut self, facts: &Facts, tally: &mut Tally) {
        self.at += 1;
        if self.at.is_multiple_of(100) {
            self.judge.tick(Timestamp(self.at));
        }
        tally.offered += 1;
        if let Decision::Keep { rule, threshold } = self.judge.decide(Timestamp(self.at), facts) {
            *tally.rules.entry(rule.as_str()).or_default() += 1;
            tally.weight += threshold.adjusted_count();
        }
    }

    /// `count` traces, each as `make` says from its number.
    fn hold(&mut self, count: u64, make: impl Fn(u64) -> (Vec<u64>, bool, bool)) -> Tally {
        let mut tally = Tally::default();
        for number in 0..count {
            let (ops, error, slow) = make(number);
            let facts = Facts { error, slow, ..self.facts(&ops) };
            self.try_one(&facts, &mut tally);
        }
        tally
    }
}

fn mixed(op: u64) -> u64 {
    super::super::shape::mix(op, 42)
}

/// Scenario: a frequent structure at five percent, then one new structure, then the new one again and again.
/// Guarantees: the first of its kind is kept as rare at a threshold of one in one; the frequent one is thinned to the share
/// by probability.
#[test]
fn the_first_of_its_kind_is_kept() {
    let mut court = Court::new(JudgeConfig::default(), 50_000);
    let frequent = court.hold(20_000, |_| (vec![1, 2, 3], false, false));
    assert!((900..1100).contains(&frequent.kept()), "{:?}", frequent.rules);
    assert!(frequent.of(Rule::Rare) < 20);
    let facts = court.facts(&[1, 2, 9]);
    let decision = court.judge.decide(Timestamp(court.at), &facts);
    assert_eq!(decision, Decision::Keep { rule: Rule::Rare, threshold: Threshold::ALWAYS });
}

/// Scenario: one trace in ten fails at a share of one percent, and of nothing.
/// Guarantees: every failure is kept by its rule, at a threshold of one in one; at a share of nothing, nothing else is.
#[test]
fn failures_are_always_kept() {
    for ppm in [10_000, 0] {
        let mut court = Court::new(JudgeConfig::default(), ppm);
        let tally = court.hold(10_000, |number| (vec![1, 2], number % 10 == 0, false));
        assert_eq!(tally.of(Rule::Error), 1000);
        assert!(ppm != 0 || tally.kept() == 1000, "{:?}", tally.rules);
    }
}

/// Scenario: every trace is slow, at a share of five percent.
/// Guarantees: being slow says nothing then: about the share is kept, and weights still add up to what was offered.
#[test]
fn slow_traces_do_not_eat_everything() {
    let mut court = Court::new(JudgeConfig::default(), 50_000);
    let tally = court.hold(100_000, |_| (vec![1, 2], false, true));
    assert!(tally.kept() < 12_000, "{:?}", tally.rules);
    let ratio = tally.weight / tally.offered as f64;
    assert!((0.97..1.03).contains(&ratio), "{ratio}");
}

/// Scenario: every trace has a structure of its own, at a share of five percent.
/// Guarantees: there is nothing to prefer: the share is kept, and weights add up.
#[test]
fn unique_structures_do_not_eat_everything() {
    let mut court = Court::new(JudgeConfig::default(), 50_000);
    let tally = court.hold(100_000, |number| (vec![1, 100 + number, 3], false, false));
    assert!((4500..5500).contains(&tally.kept()), "{:?}", tally.rules);
    let ratio = tally.weight / tally.offered as f64;
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
}

/// Scenario: a fallback that is taken by failing traces, and now and then by one that says nothing of it.
/// Guarantees: the silent one is kept as important.
#[test]
fn silent_failures_are_important() {
    let mut court = Court::new(JudgeConfig::default(), 10_000);
    let usual = |number: u64| {
        if number.is_multiple_of(100) {
            (vec![1, 2, 9], !number.is_multiple_of(2000), false)
        } else {
            (vec![1, 2, 3], false, false)
        }
    };
    court.hold(60_000, usual);
    let tally = court.hold(20, |_| (vec![1, 2, 9], false, false));
    assert!(5 <= tally.of(Rule::Importance), "{:?}", tally.rules);
}

/// Scenario: everything is kept, or the plain probability is asked for.
/// Guarantees: the rules that spend the share are not asked; thresholds are those of the specification.
#[test]
fn plain_is_plain() {
    let all = Court::new(JudgeConfig::default(), 1_000_000).hold(100, |number| (vec![number, 2], false, false));
    assert_eq!(all.of(Rule::Probability), 100);
    let mut court = Court::new(JudgeConfig::plain(), 500_000);
    let facts = Facts { randomness: Randomness::parse("80000000000000").unwrap(), ..court.facts(&[1]) };
    let half = Threshold::parse("8").unwrap();
    assert_eq!(court.judge.decide(Timestamp(0), &facts), Decision::Keep { rule: Rule::Probability, threshold: half });
}

/// Scenario: rare structures in dry run; then errors; then probability itself.
/// Guarantees: a rule in dry run keeps nothing and is counted; what a later rule kept anyway is told apart; probability in
/// dry run drops nothing; weights add up throughout.
#[test]
fn a_dry_run_decides_nothing() {
    let run = |rule: Rule, ppm: u32| {
        let mut court = Court::new(JudgeConfig::default().with(rule, Mode::DryRun), ppm);
        let make =
            |number: u64| (vec![1, 2 + if number.is_multiple_of(50) { number } else { 0 }], number % 100 == 1, false);
        let tally = court.hold(50_000, make);
        let rehearsed = court.judge.rehearsed();
        assert_eq!(rehearsed.len(), 1);
        (tally, rehearsed[rule.as_str()])
    };
    let (rare, rehearsed) = run(Rule::Rare, 20_000);
    assert_eq!(rare.of(Rule::Rare), 0);
    assert!(200 < rehearsed.traces && rehearsed.spans == 2 * rehearsed.traces, "{rehearsed:?}");
    let (errors, rehearsed) = run(Rule::Error, 200_000);
    assert_eq!((errors.of(Rule::Error), rehearsed.traces), (0, 500));
    assert!(0 < rehearsed.spans_kept_anyway && rehearsed.spans_kept_anyway < 500, "{rehearsed:?}");
    let (probability, rehearsed) = run(Rule::Probability, 20_000);
    assert_eq!(probability.kept(), 50_000);
    assert!((100..1000).contains(&rehearsed.traces), "{rehearsed:?}");
    for tally in [rare, errors, probability] {
        let ratio = tally.weight / tally.offered as f64;
        assert!((0.9..1.1).contains(&ratio), "{ratio}");
    }
}

/// Scenario: four threads decide a hundred thousand traces between them while a fifth keeps ticking.
/// Guarantees: it ends, nothing is lost to the budget: about the share is kept.
#[test]
fn threads_share_one_judge() {
    let court = Court::new(JudgeConfig::default(), 50_000);
    let judge = &court.judge;
    let kept: u64 = std::thread::scope(|scope| {
        let work = |thread: u64| {
            let mut stream = Seed(thread).stream("test/thread");
            let template = Court::new(JudgeConfig::default(), 50_000).facts(&[1, 2, 3]);
            let decide = |number: u64| {
                let facts =
                    Facts { randomness: Randomness::of(&u128::from(stream.next_u64()).to_be_bytes()), ..template };
                judge.tick(Timestamp(number / 10));
                u64::from(judge.decide(Timestamp(number / 10), &facts) != Decision::Drop)
            };
            (0..25_000).map(decide).sum::<u64>()
        };
        let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!((4000..6000).contains(&kept), "{kept}");
}

/// Scenario: a failed, a slow, a rare and a frequent trace wait while memory is short.
/// Guarantees: they are worth keeping in this order.
#[test]
fn value_orders_what_waits() {
    let mut court = Court::new(JudgeConfig::default(), 50_000);
    court.hold(20_000, |number| (vec![1, if number % 1000 == 0 { 7 } else { 2 }], false, false));
    let (frequent, rare) = (court.facts(&[1, 2]), court.facts(&[1, 7]));
    let value = |facts: Facts| court.judge.value(&facts);
    let values = [Facts { error: true, ..frequent }, Facts { slow: true, ..frequent }, rare, frequent].map(value);
    assert!(values.is_sorted_by(|left, right| left > right), "{values:?}");
}
