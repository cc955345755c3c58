//! One service as a queueing station.
//!
//! Answers who waits, how many workers are busy, and what was counted. Does not know calls between services; that is the
//! plant's.

use std::collections::VecDeque;

use crate::plants::ServiceSpec;
use crate::plants::extras::Extras;
use crate::plants::instances::{InstanceReadings, Instances};
use crate::plants::queueing::VisitId;
use crate::plants::service_time::{NormalTable, Quantiles};
use crate::queue::SimTime;

/// Latencies remembered per interval for the percentiles. Above this many requests a second the later ones are counted but
/// not ranked.
const LATENCIES_MAX: usize = 65_536;

/// Running totals since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) slow: u64,
    /// Neither failed nor slow.
    pub(crate) good: u64,
    /// Refused at the limit.
    pub(crate) shed: u64,
    pub(crate) spans_received: u64,
    pub(crate) spans_kept: u64,
    pub(crate) spans_kept_by_rule: u64,
}

/// The state of one service.
#[derive(Debug)]
pub(crate) struct Station {
    pub(crate) quantiles: Quantiles,
    /// Slower than this counts as slow, in microseconds.
    pub(crate) slow_above_us: u64,
    /// Stretches the work; ten thousand is unchanged.
    pub(crate) time_factor_bp: u64,
    /// Failures on top of the service's own.
    pub(crate) extra_error_ppm: u32,
    pub(crate) head_ppm: u32,
    pub(crate) tail_ppm: u32,
    pub(crate) replicas: Fleet,
    pub(crate) workers_per_replica: u32,
    /// What is special about single instances.
    pub(crate) instances: Instances,
    /// Admitted and not answered.
    pub(crate) in_flight: u32,
    /// Requests in flight that are admitted.
    pub(crate) limit: u32,
    /// The share of optional work that is done.
    pub(crate) dimmer_bp: u32,
    /// The share of its work that may be left out.
    pub(crate) optional_bp: u32,
    pub(crate) busy: u32,
    pub(crate) waiting: VecDeque<VisitId>,
    pub(crate) totals: Totals,
    pub(crate) latencies: Vec<u32>,
    pub(crate) extras: Option<Box<Extras>>,
    usage: Usage,
}

impl Station {
    pub(crate) fn new(spec: &ServiceSpec, normal: &NormalTable, slow_above_us: u64) -> Station {
        Station {
            quantiles: Quantiles::of(spec.service_time, normal),
            slow_above_us,
            time_factor_bp: 10_000,
            extra_error_ppm: 0,
            head_ppm: 0,
            tail_ppm: 0,
            replicas: Fleet { ready: spec.replicas, ..Fleet::default() },
            workers_per_replica: spec.workers_per_replica,
            instances: Instances::default(),
            in_flight: 0,
            limit: spec.limit.unwrap_or(u32::MAX),
            dimmer_bp: 10_000,
            optional_bp: spec.optional_bp,
            busy: 0,
            waiting: VecDeque::new(),
            totals: Totals::default(),
            latencies: Vec::new(),
            extras: Extras::of(spec),
            usage: Usage::default(),
        }
    }

    pub(crate) fn workers(&self) -> u32 {
        (self.replicas.ready - self.instances.out()) * self.workers_per_replica
    }

    /// Books the time since the last change of `busy` or of the number of workers. To be called before either changes.
    pub(crate) fn book(&mut self, now: SimTime) {
        let workers = self.workers();
        self.usage.book(now, self.busy, workers);
    }

    /// Instances have gone.
    pub(crate) fn left_with(&mut self) {
        let instances = self.replicas.ready;
        self.instances.keep(instances);
        if let Some(extras) = &mut self.extras {
            extras.left_with(instances);
        }
    }

    /// The share of its work that it does with its dimmer where it stands, in basis points.
    pub(crate) fn done_bp(&self) -> u64 {
        10_000 - u64::from(self.optional_bp) * u64::from(10_000 - self.dimmer_bp) / 10_000
    }

