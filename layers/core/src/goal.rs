//! Goals.
//!
//! Answers what people want for their business: which journeys users make, what is promised of each, how much each matters,
//! and how precisely telemetry must show it. Does not say what follows from that; cognition derives it, and this file only has
//! the nouns it is told in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    BasisPoints, Counts, JourneyName, Micros, Millis, ObjectiveKind, ObjectiveSettings, OperationName, ServiceName,
    Target,
};

/// How much a journey matters, least first. The order decides who is known how precisely when the budget is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// Nice to have.
    Low,
    /// What nobody said anything about.
    #[default]
    Normal,
    /// It hurts when it fails.
    High,
    /// The business stands still when it fails.
    Critical,
}

impl Importance {
    /// All of them, the most important first.
    pub const FIRST_TO_LAST: [Importance; 4] =
        [Importance::Critical, Importance::High, Importance::Normal, Importance::Low];
}

impl fmt::Display for Importance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Importance::Low => "low",
            Importance::Normal => "normal",
            Importance::High => "high",
            Importance::Critical => "critical",
        })
    }
}

/// How sure a statement about sampled telemetry must be. A closed list, because each needs its quantile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// 80 %.
    Eighty,
    /// 90 %.
    Ninety,
    /// 95 %.
    #[default]
    NinetyFive,
    /// 99 %.
    NinetyNine,
}

impl Confidence {
    /// All of them.
    pub const ALL: [Confidence; 4] =
        [Confidence::Eighty, Confidence::Ninety, Confidence::NinetyFive, Confidence::NinetyNine];

    /// The share of statements that hold.
    pub const fn share(self) -> BasisPoints {
        BasisPoints(match self {
            Confidence::Eighty => 8000,
            Confidence::Ninety => 9000,
            Confidence::NinetyFive => 9500,
            Confidence::NinetyNine => 9900,
        })
    }

    /// The two-sided quantile of the normal distribution, in ten-thousandths (NIST Handbook of Statistical Methods, 1.3.6.7.1).
    pub const fn quantile_e4(self) -> u32 {
        match self {
            Confidence::Eighty => 12_816,
            Confidence::Ninety => 16_449,
            Confidence::NinetyFive => 19_600,
            Confidence::NinetyNine => 25_758,
        }
    }
}

/// How precisely sampled telemetry must show each journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalPrecision {
    /// How far an estimated error rate may be off, relative to the error budget.
    pub error_rate: BasisPoints,
    /// How far the true rank of an estimated 99th percentile may be from 99 %.
    pub p99_rank: BasisPoints,
    /// How often both must hold.
    pub confidence: Confidence,
    /// Over which time.
    pub window: Millis,
}

impl Default for GoalPrecision {
    fn default() -> Self {
        GoalPrecision {
            error_rate: BasisPoints(1000),
            p99_rank: BasisPoints(50),
            confidence: Confidence::default(),
            window: Millis::from_secs(600),
        }
    }
}

/// Where a journey begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// The service a user meets first.
    pub service: ServiceName,
    /// What is asked of it; all its requests, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationName>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.operation {
            Some(operation) => write!(f, "{} {operation}", self.service),
            None => write!(f, "{}", self.service),
        }
    }
}

/// That so many journeys are faster than a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyPromise {
    /// What counts as slow.
    pub threshold: Micros,
    /// The share that is faster.
    pub ratio: BasisPoints,
}

/// What a user does, and what is promised of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journey {
    /// Where it begins; at least one.
    pub entries: Vec<Entry>,
    /// The services it passes besides; whatever is seen called, if empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub through: BTreeSet<ServiceName>,
    /// How much it matters.
    pub importance: Importance,
    /// The share of journeys that succeed.
    pub reliability: BasisPoints,
    /// How fast they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencyPromise>,
    /// Over which time the promise holds.
    pub window: Millis,
}

impl Journey {
    /// The share of journeys that may break the promise of `kind`, in parts per million; `None` where nothing is promised.
    pub fn budget_ppm(&self, kind: ObjectiveKind) -> Option<u32> {
        let promised = match kind {
            ObjectiveKind::Availability => Some(self.reliability),
            ObjectiveKind::Latency => self.latency.map(|latency| latency.ratio),
        };
        promised.map(|promised| promised.complement().0 * 100)
    }
}

