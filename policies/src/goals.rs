//! What goals cost and what they get.
//!
//! Answers, for each place where a journey begins, how many spans its precision needs, how many the budget grants, and how
//! precise estimates are with them. Proposes nothing; it says in numbers what `sampling_budget` does and why. Where no traffic
//! was seen it goes by an assumption, and says so.

use homeostat_core::{
    Entry, GoalsAssessment, Importance, InForce, Indicator, Journey, JourneyName, JourneyState, Micros,
    SamplingProbability, ServiceName, ServiceSampling, Settings, Snapshot, Target,
};
use serde::{Deserialize, Serialize};

use crate::precision::{Achieved, Demand};
use crate::sampling_budget::{Claim, allot, part};

/// What is known, and what is not.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What people want.
    pub settings: &'a Settings,
    /// What follows from it.
    pub goals: &'a GoalsAssessment,
    /// What was seen; an empty one, if nothing was.
    pub snapshot: &'a Snapshot,
    /// What is set.
    pub in_force: &'a InForce,
    /// What is taken for true of places where nothing was seen.
    pub assumed: Traffic,
}

/// Journeys that begin at one place, and what they send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// In thousandths per second, whether or not SDKs sampled them.
    pub journeys_milli_per_second: u64,
    /// Spans of one journey, in thousandths.
    pub spans_milli: u64,
}

/// What follows for one place where a journey begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consequence {
    /// Which journey.
    pub journey: JourneyName,
    /// Where it begins.
    pub entry: Entry,
    /// How much it matters.
    pub importance: Importance,
    /// What begins there.
    pub traffic: Traffic,
    /// Whether that was seen, or is assumed.
    pub is_seen: bool,
    /// The tail probability that its precision needs.
    pub needed: SamplingProbability,
    /// What that costs, in thousandths of a span per second.
    pub needed_spans_milli: u64,
    /// How it is sampled: as is set where traffic was seen, else as it would be.
    pub granted: ServiceSampling,
    /// What that keeps, in thousandths of a span per second.
    pub granted_spans_milli: u64,
    /// How precise it should be.
    pub wanted: Achieved,
    /// How precise it is.
    pub achieved: Achieved,
}

/// What follows from all goals, journey by journey.
pub fn consequences(known: &Known<'_>) -> Vec<Consequence> {
    let goals = &known.settings.goals;
    let entries = |(name, journey): (&JourneyName, &Journey)| {
        journey.entries.iter().map(|entry| consequence(name, journey, entry, known)).collect::<Vec<_>>()
    };
    let mut all: Vec<Consequence> = goals.journeys.iter().flat_map(entries).collect();
    let claim = |one: &Consequence| Claim {
        class: one.importance,
        need: one.needed,
        ordinary_milli: one.traffic.spans_milli_per_second(),
    };
    let claims: Vec<Claim> = all.iter().map(claim).collect();
    let sampling = &known.settings.sampling;
    let tails = allot(&claims, sampling.kept_spans_per_second_max * 1000, sampling.floor);
    for (one, tail) in all.iter_mut().zip(tails) {
        if !one.is_seen {
            one.granted = ServiceSampling { head: sampling.initial.head, tail };
        }
        let demand = demand(one, &goals.journeys[&one.journey], known);
        let begun = part(one.granted.head, one.traffic.spans_milli_per_second());
        one.granted_spans_milli = part(one.granted.tail, begun);
        one.achieved = demand.achieved(one.granted);
    }
    all
}

impl Traffic {
    fn spans_milli_per_second(self) -> u64 {
        let spans = u128::from(self.journeys_milli_per_second) * u128::from(self.spans_milli) / 1000;
        u64::try_from(spans).unwrap_or(u64::MAX)
    }
}

fn consequence(name: &JourneyName, journey: &Journey, entry: &Entry, known: &Known<'_>) -> Consequence {
    let granted = in_force(entry, known);
    let seen = seen(entry, granted, known);
    let mut one = Consequence {
        journey: name.clone(),
        entry: entry.clone(),
        importance: journey.importance,
        traffic: seen.unwrap_or(known.assumed),
        is_seen: seen.is_some(),
        needed: SamplingProbability::ALWAYS,
        needed_spans_milli: 0,
        granted,
        granted_spans_milli: 0,
        wanted: Achieved::default(),
        achieved: Achieved::default(),
    };
    let demand = demand(&one, journey, known);
    one.wanted = demand.wanted();
    one.needed = demand.tail(one.granted.head);
    one.needed_spans_milli = part(one.needed, part(one.granted.head, one.traffic.spans_milli_per_second()));
    one
}

