//! What a detector sees and states.
//!
//! Answers how a detector is written: it looks at a read-only view and pushes findings. It does not remember anything; how
//! long a finding has been true is worked out here, from the last assessment.

use std::collections::BTreeMap;

use homeostat_core::{
    Assessment, Evidence, Finding, FindingState, GoalsAssessment, IncidentKind, Label, Millis, ServiceName, Settings,
    Severity, Snapshot, Timestamp,
};

/// Findings of one tick. A thousand services with every detector firing; what is beyond that is the same storm.
const FINDINGS_MAX: usize = 4096;

/// The read-only bundle that detectors look at.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// What is known.
    pub snapshot: &'a Snapshot,
    /// What was wrong at the last tick.
    pub last: &'a Assessment,
    /// What people want.
    pub settings: &'a Settings,
    /// What follows from their goals.
    pub goals: &'a GoalsAssessment,
}

/// One way of noticing trouble: one file, one line in the catalogue.
pub trait Detector: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// How long its statement must hold before it counts; `None` if it never opens an incident by itself.
    fn fires_after(&self) -> Option<Millis>;

    /// States what it sees.
    fn detect(&self, view: &View<'_>, findings: &mut Findings);
}

/// The findings of one kind in the last assessment, by service: what a detector remembers.
pub(crate) fn last_of_kind<'a>(view: &View<'a>, kind: IncidentKind) -> BTreeMap<&'a ServiceName, &'a Finding> {
    let findings = view.last.findings.iter().filter(|finding| finding.kind == kind);
    // The first of a service counts; later ones of the same kind would be another detector's.
    findings.rev().map(|finding| (&finding.service, finding)).collect()
}

/// What a detector states before anybody has looked at how long it has been true.
#[derive(Debug)]
pub struct Statement {
    /// Which detector.
    pub detector: &'static str,
    /// How long it must hold.
    pub fires_after: Option<Millis>,
    /// Of which service.
    pub service: ServiceName,
    /// What kind of trouble.
    pub kind: IncidentKind,
    /// How loud.
    pub severity: Severity,
    /// The numbers behind it.
    pub evidence: Vec<Evidence>,
}

/// What the detectors state at one tick, in catalogue order.
#[derive(Debug, Default)]
pub struct Findings {
    statements: Vec<Statement>,
}

impl Findings {
    /// States one finding. Beyond the bound it is dropped: a storm of that size is already told.
    pub fn push(&mut self, statement: Statement) {
        if self.statements.len() < FINDINGS_MAX {
            self.statements.push(statement);
        }
    }

    /// Gives each statement its age, from the last assessment.
    pub(crate) fn settle(self, view: &View<'_>) -> Vec<Finding> {
        let mut since = BTreeMap::new();
        for finding in &view.last.findings {
            since.entry((&finding.service, finding.detector.as_str())).or_insert(finding.since);
        }
        let now = view.snapshot.at;
        let begun = |statement: &Statement| since.get(&(&statement.service, statement.detector)).copied();
        self.statements.into_iter().map(|statement| settle(begun(&statement).unwrap_or(now), statement, now)).collect()
    }
}

fn settle(since: Timestamp, statement: Statement, now: Timestamp) -> Finding {
    let fires = statement.fires_after.is_some_and(|after| after <= now.since(since));
    Finding {
        detector: Label::new(statement.detector),
        service: statement.service,
        kind: statement.kind,
        severity: statement.severity,
        since,
        state: if fires { FindingState::Firing } else { FindingState::Pending },
        evidence: statement.evidence,
    }
}
