//! What is compared on.
//!
//! Answers which world a workload is played in. The service is the same for all: replicas of four workers that take 45 s to
//! start, lognormal work, and a promise that 99 of 100 requests are answered within five times the mean work. Its size
//! follows from the workload alone: in the busiest minute but one of a hundred, twelve replicas are busy, so that from about
//! two to twenty are needed. Requests that were recorded one by one keep their instants and get work of that size; counts
//! get a rate of that size and work of 200 ms.

use homeostat_core::{BasisPoints, Micros};

use crate::compare::recording::Recorded;
use crate::plants::ServiceTime;
use crate::queue::SimTime;
use crate::scenario::{Scenario, ScenarioError};
use crate::workloads::{AnyShape, Course};

/// Replicas that are busy in the busiest minute but one of a hundred.
const BUSY_THEN: f64 = 12.0;
/// Nothing is busier than this many times that minute: what is beyond it is cut, because it would need more replicas than
/// anybody may have.
const HIGHEST: f64 = 1.7;
/// What one replica works on at once.
const WORKERS: f64 = 4.0;
/// Mean work where the rate is free, in seconds.
const WORK_S: f64 = 0.2;
/// The promise is this many times the mean work.
const PATIENCE: f64 = 5.0;
/// At the start as many replicas serve as the first minute needs at this utilisation.
const USED_AT_START: f64 = 0.6;

const TEXT: &str = include_str!("world.yaml");

/// A world and its workload, the same for every manager.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The workload's name.
    pub name: String,
    /// What it is, in a few words.
    pub about: String,
    /// Everything that is simulated.
    pub scenario: Scenario,
    /// The position of the scaled service.
    pub(crate) service: usize,
    /// Busy replicas that the arrivals of each second amount to.
    pub(crate) offered: Vec<f64>,
}

impl Stage {
    /// Plays a recording of at most `seconds`.
    pub fn of_recording(recorded: &Recorded, seconds: usize) -> Result<Stage, ScenarioError> {
        match recorded {
            Recorded::Requests { name, instants } => of_requests(name, instants, seconds),
            Recorded::Rates { name, about, per_second } => {
                let cut = &per_second[..per_second.len().min(seconds)];
                of_rates(name, about, cut)
            }
        }
    }

    /// A scenario as it is written; it must have exactly one service that may be scaled.
    pub fn of_scenario(scenario: Scenario) -> Result<Stage, String> {
        let scaled = &scenario.settings.scaling.services;
        let mut places = (0..scenario.names().len()).filter(|index| scaled.contains_key(&scenario.names()[*index]));
        let (Some(service), None) = (places.next(), places.next()) else {
            let names: Vec<&str> = scaled.keys().map(|name| name.as_str()).collect();
            return Err(format!(
                "{} can scale {} services ({}); expected exactly one under settings.scaling.services",
                scenario.name,
                names.len(),
                names.join(", ")
            ));
        };
        let capacity = capacity_per_second(&scenario, service);
        let rates = |second| scenario.workloads.iter().map(|workload| workload.milli_per_second(second)).sum::<u64>();
        let offered = (0..scenario.duration_s).map(|second| rates(second) as f64 / 1000.0 / capacity).collect();
        Ok(Stage { name: scenario.name.clone(), about: scenario.about.clone(), service, offered, scenario })
    }

    /// The most replicas that anybody may have, and the fewest.
    pub(crate) fn envelope(&self) -> (u32, u32) {
        let envelope = self.scenario.settings.scaling.services[&self.scenario.names()[self.service]];
        (envelope.min.0.max(1), envelope.max.0)
    }

    /// Requests that one replica answers in a second when it is never idle.
    pub fn capacity_per_second(&self) -> f64 {
        capacity_per_second(&self.scenario, self.service)
    }

    /// From being asked for until serving, in whole seconds.
    pub(crate) fn start_s(&self) -> usize {
        self.scenario.plant.services[self.service].start_delay.0.div_ceil(1_000_000) as usize
    }

    /// The share of requests that may be bad.
    pub(crate) fn budget(&self) -> f64 {
        let promise = self.scenario.settings.objectives.of(&self.scenario.names()[self.service]);
        f64::from(promise.latency.complement().0) / 10_000.0
    }
}

