//! More capacity is used than wanted.
//!
//! Answers since when a service has used more than its target tolerates. That is no trouble yet, so the finding never fires;
//! it is the memory by which target tracking tells a lasting load from the noise of a single second.

use homeostat_core::{Evidence, IncidentKind, Indicator, Label, Millis, Severity, Unit};

use crate::detector::{Detector, Findings, Statement, View};

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
        let scaling = &view.settings.scaling;
        for service in scaling.services.keys() {
            let Some(used) = view.snapshot.service_value(service, Indicator::Utilization) else { continue };
            if scaling.highest_tolerated() < used {
                findings.push(Statement {
                    detector: self.name(),
                    fires_after: None,
                    service: service.clone(),
                    kind: IncidentKind::Pressure,
                    severity: Severity::Ticket,
                    evidence: vec![Evidence {
                        what: Label::new("utilization"),
                        value: used,
                        limit: scaling.highest_tolerated(),
                        unit: Unit::BasisPoints,
                    }],
                });
            }
        }
    }
}
