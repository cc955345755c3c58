//! The error budget burns too fast.
//!
//! Answers whether a service or a journey breaks its promise so fast that its error budget will not last, by the multi-window,
//! multi-burn-rate rule of the Google SRE workbook, chapter 5, "Alerting on SLOs", table 5-8. Does not know causes. A plain
//! threshold on the error share is not used because it either pages for blips or sleeps through slow burns.
//!
//! The workbook's factors are for a budget of 30 days: 2 % of it in one hour, 5 % in six, 10 % in three days are spent at
//! 14.4, 6 and 1 times the rate at which it lasts. For another period each is that share of it, share × period / window, and
//! never less than one, at which the budget just lasts.

use std::collections::BTreeSet;

use homeostat_core::{
    BasisPoints, Counts, Evidence, IncidentKind, Indicator, Label, Millis, ObjectiveKind, ServiceName, Severity, Unit,
    Window, WindowCounts,
};

use crate::detector::{Detector, Findings, Statement, View};
use crate::goals;

pub(crate) const AVAILABILITY_BURN: BurnRate = BurnRate { kind: ObjectiveKind::Availability };
pub(crate) const LATENCY_BURN: BurnRate = BurnRate { kind: ObjectiveKind::Latency };
pub(crate) const JOURNEY_AVAILABILITY_BURN: JourneyBurn = JourneyBurn { kind: ObjectiveKind::Availability };
pub(crate) const JOURNEY_LATENCY_BURN: JourneyBurn = JourneyBurn { kind: ObjectiveKind::Latency };

/// The period of a budget of which nobody said how long it must last: the workbook's.
pub const PERIOD: Millis = Millis::from_secs(30 * 86_400);

/// Requests that a short window must hold before its ratio means anything. Below it, one failed request of a quiet night
/// would be a burn rate of a hundred.
const REQUESTS_MIN: u64 = 20;

/// Bad requests that a short window must hold, for the same reason.
const BAD_MIN: u64 = 5;

/// A burn rate of one, in hundredths: exactly the rate at which the budget lasts its period.
const ONE_CENTI: u64 = 100;

/// One line of the workbook's table.
#[derive(Debug)]
pub struct Rule {
    /// What must burn for a while …
    pub long: Window,
    /// … and still burn.
    pub short: Window,
    /// The share of the whole budget that is gone by then.
    pub spends: BasisPoints,
    /// How loud it is.
    pub severity: Severity,
    what: [Label; 2],
}

/// Loudest first; the first rule that holds is stated.
pub static RULES: [Rule; 3] = [
    Rule {
        long: Window::Hour,
        short: Window::FiveMinutes,
        spends: BasisPoints(200),
        severity: Severity::Page,
        what: [Label::new("burn rate over 1 h"), Label::new("burn rate over 5 min")],
    },
    Rule {
        long: Window::SixHours,
        short: Window::HalfHour,
        spends: BasisPoints(500),
        severity: Severity::Page,
        what: [Label::new("burn rate over 6 h"), Label::new("burn rate over 30 min")],
    },
    Rule {
        long: Window::ThreeDays,
        short: Window::SixHours,
        spends: BasisPoints(1000),
        severity: Severity::Ticket,
        what: [Label::new("burn rate over 3 d"), Label::new("burn rate over 6 h")],
    },
];

impl Rule {
    /// How many times faster than allowed the budget of a `period` burns when this rule holds, in hundredths.
    pub fn factor_centi(&self, period: Millis) -> u64 {
        (self.spends.of(period.0) * ONE_CENTI / self.long.length().0).max(ONE_CENTI)
    }
}

/// Whether any rule holds for a budget of `budget_ppm` over a `period`.
pub(crate) fn is_burning(counts: &WindowCounts, kind: ObjectiveKind, budget_ppm: u32, period: Millis) -> bool {
    Budget { kind, budget_ppm, period }.broken(counts).is_some()
}

/// What may be bad, of what, for how long.
#[derive(Clone, Copy)]
struct Budget {
    kind: ObjectiveKind,
    budget_ppm: u32,
    period: Millis,
}

