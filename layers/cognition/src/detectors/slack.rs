//! Capacity lies idle.
//!
//! Answers since when a service would have done with fewer replicas. That is no trouble, so the finding never fires; it is
//! the memory by which a reduction waits until no larger number was wanted for long enough.

use homeostat_core::{Evidence, IncidentKind, Indicator, Label, Millis, Severity, Unit};

use crate::detector::{Detector, Findings, Statement, View};

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
                        what: Label::new("utilization"),
                        value: used,
                        limit,
                        unit: Unit::BasisPoints,
                    }],
                });
            }
        }
    }
}
