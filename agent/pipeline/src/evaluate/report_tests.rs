//! Tests of the sampler's promises on generated traffic. Seeds are fixed, so that a test that passes always passes.

use super::*;
use crate::evaluate::generate::{Profile, generate};
use crate::evaluate::read_csv;

fn options(budget: f64, runs: u32) -> Options {
    Options { budget, runs, seed: 1 }
}

fn evaluated(traffic: &Traffic, options: Options) -> Evaluation {
    evaluate(traffic, &options, None, &mut |_| {})
}

/// Scenario: ordinary traffic with rare paths and faults, at five percent.
/// Guarantees: at least 95 % of the structures by either definition and 99 % of the failures are kept within the budget;
/// plain probability keeps less than half of them.
#[test]
fn five_percent_keep_what_matters() {
    let found = evaluated(&generate(Profile::Ordinary, 30_000, 2), options(0.05, 0));
    let Kept { traces, spans, shapes_edge_set, shapes_tree, error_traces, .. } = found.judged;
    assert!(0.95 <= shapes_edge_set && 0.95 <= shapes_tree && 0.99 <= error_traces, "{:?}", found.judged);
    assert!(traces <= 0.051 && spans <= 0.051, "{:?}", found.judged);
    assert!(found.plain.shapes_tree < 0.5 && found.plain.error_traces < 0.1, "{:?}", found.plain);
}

/// Scenario: traffic of which one path takes nearly everything, at one percent.
/// Guarantees: at least 90 % of the structures and of the failures are kept.
#[test]
fn one_percent_still_keeps_what_matters() {
    let found = evaluated(&generate(Profile::Skewed, 50_000, 2), options(0.01, 0));
    let Kept { traces, shapes_edge_set, shapes_tree, error_traces, .. } = found.judged;
    assert!(0.9 <= shapes_edge_set && 0.9 <= shapes_tree && 0.9 <= error_traces, "{:?}", found.judged);
    assert!(traces <= 0.015, "{:?}", found.judged);
}

/// Scenario: more traces fail than may be kept, at five percent.
/// Guarantees: all failures are kept all the same, and what comes on top is less than a third of the budget.
#[test]
fn failures_may_exceed_the_budget() {
    let found = evaluated(&generate(Profile::Errors, 20_000, 2), options(0.05, 0));
    let failed = found.traffic.error_traces as f64 / found.traffic.traces as f64;
    assert!(0.05 < failed && found.judged.error_traces == 1.0, "{:?}", found.judged);
    assert!(found.judged.traces < failed + 0.05 / 3.0, "{:?}", found.judged);
}

/// Scenario: sampling is repeated eighty times with other dice.
/// Guarantees: 95 % intervals of rates, error ratios and medians cover the truth in 92 to 98 of a hundred cases (eighty
/// runs are not enough for one percent), and rates are not biased.
#[test]
fn intervals_cover_the_truth() {
    let found = evaluated(&generate(Profile::Skewed, 10_000, 3), options(0.1, 80));
    let report = found.intervals.expect("runs were asked for");
    for quantity in ["rate", "error_ratio", "p50"] {
        let coverage = report.coverage[quantity];
        assert!(0 < coverage.operations && (0.92..=0.98).contains(&coverage.covered), "{quantity}: {coverage:?}");
    }
    assert!(report.coverage["rate"].bias.abs() < 0.02, "{report:?}");
}

/// Scenario: the same evaluation twice, every profile.
/// Guarantees: the same findings; shares are shares; a clock gives costs.
#[test]
fn an_evaluation_can_be_repeated() {
    for (profile, name) in Profile::ALL {
        let traffic = generate(profile, 1000, 4);
        let first = evaluated(&traffic, options(0.05, 1));
        assert_eq!(first, evaluated(&traffic, options(0.05, 1)), "{name}");
        let Kept { traces, spans, shapes_edge_set, shapes_tree, error_traces, operations, .. } = first.judged;
        let shares = [traces, spans, shapes_edge_set, shapes_tree, error_traces, operations];
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{name}: {shares:?}");
    }
    let mut now = 0;
    let mut clock = || {
        now += 1_000_000;
        now
    };
    let traffic = generate(Profile::Ordinary, 100, 1);
    let found = evaluate(&traffic, &options(0.05, 0), Some(&mut clock), &mut |_| {});
    let cost = found.cost.expect("there was a clock");
    assert!((cost.decide_ns_per_trace - 10_000.0).abs() < 1e-6, "{cost:?}");
}

/// Scenario: a file with two structures by edges and three by trees, one of them with its lines in another order.
/// Guarantees: both definitions count as a person would.
#[test]
fn structures_are_counted_by_both_definitions() {
    let mut text = "operation,trace_id,span_id,parent_id,service,start_ns,end_ns,status\n".to_owned();
    for trace in ["a", "b"] {
        text += &format!("r,{trace},1,,s,1,9,ok\nc,{trace},2,1,s,2,3,ok\nd,{trace},3,1,s,4,5,ok\n");
    }
    text += "d,x,3,1,s,2,3,ok\nr,x,1,,s,1,9,ok\nc,x,2,1,s,4,5,ok\n";
    text += "r,y,1,,s,1,9,ok\nc,y,2,1,s,2,3,ok\nc,y,4,1,s,2,3,ok\nd,y,3,1,s,4,5,ok\n";
    text += "r,z,1,,s,1,9,ok\nc,z,2,1,s,2,3,ok\nd,z,3,2,s,4,5,error\n";
    let found = evaluated(&read_csv(text.as_bytes()).unwrap(), options(1.0, 0));
    assert_eq!((found.traffic.shapes_edge_set, found.traffic.shapes_tree), (2, 3));
    assert_eq!((found.traffic.traces, found.traffic.error_traces, found.traffic.operations), (5, 1, 3));
    assert_eq!(found.judged.traces, 1.0);
}
