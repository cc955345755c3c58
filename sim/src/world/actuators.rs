//! Actuators.
//!
//! Answers what an effect does to the plant, how long that takes, and what is reported. Knows nothing of why. Performing an
//! actuation twice is the same as once, as the wall demands.

use homeostat_core::{
    Actuation, Effect, InstanceId, Micros, Millis, Parameter, Replicas, Report, ReportKind, SamplingProbability, Seed,
    ServiceName, ServiceSampling, Stream,
};
use rand::Rng;

use crate::conditions::Conditions;
use crate::plants::{Queueing, chance_bp};
use crate::queue::SimTime;
use crate::scenario::Scenario;

/// The hands of the world.
pub(crate) struct Actuators {
    names: Vec<ServiceName>,
    delay: Micros,
    round: Micros,
    stream: Stream,
    applied: u32,
}

impl Actuators {
    pub(crate) fn new(scenario: &Scenario, seed: Seed) -> Actuators {
        Actuators {
            names: scenario.names().to_vec(),
            delay: scenario.actuator_delay,
            round: scenario.actuator_round,
            stream: seed.stream("world/actuators"),
            applied: 0,
        }
    }

    /// When an effect commanded now takes place: after the delay, give or take half of it, and in the next round.
    pub(crate) fn due(&mut self, now: SimTime) -> SimTime {
        let share = u64::from(self.stream.next_u32() >> 16);
        let SimTime(at) = now.after(Micros(self.delay.0 / 2 + ((self.delay.0 * share) >> 16)));
        SimTime(at.next_multiple_of(self.round.0.max(1)))
    }

    /// When the answer to an effect that took place now arrives; never, if it is lost.
    pub(crate) fn answer_at(&mut self, now: SimTime, conditions: &Conditions) -> Option<SimTime> {
        let Millis(late) = conditions.reports_late;
        let arrives = !chance_bp(&mut self.stream, conditions.reports_lost_bp);
        arrives.then(|| now.after(Micros(late * 1000)))
    }

    /// How many changes were applied since the last call.
    pub(crate) fn take_applied(&mut self) -> u32 {
        std::mem::take(&mut self.applied)
    }

    /// Carries out `effect`.
    pub(crate) fn perform(
        &mut self,
        now: SimTime,
        effect: Effect,
        plant: &mut Queueing,
        conditions: &Conditions,
    ) -> Report {
        let (id, kind) = match effect {
            Effect::Apply { id, actuation } => {
                (id, self.change(now, &actuation, plant, conditions, ReportKind::Applied))
            }
            Effect::Undo { id, actuation } => (id, self.change(now, &actuation, plant, conditions, ReportKind::Undone)),
            Effect::ReadBack { id, actuation } => {
                (id, ReportKind::ReadBack { actual: self.read_back(&actuation, plant) })
            }
        };
        Report { id, kind }
    }

    fn change(
        &mut self,
        now: SimTime,
        actuation: &Actuation,
        plant: &mut Queueing,
        conditions: &Conditions,
        done: ReportKind,
    ) -> ReportKind {
        let service = match actuation {
            Actuation::SetReplicas { service, .. }
            | Actuation::SetSampling { service, .. }
            | Actuation::SetParameter { service, .. }
            | Actuation::Restart { service, .. }
            | Actuation::Profile { service, .. } => service,
            Actuation::Notify { .. } => return done,
        };
        let Some(index) = self.index(service) else {
            return ReportKind::Failed { why: format!("there is no service called {service}") };
        };
        if chance_bp(&mut self.stream, conditions.services[index].actuations_failing_bp) {
            return ReportKind::Failed { why: format!("the actuator of {service} refused") };
        }
        match actuation {
            Actuation::SetReplicas { replicas, .. } => plant.set_replicas(now, index, replicas.0),
            Actuation::SetSampling { sampling, .. } => plant.set_sampling(now, index, *sampling),
            Actuation::SetParameter { parameter, value, .. } => set_parameter(plant, index, *parameter, *value),
            Actuation::Restart { instance, .. } => {
                let place = place_of(service, instance);
                if !place.is_some_and(|place| plant.restart(now, index, place)) {
                    return ReportKind::Failed { why: format!("there is no {instance} of {service}") };
                }
            }
            // A profile costs a few percent for some seconds, which no station would notice.
            Actuation::Profile { .. } | Actuation::Notify { .. } => {}
        }
        self.applied += 1;
        done
    }

    fn read_back(&self, wanted: &Actuation, plant: &Queueing) -> Option<Actuation> {
        match wanted {
            Actuation::SetReplicas { service, .. } => {
                let replicas = Replicas(plant.replicas_wanted(self.index(service)?));
                Some(Actuation::SetReplicas { service: service.clone(), replicas })
            }
            Actuation::SetSampling { service, .. } => {
                let (head, tail) = plant.sampling_set(self.index(service)?);
                let sampling = ServiceSampling {
                    head: SamplingProbability::from_ppm_saturating(u64::from(head)),
                    tail: SamplingProbability::from_ppm_saturating(u64::from(tail)),
                };
                Some(Actuation::SetSampling { service: service.clone(), sampling })
            }
            Actuation::SetParameter { service, parameter, .. } => {
                let index = self.index(service)?;
                let value = match parameter {
                    Parameter::ConcurrencyLimit => plant.limit(index),
                    Parameter::Dimmer => plant.dimmer(index),
                };
                let (service, parameter) = (service.clone(), *parameter);
                Some(Actuation::SetParameter { service, parameter, value: value.into() })
            }
            // Whether a person was told, or a process was started anew, cannot be read off the world.
            Actuation::Notify { .. } | Actuation::Restart { .. } | Actuation::Profile { .. } => None,
        }
    }

    fn index(&self, service: &ServiceName) -> Option<usize> {
        self.names.iter().position(|name| name == service)
    }
}

fn set_parameter(plant: &mut Queueing, service: usize, parameter: Parameter, value: u64) {
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    match parameter {
        Parameter::ConcurrencyLimit => plant.set_limit(service, value),
        Parameter::Dimmer => plant.set_dimmer(service, value.min(10_000)),
    }
}

fn place_of(service: &ServiceName, instance: &InstanceId) -> Option<u32> {
    instance.as_str().strip_prefix(service.as_str())?.strip_prefix('-')?.parse().ok()
}