/// Everything people want for their business.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalSettings {
    /// By name.
    pub journeys: BTreeMap<JourneyName, Journey>,
    /// How precisely each must be known.
    pub precision: GoalPrecision,
}

impl GoalSettings {
    /// Journeys at most. A business has a dozen that matter; each costs a walk over the service graph at every tick.
    pub const JOURNEYS_MAX: usize = 64;

    /// Ways into one journey at most.
    pub const ENTRIES_MAX: usize = 16;

    /// Whether nobody wants anything.
    pub fn is_empty(&self) -> bool {
        self.journeys.is_empty()
    }

    /// Every operation that begins a journey, with the lowest threshold promised for it.
    pub fn operations(&self) -> BTreeMap<ServiceName, BTreeMap<OperationName, Option<Micros>>> {
        let mut found: BTreeMap<ServiceName, BTreeMap<OperationName, Option<Micros>>> = BTreeMap::new();
        for journey in self.journeys.values() {
            let threshold = journey.latency.map(|latency| latency.threshold);
            for entry in &journey.entries {
                let Some(operation) = &entry.operation else { continue };
                let known = found.entry(entry.service.clone()).or_default().entry(operation.clone()).or_default();
                *known = (*known).into_iter().chain(threshold).min();
            }
        }
        found
    }

    /// Makes the objectives of services whose every request begins a journey at least as strict as the journey's promise.
    pub fn strengthen(&self, objectives: &mut ObjectiveSettings) {
        for journey in self.journeys.values() {
            for entry in journey.entries.iter().filter(|entry| entry.operation.is_none()) {
                let mut stricter = objectives.of(&entry.service);
                stricter.availability = stricter.availability.max(journey.reliability);
                if let Some(latency) = journey.latency {
                    stricter.latency = stricter.latency.max(latency.ratio);
                    stricter.latency_threshold = stricter.latency_threshold.min(latency.threshold);
                }
                objectives.services.insert(entry.service.clone(), stricter);
            }
        }
    }
}

/// What the goals come to at one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoalsAssessment {
    /// How each journey stands.
    pub journeys: BTreeMap<JourneyName, JourneyState>,
    /// What follows for the services they pass: the strictest of all journeys.
    pub objectives: BTreeMap<ServiceName, DerivedObjective>,
}

impl GoalsAssessment {
    /// Whether there are no goals.
    pub fn is_empty(&self) -> bool {
        self.journeys.is_empty()
    }

    /// The journeys that an action on `target` serves, in name order: those that pass its service, or begin with its operation.
    pub fn served_by<'a>(&'a self, target: &'a Target) -> impl Iterator<Item = (&'a JourneyName, &'a JourneyState)> {
        let begins_with = |state: &JourneyState, service: &ServiceName, operation: &OperationName| {
            let mut entries = state.entries.iter();
            entries.any(|entry| entry.service == *service && entry.operation.as_ref() == Some(operation))
        };
        self.journeys.iter().filter(move |(_, state)| match target {
            Target::Operation(service, operation) => begins_with(state, service, operation),
            other => other.service().is_some_and(|service| state.path.iter().any(|part| part.service == *service)),
        })
    }

    /// How much `service` matters: as much as the most important journey that passes it.
    pub fn importance_of(&self, service: &ServiceName) -> Importance {
        self.objectives.get(service).map_or_else(Importance::default, |objective| objective.importance)
    }
}

/// How one journey stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JourneyState {
    /// How much it matters.
    pub importance: Importance,
    /// Where it begins.
    pub entries: Vec<Entry>,
    /// The services it passes, entries first, in the order in which they were found.
    pub path: Vec<PathPart>,
    /// Whether the path is longer than is followed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
    /// In words.
    pub standing: Standing,
    /// What happened within its window, as far as this agent has seen it.
    pub spent: Spent,
}

/// One service on a journey's path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathPart {
    /// Which service.
    pub service: ServiceName,
    /// How often a journey asks it, in hundredths.
    pub visits_centi: u64,
    /// The share of its requests that may fail for the journey's promise to hold, in parts per million.
    pub budget_ppm: u32,
}

/// What a journey asks of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DerivedObjective {
    /// The share of requests that may fail, in parts per million; `None` where only one operation of it is promised, which
    /// is counted by itself.
    pub budget_ppm: Option<u32>,
    /// The journey that asks for so little.
    pub journey: JourneyName,
    /// Over which time that journey's promise holds.
    pub window: Millis,
    /// How much the most important journey through it matters.
    pub importance: Importance,
}