fn demand(one: &Consequence, journey: &Journey, known: &Known<'_>) -> Demand {
    let precision = known.settings.goals.precision;
    let journeys = u128::from(one.traffic.journeys_milli_per_second) * u128::from(precision.window.0) / 1_000_000;
    Demand {
        journeys: u64::try_from(journeys).unwrap_or(u64::MAX),
        budget_ppm: journey.reliability.complement().0 * 100,
        precision,
    }
}

fn in_force(entry: &Entry, known: &Known<'_>) -> ServiceSampling {
    let key = entry.operation.clone().map(|operation| (entry.service.clone(), operation));
    let own = key.and_then(|key| known.in_force.operations.get(&key));
    let set = own.or_else(|| known.in_force.sampling.get(&entry.service)).filter(|_| known.settings.sampling.adaptive);
    set.copied().unwrap_or(known.settings.sampling.initial)
}

/// What was seen to begin at `entry`. Spans that a service sends beside the journeys' own cannot be told apart.
fn seen(entry: &Entry, sampling: ServiceSampling, known: &Known<'_>) -> Option<Traffic> {
    let service = Target::Service(entry.service.clone());
    let target = match &entry.operation {
        Some(operation) => Target::Operation(entry.service.clone(), operation.clone()),
        None => service.clone(),
    };
    let fresh = |target: &Target, indicator| known.snapshot.reading(target, indicator).fresh();
    let requests = fresh(&target, Indicator::RequestsTotal).filter(|requests| 0 < *requests)?;
    let spans = fresh(&target, Indicator::SpansReceivedTotal)?;
    let is_steered = fresh(&service, Indicator::HeadProbability).is_some();
    let head_ppm = if is_steered { u64::from(sampling.head.ppm().max(1)) } else { 1_000_000 };
    Some(Traffic {
        journeys_milli_per_second: requests.saturating_mul(1_000_000) / head_ppm,
        spans_milli: spans.saturating_mul(1000) / requests,
    })
}

