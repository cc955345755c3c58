//! Behaviour over time.
//!
//! Answers whether the loop, in every shipped scenario, keeps its promises and stays within the expected envelopes, for a
//! few fixed seeds. The thousand moved-about days are run from the command line, in release.

mod attacks;
mod helping;
mod learners;

use homeostat_core::Seed;
use homeostat_sim::swarm::{SwarmPlan, swarm};
use homeostat_sim::{DigestScope, Keep, Options, SHIPPED, Scenario, run, shipped};

fn options() -> Options {
    Options { digest: DigestScope::Effects, ..Options::default() }
}

/// Runs a shipped scenario with a few seeds and fails with everything that went wrong.
fn check(name: &str) {
    let scenario = shipped(name).unwrap_or_else(|error| panic!("{error}"));
    for seed in [1, 2, 3] {
        let report = run(&scenario, Seed(seed), &options());
        let complaints: Vec<String> = report.complaints.iter().map(ToString::to_string).collect();
        let misses: Vec<String> = report.misses().map(ToString::to_string).collect();
        assert!(report.is_good(), "{}\n{}\n{}", report.command(), complaints.join("\n"), misses.join("\n"));
    }
}

/// Scenario: five services on an ordinary quarter of an hour.
/// Guarantees: nothing is wrong, and the loop does not look for something to do.
#[test]
fn a_healthy_system_is_left_alone() {
    check("steady_state");
}

/// Scenario: the catalogue's work takes three times as long.
/// Guarantees: scaling relieves it, the objective holds, and capacity is given back afterwards.
#[test]
fn a_starved_service_is_repaired_by_scaling() {
    check("starved_service");
}

/// Scenario: four times the traffic from one second to the next.
/// Guarantees: the loop follows and comes to rest at the new level.
#[test]
fn a_step_in_traffic_is_followed() {
    check("traffic_step");
}

/// Scenario: five times the traffic while only so many spans may be kept.
/// Guarantees: the span budget holds on average, and sampling recovers afterwards.
#[test]
fn a_burst_stays_within_the_span_budget() {
    check("burst_under_budget");
}

/// Scenario: a critical and a busy, unimportant journey begin at one service; the span budget suffices for one of them.
/// Guarantees: the budget holds, and whoever has only the kept traces knows the critical journey's error rate as precisely as
/// was asked for, against the plant's own count.
#[test]
fn a_critical_journey_stays_known_when_the_budget_is_scarce() {
    check("scarce_goals");
}

/// Scenario: payments fail by themselves.
/// Guarantees: people are told, and nothing is scaled that scaling cannot cure.
#[test]
fn a_failing_dependency_is_reported_and_not_scaled() {
    check("failing_dependency");
}

/// Scenario: a service is starved and no actuator answers for five minutes.
/// Guarantees: nothing is done twice, nothing is lost, and the objective is met once answers arrive again.
#[test]
fn lost_reports_do_no_harm() {
    check("lost_reports");
}

/// Scenario: all readings are lost while a service is starved.
/// Guarantees: the loop says it is blind and changes nothing until it can see.
#[test]
fn a_blind_loop_keeps_its_hands_still() {
    check("blind_sensors");
}

/// Scenario: the agent dies in the middle of a repair and comes back with its checkpoint.
/// Guarantees: open trials are taken up again and no promise is broken.
#[test]
fn a_crash_in_mid_trial_is_survived() {
    check("crash_in_trial");
}

/// Scenario: a person holds the agent in the middle of a repair.
/// Guarantees: nothing changes until the person lets it go.
#[test]
fn the_kill_switch_stops_everything() {
    check("kill_switch");
}

/// Scenario: clients and a caller try again what fails; a burst leaves an overload that feeds itself.
/// Guarantees: the loop adds capacity until it ends, and gives it back without turning round.
#[test]
fn a_retry_storm_is_ended() {
    check("retry_storm");
}

/// Scenario: a cache is emptied, and what it remembered falls on the store behind it.
/// Guarantees: the store is scaled, the objective holds again, and capacity is given back.
#[test]
fn a_cold_cache_is_survived() {
    check("cache_cold_start");
}

