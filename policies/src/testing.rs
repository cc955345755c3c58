//! A small world in which policies are tested.
//!
//! Answers what a policy sees in its tests, built reading by reading. Only for tests.

use homeostat_core::{
    Assessment, DerivedObjective, Finding, FindingState, InForce, Incident, IncidentKind, Indicator, Journey,
    JourneyState, Knowledge, Label, Ledger, Millis, PathPart, Policy, PolicyView, Proposal, Reading, Replicas,
    ServiceName, ServiceScaling, Settings, Severity, Signal, Snapshot, Spent, Standing, Target, Timestamp,
    WindowCounts,
};

/// A finding that makes an incident an active one.
pub(crate) fn finding(service: &str) -> Finding {
    Finding {
        detector: Label::new("test"),
        service: service.into(),
        kind: IncidentKind::LatencyBurn,
        severity: Severity::Page,
        since: Timestamp(0),
        state: FindingState::Firing,
        evidence: Vec::new(),
    }
}

#[derive(Default)]
pub(crate) struct World {
    snapshot: Snapshot,
    assessment: Assessment,
    settings: Settings,
}

impl World {
    pub(crate) fn at(mut self, second: u64) -> World {
        self.snapshot.at = Timestamp(second * 1000);
        self
    }

    pub(crate) fn scalable(mut self, service: &str, min: u32, max: u32) -> World {
        let envelope = ServiceScaling { min: Replicas(min), max: Replicas(max) };
        self.settings.scaling.services.insert(service.into(), envelope);
        self
    }

    pub(crate) fn gauge(self, service: &str, indicator: Indicator, value: u64) -> World {
        self.reads(Target::Service(service.into()), indicator, Reading::Fresh { value })
    }

    pub(crate) fn agent(self, indicator: Indicator, value: u64) -> World {
        self.reads(Target::Agent, indicator, Reading::Fresh { value })
    }

    pub(crate) fn stale(self, service: &str, indicator: Indicator, age: Millis) -> World {
        self.reads(Target::Service(service.into()), indicator, Reading::Stale { last: 0, worst: 0, age })
    }

    pub(crate) fn counted(mut self, service: &str) -> World {
        self.snapshot.counts.insert(service.into(), WindowCounts::default());
        self
    }

    pub(crate) fn incident(mut self, incident: Incident) -> World {
        self.assessment.incidents.push(incident);
        self
    }

    pub(crate) fn derived(mut self, service: &str, objective: DerivedObjective) -> World {
        self.assessment.goals.objectives.insert(service.into(), objective);
        self
    }

    /// A journey that begins with one operation and passes `through` besides.
    pub(crate) fn journey(mut self, name: &str, journey: Journey) -> World {
        let services = journey.entries.iter().map(|entry| &entry.service).chain(&journey.through);
        let part = |service: &ServiceName| PathPart { service: service.clone(), visits_centi: 100, budget_ppm: 1000 };
        let path = services.map(part).collect();
        let state = JourneyState {
            importance: journey.importance,
            entries: journey.entries.clone(),
            path,
            is_cut: false,
            standing: Standing::Met,
            spent: Spent::default(),
        };
        self.assessment.goals.journeys.insert(name.into(), state);
        self.settings.goals.journeys.insert(name.into(), journey);
        self
    }

    pub(crate) fn budget(mut self, spans_per_second: u64) -> World {
        self.settings.sampling.kept_spans_per_second_max = spans_per_second;
        self
    }

    pub(crate) fn operation(self, service: &str, operation: &str, indicator: Indicator, value: u64) -> World {
        self.reads(Target::Operation(service.into(), operation.into()), indicator, Reading::Fresh { value })
    }

    pub(crate) fn finding(mut self, finding: Finding) -> World {
        self.assessment.findings.push(finding);
        self
    }

    pub(crate) fn proposals(&self, policy: &dyn Policy) -> Vec<Proposal> {
        let mut proposals = Vec::new();
        self.look(|view| policy.propose(view, &mut proposals));
        proposals
    }

    pub(crate) fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&PolicyView<'_>) -> T) -> T {
        look(&PolicyView {
            snapshot: &self.snapshot,
            assessment: &self.assessment,
            knowledge: &Knowledge::default(),
            settings: &self.settings,
            in_force: &InForce::default(),
            trials: &[],
            ledger: &Ledger::default(),
        })
    }

    fn reads(mut self, target: Target, indicator: Indicator, reading: Reading) -> World {
        self.snapshot.signals.insert(Signal::new(target, indicator), reading);
        self
    }
}
