//! Action kinds.
//!
//! Answers which kinds of change the loop can propose: one file each, with its parameters, its way back, what it promises
//! and how long the world needs to show it. Each expands to one actuation when it is proposed.

mod adjust_sampling;
mod limit_concurrency;
mod notify;
mod profile_service;
mod restart_instance;
mod scale_replicas;
mod set_dimmer;

pub use adjust_sampling::ADJUST_SAMPLING;
pub use adjust_sampling::{adjust_operation_sampling, adjust_sampling};
pub use limit_concurrency::LIMIT_CONCURRENCY;
pub use limit_concurrency::{lower_limit, raise_limit};
pub use notify::NOTIFY;
pub use notify::notify;
pub use profile_service::PROFILE_SERVICE;
pub use profile_service::profile_service;
pub use restart_instance::RESTART_INSTANCE;
pub use restart_instance::restart_instance;
pub use scale_replicas::SCALE_REPLICAS;
pub use scale_replicas::{scale_in, scale_out};
pub use set_dimmer::SET_DIMMER;
pub use set_dimmer::{brighten, dim};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Actuation, BasisPoints, Indicator, InstanceId, Label, Load, Millis, ObjectiveKind, OperationName, ServiceName,
    Signal, Snapshot, Target, Turn, Unit, Way, Window, WindowCounts,
};

/// The catalogue: every kind of action, in the order in which ties between proposals break.
pub const CATALOGUE: &[&ActionKind] =
    &[&SCALE_REPLICAS, &RESTART_INSTANCE, &SET_DIMMER, &LIMIT_CONCURRENCY, &ADJUST_SAMPLING, &PROFILE_SERVICE, &NOTIFY];

/// The kind called `name`.
pub fn kind(name: &str) -> Option<&'static ActionKind> {
    CATALOGUE.iter().find(|kind| kind.name.as_str() == name).copied()
}

/// What is common to all actions of a kind.
#[derive(Debug, PartialEq, Eq)]
pub struct ActionKind {
    /// Its name.
    pub name: Label,
    /// What it may be gated by.
    pub class: ActionClass,
    /// Whether it can be taken back.
    pub reversal: Reversal,
    /// How long the outside may take to carry it out.
    pub apply_within: Millis,
    /// How long the world needs to show the effect.
    pub settle: Millis,
    /// How long the same target is left alone by this kind afterwards. Never shorter than `settle`.
    pub cooldown: Millis,
}

/// Whether actions of a kind can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reversal {
    /// Each carries its way back; one without is refused.
    WayBack,
    /// Nothing is changed that would have to be put back: telling, looking.
    NotNeeded,
    /// Done is done. Needs a person's word, each time or once in the manifest.
    Impossible,
}

/// Groups of action kinds that share one autonomy setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionClass {
    /// How much telemetry is kept.
    Sampling,
    /// How much capacity there is.
    Scaling,
    /// Telling people.
    Notification,
    /// Putting right what is broken.
    Remediation,
    /// Refusing or leaving out some work so that the rest is done in time.
    Shedding,
    /// Looking closer.
    Profiling,
}

impl ActionClass {
    /// Every class, in order.
    pub const ALL: [ActionClass; 6] = [
        ActionClass::Sampling,
        ActionClass::Scaling,
        ActionClass::Notification,
        ActionClass::Remediation,
        ActionClass::Shedding,
        ActionClass::Profiling,
    ];

    /// The name used in the manifest, logs, metrics and explanations.
    pub const fn as_str(self) -> &'static str {
        match self {
            ActionClass::Sampling => "sampling",
            ActionClass::Scaling => "scaling",
            ActionClass::Notification => "notification",
            ActionClass::Remediation => "remediation",
            ActionClass::Shedding => "shedding",
            ActionClass::Profiling => "profiling",
        }
    }
}

impl ActionClass {
    /// Whether users can feel it: it changes how a service runs, not only what is told about it.
    pub const fn is_felt(self) -> bool {
        match self {
            ActionClass::Scaling | ActionClass::Remediation | ActionClass::Shedding => true,
            ActionClass::Sampling | ActionClass::Notification | ActionClass::Profiling => false,
        }
    }
}

