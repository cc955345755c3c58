//! Samples for the journal's tests: small, but with something in every part that the journal looks at.

use std::collections::BTreeMap;
use std::sync::Arc;

use homeostat_adapters::{Entry, Journal, JournalError};
use homeostat_core::actions::{Action, ActionClass, Expectation};
use homeostat_core::{
    ActionId, ActionRequest, Actuation, Assessment, Baseline, BasisPoints, Bulk, Checkpoint, Counts, CountsRing,
    Effect, Event, Evidence, Finding, FindingState, Generation, Incident, IncidentId, IncidentKind, Indicator, Label,
    Observation, PerSignal, Plan, Reading, Regime, Replicas, ServiceName, Severity, Signal, Snapshot, Target,
    TickNumber, TickRecord, Timestamp, Trial, TrialState, Unit,
};

pub(crate) fn shop() -> ServiceName {
    ServiceName::from("shop")
}

fn replicas(count: u32) -> Actuation {
    Actuation::SetReplicas { service: shop(), replicas: Replicas(count) }
}

pub(crate) fn request(id: u64, at: Timestamp) -> ActionRequest {
    let action = Action {
        kind: Label::new("scale_replicas"),
        class: ActionClass::Scaling,
        target: Target::Service(shop()),
        actuation: replicas(4),
        way_back: Some(replicas(2)),
        expectation: Expectation::Delivered,
    };
    ActionRequest {
        id: ActionId(id),
        decided: at,
        policy: Label::new("target_tracking"),
        incident: Some((IncidentId(7), IncidentKind::Saturation)),
        action,
        baseline: Some(9300),
        forecast: None,
        why: "utilization is 93 %".into(),
        propensity: BasisPoints(10_000),
        alternatives: Vec::new(),
        passed: vec![Label::new("envelope")],
    }
}

/// A record at `tick` seconds after the epoch, without an incident or an action.
pub(crate) fn quiet(tick: u64) -> TickRecord {
    let at = Timestamp(tick * 1000);
    let utilization = Signal::new(Target::Service(shop()), Indicator::Utilization);
    let signals = PerSignal::from([(utilization, Reading::Fresh { value: 9300 })]);
    TickRecord {
        tick: TickNumber(tick),
        at,
        regime: Regime::Engaged,
        snapshot: Arc::new(Snapshot { at, signals, ..Snapshot::default() }),
        assessment: Arc::new(Assessment { at, ..Assessment::default() }),
        plan: Arc::new(Plan { at, ..Plan::default() }),
        effects: Vec::new(),
        trials: Vec::new(),
        outcomes: Vec::new(),
        operator: Vec::new(),
        knowledge: Generation(1),
    }
}

/// A record with an open incident i-7.
pub(crate) fn troubled(tick: u64) -> TickRecord {
    let record = quiet(tick);
    let evidence = Evidence { what: Label::new("utilization"), value: 9300, limit: 8000, unit: Unit::BasisPoints };
    let finding = Finding {
        detector: Label::new("saturation"),
        service: shop(),
        kind: IncidentKind::Saturation,
        severity: Severity::Page,
        since: record.at,
        state: FindingState::Firing,
        evidence: vec![evidence],
    };
    let incident = Incident {
        id: IncidentId(7),
        kind: IncidentKind::Saturation,
        severity: Severity::Page,
        opened: record.at,
        last_seen: record.at,
        services: vec![shop()],
        findings: vec![finding],
        hypotheses: Vec::new(),
    };
    let assessment = Assessment { incidents: vec![incident], ..(*record.assessment).clone() };
    TickRecord { assessment: Arc::new(assessment), ..record }
}

/// A record with the incident and the request of action `id`.
pub(crate) fn acting(tick: u64, id: u64) -> TickRecord {
    let record = troubled(tick);
    let request = request(id, record.at);
    let effect = Effect::Apply { id: request.id, actuation: request.action.actuation.clone() };
    let plan = Plan { requests: vec![request], ..(*record.plan).clone() };
    TickRecord { plan: Arc::new(plan), effects: vec![effect], ..record }
}

pub(crate) fn checkpoint(tick: u64) -> Checkpoint {
    Checkpoint { tick: TickNumber(tick), ..Checkpoint::default() }
}

/// Counts of `requests` requests at one second, and a baseline as large as it can become.
pub(crate) fn bulk(requests: u64) -> Option<Box<Bulk>> {
    let mut ring = CountsRing::default();
    ring.push(Timestamp(1000), Counts { requests, errors: 1, slow: 2 });
    let baseline = Baseline { count: 2, sum: 7, sum_of_squares: u128::MAX };
    let signal = Signal::new(Target::Service(shop()), Indicator::LatencyP99);
    let (counts, baselines) = (BTreeMap::from([(shop(), ring)]), [(signal, baseline)].into());
    Some(Box::new(Bulk { counts, baselines, histories: BTreeMap::new() }))
}

pub(crate) fn open_trial(id: u64) -> Trial {
    let at = Timestamp(1000);
    Trial { request: request(id, at), state: TrialState::Settling { applied: at, until: Timestamp(9_000_000) } }
}

/// An observation and the tick.
pub(crate) fn events(tick: u64) -> Vec<(Timestamp, Event)> {
    let at = Timestamp(tick * 1000);
    let observed = Observation::new(Target::Service(shop()), Indicator::Utilization, 9300, at);
    vec![(at, Event::Observed(vec![observed])), (at, Event::Tick)]
}

pub(crate) fn commit(journal: &mut Journal, record: &TickRecord) -> Result<(), JournalError> {
    commit_with(journal, record, &checkpoint(record.tick.0))
}

pub(crate) fn commit_with(
    journal: &mut Journal,
    record: &TickRecord,
    checkpoint: &Checkpoint,
) -> Result<(), JournalError> {
    journal.commit(Entry { record, checkpoint, events: &events(record.tick.0) })
}
