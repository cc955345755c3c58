//! Actuators that are not well.

use homeostat_core::{ActionId, Micros};

use super::*;

const TEXT: &str = "
about: one service that can be scaled
duration_s: 100
services:
  - name: a
    replicas: 2
    workers_per_replica: 1
    service_time: { exponential: { mean_us: 1000 } }
workloads:
  - { service: a, shape: { constant: { per_second: 1 } } }
";

/// Asks for eight instances under these conditions; tells what was said, how many are wanted then, and what is read back.
fn ask(spoil: impl Fn(&mut Actuator)) -> (Vec<ReportKind>, u32, Option<u32>) {
    let scenario = Scenario::parse("test", TEXT).unwrap();
    let slow_above = [Micros::from_millis(100)];
    let mut plant = Queueing::new(scenario.plant.clone(), scenario.workloads.clone(), &slow_above, Seed(1));
    let mut actuators = Actuators::new(&scenario, Seed(1));
    let mut conditions = Conditions::good(1);
    spoil(&mut conditions.services[0].actuator);
    let actuation = Actuation::SetReplicas { service: ServiceName::from("a"), replicas: Replicas(8) };
    let apply = Effect::Apply { id: ActionId(1), actuation: actuation.clone() };
    let said = actuators.perform(SimTime(0), apply, &mut plant, &conditions);
    let read_back = Effect::ReadBack { id: ActionId(1), actuation };
    let answer = actuators.perform(SimTime(0), read_back, &mut plant, &conditions);
    let actual = answer.into_iter().find_map(|report| match report.kind {
        ReportKind::ReadBack { actual: Some(Actuation::SetReplicas { replicas, .. }) } => Some(replicas.0),
        _ => None,
    });
    (said.into_iter().map(|report| report.kind).collect(), plant.replicas_wanted(0), actual)
}

/// Scenario: eight instances are asked for where there are two; the actuator is well, refuses, is stuck, lies, goes half of
/// the way, sets twice as many, and contradicts itself.
/// Guarantees: what is said, what is done and what is read back differ exactly as each fault says.
#[test]
fn what_is_said_done_and_read_back_differ_as_the_fault_says() {
    let check = |spoil: fn(&mut Actuator), said: &[ReportKind], done, read_back| {
        assert_eq!(ask(spoil), (said.to_vec(), done, Some(read_back)));
    };
    let failed = |why: &str| ReportKind::Failed { why: why.to_owned() };
    check(|_| {}, &[ReportKind::Applied], 8, 8);
    check(|hand| hand.failing_bp = 10_000, &[failed("the actuator of a refused")], 2, 2);
    check(|hand| hand.frozen = true, &[ReportKind::Applied], 2, 2);
    check(|hand| hand.lying_bp = 10_000, &[ReportKind::Applied], 2, 8);
    check(|hand| hand.partial_bp = Some(5000), &[ReportKind::Applied], 5, 5);
    check(|hand| hand.wrong_bp = Some(20_000), &[ReportKind::Applied], 16, 16);
    let both = [ReportKind::Applied, failed("the actuator contradicts itself")];
    check(|hand| hand.contradictory = true, &both, 8, 8);
}

/// Scenario: commands are lost, late or neither; reports come three times; actuators act every 15 s only.
/// Guarantees: each is found as it should be.
#[test]
fn commands_and_reports_are_lost_late_and_doubled() {
    let mut scenario = Scenario::parse("test", TEXT).unwrap();
    scenario.actuator_round = Micros::from_millis(15_000);
    let slow_above = [Micros::from_millis(100)];
    let mut plant = Queueing::new(scenario.plant.clone(), scenario.workloads.clone(), &slow_above, Seed(1));
    let mut actuators = Actuators::new(&scenario, Seed(1));
    assert_eq!(actuators.due(SimTime::from_secs(20)), SimTime::from_secs(30));
    let mut conditions = Conditions::good(1);
    let actuation = Actuation::SetReplicas { service: ServiceName::from("a"), replicas: Replicas(3) };
    let effect = Effect::Apply { id: ActionId(1), actuation };
    assert_eq!(actuators.reach(SimTime(0), &effect, &conditions), Reach::Now);
    conditions.services[0].actuator.late = Millis(7000);
    assert_eq!(actuators.reach(SimTime(0), &effect, &conditions), Reach::Later(SimTime::from_secs(7)));
    conditions.services[0].actuator.lost_bp = 10_000;
    assert_eq!(actuators.reach(SimTime(0), &effect, &conditions), Reach::Never);
    conditions.reports_copies = 3;
    let said = actuators.perform(SimTime(0), effect, &mut plant, &conditions);
    assert_eq!(said.len(), 3);
}
