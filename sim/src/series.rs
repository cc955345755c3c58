//! Time series of a run.
//!
//! Answers how every service stood in every second: what plots show and what envelopes are held against. It is the truth of
//! the plant, not what the loop saw.

use homeostat_core::{Regime, ServiceName};

use crate::plants::{Readings, ServiceReadings};

/// A run, second by second. Bounded by the scenario's duration and number of services, which are bounded when it is read.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The services, in the order of the samples.
    pub services: Vec<ServiceName>,
    /// One entry per second.
    pub seconds: Vec<Second>,
    samples: Vec<Sample>,
    before: Vec<ServiceReadings>,
}

/// What concerns no single service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second {
    /// The loop's regime; none while the agent is down.
    pub regime: Option<Regime>,
    /// Incidents open.
    pub incidents: u32,
    /// Changes the world applied.
    pub actions: u32,
    /// Spans that arrived.
    pub spans_received: u32,
    /// Spans kept.
    pub spans_kept: u32,
}

/// One service in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Requests answered.
    pub requests: u32,
    /// Of these, failed.
    pub errors: u32,
    /// Of these, slow.
    pub slow: u32,
    /// Answered well and in time.
    pub good: u32,
    /// Refused at the concurrency limit.
    pub shed: u32,
    /// Requests in flight that are admitted; zero where there is no limit.
    pub limit: u32,
    /// Median latency in microseconds; zero without requests.
    pub p50_us: u32,
    /// 99th percentile of latency in microseconds; zero without requests.
    pub p99_us: u32,
    /// Share of worker time used.
    pub utilization_bp: u32,
    /// Instances serving.
    pub replicas: u32,
    /// Head probability in force.
    pub head_ppm: u32,
    /// Tail probability in force.
    pub tail_ppm: u32,
    /// Spans kept.
    pub spans_kept: u32,
    /// Share of its host's cores used, by whomever; zero without a host.
    pub host_utilization_bp: u32,
    /// Calls that found no connection in time.
    pub connections_missed: u32,
}

impl Series {
    pub(crate) fn new(services: &[ServiceName]) -> Series {
        let before = vec![ServiceReadings::default(); services.len()];
        Series { services: services.to_vec(), seconds: Vec::new(), samples: Vec::new(), before }
    }

    /// The samples of second `index`, one per service.
    pub fn samples(&self, index: usize) -> &[Sample] {
        let width = self.services.len();
        &self.samples[index * width..(index + 1) * width]
    }

    /// The samples of one service, one per second.
    pub fn of(&self, service: usize) -> impl Iterator<Item = &Sample> {
        self.samples.iter().skip(service).step_by(self.services.len().max(1))
    }

    pub(crate) fn push(&mut self, readings: &Readings, regime: Option<Regime>, incidents: usize, actions: u32) {
        let mut second = Second { regime, incidents: incidents as u32, actions, spans_received: 0, spans_kept: 0 };
        for (now, before) in readings.services.iter().zip(&mut self.before) {
            let sample = Sample {
                requests: (now.totals.requests - before.totals.requests) as u32,
                errors: (now.totals.errors - before.totals.errors) as u32,
                slow: (now.totals.slow - before.totals.slow) as u32,
                good: (now.totals.good - before.totals.good) as u32,
                shed: (now.totals.shed - before.totals.shed) as u32,
                limit: now.admission.map_or(0, |admission| admission.limit),
                p50_us: now.p50_us.unwrap_or(0) as u32,
                p99_us: now.p99_us.unwrap_or(0) as u32,
                utilization_bp: now.utilization_bp.unwrap_or(0) as u32,
                replicas: now.replicas,
                head_ppm: now.head_ppm,
                tail_ppm: now.tail_ppm,
                spans_kept: (now.totals.spans_kept - before.totals.spans_kept) as u32,
                host_utilization_bp: now.host_utilization_bp.unwrap_or(0) as u32,
                connections_missed: (now.connections_missed - before.connections_missed) as u32,
            };
            second.spans_kept += sample.spans_kept;
            second.spans_received += (now.totals.spans_received - before.totals.spans_received) as u32;
            self.samples.push(sample);
            *before = *now;
        }
        self.seconds.push(second);
    }
}
