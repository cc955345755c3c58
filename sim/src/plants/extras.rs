//! What few services have.
//!
//! Answers how long a piece of work really takes at a service with a cache, with instances that warm up, or on a shared
//! host. Together in one box, so that the many services without any of it pay for one empty pointer.

use crate::plants::ServiceSpec;
use crate::plants::cache::Cache;
use crate::plants::dice::Dice;
use crate::plants::host::Host;
use crate::plants::warm_up::WarmUp;
use crate::queue::SimTime;

/// What one service has besides workers and a queue.
#[derive(Debug)]
pub(crate) struct Extras {
    pub(crate) cache: Option<Cache>,
    pub(crate) warm_up: Option<WarmUp>,
    pub(crate) host: Option<usize>,
}

/// How one piece of work differs from the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    /// Of the usual time, in ten-thousandths.
    pub(crate) time_bp: u64,
    /// Whether it was answered from memory, so that nobody needs to be called.
    pub(crate) hit: bool,
}

impl Extras {
    /// What `spec` asks for; none if it asks for nothing.
    pub(crate) fn of(spec: &ServiceSpec) -> Option<Box<Extras>> {
        let extras =
            Extras { cache: spec.cache.map(Cache::new), warm_up: spec.warm_up.map(WarmUp::new), host: spec.host };
        let is_needed = extras.cache.is_some() || extras.warm_up.is_some() || extras.host.is_some();
        is_needed.then(|| Box::new(extras))
    }

    /// Work begins at one of `instances`.
    pub(crate) fn begin(&mut self, now: SimTime, instances: u32, hosts: &mut [Host], dice: &mut Dice) -> Course {
        let cached = self.cache.as_mut().and_then(|cache| cache.look(instances, &mut dice.cache));
        let warm_bp = self.warm_up.as_mut().map_or(10_000, |warm| warm.factor_bp(now, instances, &mut dice.warm_up));
        let shared_bp = self.host.map_or(10_000, |host| hosts[host].begin(now));
        let time_bp = cached.unwrap_or(10_000) * warm_bp / 10_000 * shared_bp / 10_000;
        Course { time_bp, hit: cached.is_some() }
    }

    /// One of now `instances` has just started.
    pub(crate) fn joined(&mut self, now: SimTime, instances: u32) {
        if let Some(cache) = &mut self.cache {
            cache.joined_by_a_cold_one(instances);
        }
        if let Some(warm_up) = &mut self.warm_up {
            warm_up.begin(now);
        }
    }

    /// Only this many instances are left.
    pub(crate) fn left_with(&mut self, instances: u32) {
        if let Some(warm_up) = &mut self.warm_up {
            warm_up.keep(instances);
        }
    }
}
