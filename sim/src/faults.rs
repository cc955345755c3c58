//! Faults.
//!
//! Answers how a good day is spoiled. A fault says what is different while it is active; it does not know when that is,
//! because the schedule belongs to the scenario and is moved about by the swarm.

mod cached_sensor;
mod clock_skew;
mod cold_cache;
mod contradictory_actuator;
mod contradictory_sensor;
mod crash_restart;
mod duplicate_reports;
mod failing_actuator;
mod failing_service;
mod frozen_actuator;
mod frozen_sensor;
mod late_commands;
mod late_observations;
mod late_reports;
mod lost_commands;
mod lost_observations;
mod lost_reports;
mod lying_actuator;
mod noisy_neighbour;
mod other_hand;
mod partial_actuator;
mod replica_loss;
mod slow_service;
mod slow_start;
mod wedged_instance;
mod wrong_actuator;
mod wrong_sensor;

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::plants::ServiceSpec;
use crate::scenario::Problems;

pub(crate) use cached_sensor::CachedSensor;
pub(crate) use clock_skew::ClockSkew;
pub(crate) use duplicate_reports::DuplicateReports;
pub(crate) use late_commands::LateCommands;
pub(crate) use late_reports::LateReports;
pub(crate) use lost_observations::LostObservations;
pub(crate) use lost_reports::LostReports;

/// One way in which a day can be bad.
pub(crate) trait Fault {
    /// Adds what is different while it is active.
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions);

    /// The service it concerns; none means all.
    fn service(&self) -> Option<&str> {
        None
    }

    /// What its service would need and does not have, so that the fault could do nothing.
    fn lacks(&self, _service: &ServiceSpec) -> Option<&'static str> {
        None
    }

    /// In a few words, for plots.
    fn describe(&self) -> String;

    /// Says what is wrong with the parameters.
    fn check(&self, _path: &str, _problems: &mut Problems) {}
}

macro_rules! catalogue {
    ($($name:ident => $module:ident::$fault:ident;)*) => {
        /// A fault as it is written in a scenario: its name and its parameters.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum AnyFault {
            $($name($module::$fault),)*
        }

        impl AnyFault {
            pub(crate) fn fault(&self) -> &dyn Fault {
                match self {
                    $(AnyFault::$name(fault) => fault,)*
                }
            }
        }
    };
}

catalogue! {
    SlowService => slow_service::SlowService;
    FailingService => failing_service::FailingService;
    ReplicaLoss => replica_loss::ReplicaLoss;
    OtherHand => other_hand::OtherHand;
    SlowStart => slow_start::SlowStart;
    WedgedInstance => wedged_instance::WedgedInstance;
    ColdCache => cold_cache::ColdCache;
    NoisyNeighbour => noisy_neighbour::NoisyNeighbour;
    LostObservations => lost_observations::LostObservations;
    LateObservations => late_observations::LateObservations;
    FrozenSensor => frozen_sensor::FrozenSensor;
    CachedSensor => cached_sensor::CachedSensor;
    WrongSensor => wrong_sensor::WrongSensor;
    ContradictorySensor => contradictory_sensor::ContradictorySensor;
    ClockSkew => clock_skew::ClockSkew;
    LostCommands => lost_commands::LostCommands;
    LateCommands => late_commands::LateCommands;
    FailingActuator => failing_actuator::FailingActuator;
    FrozenActuator => frozen_actuator::FrozenActuator;
    LyingActuator => lying_actuator::LyingActuator;
    WrongActuator => wrong_actuator::WrongActuator;
    PartialActuator => partial_actuator::PartialActuator;
    ContradictoryActuator => contradictory_actuator::ContradictoryActuator;
    LostReports => lost_reports::LostReports;
    LateReports => late_reports::LateReports;
    DuplicateReports => duplicate_reports::DuplicateReports;
    CrashRestart => crash_restart::CrashRestart;
}

/// A fault and its time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScheduledFault {
    pub(crate) from_s: u64,
    /// The end of the run, if the scenario names no end.
    pub(crate) to_s: u64,
    pub(crate) fault: AnyFault,
}

impl ScheduledFault {
    pub(crate) fn is_active(&self, at_s: u64) -> bool {
        (self.from_s..self.to_s).contains(&at_s)
    }
}

/// Refuses a share above one.
fn check_share(path: &str, key: &str, share_bp: u32, problems: &mut Problems) {
    if 10_000 < share_bp {
        problems.add(format!("{path}.{key}"), format!("is {share_bp}; a share is at most 10000"));
    }
}

/// Refuses a delay beyond what the queue of late arrivals is meant for.
fn check_delay(path: &str, key: &str, delay_ms: u64, problems: &mut Problems) {
    /// Ten minutes: everything a loop would still wait for is much shorter, and late readings are held in memory.
    const DELAY_MS_MAX: u64 = 600_000;
    if DELAY_MS_MAX < delay_ms {
        problems.add(format!("{path}.{key}"), format!("is {delay_ms}; at most {DELAY_MS_MAX} is simulated"));
    }
}

/// Refuses a factor that is no mistake any more.
fn check_factor(path: &str, key: &str, factor_bp: u32, problems: &mut Problems) {
    /// A thousand times: milliseconds taken for seconds.
    const FACTOR_BP_MAX: u32 = 10_000_000;
    if FACTOR_BP_MAX < factor_bp {
        problems.add(format!("{path}.{key}"), format!("is {factor_bp}; at most {FACTOR_BP_MAX} is simulated"));
    }
}

