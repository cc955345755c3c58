//! The recent past of what actions promise to change.
//!
//! Answers which measures are remembered, so that a forecast can be made when an action is decided. Only those of services
//! that people allowed to be changed, and the agent's own: nobody acts on the others, and ten thousand of them would cost
//! more than the tick may.

use homeostat_core::actions::Measure;
use homeostat_core::{Indicator, Knowledge, ObjectiveKind, ServiceName, Settings, Signal, Snapshot, Target};

/// Services remembered; more have no forecast but the value before.
const SERVICES_MAX: usize = 1024;

/// Notes what is measured now, and forgets what is no longer asked for.
pub(crate) fn note(knowledge: &mut Knowledge, snapshot: &Snapshot, settings: &Settings) {
    let services = || settings.scaling.services.keys().take(SERVICES_MAX);
    let is_asked_for = |measure: &Measure| match measure {
        Measure::Reading(Signal { target: Target::Service(service), .. }) | Measure::BadRatio { service, .. } => {
            settings.scaling.services.contains_key(service)
        }
        _ => *measure == Measure::SpansKeptByChance,
    };
    knowledge.histories.retain(|measure, _| is_asked_for(measure));
    for measure in services().flat_map(of_service).chain([Measure::SpansKeptByChance]) {
        if let Some(value) = measure.read(snapshot) {
            let load = measure.load(snapshot).map(|load| load.value);
            knowledge.histories.entry(measure).or_default().note(snapshot.at, value, load);
        }
    }
}

fn of_service(service: &ServiceName) -> [Measure; 3] {
    let bad = |kind| Measure::BadRatio { service: service.clone(), kind };
    let used = Signal::new(Target::Service(service.clone()), Indicator::Utilization);
    [Measure::Reading(used), bad(ObjectiveKind::Availability), bad(ObjectiveKind::Latency)]
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Reading, Replicas, ServiceScaling, Timestamp};

    use super::*;

    /// Scenario: two services are read, one of which may be scaled; later none may.
    /// Guarantees: only the one that may be acted upon is remembered, and it is forgotten with the permission.
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
        note(&mut knowledge, &snapshot, &Settings::default());
        assert!(knowledge.histories.is_empty());
    }
}
