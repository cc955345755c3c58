//! Signals, observations and readings.
//!
//! Answers what one reading is: of what, in which unit, how old it may become. Does not judge a value. Absence is a
//! variant, never a zero: "no data" and "no traffic" are different worlds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Millis, Target, Timestamp};

/// A quantity that is observed. Closed on purpose: each has its unit and its worse direction written beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// Requests that entered the target, since its source started.
    RequestsTotal,
    /// Requests that failed.
    ErrorsTotal,
    /// Requests slower than the target's latency objective.
    SlowTotal,
    /// Median latency of the last interval.
    LatencyP50,
    /// 99th percentile of latency of the last interval.
    LatencyP99,
    /// Share of the target's capacity in use.
    Utilization,
    /// Instances now serving.
    ReplicasReady,
    /// Spans that arrived at this agent.
    SpansReceivedTotal,
    /// Spans kept, for whatever reason.
    SpansKeptTotal,
    /// Spans kept because of what they are (an error, slow), not by chance.
    SpansKeptByRuleTotal,
    /// The head-sampling probability that the target's sampler last fetched.
    HeadProbability,
    /// Requests that are being worked on or wait inside the target.
    RequestsInFlight,
    /// Requests that an instance has finished, well or not.
    CompletedTotal,
    /// Requests in flight that the target admits.
    ConcurrencyLimit,
    /// Requests refused because the concurrency limit was reached.
    ShedTotal,
    /// The share of its optional work that the target does.
    Dimmer,
}

/// How the values of an indicator follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndicatorKind {
    /// Observed as a running total; appears in a snapshot as a rate in thousandths per second.
    Counter,
    /// Observed and read as it is.
    Gauge,
    /// Observed as it is; appears in a snapshot as the mean of the last five seconds, because one second says little of a
    /// quantity that jumps with every request.
    Averaged,
}

/// The unit of a reading as it stands in a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Thousandths of an event per second.
    MilliPerSecond,
    /// Microseconds.
    Micros,
    /// Hundredths of a percent.
    BasisPoints,
    /// Parts per million.
    Ppm,
    /// A plain count.
    Count,
    /// Hundredths of "the error budget lasts exactly its period".
    CentiBurn,
}

/// Which way is worse, for projecting a stale reading pessimistically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A higher value is worse.
    HigherIsWorse,
    /// Neither way is worse.
    Neutral,
}

impl Indicator {
    /// Every indicator, in order.
    pub const ALL: [Indicator; 16] = [
        Indicator::RequestsTotal,
        Indicator::ErrorsTotal,
        Indicator::SlowTotal,
        Indicator::LatencyP50,
        Indicator::LatencyP99,
        Indicator::Utilization,
        Indicator::ReplicasReady,
        Indicator::SpansReceivedTotal,
        Indicator::SpansKeptTotal,
        Indicator::SpansKeptByRuleTotal,
        Indicator::HeadProbability,
        Indicator::RequestsInFlight,
        Indicator::CompletedTotal,
        Indicator::ConcurrencyLimit,
        Indicator::ShedTotal,
        Indicator::Dimmer,
    ];

    /// Counter or gauge.
    pub const fn kind(self) -> IndicatorKind {
        match self {
            Indicator::RequestsTotal
            | Indicator::ErrorsTotal
            | Indicator::SlowTotal
            | Indicator::SpansReceivedTotal
            | Indicator::SpansKeptTotal
            | Indicator::SpansKeptByRuleTotal
            | Indicator::CompletedTotal
            | Indicator::ShedTotal => IndicatorKind::Counter,
            Indicator::LatencyP50
            | Indicator::LatencyP99
            | Indicator::ReplicasReady
            | Indicator::HeadProbability
            | Indicator::ConcurrencyLimit
            | Indicator::Dimmer => IndicatorKind::Gauge,
            Indicator::Utilization | Indicator::RequestsInFlight => IndicatorKind::Averaged,
        }
    }

    /// The unit of a reading in a snapshot.
    pub const fn unit(self) -> Unit {
        match self {
            Indicator::LatencyP50 | Indicator::LatencyP99 => Unit::Micros,
            Indicator::Utilization | Indicator::Dimmer => Unit::BasisPoints,
            Indicator::ReplicasReady | Indicator::RequestsInFlight | Indicator::ConcurrencyLimit => Unit::Count,
            Indicator::HeadProbability => Unit::Ppm,
            _ => Unit::MilliPerSecond,
        }
    }

    /// Which way is worse.
    pub const fn direction(self) -> Direction {
        match self {
            Indicator::ErrorsTotal
            | Indicator::SlowTotal
            | Indicator::LatencyP50
            | Indicator::LatencyP99
            | Indicator::Utilization
            | Indicator::RequestsInFlight
            | Indicator::ShedTotal => Direction::HigherIsWorse,
            _ => Direction::Neutral,
        }
    }

