//! What samplers were told.
//!
//! Answers each question from the plan, and remembers which service was last told what. It does not read a clock: a question
//! is dated by the tick that next looks. That is exact to a second, and keeps time an argument.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use homeostat_core::{Indicator, Millis, Observation, SamplingProbability, ServiceName, Target, Timestamp};

use super::{HeadSampling, Heads};

/// A service counts as steered for this long after its last question. The slowest SDK asks every five minutes by default
/// (Rust; the others every minute); the rest is for its jitter, so that it does not come and go.
const STEERED_FOR: Millis = Millis::from_secs(330);

/// Services remembered. A machine runs far fewer; beyond this a service is answered all the same, but not observed.
const SERVICES_MAX: usize = 4096;

/// Longer names are answered, but not remembered: they are no service names, and memory must be bounded in bytes too.
const NAME_BYTES_MAX: usize = 256;

pub(super) struct Served {
    plan: Arc<dyn HeadSampling>,
    last: Mutex<BTreeMap<ServiceName, Last>>,
}

/// What one service was told.
struct Last {
    told: Heads,
    /// When; `None` until the next tick dates it.
    at: Option<Timestamp>,
}

impl Served {
    pub(super) fn new(plan: Arc<dyn HeadSampling>) -> Served {
        Served { plan, last: Mutex::default() }
    }

    /// The answer for `service`.
    pub(super) fn ask(&self, service: &str) -> Heads {
        let told = self.plan.heads(service);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = last.get_mut(service) {
            *known = Last { told: told.clone(), at: None };
        } else if last.len() < SERVICES_MAX && service.len() <= NAME_BYTES_MAX {
            last.insert(ServiceName::from(service), Last { told: told.clone(), at: None });
        }
        told
    }

    /// One observation for each service that is steered, in name order, and one for each operation it was told.
    pub(super) fn observe(&self, now: Timestamp) -> Vec<Observation> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, known| now.since(*known.at.get_or_insert(now)) <= STEERED_FOR);
        let observation = |target, head: SamplingProbability| {
            Observation::new(target, Indicator::HeadProbability, u64::from(head.ppm()), now)
        };
        let mut observations = Vec::new();
        for (service, Last { told, .. }) in last.iter() {
            observations.push(observation(Target::Service(service.clone()), told.default));
            for (operation, head) in &told.operations {
                observations.push(observation(Target::Operation(service.clone(), operation.clone()), *head));
            }
        }
        observations
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Half;

    impl HeadSampling for Half {
        fn heads(&self, _: &str) -> Heads {
            Heads { default: SamplingProbability::from_ppm_saturating(500_000), operations: BTreeMap::new() }
        }
    }

    fn observed(served: &Served, now: u64) -> usize {
        served.observe(Timestamp(now)).len()
    }

    /// Scenario: a service asks once and then never again; another goes on asking.
    /// Guarantees: the first is observed for five and a half minutes, the second always.
    #[test]
    fn a_service_that_stopped_asking_is_no_longer_observed() {
        let served = Served::new(Arc::new(Half));
        served.ask("shop");
        served.ask("cart");
        assert_eq!(observed(&served, 1_000), 2);
        served.ask("cart");
        assert_eq!(observed(&served, 300_000), 2);
        assert_eq!(observed(&served, 331_000), 2);
        assert_eq!(observed(&served, 331_001), 1);
        assert_eq!(observed(&served, 630_001), 0);
    }

    /// Scenario: somebody asks for a hundred thousand services, and for one with an endless name.
    /// Guarantees: all are answered, memory stays at its bound.
    #[test]
    fn the_table_of_services_is_bounded() {
        let served = Served::new(Arc::new(Half));
        assert_eq!(served.ask(&"x".repeat(10_000)).default.ppm(), 500_000);
        assert_eq!(observed(&served, 0), 0);
        for number in 0..2 * SERVICES_MAX {
            assert_eq!(served.ask(&format!("service-{number}")).default.ppm(), 500_000);
        }
        assert_eq!(observed(&served, 0), SERVICES_MAX);
    }
}
