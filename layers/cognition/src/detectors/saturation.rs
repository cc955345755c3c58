//! Capacity is used up.
//!
//! Answers whether a service uses nearly all of its capacity, for long enough to be no blip. Does not know whether users
//! notice. Nine tenths is the limit because queueing delay grows with 1 / (1 - utilisation): beyond it a small increase in
//! load is a large increase in latency (Kleinrock, Queueing Systems, volume 1, M/M/1).

use homeostat_core::{BasisPoints, Evidence, IncidentKind, Indicator, Label, Millis, Severity, Unit};

use crate::detector::{Detector, Findings, Statement, View};

pub(crate) const SATURATION: Saturation = Saturation;

/// Utilisation from which capacity counts as used up.
const LIMIT: BasisPoints = BasisPoints(9000);

/// How long it must hold. Short, because utilisation is read as a mean already.
const FIRES_AFTER: Millis = Millis::from_secs(3);

pub(crate) struct Saturation;

impl Detector for Saturation {
    fn name(&self) -> &'static str {
        "saturation"
    }

    fn fires_after(&self) -> Option<Millis> {
        Some(FIRES_AFTER)
    }

    fn detect(&self, view: &View<'_>, findings: &mut Findings) {
        for served in view.snapshot.served() {
            let Some(used) = served.value(Indicator::Utilization) else { continue };
            if u64::from(LIMIT.0) <= used {
                findings.push(Statement {
                    detector: self.name(),
                    fires_after: self.fires_after(),
                    service: served.service.clone(),
                    kind: IncidentKind::Saturation,
                    severity: Severity::Ticket,
                    evidence: vec![Evidence {
                        what: Label::new("utilization"),
                        value: used,
                        limit: LIMIT.0.into(),
                        unit: Unit::BasisPoints,
                    }],
                });
            }
        }
    }
}
