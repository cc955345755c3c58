//! Sources.
//!
//! Answers what the outside says about itself when it is asked: one observation per reading. It does not judge, and it never
//! guesses: what cannot be read is not observed, and goes stale in the loop. The data plane's own aggregates are not here;
//! they come from the pipeline.

mod dimmer_endpoint;
mod instances;
mod limit_endpoint;
mod parallel;
mod polled;
mod scale_endpoint;

use std::collections::BTreeMap;
use std::fmt;

use homeostat_core::{Observation, ServiceName, Timestamp};

use crate::endpoint::{DimmerEndpoint, LimitEndpoint, RestartEndpoint, ScaleEndpoint, urls};
use parallel::{Boxed, in_parallel};

/// What is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceConfig {
    /// Services that say themselves how many replicas they have.
    pub scale_endpoints: BTreeMap<ServiceName, ScaleEndpoint>,
    /// Services that say how many requests in flight they admit.
    pub limit_endpoints: BTreeMap<ServiceName, LimitEndpoint>,
    /// Services that say how much of their optional work they do.
    pub dimmer_endpoints: BTreeMap<ServiceName, DimmerEndpoint>,
    /// Services that tell their instances one by one.
    pub restart_endpoints: BTreeMap<ServiceName, RestartEndpoint>,
}

/// Observations that are on their way.
type Reading<'a> = Boxed<'a, Vec<Observation>>;

/// Something outside that can be asked.
trait Source: Send + Sync {
    /// Asks, within a bounded time. `now` is the time of every observation.
    fn read(&self, now: Timestamp) -> Reading<'_>;
}

/// Every configured source.
pub struct Sources {
    all: Vec<Box<dyn Source>>,
}

impl Sources {
    /// The sources of `config`, in the order of their observations. Nothing is asked yet.
    pub fn new(config: SourceConfig) -> Sources {
        Sources {
            all: vec![
                Box::new(scale_endpoint::source(urls(config.scale_endpoints))),
                Box::new(limit_endpoint::source(urls(config.limit_endpoints))),
                Box::new(dimmer_endpoint::source(urls(config.dimmer_endpoints))),
                Box::new(instances::source(urls(config.restart_endpoints))),
            ],
        }
    }

    /// Asks all sources at once. Meant to be called once a second; takes at most 800 ms.
    pub async fn read(&self, now: Timestamp) -> Vec<Observation> {
        in_parallel(self.all.iter().map(|source| source.read(now))).await.into_iter().flatten().collect()
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").field("count", &self.all.len()).finish()
    }
}
