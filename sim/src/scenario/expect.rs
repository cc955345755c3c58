//! Expected envelopes.
//!
//! Answers whether a run stayed within what its scenario expects: bounds on a measure in every second of a window, on its
//! mean, or on the time until it stays down. Each is held against the plant's truth, not against what the loop saw.

use std::fmt;

use homeostat_core::Regime;
use serde::Deserialize;

use crate::scenario::raw::RawExpectation;
use crate::scenario::valid::Validation;
use crate::series::{Sample, Series};

/// What can be expected something of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// Requests a second at one service.
    RequestsPerSecond,
    /// Failed share of one service's requests over the last 15 s.
    ErrorShareBp,
    /// Slow share of one service's requests over the last 15 s.
    SlowShareBp,
    /// Requests a second that one service answered well and in time: its goodput.
    GoodPerSecond,
    /// Requests a second that one service refused at its concurrency limit.
    ShedPerSecond,
    /// Slow share of the requests that one service let in, over the last 15 s.
    AdmittedSlowShareBp,
    /// Requests in flight that one service admits.
    ConcurrencyLimit,
    /// 99th percentile of latency of one service.
    P99Us,
    /// Instances of one service.
    Replicas,
    /// Used share of one service's workers.
    UtilizationBp,
    /// Used share of the cores of one service's host, by whomever.
    HostUtilizationBp,
    /// Calls a second of one service that found no connection in time.
    ConnectionsMissed,
    /// Head probability of one service.
    HeadPpm,
    /// Tail probability of one service.
    TailPpm,
    /// Spans kept, over all services, averaged over the last 15 s.
    KeptSpansPerSecond,
    /// Open incidents.
    Incidents,
    /// Changes the world applied in this second.
    Changes,
    /// Whether the loop was blind: one or zero.
    Blind,
    /// Whether the loop was engaged: one or zero.
    Engaged,
}

/// Shares of single seconds are mostly noise; fifteen seconds is also what the loop judges trials by.
const SMOOTHED_S: usize = 15;

/// One expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    indicator: Indicator,
    service: Option<(usize, String)>,
    from_s: u64,
    to_s: u64,
    bound: Bound,
    limit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    AtLeast,
    AtMost,
    MeanAtLeast,
    MeanAtMost,
    SettlesWithin { seconds: u64 },
}

/// What was found for one expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// The expectation in words.
    pub expected: String,
    /// What was found.
    pub found: String,
    /// Whether it was met.
    pub met: bool,
}

/// An expectation that was not met.
pub type Miss = Measured;

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, found {}", self.expected, self.found)
    }
}

/// Checks one raw expectation; it may hold several bounds, of which the text must give at least one.
pub(crate) fn validate(index: usize, raw: RawExpectation, v: &mut Validation<'_>) -> Vec<Expectation> {
    let path = format!("expect[{index}]");
    let service = raw.service.as_ref().map(|name| (v.index(&format!("{path}.service"), name), name.clone()));
    if raw.measure.is_of_a_service() != service.is_some() {
        v.say(format!("{path}.service"), "is needed for measures of a service, and for no others");
    }
    let to_s = raw.to_s.unwrap_or(v.duration_s);
    if to_s <= raw.from_s || v.duration_s < to_s {
        v.say(format!("{path}.to_s"), "must be later than from_s and not after the end of the run");
    }
    if raw.settles_within_s.is_some() != raw.settles_to.is_some() {
        v.say(format!("{path}.settles_to"), "belongs together with settles_within_s");
    }
    let settles = raw.settles_within_s.map(|seconds| Bound::SettlesWithin { seconds });
    let bounds = [
        (Some(Bound::AtLeast), raw.at_least),
        (Some(Bound::AtMost), raw.at_most),
        (Some(Bound::MeanAtLeast), raw.mean_at_least),
        (Some(Bound::MeanAtMost), raw.mean_at_most),
        (settles, raw.settles_to),
    ];
    let make = |(bound, limit): (Option<Bound>, Option<u64>)| {
        let (bound, limit) = (bound?, limit?);
        let (indicator, service) = (raw.measure, service.clone());
        Some(Expectation { indicator, service, from_s: raw.from_s, to_s, bound, limit })
    };
    let all: Vec<Expectation> = bounds.into_iter().filter_map(make).collect();
    if all.is_empty() {
        v.say(path, "bounds nothing; give at_least, at_most, mean_at_least, mean_at_most or settles_to");
    }
    all
}

