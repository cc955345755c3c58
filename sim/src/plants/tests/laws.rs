//! Laws of any plant, whatever it is made of.

use homeostat_core::{Micros, SamplingProbability, Seed, ServiceName, ServiceSampling, Stream};
use proptest::prelude::*;
use rand::Rng;

use crate::plants::{
    CacheSpec, Call, Cancellation, HostSpec, PlantSpec, PoolSpec, Queueing, Readings, RetrySpec, ServiceSpec,
    ServiceTime, WarmUpSpec, WhileCalling,
};
use crate::queue::SimTime;
use crate::workloads::{Workload, steady};

/// Seconds in which somebody asks; the rest of a run is silence.
const BUSY_S: u64 = 40;

/// A number below `most`.
fn below(stream: &mut Stream, most: u64) -> u64 {
    stream.next_u64() % most
}

fn sometimes<T>(stream: &mut Stream, some: impl FnOnce(&mut Stream) -> T) -> Option<T> {
    (below(stream, 2) == 0).then(|| some(stream))
}

fn retries(stream: &mut Stream) -> RetrySpec {
    RetrySpec {
        tries_max: 1 + below(stream, 4) as u8,
        backoff: Micros(below(stream, 200_000)),
        budget_bp: sometimes(stream, |stream| below(stream, 5000) as u32),
    }
}

fn call(stream: &mut Stream, callee: usize) -> Call {
    Call {
        callee,
        probability_ppm: below(stream, 1_000_001) as u32,
        timeout: sometimes(stream, |stream| Micros(1000 + below(stream, 500_000))),
        retries: sometimes(stream, retries),
        pool: sometimes(stream, |stream| PoolSpec {
            connections: 1 + below(stream, 4) as u32,
            waiting_max: below(stream, 10) as u32,
            wait_max: Micros(below(stream, 300_000)),
        }),
    }
}

/// One of `count` services; it calls later ones only.
fn service(stream: &mut Stream, index: usize, count: usize) -> ServiceSpec {
    let callees: Vec<usize> = (index + 1..count).filter(|_| below(stream, 2) == 0).collect();
    ServiceSpec {
        name: ServiceName::from(format!("s{index}").as_str()),
        replicas: below(stream, 4) as u32,
        workers_per_replica: 1 + below(stream, 4) as u32,
        queue_max: below(stream, 60) as u32,
        service_time: ServiceTime::Exponential { mean: Micros(1000 + below(stream, 60_000)) },
        error_ppm: below(stream, 200_000) as u32,
        timeout: Micros(20_000 + below(stream, 2_000_000)),
        cancellation: if below(stream, 2) == 0 { Cancellation::Noticed } else { Cancellation::Ignored },
        start_delay: Micros(below(stream, 5_000_000)),
        warm_up: sometimes(stream, |stream| WarmUpSpec { lasts: Micros(below(stream, 9_000_000)), factor_bp: 40_000 }),
        cache: sometimes(stream, |stream| CacheSpec {
            hit_ppm: below(stream, 1_000_001) as u32,
            hit_time_bp: 1000,
            warm_after: 1 + below(stream, 500) as u32,
        }),
        host: sometimes(stream, |_| 0),
        spans_per_request: 1,
        optional_bp: 0,
        dims: false,
        limit: sometimes(stream, |stream| 1 + below(stream, 50) as u32),
        restarts: false,
        while_calling: if below(stream, 2) == 0 { WhileCalling::Release } else { WhileCalling::Hold },
        calls: callees.into_iter().map(|callee| call(stream, callee)).collect(),
    }
}

/// A plant of up to five services with whatever a seed gives them.
fn any_plant(seed: Seed) -> Queueing {
    let mut stream = seed.stream("test/any_plant");
    let count = 1 + below(&mut stream, 5) as usize;
    let services: Vec<ServiceSpec> = (0..count).map(|index| service(&mut stream, index, count)).collect();
    let always = SamplingProbability::ALWAYS;
    let spec = PlantSpec {
        services,
        hosts: vec![HostSpec { name: "rack".to_owned(), cores: 1 + below(&mut stream, 8) as u32 }],
        sampling: ServiceSampling { head: always, tail: always },
        head_delay: Micros(0),
    };
    let per_second = 1000 * (1 + below(&mut stream, 200));
    let workload =
        Workload { retries: sometimes(&mut stream, retries), ..steady(0, per_second, SimTime::from_secs(BUSY_S)) };
    Queueing::new(spec, vec![workload], &vec![Micros(100_000); count], seed)
}

/// Runs a plant through load, changes of its fleet, a flushed cache, a neighbour, and silence; reads it every second.
fn live(seed: Seed) -> (Queueing, Vec<Readings>) {
    let mut plant = any_plant(seed);
    let mut stream = seed.stream("test/life");
    let services = plant.services();
    let mut all = Vec::new();
    for second in 1..=4 * BUSY_S {
        let now = SimTime::from_secs(second);
        plant.advance(now);
        if second < BUSY_S {
            let service = below(&mut stream, services as u64) as usize;
            match below(&mut stream, 12) {
                0 => plant.set_replicas(now, service, below(&mut stream, 6) as u32),
                1 => plant.lose_replicas(now, service, 1),
                2 => plant.restore_replicas(now, service),
                3 => plant.flush_cache(service),
                4 => plant.set_neighbour(now, 0, below(&mut stream, 9) as u32),
                5 => plant.set_time_factor(service, 5000 + below(&mut stream, 60_000)),
                _ => {}
            }
        }
        if second == BUSY_S {
            plant.set_neighbour(now, 0, 0);
            (0..services).for_each(|service| plant.set_replicas(now, service, 3));
            (0..services).for_each(|service| plant.set_time_factor(service, 10_000));
        }
        let mut readings = Readings::default();
        plant.read(now, &mut readings);
        all.push(readings);
    }
    (plant, all)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Scenario: any plant, decided by one number, lives through anything and is left alone afterwards.
    /// Guarantees: totals never fall, failures and slow requests are among the requests, shares are shares; in the silence
    /// every request is answered, and every worker, connection, core and place is free again.
    #[test]
    fn nothing_is_lost_and_nothing_is_kept(seed in any::<u64>()) {
        let (plant, readings) = live(Seed(seed));
        for pair in readings.windows(2) {
            for (before, after) in pair[0].services.iter().zip(&pair[1].services) {
                prop_assert!(before.totals.requests <= after.totals.requests);
                prop_assert!(before.totals.errors <= after.totals.errors);
                prop_assert!(after.totals.errors <= after.totals.requests);
                prop_assert!(after.totals.slow <= after.totals.requests);
                prop_assert!(after.totals.spans_kept <= after.totals.spans_received);
                prop_assert!(after.utilization_bp.is_none_or(|used| used <= 10_000));
                prop_assert!(after.host_utilization_bp.is_none_or(|used| used <= 10_000));
            }
        }
        prop_assert_eq!(plant.leftovers(), Vec::<String>::new());
    }

    /// Scenario: the same number twice.
    /// Guarantees: the same plant lives the same life, to the last count.
    #[test]
    fn one_number_decides_a_life(seed in any::<u64>()) {
        let shown = |readings: Vec<Readings>| format!("{readings:?}");
        prop_assert_eq!(shown(live(Seed(seed)).1), shown(live(Seed(seed)).1));
    }
}
