//! A small world in which policies are tested.
//!
//! Answers what a policy sees in its tests, built reading by reading. Only for tests.

use homeostat_core::actions::Action;
use homeostat_core::{
    ActionId, Assessment, Awaited, Baseline, BasisPoints, DerivedObjective, Finding, FindingState, Forecast,
    Hypothesis, InForce, Incident, IncidentId, IncidentKind, Indicator, Journey, JourneyState, Knowledge, Label,
    Ledger, LedgerEntry, Millis, PathPart, Policy, PolicyView, Proposal, Reading, Replicas, ServiceName,
    ServicePermissions, ServiceScaling, Settings, Severity, Signal, Snapshot, Spent, Standing, Starts, Storm, Target,
    Timestamp, WindowCounts,
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
    knowledge: Knowledge,
    ledger: Ledger,
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

    pub(crate) fn permits(mut self, service: &str, permitted: ServicePermissions) -> World {
        self.settings.permissions.services.insert(service.into(), permitted);
        self
    }

    /// An instance with so many requests in flight, that finishes so many thousandths of one a second.
    pub(crate) fn instance(self, service: &str, name: &str, (in_flight, finished): (u64, u64)) -> World {
        let target = Target::Instance(service.into(), name.into());
        let world = self.reads(target.clone(), Indicator::RequestsInFlight, Reading::Fresh { value: in_flight });
        world.reads(target, Indicator::CompletedTotal, Reading::Fresh { value: finished })
    }

    /// A finding that fires since the beginning of time.
    pub(crate) fn firing(self, service: &str, kind: IncidentKind) -> World {
        self.firing_since(service, kind, 0)
    }

    pub(crate) fn firing_since(self, service: &str, kind: IncidentKind, second: u64) -> World {
        self.finding(Finding {
            detector: Label::new("test"),
            service: service.into(),
            kind,
            severity: Severity::Ticket,
            since: Timestamp(second * 1000),
            state: FindingState::Firing,
            evidence: Vec::new(),
        })
    }

    /// An active incident of one service.
    pub(crate) fn incident(mut self, service: &str, opened_second: u64) -> World {
        let world = World::default().firing(service, IncidentKind::LatencyBurn);
        self.assessment.incidents.push(Incident {
            id: IncidentId(7),
            kind: IncidentKind::LatencyBurn,
            severity: Severity::Page,
            opened: Timestamp(opened_second * 1000),
            last_seen: self.snapshot.at,
            services: vec![service.into()],
            findings: world.assessment.findings,
            hypotheses: Vec::new(),
        });
        self
    }

    /// A further suspect of the last incident.
    pub(crate) fn suspected(mut self, cause: &str, mechanism: &'static str, confidence_bp: u32) -> World {
        let (mechanism, confidence) = (Label::new(mechanism), BasisPoints(confidence_bp));
        let hypothesis = Hypothesis { cause: cause.into(), mechanism, confidence, because: Vec::new() };
        self.assessment.incidents.last_mut().expect("an incident comes first").hypotheses.push(hypothesis);
        self
    }

    pub(crate) fn usual(mut self, service: &str, indicator: Indicator, baseline: Baseline) -> World {
        self.knowledge.baselines.insert(Signal::new(Target::Service(service.into()), indicator), baseline);
        self
    }

    /// A storm of four services in five.
    pub(crate) fn storm(mut self, since_second: u64) -> World {
        self.assessment.storm = Some(Storm { since: Timestamp(since_second * 1000), troubled: 4, known: 5 });
        self
    }

    /// An action that was decided.
    pub(crate) fn done(mut self, action: Action, second: u64) -> World {
        let Action { kind, class, target, .. } = action;
        self.ledger.enter(LedgerEntry {
            id: ActionId(second),
            kind,
            class,
            target,
            at: Timestamp(second * 1000),
            turns: Vec::new(),
        });
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

    pub(crate) fn opened(mut self, incident: Incident) -> World {
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

    pub(crate) fn forecast(mut self, forecast: Forecast) -> World {
        self.assessment.forecasts.push(forecast);
        self
    }

    pub(crate) fn awaiting(mut self, service: &str, awaited: Awaited) -> World {
        self.knowledge.starts.insert(service.into(), Starts { awaited: Some(awaited), ..Starts::default() });
        self
    }

    /// A service that has used all it has for a long time.
    pub(crate) fn pressed(self, service: &str) -> World {
        let world = self.gauge(service, Indicator::Utilization, 10_000);
        world.finding(Finding {
            detector: Label::new("test"),
            service: service.into(),
            kind: IncidentKind::Pressure,
            severity: Severity::Ticket,
            since: Timestamp(0),
            state: FindingState::Pending,
            evidence: Vec::new(),
        })
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
            knowledge: &self.knowledge,
            settings: &self.settings,
            in_force: &InForce::default(),
            trials: &[],
            ledger: &self.ledger,
        })
    }

    fn reads(mut self, target: Target, indicator: Indicator, reading: Reading) -> World {
        self.snapshot.signals.insert(Signal::new(target, indicator), reading);
        self
    }
}