/// Scenario: a dependency becomes slow and the connections to it are used up.
/// Guarantees: people are told, nothing oscillates, and all is well once the dependency is.
#[test]
fn an_exhausted_pool_is_reported() {
    check("pool_exhaustion");
}

/// Scenario: a batch job takes most cores of a host that two services share.
/// Guarantees: the loop does what it can within its envelope, and comes to rest afterwards.
#[test]
fn a_noisy_neighbour_is_endured() {
    check("noisy_neighbour");
}

/// Scenario: traffic grows fourfold while instances start late, are slow at first, and a controller acts every 15 s only.
/// Guarantees: the loop waits for what it asked for, reaches the new level and stays there.
#[test]
fn slow_starts_do_not_make_it_overshoot() {
    check("cold_start_scale_out");
}

/// Scenario: instances of two services are lost.
/// Guarantees: what is needed is replaced within two minutes, at the objective.
#[test]
fn lost_instances_are_replaced() {
    check("replica_loss");
}

/// Scenario: a starved service is seen twelve seconds late, and the clocks of two others are off.
/// Guarantees: it is repaired all the same, and nobody else is touched.
#[test]
fn late_readings_delay_and_do_not_mislead() {
    check("late_sensor");
}

/// Scenario: the readings of a starved service are frozen, those of another come from a cache.
/// Guarantees: the frozen service is left alone, people are told by its caller's pain, and it is repaired once seen.
#[test]
fn frozen_readings_are_not_acted_on() {
    check("frozen_sensor");
}

/// Scenario: readings are wrong by factors, and contradict each other.
/// Guarantees: what is believed costs instances within the envelope and no request, and the loop comes to rest.
#[test]
fn wrong_readings_do_bounded_harm() {
    check("wrong_sensor");
    check("contradictory_sensor");
}

/// Scenario: the actuator of a starved service refuses, is stuck, is late, lies, goes half of the way, sets too much.
/// Guarantees: the loop goes on asking within its budgets, and the objective is met once the hands are well.
#[test]
fn spoilt_hands_delay_and_do_not_break_the_repair() {
    check("failing_actuator");
    check("lying_actuator");
    check("partial_actuator");
}

/// Scenario: the same seed twice, and another seed, with every record in the digest.
/// Guarantees: equal seeds give byte-identical journals, different seeds do not.
#[test]
fn a_seed_decides_a_run() {
    let scenario = shipped("starved_service").unwrap();
    let options = Options { digest: DigestScope::Records, ..options() };
    let digest = |seed| run(&scenario, Seed(seed), &options).digest;
    assert_eq!(digest(1), digest(1));
    assert_ne!(digest(1), digest(2));
}

/// Scenario: the event log of a run is fed to a fresh loop.
/// Guarantees: it writes the same journal.
#[test]
fn a_recorded_run_replays_to_the_same_journal() {
    use homeostat_control::ControlLoop;
    use homeostat_core::Command;
    let options = Options { keep: Keep::RecordsAndEvents, ..options() };
    let report = run(&shipped("starved_service").unwrap(), Seed(1), &options);
    let mut fresh = ControlLoop::new(homeostat_policies::CATALOGUE);
    let commands = report.events.iter().flat_map(|(now, event)| fresh.handle(*now, event.clone()));
    let replayed = commands.filter_map(|command| match command {
        Command::Record(record) => Some(*record),
        Command::Effect(_) => None,
    });
    assert!(replayed.eq(report.records));
}

/// Scenario: every shipped scenario, moved about by two seeds.
/// Guarantees: no promise is broken, and a swarm's result does not depend on how many threads ran it.
#[test]
fn moved_scenarios_keep_every_promise() {
    let scenarios: Vec<Scenario> = SHIPPED.iter().map(|(name, _)| shipped(name).unwrap()).collect();
    let plan = SwarmPlan::usual(&scenarios, 2);
    let report = swarm(&plan, &|_| {});
    for failure in &report.failures {
        eprintln!("{}: {}", failure.command, failure.problem);
    }
    assert_eq!(report.failed, 0);
    let alone = SwarmPlan { threads: std::num::NonZeroUsize::new(1), ..plan };
    assert_eq!(swarm(&alone, &|_| {}), report);
}
