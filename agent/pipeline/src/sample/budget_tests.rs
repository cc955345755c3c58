//! Tests of the budget: what the water level gives to whom, and that the share is spent and not more.

use super::*;

/// Scenario: demands of one, two, and a thousand, and budgets between nothing and more than is asked for.
/// Guarantees: small demands are met first, what is left is divided equally, and plenty leaves nobody wanting.
#[test]
fn water_fills_from_below() {
    let level = |budget: f64| {
        let mut water = Water::default();
        [1.0, 2.0, 1000.0].into_iter().for_each(|demand| water.add(demand));
        water.level(budget)
    };
    let check =
        |budget: f64, expected: f64| assert!((level(budget) - expected).abs() < 1e-3, "{budget}: {}", level(budget));
    check(0.0, 0.0);
    check(1.5, 0.5);
    check(5.0, 2.0);
    check(103.0, 100.0);
    assert!(1e6 < level(2000.0));
    assert!(Water::default().level(10.0) > 1e6);
}

/// Offers `traces` at `share`, each with its probability from `decide`, at a thousand a second; returns what was spent.
fn spend(budget: &Budget, traces: u64, share: f64, decide: impl Fn(u64, &Budget) -> (f64, Kind)) -> f64 {
    let mut spent = 0.0;
    for number in 0..traces {
        let (probability, kind) = decide(number, budget);
        budget.book(number as usize, Entry { spans: 8, share, probability, kind });
        spent += probability;
        if number % 100 == 0 {
            budget.tick(Timestamp(number));
        }
    }
    spent
}

/// One in ten thousand of a hundred rare keys, the rest one key; the offer is as the judge makes it.
fn offer(number: u64, share: f64, budget: &Budget) -> f64 {
    let key = if number.is_multiple_of(100) { 1 + number / 100 % 100 } else { 0 };
    let (root, shape) = (budget.roots.keys.place(1), budget.shapes.keys.place(key));
    budget.roots.keys.count(root);
    budget.shapes.keys.count(shape);
    let levels = budget.roots.probability(root).max(budget.shapes.probability(shape));
    (budget.base() * share).max(levels)
}

/// Scenario: a hundred rare keys and a frequent one, at five percent.
/// Guarantees: rare keys are always kept, and over all the share is spent, to within three percent.
#[test]
fn rare_keys_are_kept_and_the_share_is_spent() {
    let budget = Budget::new(Certain::Beside);
    let spent = spend(&budget, 200_000, 0.05, |number, budget| (offer(number, 0.05, budget), Kind::Ordinary));
    assert!((0.97..1.03).contains(&(spent / 10_000.0)), "{spent}");
    assert_eq!(budget.shapes.probability(budget.shapes.keys.place(7)), 1.0);
    assert!(budget.shapes.probability(budget.shapes.keys.place(0)) < 0.05);
}

/// Scenario: every trace has a key of its own.
/// Guarantees: all are kept at about the share: there is nothing to tell them apart by.
#[test]
fn unique_keys_degrade_to_plain_probability() {
    let budget = Budget::new(Certain::Beside);
    let decide = |number: u64, budget: &Budget| {
        let shape = budget.shapes.keys.place(1 + number);
        budget.shapes.keys.count(shape);
        ((budget.base() * 0.05).max(budget.shapes.probability(shape)), Kind::Ordinary)
    };
    let spent = spend(&budget, 200_000, 0.05, decide);
    assert!((0.95..1.05).contains(&(spent / 10_000.0)), "{spent}");
}

/// Scenario: three of a hundred traces fail and are kept; the share is five percent, beside them or with them.
/// Guarantees: beside, they change nothing; within, the others get what they leave.
#[test]
fn errors_are_paid_for_when_they_are_within_the_share() {
    let run = |certain: Certain| {
        let budget = Budget::new(certain);
        let decide = |number: u64, budget: &Budget| {
            let ordinary = offer(number, 0.05, budget);
            if number % 100 < 3 { (1.0, Kind::Certain) } else { (ordinary, Kind::Ordinary) }
        };
        spend(&budget, 200_000, 0.05, decide)
    };
    let (beside, within) = (run(Certain::Beside), run(Certain::Within));
    assert!((0.97..1.03).contains(&(beside / 16_000.0)), "{beside}");
    assert!((0.97..1.03).contains(&(within / 10_000.0)), "{within}");
}

/// Scenario: a purse is emptied faster than it earns.
/// Guarantees: what it pays for becomes less likely before it becomes impossible, and the purse never holds more than its
/// bound.
#[test]
fn a_purse_runs_low_gently() {
    let purse = Purse::new();
    assert_eq!(purse.probability(0.0, 32.0), 1.0);
    (0..500).for_each(|_| purse.pay(purse.probability(0.0, 32.0)));
    let low = purse.probability(0.0, 32.0);
    assert!(0.0 < low && low < 0.01, "{low}");
    purse.earn(1e9);
    assert_eq!(purse.probability(0.0, PURSE_MAX), 1.0);
}
