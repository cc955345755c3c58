//! What is known of one service, as conditions read it.
//!
//! Answers each variable with its value and with how far that can be trusted. A reading that is stale or missing is said to
//! be so and never becomes a zero. The time of day comes from the tick, so the same tick reads the same hour for ever.

use std::collections::BTreeMap;
use std::fmt;

use homeostat_core::{
    Incident, IncidentKind, Indicator, MILLIONTHS, ObjectiveKind, PerIndicator, PolicyView, Reading, Rule, ServiceName,
    Severity, Step, Unit, Variable, Window, WindowCounts,
};

use super::evaluate::{Outcome, Worth};

/// The kinds of incidents, as conditions name them. Pressure and slack never open one.
pub(super) const INCIDENT_KINDS: &[&str] = &[
    kind_name(IncidentKind::AvailabilityBurn),
    kind_name(IncidentKind::LatencyBurn),
    kind_name(IncidentKind::Saturation),
    kind_name(IncidentKind::Wedged),
];

const fn kind_name(kind: IncidentKind) -> &'static str {
    match kind {
        IncidentKind::AvailabilityBurn => "availability_burn",
        IncidentKind::LatencyBurn => "latency_burn",
        IncidentKind::Saturation => "saturation",
        IncidentKind::Pressure => "pressure",
        IncidentKind::Slack => "slack",
        IncidentKind::Wedged => "wedged",
    }
}

/// What is known of a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact<'a> {
    Fresh(Worth<'a>),
    /// Known once; with the value projected to its worst case.
    Stale(Worth<'a>),
    Missing,
}

impl<'a> Fact<'a> {
    pub(super) const fn fresh(self) -> Outcome<'a> {
        match self {
            Fact::Fresh(value) => Outcome::Known(value),
            Fact::Stale(_) | Fact::Missing => Outcome::Unknown,
        }
    }

    pub(super) const fn worst(self) -> Outcome<'a> {
        match self {
            Fact::Fresh(value) | Fact::Stale(value) => Outcome::Known(value),
            Fact::Missing => Outcome::Unknown,
        }
    }
}

impl fmt::Display for Fact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fact::Fresh(value) => write!(f, "{value}"),
            Fact::Stale(worst) => write!(f, "stale, at worst {worst}"),
            Fact::Missing => f.write_str("missing"),
        }
    }
}

/// The open incidents, by the services they concern.
pub(super) struct Told<'a> {
    of: BTreeMap<&'a ServiceName, &'a Incident>,
}

impl<'a> Told<'a> {
    /// The first incident that suspects a service is the one told of it; else the first that touches it.
    pub(super) fn of(view: &PolicyView<'a>) -> Told<'a> {
        let mut told = Told { of: BTreeMap::new() };
        let incidents = &view.assessment.incidents;
        for incident in incidents {
            told.tell(incident, incident.suspect());
        }
        for incident in incidents {
            incident.services.iter().for_each(|service| told.tell(incident, Some(service)));
        }
        told
    }

    fn tell(&mut self, incident: &'a Incident, service: Option<&'a ServiceName>) {
        if let Some(service) = service {
            self.of.entry(service).or_insert(incident);
        }
    }
}

/// One service, with everything known of it.
pub(super) struct Facts<'a> {
    pub(super) service: &'a ServiceName,
    readings: &'a PerIndicator<Reading>,
    counts: WindowCounts,
    incident: Option<&'a Incident>,
    view: PolicyView<'a>,
    /// What a rehearsal says instead.
    given: Option<&'a BTreeMap<Variable, Fact<'a>>>,
}

