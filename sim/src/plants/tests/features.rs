//! What a service may have besides workers and a queue, seen from outside.

use super::{near, of_text, read};
use crate::plants::Queueing;
use crate::queue::SimTime;

/// Requests and failures of service `index` from second `from_s` to `to_s`.
fn counts(plant: &mut Queueing, index: usize, from_s: u64, to_s: u64) -> (u64, u64) {
    let before = read(plant, from_s).services[index].totals;
    let after = read(plant, to_s).services[index].totals;
    (after.requests - before.requests, after.errors - before.errors)
}

fn overloaded_for_a_while(retries: &str, cancellation: &str) -> Queueing {
    of_text(&format!(
        "
about: one service whose clients try again
duration_s: 900
services:
  - name: only
    replicas: 1
    workers_per_replica: 1
    queue_max: 500
    timeout_ms: 1000
    cancellation: {cancellation}
    service_time: {{ exponential: {{ mean_us: 10000 }} }}
workloads:
  - {{ service: only, shape: {{ burst: {{ base: 60, peak: 200, from_s: 60, to_s: 90 }} }}, {retries} }}
"
    ))
}

/// Scenario: 60 requests a second to a service that can do 100; half a minute of 200; clients that try four times.
/// Guarantees: the overload outlives its cause by at least ten minutes, because retries are load; with a budget, and
/// without retries, and where work for nobody is dropped and clients are few, it ends with its cause.
#[test]
fn a_retry_storm_outlives_its_cause() {
    let storm = "retries: { tries_max: 4, backoff_ms: 200 }";
    let (requests, errors) = counts(&mut overloaded_for_a_while(storm, "ignored"), 0, 600, 900);
    assert!(60 * 300 * 2 < requests, "{requests}");
    assert!(requests * 9 < errors * 10, "{errors} of {requests}");
    for calm in ["retries: { tries_max: 4, backoff_ms: 200, budget_bp: 1000 }", "retries: { tries_max: 1 }"] {
        let (requests, errors) = counts(&mut overloaded_for_a_while(calm, "ignored"), 0, 600, 900);
        near(requests, 60 * 300, 5);
        assert_eq!(errors, 0, "{calm}");
    }
}

fn front_and_back(call: &str, back: &str) -> Queueing {
    of_text(&format!(
        "
about: one service calls another
duration_s: 900
services:
  - name: front
    replicas: 1
    workers_per_replica: 100
    service_time: {{ exponential: {{ mean_us: 1000 }} }}
    calls: [{{ service: back, {call} }}]
  - name: back
    replicas: 2
    workers_per_replica: 50
    service_time: {{ exponential: {{ mean_us: 100000 }} }}
    {back}
workloads:
  - {{ service: front, shape: {{ constant: {{ per_second: 50 }} }} }}
"
    ))
}

/// Scenario: a call is given up after 50 ms, where the callee needs 100 ms on average; other callers would wait 2 s.
/// Guarantees: the share 1 / √e fails, at the caller too, and nobody waits longer than that.
#[test]
fn a_call_has_a_timeout_of_its_own() {
    let mut plant = front_and_back("timeout_ms: 50", "error_ppm: 0");
    plant.advance(SimTime::from_secs(600));
    let longest = plant.latencies(1).iter().max().copied();
    assert_eq!(longest, Some(50_000));
    let (requests, errors) = counts(&mut plant, 1, 600, 900);
    near(errors * 10_000 / requests, 6065, 3);
    let (of_front, failed) = counts(&mut front_and_back("timeout_ms: 50", "error_ppm: 0"), 0, 0, 900);
    near(failed * 10_000 / of_front, 6065, 3);
}

/// Scenario: the callee fails 30 % of its requests, and the caller tries three times.
/// Guarantees: 2.7 % of the caller's requests fail, and the callee gets 1 + 0.3 + 0.09 requests for each.
#[test]
fn retries_hide_what_fails_now_and_then() {
    let mut plant = front_and_back("retries: { tries_max: 3, backoff_ms: 10 }", "error_ppm: 300000");
    let (of_back, _) = counts(&mut plant, 1, 0, 900);
    let totals = plant.totals(0);
    near(totals.errors * 100_000 / totals.requests, 2700, 8);
    near(of_back * 100 / totals.requests, 139, 2);
}

