//! What plant would look like this.
//!
//! Answers how many workers a service has, how long its own work takes and whom it calls how often, from the seconds in
//! which nothing was wrong. A latency holds waiting and the calls to others too, so the work cannot be read off it; it is
//! found by trying: the plant is run, and what is too slow or too fast is corrected, a few times.

use homeostat_core::{Micros, SamplingProbability, Seed, ServiceName, ServiceSampling};

use crate::plants::{Call, Cancellation, PlantSpec, Queueing, Readings, ServiceSpec, ServiceTime, WhileCalling};
use crate::queue::SimTime;
use crate::record::seen::{Row, Seen};
use crate::workloads::{Workload, steady};

/// Rounds of trying. Each takes away most of what is wrong; after eight what is left is chance.
const ROUNDS: usize = 8;

/// Seconds of each try: enough requests for a 99th percentile at ten a second.
const TRIED_S: u64 = 120;

/// Workers of an instance where nothing says how many there are.
const WORKERS_UNKNOWN: u32 = 64;

/// One service as it was on a quiet day.
#[derive(Clone, Debug)]
pub(super) struct Fitted {
    pub(super) name: ServiceName,
    pub(super) replicas: u32,
    pub(super) workers: u32,
    /// Whether utilisation was seen, so that the number of workers means something.
    pub(super) workers_known: bool,
    pub(super) median_us: f64,
    pub(super) p99_us: f64,
    pub(super) error_ppm: u32,
    /// Position of the called service, and calls per request.
    pub(super) calls: Vec<(usize, f64)>,
    pub(super) quiet: Quiet,
}

/// What was seen of a service on average while all was well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    /// Requests a second.
    pub(super) rate: f64,
    /// Of these, from outside.
    pub(super) outside: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) utilization: Option<f64>,
    pub(super) error_share: f64,
}

impl Fitted {
    /// The mean of its own work, in seconds: of the lognormal distribution with this median and 99th percentile.
    pub(super) fn work_s(&self) -> f64 {
        /// The 99th percentile of the standard normal distribution.
        const NORMAL_P99: f64 = 2.326_347_87;
        let sigma = (self.p99_us / self.median_us).max(1.0).ln() / NORMAL_P99;
        self.median_us * (sigma * sigma / 2.0).exp() / 1e6
    }
}

/// Fits every service to the seconds in which `is_quiet`.
pub(super) fn fit(seen: &Seen, is_quiet: &[bool]) -> Vec<Fitted> {
    let names: Vec<&ServiceName> = seen.services.keys().collect();
    let place = |name: &ServiceName| names.iter().position(|known| *known == name);
    let mut fitted: Vec<Fitted> = seen.services.iter().map(|(name, rows)| first_guess(name, rows, is_quiet)).collect();
    for ((caller, callee), calls) in &seen.calls {
        let (Some(caller), Some(callee)) = (place(caller), place(callee)) else { continue };
        let per_second = mean(calls.iter().zip(is_quiet).filter(|(_, quiet)| **quiet).map(|(calls, _)| *calls));
        let per_request = per_second / fitted[caller].quiet.rate.max(f64::MIN_POSITIVE);
        // A cycle of calls could not be simulated; services are never their own dependency in a scenario.
        if caller != callee && 0.001 < per_request && !reaches(&fitted, callee, caller) {
            fitted[caller].calls.push((callee, per_request.min(20.0)));
            fitted[callee].quiet.outside -= per_second;
        }
    }
    for service in &mut fitted {
        service.quiet.outside = service.quiet.outside.max(0.0);
    }
    own_errors(&mut fitted);
    for round in 0..ROUNDS {
        let tried = run_quietly(&fitted, round as u64);
        fitted.iter_mut().zip(&tried).for_each(|(service, tried)| correct(service, tried));
    }
    fitted
}

fn first_guess(name: &ServiceName, rows: &[Row], is_quiet: &[bool]) -> Fitted {
    let quiet = || rows.iter().zip(is_quiet).filter(|(row, quiet)| **quiet && row.heard).map(|(row, _)| row);
    let requests: f64 = quiet().map(|row| row.requests).sum();
    let rate = mean(quiet().map(|row| row.requests));
    let p50_us = median(quiet().filter_map(|row| row.p50_us)).unwrap_or(1000.0).max(1.0);
    let p99_us = median(quiet().filter_map(|row| row.p99_us)).unwrap_or(p50_us).max(p50_us);
    let replicas = rows.iter().find_map(|row| row.replicas).unwrap_or(1).max(1);
    let seen: Vec<f64> = quiet().filter_map(|row| row.utilization).collect();
    let utilization = (!seen.is_empty()).then(|| mean(seen.iter().copied()));
    Fitted {
        name: name.clone(),
        replicas,
        workers: WORKERS_UNKNOWN,
        workers_known: utilization.is_some(),
        median_us: p50_us / 2.0,
        p99_us: p99_us / 2.0,
        error_ppm: 0,
        calls: Vec::new(),
        quiet: Quiet {
            rate,
            outside: rate,
            p50_us,
            p99_us,
            utilization,
            error_share: quiet().map(|row| row.errors).sum::<f64>() / requests.max(1.0),
        },
    }
}

