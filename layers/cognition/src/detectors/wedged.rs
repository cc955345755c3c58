//! An instance takes requests and finishes none.
//!
//! Answers whether a service has instances that hold requests without finishing any while their siblings do, or gives no
//! answer at all while it is full. Does not know why. Utilisation would not show it: a wedged instance may be idle as
//! well as busy. Progress is read over ten seconds and must be missing for ten more, and counts only where siblings would
//! have finished about ten requests in that time: by chance nothing is finished then once in twenty thousand times (Poisson,
//! e^-10).

use homeostat_core::{
    Evidence, IncidentKind, Indicator, Label, Millis, Progress, ServiceName, ServicePermissions, Severity, Snapshot,
    Unit,
};

use crate::detector::{Detector, Findings, Statement, View};

pub(crate) const WEDGED: Wedged = Wedged;

/// What a sibling must finish for silence to mean something, in thousandths per second.
const SIBLINGS_FINISH_MIN: u64 = 500;

/// A service counts as full from this share of its concurrency limit on: readings are means, and a mean seldom reaches it.
const FULL_PERCENT: u64 = 90;

/// How long it must hold, besides the ten seconds over which progress is read.
const FIRES_AFTER: Millis = Millis::from_secs(10);

pub(crate) struct Wedged;

impl Detector for Wedged {
    fn name(&self) -> &'static str {
        "wedged"
    }

    fn fires_after(&self) -> Option<Millis> {
        Some(FIRES_AFTER)
    }

    fn detect(&self, view: &View<'_>, findings: &mut Findings) {
        for (service, permitted) in &view.settings.permissions.services {
            let stuck = stuck_instances(service, view.snapshot);
            let found = stuck.or_else(|| full_and_silent(service, *permitted, view.snapshot));
            if let Some(evidence) = found {
                findings.push(Statement {
                    detector: self.name(),
                    fires_after: self.fires_after(),
                    service: service.clone(),
                    kind: IncidentKind::Wedged,
                    severity: Severity::Page,
                    evidence: vec![evidence],
                });
            }
        }
    }
}

/// How many instances are stuck while their siblings finish.
fn stuck_instances(service: &ServiceName, snapshot: &Snapshot) -> Option<Evidence> {
    let (stuck, well): (Vec<Progress>, Vec<Progress>) =
        snapshot.instances(service).map(|(_, progress)| progress).partition(|progress| progress.is_stuck());
    let finished = well.iter().filter_map(|progress| progress.finished);
    let siblings = finished.clone().count() as u64;
    let mean = finished.sum::<u64>().checked_div(siblings)?;
    let counts = !stuck.is_empty() && SIBLINGS_FINISH_MIN <= mean;
    counts.then(|| evidence("stuck instances", stuck.len() as u64, 0))
}

/// How many requests a service holds that answers none.
fn full_and_silent(service: &ServiceName, permitted: ServicePermissions, snapshot: &Snapshot) -> Option<Evidence> {
    permitted.limit?;
    let value = |indicator| snapshot.service_value(service, indicator);
    let (held, limit) = (value(Indicator::RequestsInFlight)?, value(Indicator::ConcurrencyLimit)?);
    let full_from = limit * FULL_PERCENT / 100;
    let is_full = 0 < held && full_from <= held;
    let answered = value(Indicator::RequestsTotal)?.saturating_sub(value(Indicator::ErrorsTotal)?);
    (is_full && answered == 0).then(|| evidence("requests held without an answer", held, full_from))
}

fn evidence(what: &'static str, value: u64, limit: u64) -> Evidence {
    Evidence { what: Label::new(what), value, limit, unit: Unit::Count }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{
        Assessment, InstanceId, Range, Reading, RestartPermission, Settings, Signal, Target, Timestamp,
    };

    use super::*;

    fn found(signals: &[(Target, Indicator, u64)]) -> Option<Evidence> {
        let fresh = |(target, indicator, value): &(Target, Indicator, u64)| {
            (Signal::new(target.clone(), *indicator), Reading::Fresh { value: *value })
        };
        let signals = signals.iter().map(fresh).collect();
        let snapshot = Snapshot { at: Timestamp(100_000), signals, ..Snapshot::default() };
        let limit = Some(Range { min: 4, max: 40 });
        let permitted = ServicePermissions { limit, restart: Some(RestartPermission::Asked), ..Default::default() };
        let mut settings = Settings::default();
        settings.permissions.services.insert("cart".into(), permitted);
        let last = Assessment::default();
        let view = View { snapshot: &snapshot, last: &last, settings: &settings, goals: &last.goals };
        let mut findings = Findings::default();
        WEDGED.detect(&view, &mut findings);
        findings.settle(&view).first().map(|finding| finding.evidence[0].clone())
    }

    /// Instances that hold and finish so much.
    fn fleet(instances: &[(u64, u64)]) -> Option<Evidence> {
        let readings = |(number, (held, finished)): (usize, &(u64, u64))| {
            let instance = InstanceId::from(format!("cart-{number}").as_str());
            let target = Target::Instance("cart".into(), instance);
            [(target.clone(), Indicator::RequestsInFlight, *held), (target, Indicator::CompletedTotal, *finished)]
        };
        found(&instances.iter().enumerate().flat_map(readings).collect::<Vec<_>>())
    }

    /// Scenario: an instance that holds and finishes nothing beside busy ones, beside nearly idle ones, beside stuck ones only,
    /// and alone; one that holds nothing; all that are well.
    /// Guarantees: only silence that the siblings' progress makes remarkable is stated.
    #[test]
    fn silence_beside_progress_is_stated() {
        assert_eq!(fleet(&[(5, 0), (2, 9000), (2, 9000)]), Some(evidence("stuck instances", 1, 0)));
        assert_eq!(fleet(&[(1, 0), (1, 400), (1, 400)]), None);
        assert_eq!(fleet(&[(5, 0), (5, 0)]), None);
        assert_eq!(fleet(&[(5, 0)]), None);
        assert_eq!(fleet(&[(0, 0), (2, 9000)]), None);
        assert_eq!(fleet(&[(2, 9000), (2, 9000)]), None);
    }

    /// Scenario: a service at its limit of 40 that answers, and that only refuses; one that is half empty and only refuses.
    /// Guarantees: only the full one without any answer is stated.
    #[test]
    fn a_full_service_without_an_answer_is_stated() {
        let service = |held, failed| {
            let of = |indicator, value| (Target::Service("cart".into()), indicator, value);
            found(&[
                of(Indicator::RequestsInFlight, held),
                of(Indicator::ConcurrencyLimit, 40),
                of(Indicator::RequestsTotal, 9000),
                of(Indicator::ErrorsTotal, failed),
            ])
        };
        assert_eq!(service(38, 9000), Some(evidence("requests held without an answer", 38, 36)));
        assert_eq!(service(38, 8999), None);
        assert_eq!(service(20, 9000), None);
    }
}