/// Each service's share of a journey's latency, as far as both were seen: how long its requests take at the 99th percentile
/// beside those of the entry, and what of the promised threshold that would be.
///
/// Quantiles do not add up, calls run side by side, and a service is slow for its other callers too; so this is for
/// orientation, and no promise is judged by it. Only the entry's latency is what users feel.
pub fn latency_shares(journey: &Journey, state: &JourneyState, snapshot: &Snapshot) -> Vec<(ServiceName, Micros)> {
    let p99 = |service: &ServiceName| snapshot.service_value(service, Indicator::LatencyP99);
    let entry = journey.entries.iter().filter_map(|entry| p99(&entry.service)).max();
    let (Some(promised), Some(whole)) = (journey.latency, entry.filter(|whole| 0 < *whole)) else { return Vec::new() };
    let share = |service: &ServiceName| {
        let threshold = u128::from(promised.threshold.0) * u128::from(p99(service)?.min(whole)) / u128::from(whole);
        Some((service.clone(), Micros(threshold as u64)))
    };
    state.path.iter().filter_map(|part| share(&part.service)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use homeostat_core::{BasisPoints, LatencyPromise, Millis, PathPart, Reading, Signal, Spent, Standing};

    use super::*;

    fn journey(operation: &str, importance: Importance, reliability: u32) -> Journey {
        Journey {
            entries: vec![Entry { service: "web".into(), operation: Some(operation.into()) }],
            through: BTreeSet::new(),
            importance,
            reliability: BasisPoints(reliability),
            latency: Some(LatencyPromise { threshold: Micros::from_millis(800), ratio: BasisPoints(9900) }),
            window: Millis::from_secs(30 * 86_400),
        }
    }

    fn settings(budget: u64) -> Settings {
        let mut settings = Settings::default();
        settings.sampling.kept_spans_per_second_max = budget;
        let journeys = [("buy", Importance::Critical, 9990), ("browse", Importance::Low, 9900)];
        settings.goals.journeys = journeys
            .map(|(name, importance, reliability)| (JourneyName::from(name), journey(name, importance, reliability)))
            .into();
        settings
    }

    fn offline(settings: &Settings) -> Vec<Consequence> {
        let assumed = Traffic { journeys_milli_per_second: 10_000, spans_milli: 10_000 };
        let (goals, snapshot, in_force) = (GoalsAssessment::default(), Snapshot::default(), InForce::default());
        consequences(&Known { settings, goals: &goals, snapshot: &snapshot, in_force: &in_force, assumed })
    }

    /// Scenario: nothing was seen; two journeys at ten a second with ten spans each need 20 spans/s each; the budget is 1000,
    /// then 23.
    /// Guarantees: with enough both are known as wanted; with too little the critical one still is, and the other is told how
    /// much less precisely.
    #[test]
    fn importance_decides_who_is_known() {
        let plenty = offline(&settings(1000));
        assert!(plenty.iter().all(|one| !one.is_seen && one.achieved <= one.wanted));
        let scarce = offline(&settings(23));
        let (browse, buy) = (&scarce[0], &scarce[1]);
        assert!(buy.achieved.p99_rank_ppm <= buy.wanted.p99_rank_ppm, "{buy:?}");
        assert!(browse.wanted.p99_rank_ppm < browse.achieved.p99_rank_ppm, "{browse:?}");
        assert!(buy.granted_spans_milli + browse.granted_spans_milli <= 23_000);
    }

    /// Scenario: an operation is seen ten times a second, with a head of a half in force at a steered SDK.
    /// Guarantees: twice as many journeys have begun, and what is set is what is said.
    #[test]
    fn what_was_seen_is_not_assumed() {
        let mut settings = settings(1000);
        settings.goals.journeys.retain(|name, _| name.as_str() == "buy");
        let half = SamplingProbability::from_ppm_saturating(500_000);
        let key = (ServiceName::from("web"), "buy".into());
        let set = ServiceSampling { head: half, tail: half };
        let in_force = InForce { operations: [(key, set)].into(), ..InForce::default() };
        let operation = Target::Operation("web".into(), "buy".into());
        let read =
            |target: &Target, indicator, value| (Signal::new(target.clone(), indicator), Reading::Fresh { value });
        let signals = [
            read(&operation, Indicator::RequestsTotal, 10_000),
            read(&operation, Indicator::SpansReceivedTotal, 70_000),
            read(&Target::Service("web".into()), Indicator::HeadProbability, 500_000),
        ];
        let snapshot = Snapshot { signals: signals.into(), ..Snapshot::default() };
        let assumed = Traffic { journeys_milli_per_second: 1, spans_milli: 1 };
        let goals = GoalsAssessment::default();
        let known = Known { settings: &settings, goals: &goals, snapshot: &snapshot, in_force: &in_force, assumed };
        let buy = &consequences(&known)[0];
        assert!(buy.is_seen);
        assert_eq!(buy.traffic, Traffic { journeys_milli_per_second: 20_000, spans_milli: 7000 });
        assert_eq!((buy.granted, buy.granted_spans_milli), (set, 35_000));
    }

    /// Scenario: the entry takes 400 ms at the 99th percentile, a callee 100 ms, another was not seen; 800 ms are promised.
    /// Guarantees: the callee's share is a quarter of the threshold; nothing is said of what was not seen.
    #[test]
    fn a_threshold_is_shared_as_latency_is() {
        let read = |service: &str, value| {
            let signal = Signal::new(Target::Service(service.into()), Indicator::LatencyP99);
            (signal, Reading::Fresh { value })
        };
        let snapshot = Snapshot { signals: [read("web", 400_000), read("pay", 100_000)].into(), ..Snapshot::default() };
        let part = |service: &str| PathPart { service: service.into(), visits_centi: 100, budget_ppm: 1 };
        let path = ["web", "pay", "mail"].map(part).into();
        let (importance, standing) = (Importance::Normal, Standing::Unknown);
        let state =
            JourneyState { importance, entries: Vec::new(), path, is_cut: false, standing, spent: Spent::default() };
        let shares = latency_shares(&journey("buy", Importance::Normal, 9990), &state, &snapshot);
        let expected =
            [("web", 800), ("pay", 200)].map(|(name, ms)| (ServiceName::from(name), Micros::from_millis(ms)));
        assert_eq!(shares, expected);
    }
}