impl Budget {
    fn broken(&self, counts: &WindowCounts) -> Option<&'static Rule> {
        RULES.iter().find(|rule| self.is_broken(rule, counts))
    }

    fn is_broken(&self, rule: &Rule, counts: &WindowCounts) -> bool {
        let (long, short) = (counts.over(rule.long), counts.over(rule.short));
        let factor_centi = rule.factor_centi(self.period);
        says_something(short, self.kind)
            && factor_centi <= self.burn_centi(long)
            && factor_centi <= self.burn_centi(short)
            && ONE_CENTI < self.burn_centi(still_burning(counts, short))
    }

    /// How many times faster than allowed the budget burns, in hundredths: bad share / allowed share.
    fn burn_centi(&self, counts: Counts) -> u64 {
        let (bad, allowed) = (u128::from(counts.bad(self.kind)), u128::from(self.budget_ppm));
        let denominator = u128::from(counts.requests) * allowed;
        // A promise of 100 % has no budget; any bad request then burns it infinitely fast.
        (bad * 1_000_000 * 100).checked_div(denominator).map_or(u64::from(0 < bad) * u64::MAX, |burn| burn as u64)
    }

    fn statement(&self, detector: &dyn Detector, service: &ServiceName, counts: &WindowCounts) -> Option<Statement> {
        let rule = self.broken(counts)?;
        let evidence = [rule.long, rule.short].into_iter().zip(&rule.what).map(|(window, what)| Evidence {
            what: what.clone(),
            value: self.burn_centi(counts.over(window)),
            limit: rule.factor_centi(self.period),
            unit: Unit::CentiBurn,
        });
        Some(Statement {
            detector: detector.name(),
            fires_after: detector.fires_after(),
            service: service.clone(),
            kind: match self.kind {
                ObjectiveKind::Availability => IncidentKind::AvailabilityBurn,
                ObjectiveKind::Latency => IncidentKind::LatencyBurn,
            },
            severity: rule.severity,
            evidence: evidence.collect(),
        })
    }
}

fn says_something(short: Counts, kind: ObjectiveKind) -> bool {
    REQUESTS_MIN <= short.requests && BAD_MIN <= short.bad(kind)
}

/// The promise of a service: its own, or what a journey through it asks, whichever is stricter.
pub(crate) struct BurnRate {
    kind: ObjectiveKind,
}

impl Detector for BurnRate {
    fn name(&self) -> &'static str {
        match self.kind {
            ObjectiveKind::Availability => "availability_burn",
            ObjectiveKind::Latency => "latency_burn",
        }
    }

    /// At once: the windows have already waited.
    fn fires_after(&self) -> Option<Millis> {
        Some(Millis(0))
    }

    fn detect(&self, view: &View<'_>, findings: &mut Findings) {
        for served in view.snapshot.served() {
            let (service, counts) = (served.service, served.counts);
            let worth_a_look = RULES.iter().any(|rule| says_something(counts.over(rule.short), self.kind));
            if !worth_a_look || served.value(Indicator::RequestsTotal).is_none() {
                continue;
            }
            if let Some(statement) = self.budget(view, service).statement(self, service, counts) {
                findings.push(statement);
            }
        }
    }
}

impl BurnRate {
    fn budget(&self, view: &View<'_>, service: &ServiceName) -> Budget {
        let own_ppm = view.settings.objectives.of(service).budget(self.kind).0 * 100;
        let own = Budget { kind: self.kind, budget_ppm: own_ppm, period: PERIOD };
        let derived = view.goals.objectives.get(service).filter(|_| self.kind == ObjectiveKind::Availability);
        match derived.and_then(|derived| Some((derived.budget_ppm?, derived.window))) {
            Some((budget_ppm, period)) if budget_ppm <= own_ppm => Budget { budget_ppm, period, ..own },
            _ => own,
        }
    }
}

/// The promise of a journey that begins with some operations of a service. Where it begins with all of them, the service's
/// own promise is as strict, and one finding is enough.
pub(crate) struct JourneyBurn {
    kind: ObjectiveKind,
}

