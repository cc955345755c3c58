//! The recent past of what actions promise to change.
//!
//! Answers which measures are remembered, so that a forecast can be made when an action is decided. Only those of services
//! that people allowed to be changed, and the agent's own: nobody acts on the others, and ten thousand of them would cost
//! more than the tick may.

use std::collections::BTreeSet;

use homeostat_core::actions::Measure;
use homeostat_core::{Indicator, Knowledge, ObjectiveKind, ServiceName, Settings, Signal, Snapshot, Target};

/// Services remembered; more have no forecast but the value before.
const SERVICES_MAX: usize = 1024;

/// Notes what is measured now, and forgets what is no longer asked for.
pub(crate) fn note(knowledge: &mut Knowledge, snapshot: &Snapshot, settings: &Settings) {
    let scaled = settings.scaling.services.keys();
    let services: BTreeSet<_> = scaled.chain(settings.permissions.services.keys()).take(SERVICES_MAX).collect();
    let measures = || services.iter().copied().flat_map(of_service).chain([Measure::SpansKeptByChance]);
    if measures().count() < knowledge.histories.len() {
        let asked_for: BTreeSet<Measure> = measures().collect();
        knowledge.histories.retain(|measure, _| asked_for.contains(measure));
    }
    for measure in measures() {
        if let Some(value) = measure.read(snapshot) {
            let load = measure.load(snapshot).map(|load| load.value);
            knowledge.histories.entry(measure).or_default().note(snapshot.at, value, load);
        }
    }
}

fn of_service(service: &ServiceName) -> [Measure; 4] {
    let bad = |kind| Measure::BadRatio { service: service.clone(), kind };
    let used = Signal::new(Target::Service(service.clone()), Indicator::Utilization);
    let gap = Measure::AnswerGap { service: service.clone() };
    [Measure::Reading(used), bad(ObjectiveKind::Availability), bad(ObjectiveKind::Latency), gap]
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Reading, Replicas, ServiceScaling, Timestamp};

    use super::*;

    /// Scenario: two services are read, one of which may be scaled; later neither may.
    /// Guarantees: only the one that may be acted upon is remembered, and what is remembered never exceeds what is asked for.
    #[test]
    fn only_what_may_be_changed_is_remembered() {
        let used = |name: &str| Signal::new(Target::Service(name.into()), Indicator::Utilization);
        let reading = Reading::Fresh { value: 5000 };
        let snapshot = Snapshot {
            at: Timestamp(1000),
            signals: [(used("cart"), reading), (used("web"), reading)].into(),
            ..Snapshot::default()
        };
        let (mut settings, mut knowledge) = (Settings::default(), Knowledge::default());
        let envelope = ServiceScaling { min: Replicas(1), max: Replicas(4) };
        settings.scaling.services.insert("cart".into(), envelope);
        note(&mut knowledge, &snapshot, &settings);
        assert!(knowledge.histories.keys().eq([&Measure::Reading(used("cart"))]));
        let many: Vec<_> = knowledge.histories.values().cloned().collect();
        knowledge.histories.insert(Measure::Reading(used("old")), many[0].clone());
        note(&mut knowledge, &snapshot, &Settings::default());
        assert!(knowledge.histories.is_empty());
    }
}
