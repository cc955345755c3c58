//! Conditions.
//!
//! Answers how the world differs from a good day at this moment. It is recomputed from the faults that are active, rather
//! than switched on and off by each, so that faults may overlap and end in any order.

use homeostat_core::{Millis, ServiceName};

/// Everything faults can change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Conditions {
    pub(crate) services: Vec<ServiceConditions>,
    /// How the agent reads its own counters.
    pub(crate) agent_sensor: Sensor,
    /// The share of reports that never arrive.
    pub(crate) reports_lost_bp: u32,
    /// How much later reports arrive.
    pub(crate) reports_late: Millis,
    /// How often each arrives.
    pub(crate) reports_copies: u32,
    /// How what concerns no service is carried out: notifications.
    pub(crate) elsewhere: Actuator,
    /// Whether the agent's process is gone.
    pub(crate) agent_down: bool,
}

/// What faults can change about one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServiceConditions {
    pub(crate) time_factor_bp: u64,
    pub(crate) extra_error_ppm: u32,
    pub(crate) lost_replicas: u32,
    pub(crate) start_delay_factor_bp: u64,
    /// Instances that take requests and finish none, until they are restarted.
    pub(crate) wedged_instances: u32,
    /// Whether its cache is to be empty when this begins.
    pub(crate) cache_flushed: bool,
    /// Cores of its host that somebody else uses.
    pub(crate) neighbour_cores: u32,
    pub(crate) sensor: Sensor,
    pub(crate) actuator: Actuator,
    /// The number of instances that somebody else wants.
    pub(crate) other_hand: Option<u32>,
}

/// How changes are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Actuator {
    /// The share of commands that never arrive.
    pub(crate) lost_bp: u32,
    /// How much later they arrive.
    pub(crate) late: Millis,
    /// The share that is refused.
    pub(crate) failing_bp: u32,
    /// The share that is claimed and not done.
    pub(crate) lying_bp: u32,
    /// Whether nothing is done and that is seen when asked.
    pub(crate) frozen: bool,
    /// What is set, in ten-thousandths of what was told, if it is another value.
    pub(crate) wrong_bp: Option<u32>,
    /// The part of the change that is made, if it is not all.
    pub(crate) partial_bp: Option<u32>,
    /// Whether success is reported as failure too.
    pub(crate) contradictory: bool,
}

/// Kinds of readings that can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reading {
    /// Counted requests.
    Requests,
    /// Counted failures.
    Errors,
    /// Both percentiles.
    Latency,
    /// Of workers.
    Utilization,
    /// Instances that serve.
    Replicas,
}

/// How many kinds of readings can be wrong.
pub(crate) const READINGS: usize = 5;

impl Reading {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reading::Requests => "requests",
            Reading::Errors => "errors",
            Reading::Latency => "latency",
            Reading::Utilization => "utilization",
            Reading::Replicas => "replicas",
        }
    }
}

/// How a target is seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sensor {
    /// The share of readings that never arrive.
    pub(crate) lost_bp: u32,
    /// How much later they arrive.
    pub(crate) late: Millis,
    /// Whether the values no longer follow the world, although they look new.
    pub(crate) frozen: bool,
    /// How often the values follow the world, if something remembers them in between; zero means always.
    pub(crate) refresh_s: u64,
    /// What is shown of each kind of reading, in ten-thousandths of the truth, if it is wrong.
    pub(crate) wrong_bp: [Option<u32>; READINGS],
    /// What a second set of readings says, in ten-thousandths of the first.
    pub(crate) contradicted_bp: Option<u32>,
    /// How far ahead the clock of the time stamps is.
    pub(crate) ahead_ms: i64,
}

impl Conditions {
    /// A good day.
    pub(crate) fn good(services: usize) -> Conditions {
        let service = ServiceConditions {
            time_factor_bp: 10_000,
            extra_error_ppm: 0,
            lost_replicas: 0,
            start_delay_factor_bp: 10_000,
            wedged_instances: 0,
            cache_flushed: false,
            neighbour_cores: 0,
            sensor: Sensor::default(),
            actuator: Actuator::default(),
            other_hand: None,
        };
        Conditions {
            services: vec![service; services],
            agent_sensor: Sensor::default(),
            reports_lost_bp: 0,
            reports_late: Millis(0),
            reports_copies: 1,
            elsewhere: Actuator::default(),
            agent_down: false,
        }
    }

    /// Changes `service`, or every service if none is named.
    pub(crate) fn each(
        &mut self,
        names: &[ServiceName],
        service: Option<&str>,
        mut change: impl FnMut(&mut ServiceConditions),
    ) {
        for (name, conditions) in names.iter().zip(&mut self.services) {
            if service.is_none_or(|wanted| wanted == name.as_str()) {
                change(conditions);
            }
        }
    }

    /// Changes the eyes on `service`; if none is named, all eyes, the agent's on itself included.
    pub(crate) fn each_sensor(
        &mut self,
        names: &[ServiceName],
        service: Option<&str>,
        mut change: impl FnMut(&mut Sensor),
    ) {
        self.each(names, service, |conditions| change(&mut conditions.sensor));
        if service.is_none() {
            change(&mut self.agent_sensor);
        }
    }

    /// Changes the hands on `service`; if none is named, all hands, those that concern no service included.
    pub(crate) fn each_actuator(
        &mut self,
        names: &[ServiceName],
        service: Option<&str>,
        mut change: impl FnMut(&mut Actuator),
    ) {
        self.each(names, service, |conditions| change(&mut conditions.actuator));
        if service.is_none() {
            change(&mut self.elsewhere);
        }
    }
}
