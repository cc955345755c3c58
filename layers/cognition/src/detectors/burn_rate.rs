//! The error budget burns too fast.
//!
//! Answers whether a service breaks its promise so fast that its error budget will not last, by the multi-window,
//! multi-burn-rate rule of the Google SRE workbook, chapter 5, "Alerting on SLOs", table 5-8. Does not know causes. A plain
//! threshold on the error share is not used because it either pages for blips or sleeps through slow burns.

use homeostat_core::{
    BasisPoints, Counts, Evidence, IncidentKind, Indicator, Label, Millis, ObjectiveKind, ServiceName, Severity, Unit,
    Window, WindowCounts,
};

use crate::detector::{Detector, Findings, Statement, View};

pub(crate) const AVAILABILITY_BURN: BurnRate = BurnRate { kind: ObjectiveKind::Availability };
pub(crate) const LATENCY_BURN: BurnRate = BurnRate { kind: ObjectiveKind::Latency };

/// Requests that a short window must hold before its ratio means anything. Below it, one failed request of a quiet night
/// would be a burn rate of a hundred.
const REQUESTS_MIN: u64 = 20;

/// Bad requests that a short window must hold, for the same reason.
const BAD_MIN: u64 = 5;

/// A burn rate of one, in hundredths: exactly the rate at which the budget lasts its period.
const ONE_CENTI: u64 = 100;

/// One line of the workbook's table.
struct Rule {
    long: Window,
    short: Window,
    factor_centi: u64,
    severity: Severity,
    what: [Label; 2],
}

/// Loudest first; the first rule that holds is stated.
static RULES: [Rule; 3] = [
    Rule {
        long: Window::Hour,
        short: Window::FiveMinutes,
        factor_centi: 1440,
        severity: Severity::Page,
        what: [Label::new("burn rate over 1 h"), Label::new("burn rate over 5 min")],
    },
    Rule {
        long: Window::SixHours,
        short: Window::HalfHour,
        factor_centi: 600,
        severity: Severity::Page,
        what: [Label::new("burn rate over 6 h"), Label::new("burn rate over 30 min")],
    },
    Rule {
        long: Window::ThreeDays,
        short: Window::SixHours,
        factor_centi: 100,
        severity: Severity::Ticket,
        what: [Label::new("burn rate over 3 d"), Label::new("burn rate over 6 h")],
    },
];

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
            let says_something = RULES.iter().any(|rule| self.says_something(counts.over(rule.short)));
            if !says_something || served.value(Indicator::RequestsTotal).is_none() {
                continue;
            }
            let budget = view.settings.objectives.of(service).budget(self.kind);
            let broken = RULES.iter().find(|rule| self.is_broken(rule, counts, budget));
            if let Some(rule) = broken {
                findings.push(self.statement(service, rule, counts, budget));
            }
        }
    }
}

impl BurnRate {
    fn is_broken(&self, rule: &Rule, counts: &WindowCounts, budget: BasisPoints) -> bool {
        let (long, short) = (counts.over(rule.long), counts.over(rule.short));
        self.says_something(short)
            && rule.factor_centi <= self.burn_centi(long, budget)
            && rule.factor_centi <= self.burn_centi(short, budget)
            && ONE_CENTI < self.burn_centi(still_burning(counts, short), budget)
    }

    fn says_something(&self, short: Counts) -> bool {
        REQUESTS_MIN <= short.requests && BAD_MIN <= short.bad(self.kind)
    }

    /// How many times faster than allowed the budget burns, in hundredths: bad share / allowed share.
    fn burn_centi(&self, counts: Counts, budget: BasisPoints) -> u64 {
        let (bad, allowed) = (u128::from(counts.bad(self.kind)), u128::from(budget.0));
        let denominator = u128::from(counts.requests) * allowed;
        // A promise of 100 % has no budget; any bad request then burns it infinitely fast.
        (bad * 10_000 * 100).checked_div(denominator).map_or(u64::from(0 < bad) * u64::MAX, |burn| burn as u64)
    }

    fn statement(&self, service: &ServiceName, rule: &Rule, counts: &WindowCounts, budget: BasisPoints) -> Statement {
        let evidence = [rule.long, rule.short].into_iter().zip(&rule.what).map(|(window, what)| Evidence {
            what: what.clone(),
            value: self.burn_centi(counts.over(window), budget),
            limit: rule.factor_centi,
            unit: Unit::CentiBurn,
        });
        Statement {
            detector: self.name(),
            fires_after: self.fires_after(),
            service: service.clone(),
            kind: match self.kind {
                ObjectiveKind::Availability => IncidentKind::AvailabilityBurn,
                ObjectiveKind::Latency => IncidentKind::LatencyBurn,
            },
            severity: rule.severity,
            evidence: evidence.collect(),
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
    use homeostat_core::{Assessment, CountsRing, Reading, Settings, Signal, Snapshot, Target, Timestamp};

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
        let (last, settings) = (Assessment::default(), Settings::default());
        let mut findings = Findings::default();
        let view = View { snapshot, last: &last, settings: &settings };
        AVAILABILITY_BURN.detect(&view, &mut findings);
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
}
