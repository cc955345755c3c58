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
    /// The share of actuations that are refused.
    pub(crate) actuations_failing_bp: u32,
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
            actuations_failing_bp: 0,
        };
        Conditions {
            services: vec![service; services],
            agent_sensor: Sensor::default(),
            reports_lost_bp: 0,
            reports_late: Millis(0),
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
}
