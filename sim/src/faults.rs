//! Faults.
//!
//! Answers how a good day is spoiled. A fault says what is different while it is active; it does not know when that is,
//! because the schedule belongs to the scenario and is moved about by the swarm.

mod cold_cache;
mod crash_restart;
mod failing_actuator;
mod failing_service;
mod frozen_sensor;
mod late_observations;
mod late_reports;
mod lost_observations;
mod lost_reports;
mod noisy_neighbour;
mod replica_loss;
mod slow_service;
mod slow_start;
mod wedged_instance;

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::plants::ServiceSpec;
use crate::scenario::Problems;

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
    SlowStart => slow_start::SlowStart;
    WedgedInstance => wedged_instance::WedgedInstance;
    ColdCache => cold_cache::ColdCache;
    NoisyNeighbour => noisy_neighbour::NoisyNeighbour;
    LostObservations => lost_observations::LostObservations;
    LateObservations => late_observations::LateObservations;
    FrozenSensor => frozen_sensor::FrozenSensor;
    LostReports => lost_reports::LostReports;
    LateReports => late_reports::LateReports;
    FailingActuator => failing_actuator::FailingActuator;
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