/// Whether `from` ends up calling `to`. Ends because calls make no cycle so far.
fn reaches(fitted: &[Fitted], from: usize, to: usize) -> bool {
    fitted[from].calls.iter().any(|(next, _)| *next == to || reaches(fitted, *next, to))
}

/// Failures that are not those of the services called.
fn own_errors(fitted: &mut [Fitted]) {
    for index in 0..fitted.len() {
        let passed_on: f64 =
            fitted[index].calls.iter().map(|(callee, calls)| fitted[*callee].quiet.error_share * calls).sum();
        let own = (fitted[index].quiet.error_share - passed_on).clamp(0.0, 1.0);
        fitted[index].error_ppm = (own * 1e6) as u32;
    }
}

/// The quiet plant, tried: median and 99th percentile of each service in the middle of all seconds.
fn run_quietly(fitted: &[Fitted], seed: u64) -> Vec<(f64, f64)> {
    let spec = plant(fitted);
    let ends = SimTime::from_secs(TRIED_S);
    let outside = fitted.iter().enumerate().filter(|(_, service)| 0.0 < service.quiet.outside);
    let workloads: Vec<Workload> =
        outside.map(|(index, service)| steady(index, (service.quiet.outside * 1000.0).round() as u64, ends)).collect();
    let slow_above = vec![Micros::from_millis(1000); fitted.len()];
    let mut queueing = Queueing::new(spec, workloads, &slow_above, Seed(seed));
    let mut readings = Readings::default();
    let mut seconds: Vec<Vec<(f64, f64)>> = vec![Vec::new(); fitted.len()];
    for second in 1..=TRIED_S {
        queueing.advance(SimTime::from_secs(second));
        queueing.read(SimTime::from_secs(second), &mut readings);
        for (service, read) in seconds.iter_mut().zip(&readings.services) {
            service.extend(read.p50_us.zip(read.p99_us).map(|(p50, p99)| (p50 as f64, p99 as f64)));
        }
    }
    let middle = |rows: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| median(rows.iter().map(of)).unwrap_or(0.0);
    seconds.iter().map(|rows| (middle(rows, |row| row.0), middle(rows, |row| row.1))).collect()
}

/// Moves the work of `service` by most of what its latency was off, and its workers to what its utilisation says.
fn correct(service: &mut Fitted, (p50_us, p99_us): &(f64, f64)) {
    const MOST: f64 = 0.7;
    let quiet = service.quiet;
    let least_us = (quiet.p50_us / 50.0).max(1.0);
    service.median_us = (service.median_us + MOST * (quiet.p50_us - p50_us)).clamp(least_us, quiet.p50_us);
    let p99_us = service.p99_us + MOST * (quiet.p99_us - p99_us);
    service.p99_us = p99_us.clamp(service.median_us * 1.05, quiet.p99_us.max(service.median_us * 1.05));
    if let Some(utilization) = quiet.utilization.filter(|used| 0.001 < *used) {
        let workers = quiet.rate * service.work_s() / utilization / f64::from(service.replicas);
        service.workers = (workers.round() as u32).clamp(1, 10_000);
    }
}

/// The plant that was found.
pub(super) fn plant(fitted: &[Fitted]) -> PlantSpec {
    let services = fitted.iter().map(|service| ServiceSpec {
        name: service.name.clone(),
        replicas: service.replicas,
        workers_per_replica: service.workers,
        queue_max: 200,
        service_time: ServiceTime::Lognormal {
            median: Micros(service.median_us as u64),
            p99: Micros(service.p99_us as u64),
        },
        error_ppm: service.error_ppm,
        timeout: Micros::from_millis(2000),
        cancellation: Cancellation::Noticed,
        start_delay: Micros::from_millis(4000),
        warm_up: None,
        cache: None,
        host: None,
        spans_per_request: 1,
        optional_bp: 0,
        dims: false,
        limit: None,
        restarts: false,
        while_calling: WhileCalling::Release,
        calls: calls(service),
    });
    PlantSpec {
        services: services.collect(),
        hosts: Vec::new(),
        sampling: ServiceSampling { head: SamplingProbability::ALWAYS, tail: SamplingProbability::ALWAYS },
        head_delay: Micros::from_millis(5000),
    }
}

/// A service that is called more than once per request is called several times with what is left as a chance.
pub(super) fn calls(service: &Fitted) -> Vec<Call> {
    let mut calls = Vec::new();
    for (callee, per_request) in &service.calls {
        let mut left = *per_request;
        while 0.001 < left {
            let probability_ppm = (left.min(1.0) * 1e6).round() as u32;
            calls.push(Call { callee: *callee, probability_ppm, timeout: None, retries: None, pool: None });
            left -= 1.0;
        }
    }
    calls
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0_f64);
    values.for_each(|value| {
        sum += value;
        count += 1.0;
    });
    sum / count.max(1.0)
}

pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