/// Whether a promise holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing has been seen of it.
    #[default]
    Unknown,
    /// It holds, with budget to spare.
    Met,
    /// It holds, but its error budget burns too fast or is nearly spent.
    AtRisk,
    /// It does not hold any more.
    Broken,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Unknown => "not seen yet",
            Standing::Met => "met",
            Standing::AtRisk => "at risk",
            Standing::Broken => "broken",
        })
    }
}

/// Requests of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCounts {
    /// Days since the Unix epoch.
    pub day: u64,
    /// What happened.
    pub counts: Counts,
}

/// What happened to a journey, day by day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Oldest first, at most as many as the window has, and the one under way.
    pub days: Vec<DayCounts>,
    /// The last minute that is in it, since the Unix epoch.
    pub minute: u64,
}

impl Spent {
    /// Everything together.
    pub fn total(&self) -> Counts {
        self.days.iter().fold(Counts::default(), |sum, day| sum.and(day.counts))
    }

    /// The share of the error budget of `kind` that is left, given that `budget_ppm` of all requests may be bad; `None` if
    /// there was no request.
    pub fn left(&self, kind: ObjectiveKind, budget_ppm: u32) -> Option<BasisPoints> {
        let total = self.total();
        let allowed = u128::from(total.requests) * u128::from(budget_ppm);
        let used = (u128::from(total.bad(kind)) * 1_000_000 * 10_000).checked_div(allowed)?;
        Some(BasisPoints(10_000_u32.saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journey(operation: Option<&str>, threshold_ms: u64, reliability: u32) -> Journey {
        Journey {
            entries: vec![Entry { service: "web".into(), operation: operation.map(OperationName::from) }],
            through: BTreeSet::new(),
            importance: Importance::Normal,
            reliability: BasisPoints(reliability),
            latency: Some(LatencyPromise { threshold: Micros::from_millis(threshold_ms), ratio: BasisPoints(9900) }),
            window: Millis::from_secs(30 * 86_400),
        }
    }

    fn goals(journeys: &[(&str, Journey)]) -> GoalSettings {
        let journeys = journeys.iter().map(|(name, journey)| (JourneyName::from(*name), journey.clone()));
        GoalSettings { journeys: journeys.collect(), ..GoalSettings::default() }
    }

    /// Scenario: two journeys begin with one operation, with thresholds of 800 ms and 300 ms.
    /// Guarantees: the operation is watched once, at the lower threshold.
    #[test]
    fn an_operation_is_watched_at_its_lowest_threshold() {
        let goals =
            goals(&[("buy", journey(Some("POST /buy"), 800, 9990)), ("pay", journey(Some("POST /buy"), 300, 9900))]);
        let operations = goals.operations();
        assert_eq!(operations["web"]["POST /buy"], Some(Micros::from_millis(300)));
        assert_eq!((operations.len(), operations["web"].len()), (1, 1));
    }

    /// Scenario: a whole service begins two journeys; it had a stricter availability and a laxer threshold of its own.
    /// Guarantees: each part of its objective becomes the strictest of all, and never laxer than it was.
    #[test]
    fn an_entry_service_answers_for_the_strictest_promise() {
        let mut objectives = ObjectiveSettings::default();
        objectives.default.availability = BasisPoints(9995);
        goals(&[("a", journey(None, 200, 9990)), ("b", journey(None, 900, 9900))]).strengthen(&mut objectives);
        let web = objectives.of(&"web".into());
        assert_eq!((web.availability, web.latency_threshold), (BasisPoints(9995), Micros::from_millis(200)));
        assert_eq!(objectives.of(&"other".into()), objectives.default);
    }

    /// Scenario: ten thousand requests with a budget of 0.1 %: none, five, ten and twenty of them failed.
    /// Guarantees: all, half, nothing and nothing of the budget is left; without requests nothing is known.
    #[test]
    fn what_is_left_of_a_budget() {
        let left = |errors| {
            let counts = Counts { requests: 10_000, errors, slow: 0 };
            Spent { days: vec![DayCounts { day: 1, counts }], minute: 0 }.left(ObjectiveKind::Availability, 1000)
        };
        assert_eq!([0, 5, 10, 20].map(left), [10_000, 5000, 0, 0].map(|bp| Some(BasisPoints(bp))));
        assert_eq!(Spent::default().left(ObjectiveKind::Availability, 1000), None);
    }
}
