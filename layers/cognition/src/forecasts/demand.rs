//! Demand.
//!
//! Answers how much work arrives, in thousandths of a replica that is never idle. While there is capacity to spare that is what
//! is busy. When there is none, what is busy says only what capacity there is, and what arrives is worked out from when
//! answered requests must have come: of two requests answered a time apart, the second waited longer by what the line has
//! grown, so they came that much closer together (all that had come when it came has left when it leaves: first in, first
//! out). A count of requests under way would say the same at once, but few services tell it.

use std::collections::VecDeque;

use homeostat_core::{Indicator, Micros, Millis, ServiceName, Snapshot, Timestamp};

use crate::forecasts::staffing::Staffing;

/// How often there is a forecast.
pub(super) const STEP: Millis = Millis::from_secs(5);

/// From this utilisation on there is no capacity to spare, in basis points.
const FULL_FROM: u64 = 9700;

/// The time over which rates are read, and over which the line's growth is.
const RATE_OVER: Millis = Millis::from_secs(10);

/// When nothing is to spare, at most so many times what is busy is believed to arrive.
const BEYOND_MAX: u64 = 2;

/// Steps over which demand is averaged: ten seconds at least, because what comes and goes within them is what staffing is for,
/// and half a minute at most.
const SMOOTHED: std::ops::RangeInclusive<u64> = 2..=6;

/// Latencies remembered: one a second over [`RATE_OVER`], and room.
const LATENCIES_MAX: usize = 20;

/// What is known of one service's demand.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// Sum and number of what was seen since the last step.
    seen: (u64, u64),
    /// Demand of the last steps, newest last.
    steps: VecDeque<u64>,
    /// Median latencies of the last seconds, oldest first.
    latencies: VecDeque<(Timestamp, u64)>,
}

impl Demand {
    /// Takes in one snapshot; a service that is not seen adds nothing.
    pub(super) fn see(&mut self, service: &ServiceName, snapshot: &Snapshot, staffing: &mut Staffing) {
        let value = |indicator| snapshot.service_value(service, indicator);
        let Some(used) = value(Indicator::Utilization) else { return };
        let Some(ready) = value(Indicator::ReplicasReady) else { return };
        let (rate, latency) = (value(Indicator::RequestsTotal), value(Indicator::LatencyP50));
        let failed = value(Indicator::ErrorsTotal).unwrap_or(0);
        let grown_us = latency.map_or(0, |latency| self.grown(snapshot.at, latency));
        let busy = used.saturating_mul(ready) / 10;
        let is_full = FULL_FROM <= used;
        if let (Some(rate), Some(latency), false) = (rate, latency, is_full) {
            staffing.learn(busy, rate.saturating_sub(failed), latency);
        }
        let arrived = match (is_full, rate.and_then(|rate| staffing.work_of(arriving(rate, grown_us)))) {
            (true, Some(work)) => work.min(busy * BEYOND_MAX),
            _ => busy,
        };
        self.seen = (self.seen.0 + arrived, self.seen.1 + 1);
    }

    /// The demand now: the mean of what was seen since the last step and in the steps before, over the time that requests may
    /// take. A burst that is shorter waits within what is promised.
    pub(super) fn step(&mut self, promised: Micros) -> Option<u64> {
        let (sum, count) = std::mem::take(&mut self.seen);
        let Some(mean) = sum.checked_div(count) else {
            self.steps.clear();
            return None;
        };
        let smoothed = (promised.0 / 1000 / STEP.0).clamp(*SMOOTHED.start(), *SMOOTHED.end()) as usize;
        self.steps.push_back(mean);
        while smoothed < self.steps.len() {
            self.steps.pop_front();
        }
        Some(self.steps.iter().sum::<u64>() / self.steps.len() as u64)
    }

    /// How much longer requests take than [`RATE_OVER`] ago, in microseconds; negative when they take less long.
    fn grown(&mut self, now: Timestamp, latency_us: u64) -> i64 {
        self.latencies.push_back((now, latency_us));
        let is_old = |first: Option<&(Timestamp, u64)>| first.is_some_and(|first| RATE_OVER < now.since(first.0));
        while LATENCIES_MAX < self.latencies.len() || is_old(self.latencies.front()) {
            self.latencies.pop_front();
        }
        let before = self.latencies.front().map_or(latency_us, |(_, latency)| *latency);
        latency_us as i64 - before as i64
    }
}

/// The rate at which those came who are answered at `rate`, while the line grew by `grown_us` over [`RATE_OVER`]. At most
/// three times and at least a third of what is answered: beyond that the difference of two medians is mostly noise.
fn arriving(rate: u64, grown_us: i64) -> u64 {
    let span = RATE_OVER.0 as i64;
    let came_within = (span - grown_us / 1000).clamp(span / 3, span * 3);
    (u128::from(rate) * span as u128 / came_within as u128) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: answered are 60 a second; the line grows by 5 s in 10 s, shrinks by 10 s, stays, and grows beyond reason.
    /// Guarantees: 120 came a second, 30, 60, and at most three times what is answered.
    #[test]
    fn arrivals_are_worked_out_from_the_line() {
        assert_eq!(arriving(60_000, 5_000_000), 120_000);
        assert_eq!(arriving(60_000, -10_000_000), 30_000);
        assert_eq!(arriving(60_000, 0), 60_000);
        assert_eq!(arriving(60_000, 60_000_000), 180_018);
    }
}
