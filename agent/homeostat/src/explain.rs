//! Explanations.
//!
//! Answers why an action was taken or what is known of an incident, from the journal's records alone. Does not read a journal
//! and does not ask the loop: if the record cannot explain a decision, the record is what must be mended.

mod action;
mod incident;

pub(crate) use action::ActionExplanation;
pub(crate) use incident::IncidentExplanation;

use std::io::{self, Write};

use homeostat_core::actions::Measure;
use homeostat_core::{Incident, TickRecord, Timestamp, Unit, Withheld};
use serde::{Deserialize, Serialize};

use crate::cli::Subject;
use crate::wall_time::time_of_day;

/// An answer to `explain`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Explanation {
    /// Of an action.
    Action(Box<ActionExplanation>),
    /// Of an incident.
    Incident(Box<IncidentExplanation>),
}

impl Explanation {
    /// Explains `subject` from the records that mention it, oldest first; `None` if none does.
    pub(crate) fn of(subject: Subject, records: &[TickRecord]) -> Option<Explanation> {
        match subject {
            Subject::Action(id) => ActionExplanation::of(id, records).map(Box::new).map(Explanation::Action),
            Subject::Incident(id) => IncidentExplanation::of(id, records).map(Box::new).map(Explanation::Incident),
        }
    }

    /// Writes it for people.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Explanation::Action(explanation) => explanation.write(out),
            Explanation::Incident(explanation) => explanation.write(out),
        }
    }
}

/// The unit a measure is written in.
fn unit(measure: &Measure) -> Unit {
    match measure {
        Measure::Reading(signal) => signal.indicator.unit(),
        Measure::BadRatio { .. } => Unit::BasisPoints,
        Measure::SpansKeptByChance => Unit::MilliPerSecond,
    }
}

fn write_evidence(out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
    writeln!(out, "evidence")?;
    for finding in &incident.findings {
        let since = time_of_day(finding.since);
        writeln!(out, "  {} on {}: {} since {since}", finding.detector, finding.service, finding.kind)?;
        for evidence in &finding.evidence {
            writeln!(out, "    {evidence}")?;
        }
    }
    Ok(())
}

fn write_hypotheses(out: &mut dyn Write, incident: &Incident) -> io::Result<()> {
    if incident.hypotheses.is_empty() {
        return writeln!(out, "cause    not known");
    }
    writeln!(out, "cause    most likely first")?;
    for hypothesis in &incident.hypotheses {
        writeln!(out, "  {}: {} (confidence {})", hypothesis.cause, hypothesis.mechanism, hypothesis.confidence)?;
        for reason in &hypothesis.because {
            writeln!(out, "    because {reason}")?;
        }
    }
    Ok(())
}

fn write_withheld(out: &mut dyn Write, withheld: &Withheld) -> io::Result<()> {
    write!(out, "  {}: {}", withheld.proposal.action.actuation, withheld.reason)?;
    write!(out, " [guard {}, proposed by {}]", withheld.guard, withheld.proposal.policy)?;
    match withheld.until {
        Some(until) => writeln!(out, ", until {}", time_of_day(until)),
        None => writeln!(out),
    }
}

/// An instant with what happened at it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct At<T> {
    /// When.
    pub(crate) at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub(crate) what: T,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use homeostat_core::actions::{Action, ActionClass, Expectation, Measure};
    use homeostat_core::{
        ActionId, ActionRequest, Actuation, Assessment, BasisPoints, Evidence, Finding, FindingState, Generation,
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
                expectation: Expectation::Improves { measure, by: BasisPoints(2000) },
            },
            baseline: Some(9200),
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
            complaint: None,
        }];
        record
    }
}