/// Scenario: five calls a piece under way on average, through pools of nine connections and of three.
/// Guarantees: with a line before them, nine are enough for all; three carry thirty calls a second, and the rest fails.
#[test]
fn an_exhausted_pool_carries_what_its_connections_can() {
    let missed = |plant: &mut Queueing, at_s| read(plant, at_s).services[0].connections_missed;
    let mut wide = front_and_back("pool: { connections: 9, waiting_max: 50 }", "error_ppm: 0");
    let (requests, errors) = counts(&mut wide, 0, 0, 600);
    assert_eq!((errors, missed(&mut wide, 600)), (0, 0));
    near(requests, 30_000, 3);
    let mut narrow = front_and_back("pool: { connections: 3, waiting_max: 50, wait_max_ms: 500 }", "error_ppm: 0");
    let (requests, errors) = counts(&mut narrow, 0, 100, 600);
    near(requests - errors, 30 * 500, 4);
    assert!(errors * 10 < 11 * missed(&mut narrow, 600));
    let (calls, _) = counts(&mut narrow, 1, 600, 900);
    near(calls, 30 * 300, 4);
}

/// Scenario: 90 % of requests are answered from memory; then everything is forgotten.
/// Guarantees: the callee sees a tenth of the calls, at once all of them, and a tenth again once the cache is warm.
#[test]
fn a_forgotten_cache_is_load_for_who_is_behind_it() {
    let text = "
about: a cache in front
duration_s: 900
services:
  - name: front
    replicas: 2
    workers_per_replica: 10
    cache: { hit_ppm: 900000, warm_after_requests: 1000 }
    service_time: { exponential: { mean_us: 10000 } }
    calls: [{ service: back }]
  - name: back
    replicas: 2
    workers_per_replica: 50
    service_time: { exponential: { mean_us: 10000 } }
workloads:
  - { service: front, shape: { constant: { per_second: 100 } } }
";
    let mut plant = of_text(text);
    let (warm, _) = counts(&mut plant, 1, 0, 300);
    near(warm, 3000, 8);
    plant.flush_cache(0);
    let (cold, _) = counts(&mut plant, 1, 300, 305);
    assert!((400..560).contains(&cold), "{cold}");
    let (warm, _) = counts(&mut plant, 1, 600, 900);
    near(warm, 3000, 8);
}

/// Scenario: a second instance starts that takes five times as long at first, for a minute.
/// Guarantees: the tail is long while it warms up and short afterwards.
#[test]
fn a_cold_instance_is_slow_until_it_is_warm() {
    let lines = "    replicas: 1\n    workers_per_replica: 40\n    warm_up: { lasts_ms: 60000, factor_bp: 50000 }";
    let mut plant = super::plant(lines, 100);
    let p99 = |plant: &mut Queueing, from_s, to_s| {
        read(plant, from_s);
        read(plant, to_s).services[0].p99_us.unwrap()
    };
    let before = p99(&mut plant, 10, 60);
    plant.set_replicas(SimTime::from_secs(60), 0, 2);
    let during = p99(&mut plant, 64, 84);
    let after = p99(&mut plant, 140, 200);
    assert!(before * 2 < during, "{before} {during}");
    near(after, before, 15);
}

/// Scenario: two services share eight cores; one of them gets five times the load, then a neighbour takes six cores.
/// Guarantees: the other is slowed by both, and the host says how busy it is: 6 cores of 8 while all have enough.
#[test]
fn neighbours_slow_each_other_down() {
    let text = "
about: two on one host
duration_s: 900
hosts: [{ name: shared, cores: 8 }]
services:
  - name: quiet
    replicas: 1
    workers_per_replica: 20
    host: shared
    service_time: { exponential: { mean_us: 10000 } }
  - name: loud
    replicas: 1
    workers_per_replica: 40
    queue_max: 1000
    host: shared
    service_time: { exponential: { mean_us: 10000 } }
workloads:
  - { service: quiet, shape: { constant: { per_second: 100 } } }
  - { service: loud, shape: { step: { from: 100, to: 500, at_s: 300 } } }
";
    let mut plant = of_text(text);
    let seen = |plant: &mut Queueing, from_s, to_s| {
        read(plant, from_s);
        let readings = read(plant, to_s);
        (readings.services[0].p50_us.unwrap(), readings.services[1].host_utilization_bp.unwrap())
    };
    let (alone, host) = seen(&mut plant, 0, 290);
    near(host, 2500, 5);
    near(alone, 6931, 5);
    let (beside, host) = seen(&mut plant, 310, 590);
    assert!((7500..9500).contains(&host), "{host}");
    assert!(alone * 106 < beside * 100, "{alone} {beside}");
    read(&mut plant, 600);
    plant.set_neighbour(SimTime::from_secs(600), 0, 6);
    let (crowded, host) = seen(&mut plant, 620, 640);
    near(host, 10_000, 1);
    assert!(beside * 2 < crowded, "{beside} {crowded}");
}
