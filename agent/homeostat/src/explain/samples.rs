//! Records for tests.
//!
//! Answers with two ticks of a small story: a decision, and its outcome a minute later. Only compiled for tests.

use std::sync::Arc;

use homeostat_core::actions::{Action, ActionClass, Expectation, Measure};
use homeostat_core::{
    ActionId, ActionRequest, Actuation, Assessment, BasisPoints, Evidence, Expected, Finding, FindingState, Generation,
    Hypothesis, Incident, IncidentId, IncidentKind, Indicator, Outcome, Plan, Regime, Replicas, Severity, Signal,
    Snapshot, Target, TickNumber, TickRecord, Timestamp, TrialChange, TrialStage, Unit, Verdict,
};

fn empty_record(tick: u64) -> TickRecord {
    TickRecord {
        tick: TickNumber(tick),
        at: Timestamp(tick * 1000),
        regime: Regime::Engaged,
        snapshot: Arc::new(Snapshot::default()),
        assessment: Arc::new(Assessment::default()),
        plan: Arc::new(Plan::default()),
        effects: Vec::new(),
        trials: Vec::new(),
        outcomes: Vec::new(),
        operator: Vec::new(),
        knowledge: Generation(0),
    }
}

fn change(from: Option<TrialStage>, to: TrialStage) -> TrialChange {
    TrialChange { id: ActionId(17), kind: "scale_replicas".into(), target: target(), from, to }
}

fn target() -> Target {
    Target::Service("cart".into())
}

fn incident() -> Incident {
    let evidence = Evidence { what: "utilization".into(), value: 9200, limit: 8000, unit: Unit::BasisPoints };
    Incident {
        id: IncidentId(3),
        kind: IncidentKind::Saturation,
        severity: Severity::Page,
        opened: Timestamp(90_000),
        last_seen: Timestamp(100_000),
        services: vec!["cart".into()],
        findings: vec![Finding {
            detector: "saturation".into(),
            service: "cart".into(),
            kind: IncidentKind::Saturation,
            severity: Severity::Page,
            since: Timestamp(80_000),
            state: FindingState::Firing,
            evidence: vec![evidence],
        }],
        hypotheses: vec![Hypothesis {
            cause: "cart".into(),
            mechanism: "capacity used up".into(),
            confidence: BasisPoints(9000),
            because: vec!["it is saturated".into()],
        }],
    }
}

fn request() -> ActionRequest {
    let replicas = |replicas| Actuation::SetReplicas { service: "cart".into(), replicas: Replicas(replicas) };
    let measure = Measure::Reading(Signal::new(target(), Indicator::Utilization));
    ActionRequest {
        id: ActionId(17),
        decided: Timestamp(100_000),
        policy: "target_tracking".into(),
        incident: Some((IncidentId(3), IncidentKind::Saturation)),
        action: Action {
            kind: "scale_replicas".into(),
            class: ActionClass::Scaling,
            target: target(),
            actuation: replicas(4),
            way_back: Some(replicas(2)),
            expectation: Expectation::Relieves { measure, by: BasisPoints(2000) },
        },
        baseline: Some(9200),
        forecast: None,
        why: "too busy".to_owned(),
        propensity: BasisPoints::ONE,
        alternatives: Vec::new(),
        passed: vec!["envelope".into()],
    }
}

/// Tick 100: an incident is open, and an action answers it.
pub(crate) fn record_of_a_decision() -> TickRecord {
    let mut record = empty_record(100);
    record.assessment = Arc::new(Assessment { incidents: vec![incident()], ..Assessment::default() });
    record.plan = Arc::new(Plan { requests: vec![request()], ..Plan::default() });
    record.trials = vec![change(None, TrialStage::Requested)];
    record
}

/// Tick 160: the action is judged, and the incident closes.
pub(crate) fn record_of_its_outcome() -> TickRecord {
    let mut record = empty_record(160);
    record.assessment = Arc::new(Assessment { closed: vec![IncidentId(3)], ..Assessment::default() });
    record.trials = vec![change(Some(TrialStage::Settling), TrialStage::Judged(Verdict::Kept))];
    record.outcomes = vec![Outcome {
        id: ActionId(17),
        kind: "scale_replicas".into(),
        target: target(),
        incident: Some(IncidentKind::Saturation),
        verdict: Verdict::Kept,
        before: Some(9200),
        after: Some(5500),
        expected: Some(Expected { low: 8300, high: 10_000 }),
        complaint: None,
    }];
    record
}
