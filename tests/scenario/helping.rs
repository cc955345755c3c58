//! Restarts, shed load and profiles over time.
//!
//! Answers whether what else can be done to a service helps where it should, is quiet where it should be, and is given up
//! when it does not help.

use homeostat_core::{Autonomy, Seed, Target, Verdict};
use homeostat_sim::{ActionStory, RunReport, Scenario, run, shipped};

use crate::{check, options};

fn ran(scenario: &Scenario) -> RunReport {
    run(scenario, Seed(1), &options())
}

/// What was sent of one kind, in the order in which it was decided.
fn sent<'a>(report: &'a RunReport, kind: &str) -> Vec<&'a ActionStory> {
    report.actions.iter().filter(|action| action.sent && action.kind == kind).collect()
}

/// Good answers of checkout in a second of the overload, on average.
fn goodput(report: &RunReport) -> u32 {
    let checkout = report.series.services.iter().position(|name| name.as_str() == "checkout").expect("it is there");
    let good: Vec<u32> = report.series.of(checkout).skip(240).take(240).map(|sample| sample.good).collect();
    good.iter().sum::<u32>() / good.len() as u32
}

/// Scenario: one instance of four takes requests and finishes none.
/// Guarantees: it is restarted, alone, and the restart is judged to have helped.
#[test]
fn a_wedged_instance_is_restarted() {
    check("wedged_instance");
    let report = ran(&shipped("wedged_instance").unwrap());
    let restarts = sent(&report, "restart_instance");
    assert_eq!(restarts.len(), 1, "{restarts:?}");
    assert_eq!(restarts[0].target, Target::Instance("cart".into(), "cart-0".into()));
    assert_eq!(restarts[0].end.map(|end| end.verdict), Some(Verdict::Kept));
}

/// Scenario: the instance is stuck again after every restart.
/// Guarantees: it is restarted twice and no more, and people are told that a restart does not cure it.
#[test]
fn a_restart_in_vain_ends_with_people() {
    check("restart_in_vain");
    let report = ran(&shipped("restart_in_vain").unwrap());
    assert_eq!(sent(&report, "restart_instance").len(), 2);
    let told = sent(&report, "notify");
    assert!(
        told.iter().any(|action| action.policy == "restart_wedged" && action.what.contains("stuck again")),
        "{told:?}"
    );
}

/// Scenario: a service whose instances are slow, and one whose only instance is stuck.
/// Guarantees: nothing is restarted.
#[test]
fn slow_instances_and_last_ones_are_left_alone() {
    check("slow_is_not_wedged");
    assert!(sent(&ran(&shipped("slow_is_not_wedged").unwrap()), "restart_instance").is_empty());
}

/// Scenario: nearly twice what a service can do, with and without the permission to refuse requests by itself.
/// Guarantees: those let in keep their promise, and at least ten times as many requests are answered in time.
#[test]
fn shedding_saves_what_can_be_saved() {
    check("overload_at_ceiling");
    let mut scenario = shipped("overload_at_ceiling").unwrap();
    let with = goodput(&ran(&scenario));
    scenario.settings.autonomy.shedding = Autonomy::Observe;
    let without = goodput(&ran(&scenario));
    assert!(180 <= with && 10 * without <= with, "{with} good answers a second with shedding, {without} without");
}

/// Scenario: a service that could refuse requests but may still grow.
/// Guarantees: it grows, and refuses nobody.
#[test]
fn capacity_comes_before_shedding() {
    check("capacity_before_shedding");
    assert!(sent(&ran(&shipped("capacity_before_shedding").unwrap()), "limit_concurrency").is_empty());
}

/// Scenario: work becomes dearer without more of it; in another run twice the traffic explains the same trouble.
/// Guarantees: the suspect is profiled once, and not where traffic explains it.
#[test]
fn only_what_nothing_explains_is_profiled() {
    check("dearer_work");
    let scenario = shipped("dearer_work").unwrap();
    let profiles: Vec<Target> =
        sent(&ran(&scenario), "profile_service").iter().map(|action| action.target.clone()).collect();
    assert_eq!(profiles, [Target::Service("catalog".into())]);
    let text = include_str!("../scenarios/dearer_work.yaml");
    let busy = text.replace("constant: { per_second: 80 }", "burst: { base: 80, peak: 200, from_s: 240, to_s: 540 }");
    let busy = busy.split("faults:").next().unwrap();
    let report = ran(&Scenario::parse("busy", busy).unwrap());
    assert!(!report.incidents.is_empty());
    assert!(sent(&report, "profile_service").is_empty());
}
