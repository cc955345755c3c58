//! More capacity is used than wanted.
//!
//! Answers since when a service has used more than its target tolerates. That is no trouble yet, so the finding never fires;
//! it is the memory by which target tracking tells a lasting load from the noise of a single second.

use std::collections::BTreeMap;

use homeostat_core::{Evidence, Finding, IncidentKind, Indicator, Label, Millis, ServiceName, Severity, Unit};

use crate::detector::{Detector, Findings, Statement, View, last_of_kind};

pub(crate) const PRESSURE: Pressure = Pressure;

pub(crate) struct Pressure;

impl Detector for Pressure {
    fn name(&self) -> &'static str {
        "pressure"
    }

    fn fires_after(&self) -> Option<Millis> {
        None
    }

    fn detect(&self, view: &View<'_>, findings: &mut Findings) {
        let limit = view.settings.scaling.highest_tolerated();
        let last = last_of_kind(view, IncidentKind::Pressure);
        for service in view.settings.scaling.services.keys() {
            let used = match view.snapshot.service_value(service, Indicator::Utilization) {
                Some(used) if used <= limit => continue,
                Some(used) => used,
                // Silence is not relief: what pressed when it was last seen, before a restart perhaps, presses until seen again.
                None => match last_seen(&last, service) {
                    Some(used) => used,
                    None => continue,
                },
            };
            findings.push(Statement {
                detector: self.name(),
                fires_after: None,
                service: service.clone(),
                kind: IncidentKind::Pressure,
                severity: Severity::Ticket,
                evidence: vec![Evidence {
                    what: Label::new("utilization"),
                    value: used,
                    limit,
                    unit: Unit::BasisPoints,
                }],
            });
        }
    }
}

fn last_seen(last: &BTreeMap<&ServiceName, &Finding>, service: &ServiceName) -> Option<u64> {
    last.get(service)?.evidence.first().map(|used| used.value)
}

#[cfg(test)]
mod tests {
    use homeostat_core::{
        Assessment, GoalsAssessment, Reading, Replicas, ServiceScaling, Settings, Signal, Snapshot, Target, Timestamp,
    };

    use super::*;

    /// Scenario: a service presses at 100 s, is not seen at 101 s, presses at 102 s, and is calm at 103 s.
    /// Guarantees: it has pressed since 100 s throughout, and no longer once it is seen calm.
    #[test]
    fn silence_is_not_relief() {
        let mut settings = Settings::default();
        settings.scaling.services.insert("cart".into(), ServiceScaling { min: Replicas(1), max: Replicas(8) });
        let signal = Signal::new(Target::Service("cart".into()), Indicator::Utilization);
        let mut last = Assessment::default();
        let mut since = |second: u64, used: Option<u64>| {
            let signals = used.map(|value| (signal.clone(), Reading::Fresh { value })).into_iter().collect();
            let snapshot = Snapshot { at: Timestamp(second * 1000), signals, ..Snapshot::default() };
            let goals = GoalsAssessment::default();
            let view = View { snapshot: &snapshot, last: &last, settings: &settings, goals: &goals };
            let mut findings = Findings::default();
            PRESSURE.detect(&view, &mut findings);
            let findings = findings.settle(&view);
            let since = findings.first().map(|finding| finding.since.as_millis() / 1000);
            last = Assessment { findings, ..Assessment::default() };
            since
        };
        assert_eq!(since(100, Some(9000)), Some(100));
        assert_eq!(since(101, None), Some(100));
        assert_eq!(since(102, Some(9000)), Some(100));
        assert_eq!(since(103, Some(5000)), None);
    }
}
