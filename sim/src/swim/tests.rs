//! Whole runs.
//!
//! Answers whether managers earn in the order in which they must, and whether a seed decides a run.

use super::*;

/// A trace that swells and ebbs between 4 and 32 requests per second every half an hour.
fn tides() -> Trace {
    let mut text = String::new();
    let mut at: f64 = 0.0;
    while at < 6_300.0 {
        let gap = 1.0 / (18.0 - 14.0 * (at / 1_800.0 * std::f64::consts::TAU).cos());
        at += gap;
        text.push_str(&format!("{gap}\n"));
    }
    Trace::parse("tides.delta", &text).unwrap()
}

fn score(kind: ManagerKind, seed: u64) -> Score {
    let (config, trace) = (SwimConfig::large(180.0), tides());
    let mut manager = AnyManager::new(kind, &Brief { config, trace: &trace, goal: Utility::Seams2017 });
    run(config, &trace, Seed(seed), &mut manager).score
}

/// Scenario: one manager with one seed twice, and with another seed.
/// Guarantees: the same seed gives the same run byte for byte; another seed another.
#[test]
fn one_seed_decides_a_run() {
    let (config, trace) = (SwimConfig::large(180.0), tides());
    let told = |seed| format!("{:?}", run(config, &trace, Seed(seed), &mut managers::Reactive::new(config)));
    assert_eq!(told(1), told(1));
    assert_ne!(told(1), told(2));
}

/// Scenario: a run with nobody deciding.
/// Guarantees: ninety minutes are scored, three servers cost throughout, and the first decision falls into the warm-up.
#[test]
fn ninety_minutes_are_scored() {
    let score = score(ManagerKind::Nothing, 1);
    assert_eq!((score.periods, score.full), (90, 0));
    assert!((score.servers - 3.0).abs() < 1e-9);
}

/// Scenario: tides that need one server at times and two at others.
/// Guarantees: who knows them earns more than any setting that is held, is never late, and uses fewer servers.
#[test]
fn the_future_is_worth_something() {
    let (config, trace) = (SwimConfig::large(180.0), tides());
    let setting = best_static(config, &trace, &[Seed(1)], Utility::Seams2017);
    let (held, foreseen) = (score(ManagerKind::Static(setting), 1), score(ManagerKind::PerfectForecast, 1));
    assert!(held.seams2017 < foreseen.seams2017, "{held:?} {foreseen:?}");
    assert_eq!(foreseen.late, 0);
    assert!(foreseen.servers < held.servers);
}

/// Scenario: settings are run that the search may have left out.
/// Guarantees: none earns more than the one the search found.
#[test]
fn the_search_leaves_out_no_better_setting() {
    let (config, trace) = (SwimConfig::small(60.0), tides());
    let earned = |setting| {
        let brief = Brief { config, trace: &trace, goal: Utility::Seams2017 };
        run(config, &trace, Seed(1), &mut AnyManager::new(ManagerKind::Static(setting), &brief)).score.seams2017
    };
    let best = earned(best_static(config, &trace, &[Seed(1)], Utility::Seams2017));
    for servers in 1..=3 {
        for level in [0, 2, 3, 4] {
            assert!(earned(Setting { servers, dimmer: f64::from(level) / 4.0 }) <= best);
        }
    }
}

/// Scenario: the agent's planner on the tides, which it does not know.
/// Guarantees: it is never late, uses fewer servers than a site that is left alone, and earns more than the exemplar's rules.
#[test]
fn the_planner_is_on_time_and_thrifty() {
    let planned = score(ManagerKind::Agent, 1);
    assert_eq!(planned.late, 0, "{planned:?}");
    assert!(planned.servers < 3.0, "{planned:?}");
    assert!(score(ManagerKind::Reactive, 1).seams2017 < planned.seams2017);
}