/// Every service of which a signal is known, in name order.
pub(super) fn of_services<'a>(view: &PolicyView<'a>, told: &Told<'a>) -> Vec<Facts<'a>> {
    let mut counts = view.snapshot.counts.iter().peekable();
    let facts = |(service, readings): (&'a ServiceName, &'a PerIndicator<Reading>)| {
        // Both are in name order, so they are walked side by side.
        while counts.next_if(|(other, _)| *other < service).is_some() {}
        let counts = counts.next_if(|(other, _)| *other == service).map(|(_, counts)| *counts);
        let incident = told.of.get(service).copied();
        Facts { service, readings, counts: counts.unwrap_or_default(), incident, view: *view, given: None }
    };
    view.snapshot.signals.services().map(facts).collect()
}

impl<'a> Facts<'a> {
    /// The same service, of which `given` is to be believed first.
    pub(super) fn told(self, given: &'a BTreeMap<Variable, Fact<'a>>) -> Facts<'a> {
        Facts { given: Some(given), ..self }
    }

    /// What is known of `variable`.
    pub(super) fn read(&self, variable: Variable) -> Fact<'a> {
        let given = self.given.and_then(|given| given.get(&variable));
        given.copied().unwrap_or_else(|| self.seen(variable))
    }

    /// What the condition of `rule` reads, in words.
    pub(super) fn readings(&self, rule: &Rule) -> String {
        let mut read: Vec<Variable> = Vec::new();
        for step in &rule.when.steps {
            if let Step::Read(variable) | Step::WorstCase(variable) = step
                && !read.contains(variable)
            {
                read.push(*variable);
            }
        }
        let words: Vec<String> =
            read.into_iter().map(|variable| format!("{variable} {}", self.read(variable))).collect();
        if words.is_empty() { "always".to_owned() } else { words.join(", ") }
    }

    fn seen(&self, variable: Variable) -> Fact<'a> {
        match variable {
            Variable::ServiceName => Fact::Fresh(Worth::Text(self.service.as_str())),
            Variable::Utilization => self.reading(Indicator::Utilization),
            Variable::LatencyP50 => self.reading(Indicator::LatencyP50),
            Variable::LatencyP99 => self.reading(Indicator::LatencyP99),
            Variable::RequestsPerSecond => self.reading(Indicator::RequestsTotal),
            Variable::ErrorsPerSecond => self.reading(Indicator::ErrorsTotal),
            Variable::SlowPerSecond => self.reading(Indicator::SlowTotal),
            Variable::Replicas => self.reading(Indicator::ReplicasReady),
            Variable::SpansReceivedPerSecond => self.reading(Indicator::SpansReceivedTotal),
            Variable::SpansKeptPerSecond => self.reading(Indicator::SpansKeptTotal),
            Variable::ErrorRatio => self.bad_share(ObjectiveKind::Availability),
            Variable::SlowRatio => self.bad_share(ObjectiveKind::Latency),
            Variable::AvailabilityBurn => self.burn(ObjectiveKind::Availability, Window::FiveMinutes),
            Variable::LatencyBurn => self.burn(ObjectiveKind::Latency, Window::FiveMinutes),
            Variable::AvailabilityBurnHour => self.burn(ObjectiveKind::Availability, Window::Hour),
            Variable::LatencyBurnHour => self.burn(ObjectiveKind::Latency, Window::Hour),
            Variable::ReplicasMin | Variable::ReplicasMax => self.envelope(variable),
            Variable::Sampling => {
                let set = self.view.in_force.sampling.get(self.service);
                let tail = set.unwrap_or(&self.view.settings.sampling.initial).tail;
                Fact::Fresh(Worth::Millionths(tail.ppm().into()))
            }
            Variable::IncidentKind
            | Variable::IncidentSeverity
            | Variable::IncidentAge
            | Variable::IncidentSuspect
            | Variable::IncidentIsSuspect => self.incident(variable).map_or(Fact::Missing, Fact::Fresh),
            Variable::Hour | Variable::Minute | Variable::DayOfWeek => Fact::Fresh(Worth::Whole(self.time(variable))),
        }
    }

    fn reading(&self, indicator: Indicator) -> Fact<'a> {
        let worth = |value| worth(indicator.unit(), value);
        match self.readings.get(indicator) {
            Some(Reading::Fresh { value }) => Fact::Fresh(worth(*value)),
            Some(Reading::Stale { worst, .. }) => Fact::Stale(worth(*worst)),
            Some(Reading::Missing { .. }) | None => Fact::Missing,
        }
    }

    /// A share counted over a window is as fresh as the counting.
    fn counted(&self, share: Option<i64>) -> Fact<'a> {
        match (share, self.readings.get(Indicator::RequestsTotal)) {
            (Some(share), Some(Reading::Fresh { .. })) => Fact::Fresh(Worth::Millionths(share)),
            (Some(share), Some(Reading::Stale { .. })) => Fact::Stale(Worth::Millionths(share)),
            _ => Fact::Missing,
        }
    }

    fn bad_share(&self, kind: ObjectiveKind) -> Fact<'a> {
        let counts = self.counts.over(Window::Now);
        self.counted(ratio(counts.bad(kind), counts.requests))
    }

    /// Bad share / allowed share, as the Google SRE workbook, chapter 5, defines the burn rate.
    fn burn(&self, kind: ObjectiveKind, window: Window) -> Fact<'a> {
        let counts = self.counts.over(window);
        let allowed = u64::from(self.view.settings.objectives.of(self.service).budget(kind).0);
        let bad = counts.bad(kind).saturating_mul(10_000);
        self.counted(ratio(bad, counts.requests.saturating_mul(allowed)))
    }

    fn envelope(&self, variable: Variable) -> Fact<'a> {
        let Some(envelope) = self.view.settings.scaling.services.get(self.service) else { return Fact::Missing };
        let replicas = if variable == Variable::ReplicasMin { envelope.min } else { envelope.max };
        Fact::Fresh(Worth::Whole(replicas.0.into()))
    }

    fn incident(&self, variable: Variable) -> Option<Worth<'a>> {
        let incident = self.incident?;
        Some(match variable {
            Variable::IncidentKind => Worth::Text(kind_name(incident.kind)),
            Variable::IncidentSeverity => Worth::Text(match incident.severity {
                Severity::Page => "page",
                Severity::Ticket => "ticket",
            }),
            Variable::IncidentAge => {
                let age_ms = i64::try_from(self.view.snapshot.at.since(incident.opened).0).unwrap_or(i64::MAX);
                Worth::SpanUs(age_ms.saturating_mul(1000))
            }
            Variable::IncidentIsSuspect => Worth::Flag(incident.suspect() == Some(self.service)),
            _ => Worth::Text(incident.suspect()?.as_str()),
        })
    }

    /// Days are counted from the Unix epoch, a Thursday; time zones are left to whoever writes the rule.
    fn time(&self, variable: Variable) -> i64 {
        let minutes = (self.view.snapshot.at.as_millis() / 60_000) as i64;
        match variable {
            Variable::Hour => minutes / 60 % 24,
            Variable::Minute => minutes % 60,
            _ => (minutes / (24 * 60) + 4) % 7,
        }
    }
}

/// `part / whole` in millionths; `None` of nothing.
fn ratio(part: u64, whole: u64) -> Option<i64> {
    let share = (u128::from(part) * MILLIONTHS as u128).checked_div(whole.into())?;
    Some(i64::try_from(share).unwrap_or(i64::MAX))
}

/// A reading as a value of the language. What does not fit is the largest value that does.
fn worth<'a>(unit: Unit, value: u64) -> Worth<'a> {
    let times = |factor: u64| i64::try_from(value.saturating_mul(factor)).unwrap_or(i64::MAX);
    match unit {
        Unit::MilliPerSecond => Worth::Millionths(times(1000)),
        Unit::Micros => Worth::SpanUs(times(1)),
        Unit::BasisPoints => Worth::Millionths(times(100)),
        Unit::Ppm => Worth::Millionths(times(1)),
        Unit::Count => Worth::Whole(times(1)),
        Unit::CentiBurn => Worth::Millionths(times(10_000)),
    }
}