fn capacity_per_second(scenario: &Scenario, service: usize) -> f64 {
    let spec = &scenario.plant.services[service];
    f64::from(spec.workers_per_replica) / (mean_us(spec.service_time) / 1e6)
}

/// The mean of a distribution of work.
fn mean_us(time: ServiceTime) -> f64 {
    match time {
        ServiceTime::Exponential { mean } => mean.0 as f64,
        ServiceTime::Lognormal { median, p99 } => {
            // ln X is normal with deviation ln(p99 / median) / z(0.99); its mean is median · e^(σ²/2).
            let sigma = (p99.0.max(1) as f64 / median.0.max(1) as f64).ln() / 2.326_347_87;
            median.0 as f64 * (sigma * sigma / 2.0).exp()
        }
    }
}

fn of_requests(name: &str, instants: &[u64], seconds: usize) -> Result<Stage, ScenarioError> {
    let last_us = seconds as u64 * 1_000_000;
    let kept: Vec<u64> = instants.iter().copied().take_while(|instant| *instant < last_us).collect();
    let length = kept.last().map_or(1, |last| SimTime(*last).as_secs() as usize + 1);
    let mut counts = vec![0.0; length];
    kept.iter().for_each(|instant| counts[SimTime(*instant).as_secs() as usize] += 1.0);
    let work_s = (BUSY_THEN * WORKERS / busiest_minute(&counts).max(1e-6)).clamp(0.01, 120.0);
    let about = format!("{} recorded requests, each {work_s:.2} s of work on average", kept.len());
    stage(name, &about, work_s, &counts, Course::of_requests(kept, length))
}

fn of_rates(name: &str, about: &str, per_second: &[f64]) -> Result<Stage, ScenarioError> {
    let highest = BUSY_THEN * WORKERS / WORK_S;
    let factor = highest / busiest_minute(per_second).max(1e-9);
    let rates: Vec<f64> = per_second.iter().map(|rate| (rate * factor).min(highest * HIGHEST)).collect();
    let milli_per_second = rates.iter().map(|rate| (rate * 1000.0).round() as u64).collect();
    stage(name, about, WORK_S, &rates, Course { milli_per_second, requests: None })
}

/// The rate of the busiest minute but one of a hundred.
fn busiest_minute(per_second: &[f64]) -> f64 {
    let mut minutes: Vec<f64> =
        per_second.chunks(60).map(|minute| minute.iter().sum::<f64>() / minute.len() as f64).collect();
    minutes.sort_unstable_by(f64::total_cmp);
    minutes.get(minutes.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(0.0)
}

fn stage(name: &str, about: &str, work_s: f64, rates: &[f64], course: Course) -> Result<Stage, ScenarioError> {
    let mut scenario = Scenario::parse(name, TEXT)?;
    scenario.about = about.to_owned();
    scenario.duration_s = rates.len() as u64;
    scenario.without = vec!["objective_met".to_owned(), "rest".to_owned()];
    scenario.workloads[0].shape = AnyShape::Course(course);
    scenario.workloads[0].ends = SimTime::from_secs(rates.len() as u64);
    let micros = |seconds: f64| Micros((seconds * 1e6).round() as u64);
    scenario.settings.scaling.predictive.enabled = true;
    // A knob may be turned back after its cooldown, and all but one replica may go within one window.
    scenario.settings.guards.dwell_factor = BasisPoints::ONE;
    scenario.settings.guards.blast_radius.replicas_max = BasisPoints::ONE;
    let service = &mut scenario.plant.services[0];
    // A coefficient of variation of 0.42: σ = 0.4, of which 99 of 100 are within 2.54 times the median.
    let median = work_s / 1.0833;
    service.service_time = ServiceTime::Lognormal { median: micros(median), p99: micros(median * 2.536) };
    service.timeout = micros(work_s * PATIENCE * 2.0);
    let capacity = WORKERS / work_s;
    let first = rates.iter().take(60).sum::<f64>() / rates.len().clamp(1, 60) as f64 / capacity;
    service.replicas = ((first / USED_AT_START).ceil() as u32).clamp(2, 40);
    scenario.settings.objectives.default.latency_threshold = micros(work_s * PATIENCE);
    let offered = rates.iter().map(|rate| rate / capacity).collect();
    Ok(Stage { name: name.to_owned(), about: about.to_owned(), scenario, service: 0, offered })
}
