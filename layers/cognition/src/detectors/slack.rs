//! Capacity lies idle.
//!
//! Answers since when a service would have done with fewer replicas, and how much it used at most since then. That is no
//! trouble, so the finding never fires; it is the memory by which a reduction waits until no larger number was wanted for
//! long enough, and is then no larger than the busiest moment allows.

use std::collections::BTreeMap;

use homeostat_core::{Evidence, Finding, IncidentKind, Indicator, Label, Millis, ServiceName, Severity, Unit};

use crate::detector::{Detector, Findings, Statement, View, last_of_kind};

pub(crate) const SLACK: Slack = Slack;

pub(crate) struct Slack;

impl Detector for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn fires_after(&self) -> Option<Millis> {
        None
    }

    fn detect(&self, view: &View<'_>, findings: &mut Findings) {
        let scaling = &view.settings.scaling;
        let last = last_of_kind(view, IncidentKind::Slack);
        for service in scaling.services.keys() {
            let Some(used) = view.snapshot.service_value(service, Indicator::Utilization) else { continue };
            let Some(replicas) = view.snapshot.service_value(service, Indicator::ReplicasReady) else { continue };
            // With one replica fewer, utilisation would still be inside the tolerance around the target.
            let limit = scaling.highest_tolerated() * replicas.saturating_sub(1) / replicas.max(1);
            if 1 < replicas && used <= limit {
                findings.push(Statement {
                    detector: self.name(),
                    fires_after: None,
                    service: service.clone(),
                    kind: IncidentKind::Slack,
                    severity: Severity::Ticket,
                    evidence: vec![Evidence {
                        what: Label::new("peak utilization"),
                        value: used.max(peak(&last, service)),
                        limit,
                        unit: Unit::BasisPoints,
                    }],
                });
            }
        }
    }
}

/// The highest utilisation since the slack began.
fn peak(last: &BTreeMap<&ServiceName, &Finding>, service: &ServiceName) -> u64 {
    last.get(service).and_then(|finding| finding.evidence.first()).map_or(0, |peak| peak.value)
}