    /// Every instance that can be asked.
    pub(crate) fn read_instances(&mut self) -> Vec<InstanceReadings> {
        let shared = self.in_flight - self.instances.held_by_all();
        self.instances.read(self.replicas.ready, shared)
    }

    /// Counts one request that was answered.
    pub(crate) fn count(&mut self, latency_us: u64, failed: bool) {
        self.totals.requests += 1;
        self.totals.errors += u64::from(failed);
        let slow = self.slow_above_us < latency_us;
        self.totals.slow += u64::from(slow);
        self.totals.good += u64::from(!slow && !failed);
        if self.latencies.len() < LATENCIES_MAX {
            self.latencies.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
        }
    }

    /// The share of worker time that was used since the last call, in basis points; none while there was no worker.
    pub(crate) fn take_utilization(&mut self, now: SimTime) -> Option<u64> {
        self.book(now);
        let Usage { busy_us, worker_us, since } = self.usage;
        self.usage = Usage { busy_us: 0, worker_us: 0, since };
        (busy_us * 10_000).checked_div(worker_us).map(|bp| bp.min(10_000))
    }
}

/// Worker time, used and available.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    busy_us: u64,
    worker_us: u64,
    since: SimTime,
}

impl Usage {
    fn book(&mut self, now: SimTime, busy: u32, workers: u32) {
        let span = now.0 - self.since.0;
        self.busy_us += span * u64::from(busy);
        self.worker_us += span * u64::from(workers);
        self.since = now;
    }
}

/// The instances of one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fleet {
    /// Serving now.
    pub(crate) ready: u32,
    /// On their way.
    pub(crate) starting: u32,
    /// Of those on their way, how many are no longer wanted when they arrive.
    pub(crate) unwanted: u32,
    /// Taken by a fault and not yet given back.
    pub(crate) lost: u32,
}

impl Fleet {
    /// Serving or soon serving.
    pub(crate) fn wanted(self) -> u32 {
        self.ready + self.starting - self.unwanted
    }

    /// Brings the fleet to `count`; says how many starts are to be scheduled.
    pub(crate) fn set(&mut self, count: u32) -> u32 {
        let keep_starting = count.saturating_sub(self.ready).min(self.starting);
        self.unwanted = self.starting - keep_starting;
        self.ready = self.ready.min(count);
        let more = count - self.ready - keep_starting;
        self.starting += more;
        more
    }

    /// One start has completed; says whether it is wanted.
    pub(crate) fn arrive(&mut self) -> bool {
        self.starting -= 1;
        if 0 < self.unwanted {
            self.unwanted -= 1;
            return false;
        }
        self.ready += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: from two to five, then down to three before any of the new ones has started, then all three arrive.
    /// Guarantees: exactly three serve in the end; the surplus is turned away at the door.
    #[test]
    fn a_fleet_that_changes_its_mind_ends_where_it_was_sent() {
        let mut fleet = Fleet { ready: 2, ..Fleet::default() };
        assert_eq!(fleet.set(5), 3);
        assert_eq!(fleet.set(3), 0);
        assert_eq!(fleet.wanted(), 3);
        let arrived: Vec<bool> = (0..3).map(|_| fleet.arrive()).collect();
        assert_eq!(arrived.iter().filter(|wanted| **wanted).count(), 1);
        assert_eq!(fleet, Fleet { ready: 3, ..Fleet::default() });
    }

    /// Scenario: down from five to one, up again to four.
    /// Guarantees: reductions take effect at once, growth is asked for in full.
    #[test]
    fn a_fleet_shrinks_at_once_and_grows_by_starting() {
        let mut fleet = Fleet { ready: 5, ..Fleet::default() };
        assert_eq!(fleet.set(1), 0);
        assert_eq!(fleet.ready, 1);
        assert_eq!(fleet.set(4), 3);
        assert_eq!(fleet.ready, 1);
    }
}