impl Detector for JourneyBurn {
    fn name(&self) -> &'static str {
        match self.kind {
            ObjectiveKind::Availability => "journey_availability_burn",
            ObjectiveKind::Latency => "journey_latency_burn",
        }
    }

    fn fires_after(&self) -> Option<Millis> {
        Some(Millis(0))
    }

    fn detect(&self, view: &View<'_>, findings: &mut Findings) {
        let mut stated = BTreeSet::new();
        for journey in view.settings.goals.journeys.values() {
            let entry = journey.entries.iter().find(|entry| entry.operation.is_some());
            let (Some(entry), Some(budget_ppm)) = (entry, journey.budget_ppm(self.kind)) else { continue };
            let Some(counts) = goals::counts(journey, view.snapshot) else { continue };
            let budget = Budget { kind: self.kind, budget_ppm, period: journey.window };
            let statement = budget.statement(self, &entry.service, &counts);
            // One finding for each service: several journeys into it burn for one reason.
            if let Some(statement) = statement.filter(|_| stated.insert(&entry.service)) {
                findings.push(statement);
            }
        }
    }
}

/// The last minute, if it has enough requests to mean anything; else the rule's short window. Without this third window a
/// repaired service would stay in alarm until its short window has forgotten the fault.
fn still_burning(counts: &WindowCounts, short: Counts) -> Counts {
    let minute = counts.over(Window::Minute);
    if REQUESTS_MIN <= minute.requests { minute } else { short }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{
        Assessment, CountsRing, Entry, GoalSettings, Importance, Journey, JourneyName, OperationName, Reading,
        Settings, Signal, Snapshot, Target, Timestamp,
    };

    use super::*;

    /// Ten requests a second; `bad_percent(second)` of them fail.
    fn snapshot(seconds: u64, bad_percent: impl Fn(u64) -> u64) -> Snapshot {
        let mut ring = CountsRing::default();
        let mut frozen = WindowCounts::default();
        for second in 0..seconds {
            let errors = 10 * bad_percent(second) / 100;
            ring.push(Timestamp(second * 1000), Counts { requests: 10, errors, slow: 0 });
            frozen = ring.freeze(Timestamp((second + 1) * 1000));
        }
        let service = ServiceName::from("cart");
        let signal = Signal::new(Target::Service(service.clone()), Indicator::RequestsTotal);
        Snapshot {
            at: Timestamp(seconds * 1000),
            signals: [(signal, Reading::Fresh { value: 10_000 })].into(),
            counts: [(service, frozen)].into(),
            ..Snapshot::default()
        }
    }

    fn severity(snapshot: &Snapshot) -> Option<Severity> {
        found(snapshot, &Settings::default(), &AVAILABILITY_BURN)
    }

    fn found(snapshot: &Snapshot, settings: &Settings, detector: &dyn Detector) -> Option<Severity> {
        let last = Assessment::default();
        let goals = goals::derive(snapshot, &last.goals, &settings.goals);
        let mut findings = Findings::default();
        let view = View { snapshot, last: &last, settings, goals: &goals };
        detector.detect(&view, &mut findings);
        findings.settle(&view).first().map(|finding| finding.severity)
    }

    /// Scenario: an objective of 99 % (SRE workbook, table 5-8): healthy; 20 % failing for an hour; the same, over since two
    /// minutes; 7 % failing for six hours; 2 % for three days.
    /// Guarantees: nothing; a page; nothing, since it burns no longer; a page by the slower rule; a ticket.
    #[test]
    fn the_workbooks_rules_hold() {
        assert_eq!(severity(&snapshot(3600, |_| 0)), None);
        assert_eq!(severity(&snapshot(3600, |_| 20)), Some(Severity::Page));
        assert_eq!(severity(&snapshot(3600, |second| if second < 3480 { 20 } else { 0 })), None);
        assert_eq!(severity(&snapshot(6 * 3600, |second| if second % 10 < 7 { 10 } else { 0 })), Some(Severity::Page));
        let two_percent = |second: u64| if second % 10 < 2 { 10 } else { 0 };
        assert_eq!(severity(&snapshot(72 * 3600, two_percent)), Some(Severity::Ticket));
    }

    /// Scenario: a quiet service in which the only three requests of the last minutes failed.
    /// Guarantees: nobody is woken: so few requests say nothing.
    #[test]
    fn a_quiet_night_wakes_nobody() {
        let mut quiet = snapshot(1, |_| 0);
        let mut ring = CountsRing::default();
        ring.push(Timestamp(500), Counts { requests: 3, errors: 3, slow: 0 });
        quiet.counts.insert(ServiceName::from("cart"), ring.freeze(Timestamp(1000)));
        assert_eq!(severity(&quiet), None);
    }

    /// Scenario: the requests of a burning service are stale.
    /// Guarantees: no finding is stated on stale evidence.
    #[test]
    fn stale_counts_state_nothing() {
        let mut stale = snapshot(3600, |_| 20);
        let old = Reading::Stale { last: 10_000, worst: 10_000, age: Millis::from_secs(60) };
        stale.signals = stale.signals.iter().map(|(signal, _)| (signal, old)).collect();
        assert_eq!(severity(&stale), None);
    }

    fn checkout(window_days: u64, operation: Option<&str>) -> Settings {
        let journey = Journey {
            entries: vec![Entry { service: "cart".into(), operation: operation.map(OperationName::from) }],
            through: BTreeSet::new(),
            importance: Importance::Critical,
            reliability: BasisPoints(9990),
            latency: None,
            window: Millis::from_secs(window_days * 86_400),
        };
        let journeys = [(JourneyName::from("checkout"), journey)].into();
        Settings { goals: GoalSettings { journeys, ..GoalSettings::default() }, ..Settings::default() }
    }

    /// Scenario: budgets of 30, 28 and 7 days.
    /// Guarantees: table 5-8 for 30 days, the same shares of the others (0.02 × 168 h / 1 h = 3.36), and never less than one.
    #[test]
    fn factors_follow_the_period() {
        let factors = |days: u64| RULES.each_ref().map(|rule| rule.factor_centi(Millis::from_secs(days * 86_400)));
        assert_eq!(factors(30), [1440, 600, 100]);
        assert_eq!(factors(28), [1344, 560, 100]);
        assert_eq!(factors(7), [336, 140, 100]);
    }

    /// Scenario: 0.5 % of requests fail for six hours: within the service's own 99 %, and five times what a journey of
    /// 99.9 % allows; the journey's budget lasts a week in one case and a month in the other.
    /// Guarantees: a page for the week, of which 5 % are gone in six hours at 1.4 times; a ticket for the month, where 6 times
    /// would page.
    #[test]
    fn a_journey_makes_its_service_stricter() {
        let half_percent = snapshot(6 * 3600, |second| if second % 20 < 1 { 10 } else { 0 });
        assert_eq!(severity(&half_percent), None);
        assert_eq!(found(&half_percent, &checkout(7, None), &AVAILABILITY_BURN), Some(Severity::Page));
        assert_eq!(found(&half_percent, &checkout(30, None), &AVAILABILITY_BURN), Some(Severity::Ticket));
    }

    /// Scenario: a journey begins with one operation, which fails at 5 % for an hour; the service as a whole is well.
    /// Guarantees: a page for the journey, though the service has no finding; silence about the operation states nothing.
    #[test]
    fn a_failing_journey_is_found_behind_a_healthy_service() {
        let (mut seen, settings) = (snapshot(3600, |_| 0), checkout(30, Some("POST /buy")));
        let key = (ServiceName::from("cart"), OperationName::from("POST /buy"));
        let counts = snapshot(3600, |second| if second % 2 == 0 { 10 } else { 0 }).counts[&key.0];
        seen.operations.insert(key.clone(), counts);
        assert_eq!(found(&seen, &settings, &JOURNEY_AVAILABILITY_BURN), None);
        let signal = Signal::new(Target::Operation(key.0, key.1), Indicator::RequestsTotal);
        seen.signals.insert(signal, Reading::Fresh { value: 10_000 });
        assert_eq!(found(&seen, &settings, &JOURNEY_AVAILABILITY_BURN), Some(Severity::Page));
        assert_eq!(found(&seen, &settings, &AVAILABILITY_BURN), None);
    }
}