impl Expectation {
    /// Holds the expectation against a run.
    pub(crate) fn measure(&self, series: &Series) -> Measured {
        let service = self.service.as_ref().map_or(0, |(index, _)| *index);
        // The first entry of a series is of the second that ends at 1 s.
        let end = (self.to_s as usize).min(series.seconds.len());
        let values: Vec<u64> =
            (self.from_s as usize..end).map(|second| self.indicator.read(series, second, service)).collect();
        let mean = values.iter().sum::<u64>() / values.len().max(1) as u64;
        let (least, most) = (values.iter().min().copied(), values.iter().max().copied());
        let settled = values.iter().rposition(|value| self.limit < *value).map_or(0, |last| last as u64 + 1);
        let (met, found) = match self.bound {
            Bound::AtLeast => (least.is_some_and(|least| self.limit <= least), least.unwrap_or(0)),
            Bound::AtMost => (most.is_some_and(|most| most <= self.limit), most.unwrap_or(0)),
            Bound::MeanAtLeast => (self.limit <= mean, mean),
            Bound::MeanAtMost => (mean <= self.limit, mean),
            Bound::SettlesWithin { seconds } => (settled <= seconds, settled),
        };
        let found = match self.bound {
            Bound::SettlesWithin { .. } => format!("{found} s"),
            _ => found.to_string(),
        };
        Measured { expected: self.to_string(), found, met }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expectation { indicator, service, from_s, to_s, bound, limit } = self;
        let of = service.as_ref().map(|(_, name)| format!(" of {name}")).unwrap_or_default();
        let what = format!("{indicator:?}{of}");
        match bound {
            Bound::AtLeast => write!(f, "{what} at least {limit} from {from_s} s to {to_s} s"),
            Bound::AtMost => write!(f, "{what} at most {limit} from {from_s} s to {to_s} s"),
            Bound::MeanAtLeast => write!(f, "mean {what} at least {limit} from {from_s} s to {to_s} s"),
            Bound::MeanAtMost => write!(f, "mean {what} at most {limit} from {from_s} s to {to_s} s"),
            Bound::SettlesWithin { seconds } => {
                write!(f, "{what} to stay at or below {limit} within {seconds} s of {from_s} s")
            }
        }
    }
}

impl Indicator {
    fn is_of_a_service(self) -> bool {
        !matches!(
            self,
            Indicator::KeptSpansPerSecond
                | Indicator::Incidents
                | Indicator::Changes
                | Indicator::Blind
                | Indicator::Engaged
        )
    }

    fn read(self, series: &Series, second: usize, service: usize) -> u64 {
        let sample = || series.samples(second)[service];
        let window = || second.saturating_sub(SMOOTHED_S - 1)..=second;
        let share = |bad: fn(&Sample) -> u32, all: fn(&Sample) -> u32| {
            let of = |count: fn(&Sample) -> u32| -> u64 {
                window().map(|second| u64::from(count(&series.samples(second)[service]))).sum()
            };
            (of(bad) * 10_000).checked_div(of(all)).unwrap_or(0)
        };
        let regime = series.seconds[second].regime;
        match self {
            Indicator::RequestsPerSecond => sample().requests.into(),
            Indicator::ErrorShareBp => share(|sample| sample.errors, |sample| sample.requests),
            Indicator::SlowShareBp => share(|sample| sample.slow, |sample| sample.requests),
            Indicator::GoodPerSecond => sample().good.into(),
            Indicator::ShedPerSecond => sample().shed.into(),
            Indicator::AdmittedSlowShareBp => share(|sample| sample.slow, |sample| sample.requests - sample.shed),
            Indicator::ConcurrencyLimit => sample().limit.into(),
            Indicator::P99Us => sample().p99_us.into(),
            Indicator::Replicas => sample().replicas.into(),
            Indicator::UtilizationBp => sample().utilization_bp.into(),
            Indicator::HostUtilizationBp => sample().host_utilization_bp.into(),
            Indicator::ConnectionsMissed => sample().connections_missed.into(),
            Indicator::HeadPpm => sample().head_ppm.into(),
            Indicator::TailPpm => sample().tail_ppm.into(),
            Indicator::KeptSpansPerSecond => {
                let sum: u64 = window().map(|second| u64::from(series.seconds[second].spans_kept)).sum();
                sum / window().count() as u64
            }
            Indicator::Incidents => series.seconds[second].incidents.into(),
            Indicator::Changes => series.seconds[second].actions.into(),
            Indicator::Blind => u64::from(regime == Some(Regime::Blind)),
            Indicator::Engaged => u64::from(regime == Some(Regime::Engaged)),
        }
    }
}
