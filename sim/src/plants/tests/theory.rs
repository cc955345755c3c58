//! The plant against queueing theory.

use super::{near, plant, read};

/// Erlang's C formula: the probability that a request must wait at `workers` workers under `load` Erlangs (Kleinrock,
/// Queueing Systems I, 3.5).
fn must_wait(workers: u32, load: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 0.0;
    for k in 0..workers {
        sum += term;
        term *= load / f64::from(k + 1);
    }
    let full = term / (1.0 - load / f64::from(workers));
    full / (sum + full)
}

/// Scenario: exponential work of 10 ms, Poisson arrivals: the M/M/c queue, for few and many workers at several loads.
/// Guarantees: utilisation is λ / cμ within 3 %; the mean number in the system, by Little's law from utilisation and the
/// mean time, and the mean time itself are those of Erlang's C formula within 5 %.
#[test]
fn workers_behave_like_the_textbook_queue() {
    for (workers, per_second, seconds) in [(1, 70, 3000), (2, 150, 1500), (4, 320, 1000), (8, 680, 500)] {
        let lines = format!(
            "    replicas: {workers}\n    workers_per_replica: 1\n    queue_max: 100000\n    timeout_ms: 600000"
        );
        let mut plant = plant(&lines, per_second);
        let (mut sum_us, mut requests, mut busy_bp) = (0_u64, 0_u64, 0_u64);
        for second in 1..=seconds {
            plant.advance(crate::queue::SimTime::from_secs(second));
            let latencies = plant.latencies(0);
            sum_us += latencies.iter().map(|us| u64::from(*us)).sum::<u64>();
            requests += latencies.len() as u64;
            busy_bp += read(&mut plant, second).services[0].utilization_bp.unwrap();
        }
        let load = f64::from(per_second) * 0.01;
        let wait_s = must_wait(workers, load) / (f64::from(workers) * 100.0 - f64::from(per_second));
        let mean_us = ((wait_s + 0.01) * 1e6) as u64;
        near(requests, u64::from(per_second) * seconds, 2);
        near(busy_bp / seconds, (load / f64::from(workers) * 10_000.0) as u64, 3);
        near(sum_us / requests, mean_us, 5);
        // Little: the time that all requests spent, per second, is the mean number of them inside.
        near(sum_us / seconds / 1000, (f64::from(per_second) * (wait_s + 0.01) * 1000.0) as u64, 5);
    }
}

/// Scenario: one worker, a room for nine to wait, and arrivals at 120 % of capacity: the M/M/1/K queue with K = 10.
/// Guarantees: the share that is refused is (1 − ρ) ρ^K / (1 − ρ^(K+1)) within 5 % (Kleinrock, 3.6).
#[test]
fn a_full_queue_refuses_its_share() {
    let mut plant = plant("    replicas: 1\n    workers_per_replica: 1\n    queue_max: 9\n    timeout_ms: 600000", 120);
    let service = read(&mut plant, 1500).services[0];
    let (rho, k) = (1.2_f64, 10);
    let refused = (1.0 - rho) * rho.powi(k) / (1.0 - rho.powi(k + 1));
    near(service.totals.errors * 10_000 / service.totals.requests, (refused * 10_000.0) as u64, 5);
}