impl fmt::Display for ActionClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One action, complete but for the decision to take it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// The name of its kind.
    pub kind: Label,
    /// What it gates on.
    pub class: ActionClass,
    /// What it changes.
    pub target: Target,
    /// The change.
    pub actuation: Actuation,
    /// The state before it; `None` where nothing can be taken back.
    pub way_back: Option<Actuation>,
    /// How it will be known to have worked.
    pub expectation: Expectation,
}

impl Action {
    /// The knobs it turns, and those it sets to where they stand.
    pub fn turns(&self) -> Vec<Turn> {
        self.way_back.as_ref().map(|from| Turn::between(from, &self.actuation)).unwrap_or_default()
    }

    /// Which way it goes: down if it turns any knob down, else up if it turns any up.
    pub fn way(&self) -> Option<Way> {
        self.turns().iter().filter_map(Turn::way).max()
    }
}

/// What an action promises. Every measure is one of which less is better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expectation {
    /// `measure` falls by at least this share; if it does not, the action is no help but no harm either. For more capacity and
    /// for fewer spans: what grew meanwhile grew for another reason, and going back would add to it.
    Relieves {
        /// What is relieved.
        measure: Measure,
        /// By how much, relative to the value before.
        by: BasisPoints,
    },
    /// `measure` stays at or below `limit`, or at least does not get worse.
    StaysBelow {
        /// What must stay low.
        measure: Measure,
        /// The limit, in the measure's unit.
        limit: u64,
    },
    /// Done is done; there is nothing to measure.
    Delivered,
}

impl Expectation {
    /// What is measured before and after.
    pub fn measure(&self) -> Option<&Measure> {
        match self {
            Expectation::Relieves { measure, .. } | Expectation::StaysBelow { measure, .. } => Some(measure),
            Expectation::Delivered => None,
        }
    }
}

/// A number that can be read off a snapshot, and of which less is better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// A signal's reading.
    Reading(Signal),
    /// The share of requests of the last [`Window::Now`] that broke a promise, in basis points.
    BadRatio {
        /// Whose requests.
        service: ServiceName,
        /// Which promise.
        kind: ObjectiveKind,
    },
    /// The share of a service's ordinary spans that is kept, in basis points. Independent of traffic.
    KeptShare {
        /// Whose spans.
        service: ServiceName,
        /// Only of traces that begin with this operation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operation: Option<OperationName>,
    },
    /// Spans that the agent keeps by chance rather than by rule, in thousandths per second. What is kept by rule is no
    /// choice of the loop and must not count against one.
    SpansKeptByChance,
    /// Requests that an instance holds while it finishes none; zero while it makes progress.
    Stuck {
        /// Of which service.
        service: ServiceName,
        /// Which instance.
        instance: InstanceId,
    },
    /// The mean time between two answers that did not fail, in microseconds. Unlike a share it does not get worse when only more
    /// is asked for, and unlike a count of answers less of it is better.
    AnswerGap {
        /// Whose answers.
        service: ServiceName,
    },
}

/// The gap read when there is no answer at all: an hour, longer than any that could be measured.
const GAP_US_MAX: u64 = 3_600_000_000;

impl Measure {
    /// The measure's value, if the snapshot has it fresh.
    pub fn read(&self, snapshot: &Snapshot) -> Option<u64> {
        match self {
            Measure::Reading(signal) => snapshot.signals.get(signal).and_then(|reading| reading.fresh()),
            Measure::BadRatio { service, kind } => {
                let counts = snapshot.counts.get(service)?.over(Window::Now);
                (0 < counts.requests).then(|| u64::from(counts.bad_ratio(*kind).0))
            }
            Measure::KeptShare { service, operation } => {
                let target = match operation {
                    Some(operation) => Target::Operation(service.clone(), operation.clone()),
                    None => Target::Service(service.clone()),
                };
                let value = |indicator| snapshot.reading(&target, indicator).fresh();
                let by_rule = value(Indicator::SpansKeptByRuleTotal)?;
                let ordinary = value(Indicator::SpansReceivedTotal)?.saturating_sub(by_rule);
                let kept = value(Indicator::SpansKeptTotal)?.saturating_sub(by_rule);
                (0 < ordinary).then(|| BasisPoints::from_ratio(kept, ordinary).0.into())
            }
            Measure::SpansKeptByChance => {
                let agent = |indicator| snapshot.reading(&Target::Agent, indicator).fresh();
                let kept = agent(Indicator::SpansKeptTotal)?;
                Some(kept.saturating_sub(agent(Indicator::SpansKeptByRuleTotal)?))
            }
            Measure::Stuck { service, instance } => {
                let target = Target::Instance(service.clone(), instance.clone());
                let value = |indicator| snapshot.reading(&target, indicator).fresh();
                let (held, finished) = (value(Indicator::RequestsInFlight)?, value(Indicator::CompletedTotal)?);
                Some(if finished == 0 { held } else { 0 })
            }
            Measure::AnswerGap { service } => {
                let value = |indicator| snapshot.service_value(service, indicator);
                let answered = value(Indicator::RequestsTotal)?.saturating_sub(value(Indicator::ErrorsTotal)?);
                Some(1_000_000_000_u64.checked_div(answered).unwrap_or(GAP_US_MAX))
            }
        }
    }
}

