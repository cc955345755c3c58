//! What few services have, checked.
//!
//! Answers whether calls, retries, connections, caches, warming up and hosts make sense.

use homeostat_core::Micros;

use crate::plants::{CacheSpec, Call, PoolSpec, RetrySpec, WarmUpSpec};
use crate::scenario::raw::{RawCache, RawCall, RawPool, RawRetries, RawWarmUp};
use crate::scenario::valid::Validation;

/// Hosts of a plant.
const HOSTS_MAX: usize = 64;

impl Validation<'_> {
    pub(super) fn hosts(&mut self) {
        let hosts = self.hosts;
        self.between("hosts (count)".to_owned(), hosts.len() as u64, 0, HOSTS_MAX as u64);
        for (index, host) in hosts.iter().enumerate() {
            self.between(format!("hosts[{index}].cores"), host.cores.into(), 1, 100_000);
            if hosts[..index].iter().any(|other| other.name == host.name) {
                self.say(format!("hosts[{index}].name"), format!("{} is used twice", host.name));
            }
        }
    }

    /// The position of a host; the first one, with a problem, if there is none of that name.
    pub(super) fn host(&mut self, path: &str, name: &str) -> usize {
        let found = self.hosts.iter().position(|host| host.name == name);
        found.unwrap_or_else(|| {
            self.say(path, format!("there is no host called {name}"));
            0
        })
    }

    pub(super) fn call(&mut self, path: &str, raw: &RawCall) -> Call {
        self.between(format!("{path}.probability_ppm"), raw.probability_ppm.into(), 0, 1_000_000);
        Call {
            callee: self.index(&format!("{path}.service"), &raw.service),
            probability_ppm: raw.probability_ppm,
            timeout: raw.timeout_ms.map(|ms| self.span(&format!("{path}.timeout_ms"), ms.saturating_mul(1000))),
            retries: raw.retries.map(|retries| self.retries(&format!("{path}.retries"), retries)),
            pool: raw.pool.map(|pool| self.pool(&format!("{path}.pool"), pool)),
        }
    }

    pub(super) fn retries(&mut self, path: &str, raw: RawRetries) -> RetrySpec {
        self.between(format!("{path}.tries_max"), raw.tries_max.into(), 1, 20);
        if let Some(budget_bp) = raw.budget_bp {
            self.between(format!("{path}.budget_bp"), budget_bp.into(), 0, 100_000);
        }
        RetrySpec {
            tries_max: raw.tries_max,
            backoff: self.span(&format!("{path}.backoff_ms"), raw.backoff_ms.saturating_mul(1000)),
            budget_bp: raw.budget_bp,
        }
    }

    fn pool(&mut self, path: &str, raw: RawPool) -> PoolSpec {
        self.between(format!("{path}.connections"), raw.connections.into(), 1, 10_000);
        self.between(format!("{path}.waiting_max"), raw.waiting_max.into(), 0, 1_000_000);
        PoolSpec {
            connections: raw.connections,
            waiting_max: raw.waiting_max,
            wait_max: self.span(&format!("{path}.wait_max_ms"), raw.wait_max_ms.saturating_mul(1000)),
        }
    }

    pub(super) fn cache(&mut self, path: &str, raw: RawCache) -> CacheSpec {
        self.between(format!("{path}.hit_ppm"), raw.hit_ppm.into(), 0, 1_000_000);
        self.between(format!("{path}.hit_time_bp"), raw.hit_time_bp.into(), 0, 10_000);
        self.between(format!("{path}.warm_after_requests"), raw.warm_after_requests.into(), 1, 100_000_000);
        CacheSpec { hit_ppm: raw.hit_ppm, hit_time_bp: raw.hit_time_bp, warm_after: raw.warm_after_requests }
    }

    pub(super) fn warm_up(&mut self, path: &str, raw: RawWarmUp) -> WarmUpSpec {
        self.between(format!("{path}.factor_bp"), raw.factor_bp, 10_000, 1_000_000);
        let lasts: Micros = self.span(&format!("{path}.lasts_ms"), raw.lasts_ms.saturating_mul(1000));
        WarmUpSpec { lasts, factor_bp: raw.factor_bp }
    }
}
