//! What an event log shows.
//!
//! Answers second by second what the agent was told of every service, what people said and what actuators answered. It is
//! only what was seen: where nothing arrived there is a gap, not a zero.

use std::collections::BTreeMap;

use homeostat_core::{
    Event, Indicator, Observation, OperatorCommand, Report, ServiceName, Settings, Target, Timestamp,
};

/// Seconds of a log that are looked at: two months. What comes later is left out.
const SECONDS_MAX: usize = 5_000_000;

/// One service in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Row {
    /// Whether anything was heard of it.
    pub(super) heard: bool,
    pub(super) requests: f64,
    pub(super) errors: f64,
    pub(super) slow: f64,
    pub(super) p50_us: Option<f64>,
    pub(super) p99_us: Option<f64>,
    pub(super) utilization: Option<f64>,
    pub(super) replicas: Option<u32>,
    /// How much later than its time stamp it arrived.
    pub(super) late_ms: u64,
}

/// Everything that was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) start: Timestamp,
    pub(super) seconds: usize,
    pub(super) services: BTreeMap<ServiceName, Vec<Row>>,
    /// Calls in each second.
    pub(super) calls: BTreeMap<(ServiceName, ServiceName), Vec<f64>>,
    /// The seconds in which the loop thought.
    pub(super) ticks: Vec<bool>,
    pub(super) settings: Settings,
    pub(super) operator: Vec<(u64, OperatorCommand)>,
    pub(super) reports: Vec<(u64, Report)>,
    totals: BTreeMap<(ServiceName, Indicator), (usize, u64)>,
    call_totals: BTreeMap<(ServiceName, ServiceName), (usize, u64)>,
}

impl Seen {
    pub(super) fn of(events: &[(Timestamp, Event)]) -> Seen {
        let start = events.first().map_or(Timestamp(0), |(at, _)| *at);
        let length_ms = events.last().map_or(0, |(at, _)| at.since(start).0);
        let seconds = (length_ms as usize / 1000).min(SECONDS_MAX);
        let mut seen = Seen { start, seconds, ticks: vec![false; seconds], ..Seen::default() };
        for (at, event) in events {
            seen.take(*at, event);
        }
        seen
    }

    /// The second that ends at `at`; none outside the log.
    pub(super) fn second(&self, at: Timestamp) -> Option<usize> {
        let second = (at.since(self.start).0 as usize).div_ceil(1000).checked_sub(1)?;
        (self.start < at && second < self.seconds).then_some(second)
    }

    fn take(&mut self, at: Timestamp, event: &Event) {
        let at_s = at.since(self.start).0 / 1000;
        match event {
            Event::Recovered(checkpoint) => self.settings = checkpoint.settings.clone(),
            Event::Reconfigured(settings) => self.settings = (**settings).clone(),
            Event::Observed(batch) => batch.iter().for_each(|observation| self.observe(at, observation)),
            Event::Reported(report) => self.reports.push((at_s, report.clone())),
            Event::Operator(command) => self.operator.push((at_s, command.clone())),
            Event::Tick => {
                if let Some(second) = self.second(at) {
                    self.ticks[second] = true;
                }
            }
            Event::Drain => {}
        }
    }

    fn observe(&mut self, arrived: Timestamp, observation: &Observation) {
        match observation {
            Observation::Measured { signal, value, at, .. } => {
                let (Target::Service(service), Some(second)) = (&signal.target, self.second(*at)) else { return };
                self.measure(service, signal.indicator, second, *value);
                let row = &mut self.rows(service)[second];
                row.heard = true;
                row.late_ms = row.late_ms.max(arrived.since(*at).0);
            }
            Observation::Called { caller, callee, total, at } => {
                let Some(second) = self.second(*at) else { return };
                let edge = (caller.clone(), callee.clone());
                let before = self.call_totals.insert(edge.clone(), (second, *total));
                let seconds = self.seconds;
                let row = self.calls.entry(edge).or_insert_with(|| vec![0.0; seconds]);
                spread(before, (second, *total), |second, by| row[second] += by);
            }
        }
    }

    fn rows(&mut self, service: &ServiceName) -> &mut Vec<Row> {
        let seconds = self.seconds;
        self.services.entry(service.clone()).or_insert_with(|| vec![Row::default(); seconds])
    }

    fn measure(&mut self, service: &ServiceName, indicator: Indicator, second: usize, value: u64) {
        let add: fn(&mut Row, f64) = match indicator {
            Indicator::RequestsTotal => |row, by| row.requests += by,
            Indicator::ErrorsTotal => |row, by| row.errors += by,
            Indicator::SlowTotal => |row, by| row.slow += by,
            _ => return self.gauge(service, indicator, second, value),
        };
        let before = self.totals.insert((service.clone(), indicator), (second, value));
        let rows = self.rows(service);
        spread(before, (second, value), |second, by| add(&mut rows[second], by));
    }

    fn gauge(&mut self, service: &ServiceName, indicator: Indicator, second: usize, value: u64) {
        let row = &mut self.rows(service)[second];
        match indicator {
            Indicator::LatencyP50 => row.p50_us = Some(value as f64),
            Indicator::LatencyP99 => row.p99_us = Some(value as f64),
            Indicator::Utilization => row.utilization = Some(value as f64 / 10_000.0),
            Indicator::ReplicasReady => row.replicas = Some(value as u32),
            _ => {}
        }
    }
}

/// Spreads what a total has grown evenly over the seconds since it was last seen. A total that has fallen began anew.
fn spread(before: Option<(usize, u64)>, (second, total): (usize, u64), mut add: impl FnMut(usize, f64)) {
    let Some((last, value)) = before.filter(|(last, _)| *last < second) else { return };
    let by = if value <= total { total - value } else { total };
    for at in last + 1..=second {
        add(at, by as f64 / (second - last) as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a counter is told at 1, 2 and 5 s, a gauge late, and a call in between.
    /// Guarantees: growth is spread over the seconds nobody told of, lateness is known, and the end is the last event.
    #[test]
    fn a_log_becomes_rows_of_seconds() {
        let target = || Target::Service(ServiceName::from("a"));
        let told =
            |indicator, value, at_s: u64| Observation::new(target(), indicator, value, Timestamp(1000 + at_s * 1000));
        let at = |at_s: u64, event| (Timestamp(1000 + at_s * 1000), event);
        let events = [
            at(0, Event::Reconfigured(Box::default())),
            at(1, Event::Observed(vec![told(Indicator::RequestsTotal, 100, 1)])),
            at(1, Event::Tick),
            at(2, Event::Observed(vec![told(Indicator::RequestsTotal, 110, 2)])),
            at(5, Event::Observed(vec![told(Indicator::RequestsTotal, 140, 5), told(Indicator::Utilization, 5000, 3)])),
            at(6, Event::Operator(OperatorCommand::Hold)),
        ];
        let seen = Seen::of(&events);
        let rows = &seen.services[&ServiceName::from("a")];
        let requests: Vec<f64> = rows.iter().map(|row| row.requests).collect();
        assert_eq!(requests, [0.0, 10.0, 10.0, 10.0, 10.0, 0.0]);
        assert_eq!((rows[2].utilization, rows[2].late_ms), (Some(0.5), 2000));
        assert_eq!((seen.ticks[0], seen.ticks[1]), (true, false));
        assert_eq!(seen.operator, [(6, OperatorCommand::Hold)]);
    }
}
