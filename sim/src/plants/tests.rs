//! The plant against what queueing theory and plain counting say of it.

mod features;
mod laws;
mod theory;

use homeostat_core::{Micros, SamplingProbability, Seed, ServiceSampling};

use crate::plants::{Queueing, Readings};
use crate::queue::SimTime;
use crate::scenario::Scenario;

/// One service with these lines added to it, and this many requests a second for an hour.
fn plant(lines: &str, per_second: u32) -> Queueing {
    let text = format!(
        "
about: one service
duration_s: 3600
services:
  - name: only
    service_time: {{ exponential: {{ mean_us: 10000 }} }}
{lines}
workloads:
  - {{ service: only, shape: {{ constant: {{ per_second: {per_second} }} }} }}
"
    );
    of_text(&text)
}

/// The plant of a scenario; slower than 100 ms is slow.
fn of_text(text: &str) -> Queueing {
    let scenario = Scenario::parse("test", text).unwrap();
    let slow_above = vec![Micros::from_millis(100); scenario.names().len()];
    Queueing::new(scenario.plant.clone(), scenario.workloads.clone(), &slow_above, Seed(1))
}

fn read(plant: &mut Queueing, at_s: u64) -> Readings {
    let mut readings = Readings::default();
    plant.advance(SimTime::from_secs(at_s));
    plant.read(SimTime::from_secs(at_s), &mut readings);
    readings
}

fn near(found: u64, expected: u64, percent: u64) {
    assert!(found.abs_diff(expected) * 100 <= expected * percent, "{found} is not near {expected}");
}

/// Scenario: one worker, exponential work of 10 ms, Poisson arrivals at half its capacity: the M/M/1 queue.
/// Guarantees: half of its time is used; response times are exponential with mean 1 / (μ − λ) = 20 ms, so the median is
/// 20 ms · ln 2 and the 99th percentile 20 ms · ln 100 (Kleinrock, Queueing Systems I, 3.2).
#[test]
fn one_worker_behaves_like_the_textbook_queue() {
    let mut plant =
        plant("    replicas: 1\n    workers_per_replica: 1\n    queue_max: 10000\n    timeout_ms: 60000", 50);
    let service = read(&mut plant, 600).services[0];
    near(service.totals.requests, 30_000, 3);
    near(service.utilization_bp.unwrap(), 5000, 3);
    near(service.p50_us.unwrap(), 13_863, 5);
    near(service.p99_us.unwrap(), 92_103, 8);
}

/// Scenario: twice as many requests as the worker can serve, with callers that wait a second and a queue of fifty.
/// Guarantees: what is served is served at capacity; the rest is counted as failed, and nothing is lost from the books.
#[test]
fn overload_becomes_failures() {
    let mut plant = plant("    replicas: 1\n    workers_per_replica: 1\n    queue_max: 50\n    timeout_ms: 1000", 200);
    let service = read(&mut plant, 600).services[0];
    near(service.totals.requests, 120_000, 2);
    near(service.totals.requests - service.totals.errors, 60_000, 3);
    near(service.utilization_bp.unwrap(), 10_000, 1);
}

/// Scenario: work takes a thousand times as long as callers wait.
/// Guarantees: every caller gives up exactly at its timeout, and is counted once.
#[test]
fn callers_give_up_at_their_timeout() {
    let mut plant =
        plant("    replicas: 1\n    workers_per_replica: 1\n    queue_max: 100000\n    timeout_ms: 250", 10);
    plant.set_time_factor(0, 1_000_000_000);
    let service = read(&mut plant, 600).services[0];
    assert_eq!(service.totals.errors, service.totals.requests);
    near(service.totals.requests, 6000, 5);
    assert_eq!((service.p50_us, service.p99_us), (Some(250_000), Some(250_000)));
}

/// Scenario: an overloaded service gets a second instance.
/// Guarantees: it serves only after its start delay, and then takes the load.
#[test]
fn a_new_instance_serves_after_its_start() {
    let mut plant =
        plant("    replicas: 1\n    workers_per_replica: 1\n    start_delay_ms: 5000\n    timeout_ms: 1000", 120);
    read(&mut plant, 100);
    plant.set_replicas(SimTime::from_secs(100), 0, 3);
    let starting = read(&mut plant, 104).services[0];
    assert_eq!((starting.replicas, starting.replicas_wanted), (1, 3));
    let serving = read(&mut plant, 110).services[0];
    assert_eq!(serving.replicas, 3);
    let before = read(&mut plant, 120).services[0].totals.errors;
    assert_eq!(read(&mut plant, 300).services[0].totals.errors, before);
}

/// Scenario: a tenth of ordinary traces is to be kept, one request in a hundred fails, half of all traces are begun.
/// Guarantees: all failed traces that were begun are kept by rule, and a tenth of the rest by chance.
#[test]
fn sampling_keeps_what_it_was_told_to() {
    let mut plant = plant("    replicas: 4\n    workers_per_replica: 4\n    error_ppm: 10000", 200);
    let sampling = ServiceSampling {
        head: SamplingProbability::from_ppm_saturating(500_000),
        tail: SamplingProbability::from_ppm_saturating(100_000),
    };
    plant.set_sampling(SimTime(0), 0, sampling);
    let start = read(&mut plant, 10).services[0];
    let end = read(&mut plant, 600).services[0];
    assert_eq!(end.head_ppm, 500_000);
    let (start, end) = (start.totals, end.totals);
    near(end.spans_received - start.spans_received, 59_000, 3);
    let by_rule = end.spans_kept_by_rule - start.spans_kept_by_rule;
    near(by_rule, 590, 15);
    near(end.spans_kept - start.spans_kept - by_rule, 5841, 5);
}

/// Scenario: instances are lost and given back; lost and replaced by hand.
/// Guarantees: what is given back starts again; what was replaced is not given back on top.
#[test]
fn lost_instances_come_back_once() {
    let mut plant = plant("    replicas: 3\n    workers_per_replica: 1", 10);
    read(&mut plant, 1);
    plant.lose_replicas(SimTime::from_secs(1), 0, 2);
    assert_eq!(read(&mut plant, 2).services[0].replicas, 1);
    plant.restore_replicas(SimTime::from_secs(2), 0);
    assert_eq!(read(&mut plant, 10).services[0].replicas, 3);
    plant.lose_replicas(SimTime::from_secs(10), 0, 2);
    plant.set_replicas(SimTime::from_secs(10), 0, 4);
    plant.restore_replicas(SimTime::from_secs(10), 0);
    assert_eq!(read(&mut plant, 30).services[0].replicas, 4);
}
