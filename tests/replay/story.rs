//! The world of the story, and how the story is told.
//!
//! Answers what a shop of two services does, second by second, in whole numbers and without chance: `web` calls `pay`, whose
//! workers can each serve so many requests a second; what exceeds that queues. Not a simulator: it knows this one story.

use std::collections::BTreeMap;
use std::fmt::Write;

use homeostat_core::{
    Actuation, Autonomy, BasisPoints, Edge, Effect, Event, Indicator, Observation, Replicas, Report, ReportKind,
    ServiceName, ServiceScaling, Settings, Target, TickRecord, Timestamp,
};

/// How long the story is.
pub(crate) const SECONDS: u64 = 240;

/// Requests a second, all of which reach `pay`.
const RATE: u64 = 60;

/// When `pay` becomes slow.
const FAULT_AT: u64 = 60;

pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.autonomy.scaling = Autonomy::Act;
    settings.scaling.reduce_after = homeostat_core::Millis::from_secs(3600);
    settings.sampling.kept_spans_per_second_max = 100;
    settings.scaling.services.insert("pay".into(), ServiceScaling { min: Replicas(1), max: Replicas(8) });
    settings
}

/// The shop.
#[derive(Debug)]
pub(crate) struct World {
    now: Timestamp,
    workers: u64,
    queue: u64,
    /// The tail probability of each service, in parts per million.
    tails: BTreeMap<ServiceName, u64>,
    totals: Totals,
    reports: Vec<Report>,
    /// Every effect, in order.
    pub(crate) taken: Vec<Effect>,
}

#[derive(Debug, Default)]
struct Totals {
    requests: u64,
    slow: u64,
    /// Spans kept by chance, of each service.
    kept: u64,
}

impl Default for World {
    fn default() -> World {
        let (tails, totals) = (BTreeMap::new(), Totals::default());
        World { now: Timestamp(0), workers: 2, queue: 0, tails, totals, reports: Vec::new(), taken: Vec::new() }
    }
}

impl World {
    /// One second goes by.
    pub(crate) fn pass(&mut self, now: Timestamp) -> Vec<Event> {
        self.now = now;
        let served_each = if now.as_millis() < FAULT_AT * 1000 { 60 } else { 15 };
        let capacity = self.workers * served_each;
        let waiting = self.queue + RATE;
        let served = waiting.min(capacity);
        // More than half a second of waiting is slow.
        let slow = if capacity < 2 * self.queue { served } else { 0 };
        self.queue = (waiting - served).min(600);
        self.totals.requests += served;
        self.totals.slow += slow;
        // Every trace touches both services, so the higher of their probabilities decides.
        let tail = ["web", "pay"].map(|name| self.tails.get(name).copied().unwrap_or(1_000_000)).into_iter().max();
        self.totals.kept += 2 * (served - slow) * tail.unwrap_or(0) / 1_000_000;
        let used = served * 10_000 / capacity;
        let observed = Event::Observed(self.observations(used, slow));
        let reports = std::mem::take(&mut self.reports);
        reports.into_iter().map(Event::Reported).chain([observed]).collect()
    }

    /// Whether the service can bear its load and has no backlog.
    pub(crate) fn is_well(&self) -> bool {
        self.queue == 0 && RATE <= self.workers * 15
    }

    /// An actuator that does what it is told, and reports it a second later.
    pub(crate) fn take(&mut self, effect: Effect) {
        let (id, kind) = match &effect {
            Effect::Apply { id, actuation } => {
                self.set(actuation);
                (*id, ReportKind::Applied)
            }
            Effect::Undo { id, actuation } => {
                self.set(actuation);
                (*id, ReportKind::Undone)
            }
            Effect::ReadBack { id, actuation } => (*id, ReportKind::ReadBack { actual: Some(self.stands(actuation)) }),
        };
        self.reports.push(Report { id, kind });
        self.taken.push(effect);
    }

    fn set(&mut self, actuation: &Actuation) {
        match actuation {
            Actuation::SetReplicas { replicas, .. } => self.workers = replicas.0.into(),
            Actuation::SetSampling { service, sampling, .. } => {
                self.tails.insert(service.clone(), sampling.tail.ppm().into());
            }
            Actuation::SetParameter { .. }
            | Actuation::Restart { .. }
            | Actuation::Profile { .. }
            | Actuation::Notify { .. } => {}
        }
    }

    fn stands(&self, actuation: &Actuation) -> Actuation {
        match actuation {
            Actuation::SetReplicas { service, .. } => {
                Actuation::SetReplicas { service: service.clone(), replicas: Replicas(self.workers as u32) }
            }
            other => other.clone(),
        }
    }

    fn observations(&self, used: u64, slow: u64) -> Vec<Observation> {
        let Totals { requests, slow: slow_total, kept } = self.totals;
        let mut observations = Vec::new();
        let mut measure = |target: Target, indicator, value| {
            observations.push(Observation::new(target, indicator, value, self.now));
        };
        for name in ["web", "pay"] {
            let target = Target::Service(ServiceName::from(name));
            measure(target.clone(), Indicator::RequestsTotal, requests);
            measure(target.clone(), Indicator::ErrorsTotal, 0);
            measure(target.clone(), Indicator::SlowTotal, slow_total);
            measure(target.clone(), Indicator::SpansReceivedTotal, 2 * requests);
            measure(target.clone(), Indicator::SpansKeptByRuleTotal, 2 * slow_total);
            measure(target.clone(), Indicator::SpansKeptTotal, 2 * slow_total + kept);
            measure(target, Indicator::LatencyP99, if slow == 0 { 40_000 } else { 900_000 });
        }
        let pay = Target::Service("pay".into());
        measure(pay.clone(), Indicator::Utilization, used);
        measure(pay, Indicator::ReplicasReady, self.workers);
        measure(Target::Agent, Indicator::SpansReceivedTotal, 4 * requests);
        measure(Target::Agent, Indicator::SpansKeptTotal, 4 * slow_total + 2 * kept);
        measure(Target::Agent, Indicator::SpansKeptByRuleTotal, 4 * slow_total);
        let Edge { caller, callee } = Edge { caller: "web".into(), callee: "pay".into() };
        observations.push(Observation::Called { caller, callee, total: requests, at: self.now });
        observations
    }
}

/// What a person would tell: only ticks in which something changed.
pub(crate) fn tell(records: &[TickRecord]) -> String {
    let mut text = String::new();
    let mut open: Vec<String> = Vec::new();
    for record in records {
        let second = record.at.as_millis() / 1000;
        let mut say = |line: String| writeln!(text, "{second:>4} s  {line}").expect("text takes text");
        let now: Vec<String> = record.assessment.incidents.iter().map(|incident| incident.id.to_string()).collect();
        for incident in record.assessment.incidents.iter().filter(|incident| !open.contains(&incident.id.to_string())) {
            let suspect = incident.suspect().map_or("nobody".to_owned(), ToString::to_string);
            let sure = incident.hypotheses.first().map_or(BasisPoints(0), |first| first.confidence).rounded();
            say(format!("{} opens: {}, suspect {suspect} ({sure})", incident.id, incident.kind));
        }
        for request in &record.plan.requests {
            say(format!("{} decided by {}: {}", request.id, request.policy, request.why));
        }
        for change in record.trials.iter().filter(|change| change.from.is_some()) {
            say(format!("{} {} is {}", change.id, change.kind, change.to));
        }
        for id in &record.assessment.closed {
            say(format!("{id} closes"));
        }
        open = now;
    }
    text
}
