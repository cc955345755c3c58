//! Actuators.
//!
//! Answers what an effect does to the plant, how long that takes, and what is reported. Knows nothing of why. Performing an
//! actuation twice is the same as once, as the wall demands.

use homeostat_core::{
    Actuation, Effect, InstanceId, Micros, Millis, Parameter, Replicas, Report, ReportKind, SamplingProbability, Seed,
    ServiceName, ServiceSampling, Stream,
};
use rand::Rng;

use crate::conditions::{Actuator, Conditions};
use crate::plants::{Queueing, chance_bp};
use crate::queue::SimTime;
use crate::scenario::Scenario;
use crate::world::hands;

/// Whether and when a command reaches its actuator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    Now,
    Later(SimTime),
    Never,
}

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

    /// Whether a command that is due now reaches its actuator.
    pub(crate) fn reach(&mut self, now: SimTime, effect: &Effect, conditions: &Conditions) -> Reach {
        let hand = self.hand(actuation_of(effect), conditions);
        if chance_bp(&mut self.stream, hand.lost_bp) {
            return Reach::Never;
        }
        match hand.late {
            Millis(0) => Reach::Now,
            Millis(late) => Reach::Later(now.after(Micros(late * 1000))),
        }
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

    /// Carries out `effect`, and says so once or more often.
    pub(crate) fn perform(
        &mut self,
        now: SimTime,
        effect: Effect,
        plant: &mut Queueing,
        conditions: &Conditions,
    ) -> Vec<Report> {
        let hand = self.hand(actuation_of(&effect), conditions);
        let (id, kind) = match effect {
            Effect::Apply { id, actuation } => (id, self.change(now, &actuation, plant, hand, ReportKind::Applied)),
            Effect::Undo { id, actuation } => (id, self.change(now, &actuation, plant, hand, ReportKind::Undone)),
            Effect::ReadBack { id, actuation } => {
                let is_lie = chance_bp(&mut self.stream, hand.lying_bp);
                let actual = if is_lie { Some(actuation) } else { self.read_back(&actuation, plant) };
                (id, ReportKind::ReadBack { actual })
            }
        };
        let contradicts = hand.contradictory && matches!(kind, ReportKind::Applied | ReportKind::Undone);
        let second = contradicts.then(|| ReportKind::Failed { why: "the actuator contradicts itself".to_owned() });
        let said = std::iter::once(kind).chain(second).map(|kind| Report { id, kind });
        let copies = conditions.reports_copies.max(1) as usize;
        said.flat_map(|report| std::iter::repeat_n(report, copies)).collect()
    }

    fn change(
        &mut self,
        now: SimTime,
        actuation: &Actuation,
        plant: &mut Queueing,
        hand: Actuator,
        done: ReportKind,
    ) -> ReportKind {
        let Some(service) = service_of(actuation) else { return done };
        let Some(index) = self.index(service) else {
            return ReportKind::Failed { why: format!("there is no service called {service}") };
        };
        if chance_bp(&mut self.stream, hand.failing_bp) {
            return ReportKind::Failed { why: format!("the actuator of {service} refused") };
        }
        if hand.frozen || chance_bp(&mut self.stream, hand.lying_bp) {
            return done;
        }
        match &hands::spoilt(actuation, self.read_back(actuation, plant).as_ref(), hand) {
            Actuation::SetReplicas { replicas, .. } => plant.set_replicas(now, index, replicas.0),
            Actuation::SetSampling { operation: None, sampling, .. } => plant.set_sampling(now, index, *sampling),
            Actuation::SetSampling { operation: Some(operation), sampling, .. } => {
                let Some(place) = plant.operation(index, operation) else {
                    return ReportKind::Failed { why: format!("{service} has no operation called {operation}") };
                };
                plant.set_operation_sampling(now, place, *sampling);
            }
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
            Actuation::SetSampling { service, operation: Some(operation), .. } => {
                let place = plant.operation(self.index(service)?, operation)?;
                let sampling = plant.operation_sampling_set(place)?;
                let operation = Some(operation.clone());
                Some(Actuation::SetSampling { service: service.clone(), operation, sampling })
            }
            Actuation::SetSampling { service, operation: None, .. } => {
                let (head, tail) = plant.sampling_set(self.index(service)?);
                let sampling = ServiceSampling {
                    head: SamplingProbability::from_ppm_saturating(u64::from(head)),
                    tail: SamplingProbability::from_ppm_saturating(u64::from(tail)),
                };
                Some(Actuation::SetSampling { service: service.clone(), operation: None, sampling })
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

    /// How this actuation is carried out.
    fn hand(&self, actuation: &Actuation, conditions: &Conditions) -> Actuator {
        let index = service_of(actuation).and_then(|service| self.index(service));
        index.map_or(conditions.elsewhere, |index| conditions.services[index].actuator)
    }

    fn index(&self, service: &ServiceName) -> Option<usize> {
        self.names.iter().position(|name| name == service)
    }
}

fn actuation_of(effect: &Effect) -> &Actuation {
    match effect {
        Effect::Apply { actuation, .. } | Effect::Undo { actuation, .. } | Effect::ReadBack { actuation, .. } => {
            actuation
        }
    }
}

/// The service that is changed; none if people are told something.
fn service_of(actuation: &Actuation) -> Option<&ServiceName> {
    match actuation {
        Actuation::SetReplicas { service, .. }
        | Actuation::SetSampling { service, .. }
        | Actuation::SetParameter { service, .. }
        | Actuation::Restart { service, .. }
        | Actuation::Profile { service, .. } => Some(service),
        Actuation::Notify { .. } => None,
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

#[cfg(test)]
mod tests;
