//! Wrong readings.
//!
//! Answers what a sensor shows that is off by a factor. Gauges are multiplied as they are; of counters it is what comes in
//! addition, because a counter that is counted twice was right until it was.

use crate::conditions::{READINGS, Reading, Sensor};
use crate::plants::ServiceReadings;

/// What `now` is shown as, where `since` is how it stood when the sensor began to be wrong.
pub(crate) fn shown(now: &ServiceReadings, since: &ServiceReadings, sensor: Sensor) -> ServiceReadings {
    let mut shown = *now;
    let total = |now: u64, since: u64, reading| since + scaled(now - since, factor(sensor.wrong_bp, reading));
    shown.totals.requests = total(now.totals.requests, since.totals.requests, Reading::Requests);
    shown.totals.errors = total(now.totals.errors, since.totals.errors, Reading::Errors);
    gauges(&mut shown, |value, reading| scaled(value, factor(sensor.wrong_bp, reading)));
    shown
}

/// What a second set of readings says of `first`.
pub(crate) fn contradicted(first: &ServiceReadings, factor_bp: u32) -> ServiceReadings {
    let mut second = *first;
    gauges(&mut second, |value, _| scaled(value, factor_bp));
    second
}

fn gauges(of: &mut ServiceReadings, change: impl Fn(u64, Reading) -> u64) {
    of.p50_us = of.p50_us.map(|value| change(value, Reading::Latency));
    of.p99_us = of.p99_us.map(|value| change(value, Reading::Latency));
    of.utilization_bp = of.utilization_bp.map(|value| change(value, Reading::Utilization));
    of.replicas = change(of.replicas.into(), Reading::Replicas).min(u32::MAX.into()) as u32;
}

fn factor(wrong_bp: [Option<u32>; READINGS], reading: Reading) -> u32 {
    wrong_bp[reading as usize].unwrap_or(10_000)
}

fn scaled(value: u64, factor_bp: u32) -> u64 {
    value.saturating_mul(factor_bp.into()) / 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: requests are counted threefold since there were ten, and utilisation is shown as half.
    /// Guarantees: the ten stay ten, what came later is tripled, gauges are halved, and the rest is the truth.
    #[test]
    fn what_is_wrong_is_off_by_its_factor() {
        let mut since = ServiceReadings::default();
        since.totals.requests = 10;
        let mut now = ServiceReadings { utilization_bp: Some(8000), p99_us: Some(500), replicas: 3, ..since };
        now.totals.requests = 14;
        let mut sensor = Sensor::default();
        sensor.wrong_bp[Reading::Requests as usize] = Some(30_000);
        sensor.wrong_bp[Reading::Utilization as usize] = Some(5000);
        let shown = shown(&now, &since, sensor);
        assert_eq!((shown.totals.requests, shown.utilization_bp), (22, Some(4000)));
        assert_eq!((shown.p99_us, shown.replicas), (Some(500), 3));
        let second = contradicted(&now, 20_000);
        assert_eq!((second.totals.requests, second.p99_us, second.replicas), (14, Some(1000), 6));
    }
}
