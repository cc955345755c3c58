//! Caches.
//!
//! Answers whether a request is answered from memory. A hit takes a share of the usual work and calls nobody. A cache fills
//! with the requests it sees: after n of them 1 − exp(−n / warm_after) of its hits are back. Each instance has its own, so one
//! that starts is cold and makes the service as a whole cooler. What is in a cache and for how long is not modelled; the
//! share of hits is what load and latency depend on.

use homeostat_core::Stream;

use crate::plants::chance_ppm;

/// The cache of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheSpec {
    /// Hits once it is warm, in parts per million.
    pub hit_ppm: u32,
    /// What a hit takes of the usual work, in ten-thousandths.
    pub hit_time_bp: u32,
    /// Requests to one instance after which 63 % of its hits are back.
    pub warm_after: u32,
}

/// One cache. Warmth is in parts per 2³², so that it adds up the same everywhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cache {
    spec: CacheSpec,
    cold: u64,
}

/// As cold as can be.
const COLD: u64 = 1 << 32;

impl Cache {
    /// A warm one: the world has been there for a while.
    pub(crate) fn new(spec: CacheSpec) -> Cache {
        Cache { spec, cold: 0 }
    }

    /// A request comes to one of `instances`; says what it takes of the usual work if it is a hit.
    pub(crate) fn look(&mut self, instances: u32, stream: &mut Stream) -> Option<u64> {
        let warm = COLD - self.cold;
        let hit = chance_ppm(stream, ((u64::from(self.spec.hit_ppm) * warm) >> 32) as u32);
        let steps = u64::from(self.spec.warm_after.max(1)) * u64::from(instances.max(1));
        self.cold -= self.cold.div_ceil(steps).min(self.cold);
        hit.then_some(u64::from(self.spec.hit_time_bp))
    }

    /// One of now `instances` has just started and knows nothing.
    pub(crate) fn joined_by_a_cold_one(&mut self, instances: u32) {
        let instances = u64::from(instances.max(1));
        self.cold = (self.cold * (instances - 1) + COLD) / instances;
    }

    /// Everything is forgotten.
    pub(crate) fn flush(&mut self) {
        self.cold = COLD;
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::Seed;

    use super::*;

    /// Scenario: a cache of two instances with 90 % hits is flushed and asked 20 000 times; one that starts joins three.
    /// Guarantees: hits come back as 0.9 · (1 − exp(−n / (2 · 1000))); one cold instance of four costs a quarter of them.
    #[test]
    fn a_cold_cache_warms_with_requests() {
        let mut cache = Cache::new(CacheSpec { hit_ppm: 900_000, hit_time_bp: 500, warm_after: 1000 });
        let mut stream = Seed(1).stream("test/cache");
        let mut hits = |cache: &mut Cache, n| {
            (0..n).filter(|_| cache.look(2, &mut stream) == Some(500)).count() as f64 / f64::from(n)
        };
        assert!((hits(&mut cache, 2000) - 0.9).abs() < 0.02);
        cache.flush();
        // The mean of the formula over the first two thousand is 0.9 / e = 0.331, over the next 0.9 (1 − (1/e − 1/e²)) = 0.691.
        let (first, second) = (hits(&mut cache, 2000), hits(&mut cache, 2000));
        assert!((first - 0.331).abs() < 0.03, "{first}");
        assert!((second - 0.691).abs() < 0.03, "{second}");
        assert!((hits(&mut cache, 16_000) - 0.9).abs() < 0.05);
        cache.joined_by_a_cold_one(4);
        let joined = hits(&mut cache, 200);
        assert!((0.6..0.8).contains(&joined), "{joined}");
    }
}