/// What more load does to a measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadEffect {
    /// Nothing.
    None,
    /// Twice the load, twice the value.
    Proportional,
    /// The value grows or stays, nobody knows how.
    Growing,
}

impl Measure {
    /// How much there is to do for what is measured.
    pub fn load(&self, snapshot: &Snapshot) -> Option<Load> {
        match self {
            Measure::Reading(Signal { target: Target::Service(service), .. }) | Measure::BadRatio { service, .. } => {
                let over_ten = snapshot.service_value(service, Indicator::RequestsTotal)?;
                // The window reaches back by up to one bucket of a second more than its length: by half of one, on average.
                let length_ms = Window::Now.length().0 + 500;
                let rate =
                    |counts: &WindowCounts| counts.over(Window::Now).requests.saturating_mul(1_000_000) / length_ms;
                let over_fifteen = snapshot.counts.get(service).map_or(over_ten, rate);
                Some(Load::moving(over_ten, over_fifteen))
            }
            Measure::Reading(_) | Measure::KeptShare { .. } | Measure::Stuck { .. } | Measure::AnswerGap { .. } => None,
            Measure::SpansKeptByChance => {
                snapshot.reading(&Target::Agent, Indicator::SpansReceivedTotal).fresh().map(Load::steady)
            }
        }
    }

    /// What more load does to it.
    pub const fn load_effect(&self) -> LoadEffect {
        match self {
            Measure::Reading(Signal { indicator: Indicator::Utilization, .. }) | Measure::SpansKeptByChance => {
                LoadEffect::Proportional
            }
            Measure::Reading(_) | Measure::BadRatio { .. } => LoadEffect::Growing,
            // More load makes good answers more frequent, until it makes them rarer.
            Measure::KeptShare { .. } | Measure::Stuck { .. } | Measure::AnswerGap { .. } => LoadEffect::None,
        }
    }

    /// The unit of its values.
    pub const fn unit(&self) -> Unit {
        match self {
            Measure::Reading(signal) => signal.indicator.unit(),
            Measure::BadRatio { .. } | Measure::KeptShare { .. } => Unit::BasisPoints,
            Measure::SpansKeptByChance => Unit::MilliPerSecond,
            Measure::Stuck { .. } => Unit::Count,
            Measure::AnswerGap { .. } => Unit::Micros,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Measure::Reading(signal) => write!(f, "{signal}"),
            Measure::BadRatio { service, kind: ObjectiveKind::Availability } => write!(f, "failed share of {service}"),
            Measure::BadRatio { service, kind: ObjectiveKind::Latency } => write!(f, "slow share of {service}"),
            Measure::KeptShare { service, operation: None } => write!(f, "kept share of {service}"),
            Measure::KeptShare { service, operation: Some(operation) } => {
                write!(f, "kept share of {service} {operation}")
            }
            Measure::SpansKeptByChance => f.write_str("spans kept by chance"),
            Measure::Stuck { service, instance } => write!(f, "requests stuck in {instance} of {service}"),
            Measure::AnswerGap { service } => write!(f, "time between answers of {service}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the whole catalogue.
    /// Guarantees: a target is never acted on again before the effect of the last action could be seen, and names are unique.
    #[test]
    fn cooldown_covers_the_settle_time() {
        for found in CATALOGUE {
            assert!(found.settle <= found.cooldown, "{}", found.name);
            assert_eq!(kind(found.name.as_str()), Some(*found));
        }
    }
}