    /// The name used in logs, metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            Indicator::RequestsTotal => "requests",
            Indicator::ErrorsTotal => "errors",
            Indicator::SlowTotal => "slow requests",
            Indicator::LatencyP50 => "latency p50",
            Indicator::LatencyP99 => "latency p99",
            Indicator::Utilization => "utilization",
            Indicator::ReplicasReady => "replicas",
            Indicator::SpansReceivedTotal => "spans received",
            Indicator::SpansKeptTotal => "spans kept",
            Indicator::SpansKeptByRuleTotal => "spans kept by rule",
            Indicator::HeadProbability => "head probability",
            Indicator::RequestsInFlight => "requests in flight",
            Indicator::CompletedTotal => "requests completed",
            Indicator::ConcurrencyLimit => "concurrency limit",
            Indicator::ShedTotal => "requests shed",
            Indicator::Dimmer => "dimmer",
        }
    }
}

impl Unit {
    /// Renders `value` for people.
    pub fn render(self, value: u64) -> String {
        match self {
            Unit::MilliPerSecond => format!("{}.{}/s", value / 1000, value % 1000 / 100),
            Unit::Micros => crate::Micros(value).to_string(),
            Unit::BasisPoints => format!("{}.{} %", value / 100, value % 100 / 10),
            Unit::Ppm => crate::SamplingProbability::from_ppm_saturating(value).to_string(),
            Unit::Count => value.to_string(),
            Unit::CentiBurn => format!("{}.{}x", value / 100, value % 100 / 10),
        }
    }
}

/// One named series of one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signal {
    /// Whose.
    pub target: Target,
    /// Which quantity.
    pub indicator: Indicator,
}

impl Signal {
    /// The signal `indicator` of `target`.
    pub const fn new(target: Target, indicator: Indicator) -> Signal {
        Signal { target, indicator }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.indicator.as_str(), self.target)
    }
}

/// By which way a reading came. Two ways to one signal are two witnesses, who may contradict each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// Telemetry that the data plane received, and what it counted itself.
    #[default]
    Telemetry,
    /// A service's scale endpoint.
    ScaleEndpoint,
}

impl Witness {
    /// Whether it is the usual one, which need not be written down.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_usual(&self) -> bool {
        *self == Witness::default()
    }
}

/// One reading of a signal, as it arrives: a total for counters, the value itself for gauges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// A signal was read.
    Measured {
        /// Which signal.
        signal: Signal,
        /// The total (counter) or the value (gauge), in the indicator's unit.
        value: u64,
        /// When it was true at the source.
        at: Timestamp,
        /// Who says so.
        #[serde(default, skip_serializing_if = "Witness::is_usual")]
        witness: Witness,
    },
    /// One service was seen calling another.
    Called {
        /// Who called.
        caller: crate::ServiceName,
        /// Who was called.
        callee: crate::ServiceName,
        /// Calls since the source started.
        total: u64,
        /// When it was true at the source.
        at: Timestamp,
    },
}

impl Observation {
    /// A measurement of `indicator` of `target`.
    pub const fn new(target: Target, indicator: Indicator, value: u64, at: Timestamp) -> Observation {
        Observation::Measured { signal: Signal { target, indicator }, value, at, witness: Witness::Telemetry }
    }

    /// The same, said by another witness. Who sees a call is not told apart.
    #[must_use]
    pub fn by(self, witness: Witness) -> Observation {
        match self {
            Observation::Measured { signal, value, at, .. } => Observation::Measured { signal, value, at, witness },
            called @ Observation::Called { .. } => called,
        }
    }
}

/// What a snapshot says of a signal. Counters read as rates in thousandths per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// Young enough to act on.
    Fresh {
        /// In the indicator's unit.
        value: u64,
    },
    /// Known once, too old to act on.
    Stale {
        /// The last value known.
        last: u64,
        /// The value projected to its worst case at this age; what a cautious reader uses.
        worst: u64,
        /// How old.
        age: Millis,
    },
    /// Not known.
    Missing {
        /// Why not.
        why: MissingReason,
    },
}

impl Reading {
    /// The value, if it is fresh.
    pub const fn fresh(self) -> Option<u64> {
        match self {
            Reading::Fresh { value } => Some(value),
            Reading::Stale { .. } | Reading::Missing { .. } => None,
        }
    }

    /// The value, pessimistically projected when stale.
    pub const fn worst_case(self) -> Option<u64> {
        match self {
            Reading::Fresh { value } => Some(value),
            Reading::Stale { worst, .. } => Some(worst),
            Reading::Missing { .. } => None,
        }
    }
}

/// Why there is no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingReason {
    /// No source has ever reported it.
    NeverObserved,
    /// A rate needs two totals; there is one.
    OneTotalOnly,
    /// Two sources say clearly different things, and nobody knows which is true.
    Contradictory,
}