/// `of <service>`, or `everywhere`.
fn whose(service: Option<&str>) -> String {
    service.map_or_else(|| "everywhere".to_owned(), |service| format!("of {service}"))
}

fn everything() -> u32 {
    10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: two faults slow the same service down, one of them ends.
    /// Guarantees: together they multiply; what remains is exactly the other one.
    #[test]
    fn overlapping_faults_add_up_and_end_in_any_order() {
        let names = [ServiceName::from("a"), ServiceName::from("b")];
        let slow = |factor_bp| AnyFault::SlowService(slow_service::SlowService { service: "b".to_owned(), factor_bp });
        let at = |faults: &[AnyFault]| {
            let mut conditions = Conditions::good(2);
            faults.iter().for_each(|fault| fault.fault().apply(&names, &mut conditions));
            conditions
        };
        assert_eq!(at(&[slow(20_000), slow(30_000)]).services[1].time_factor_bp, 60_000);
        assert_eq!(at(&[slow(30_000)]).services[1].time_factor_bp, 30_000);
        assert_eq!(at(&[slow(30_000)]).services[0], Conditions::good(2).services[0]);
    }

    fn parse(text: &str) -> AnyFault {
        serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// Every fault as it would be written, concerning service `b` where it can.
    const WRITTEN: &[&str] = &[
        "slow_service: { service: b, factor_bp: 20000 }",
        "failing_service: { service: b, share_bp: 100 }",
        "replica_loss: { service: b, replicas: 1 }",
        "wedged_instance: { service: b, instances: 1 }",
        "slow_start: { service: b, factor_bp: 20000 }",
        "cold_cache: { service: b }",
        "noisy_neighbour: { service: b, cores: 2 }",
        "lost_observations: { service: b }",
        "late_observations: { service: b, delay_ms: 1000 }",
        "frozen_sensor: { service: b }",
        "cached_sensor: { service: b, refresh_s: 5 }",
        "wrong_sensor: { service: b, reading: latency, factor_bp: 20000 }",
        "contradictory_sensor: { service: b, factor_bp: 20000 }",
        "clock_skew: { service: b, ahead_ms: -1000 }",
        "lost_commands: { service: b }",
        "late_commands: { service: b, delay_ms: 1000 }",
        "failing_actuator: { service: b }",
        "frozen_actuator: { service: b }",
        "lying_actuator: { service: b }",
        "wrong_actuator: { service: b, factor_bp: 20000 }",
        "partial_actuator: { service: b }",
        "contradictory_actuator: { service: b }",
        "lost_reports: {}",
        "late_reports: { delay_ms: 1000 }",
        "duplicate_reports: {}",
        "crash_restart: {}",
    ];

    /// Scenario: every fault there is, once at a service, alone.
    /// Guarantees: each makes a day that differs from a good one and from that of every other fault, says so, and leaves
    /// the services alone that it does not concern.
    #[test]
    fn every_fault_leaves_its_mark_where_it_belongs() {
        let names = [ServiceName::from("a"), ServiceName::from("b")];
        let days: Vec<Conditions> = WRITTEN
            .iter()
            .map(|text| {
                let fault = parse(text);
                let mut day = Conditions::good(2);
                fault.fault().apply(&names, &mut day);
                assert_eq!(fault.fault().service().is_some(), text.contains("service: b"), "{text}");
                assert!(!fault.fault().describe().is_empty());
                day
            })
            .collect();
        for (index, day) in days.iter().enumerate() {
            assert_ne!(*day, Conditions::good(2), "{}", WRITTEN[index]);
            assert_eq!(day.services[0], Conditions::good(2).services[0], "{}", WRITTEN[index]);
            assert!(!days[..index].contains(day), "{}", WRITTEN[index]);
        }
    }

    /// Scenario: factors, shares, delays and copies beyond what makes sense, and faults that have nothing to spoil.
    /// Guarantees: each is refused under its key.
    #[test]
    fn nonsense_is_refused_under_its_key() {
        let check = |text: &str, key: &str| {
            let mut problems = Problems::default();
            parse(text).fault().check("f", &mut problems);
            assert_eq!(problems.iter().map(|(path, _)| path).collect::<Vec<_>>(), [format!("f.{key}")], "{text}");
        };
        check("wrong_sensor: { reading: latency, factor_bp: 20000000 }", "factor_bp");
        check("contradictory_sensor: { factor_bp: 20000000 }", "factor_bp");
        check("wrong_actuator: { factor_bp: 20000000 }", "factor_bp");
        check("partial_actuator: { share_bp: 10001 }", "share_bp");
        check("lying_actuator: { share_bp: 10001 }", "share_bp");
        check("lost_commands: { share_bp: 10001 }", "share_bp");
        check("late_commands: { delay_ms: 600001 }", "delay_ms");
        check("clock_skew: { ahead_ms: -600001 }", "ahead_ms");
        check("cached_sensor: { refresh_s: 0 }", "refresh_s");
        check("duplicate_reports: { copies: 0 }", "copies");
    }

    /// Scenario: blinding without naming a service.
    /// Guarantees: the agent's eyes on itself are closed too.
    #[test]
    fn blinding_everything_includes_the_agent_itself() {
        let mut conditions = Conditions::good(1);
        LostObservations { service: None, share_bp: 10_000 }.apply(&[ServiceName::from("a")], &mut conditions);
        assert_eq!(conditions.agent_sensor.lost_bp, 10_000);
        assert_eq!(conditions.services[0].sensor.lost_bp, 10_000);
    }
}
