//! Explanations.
//!
//! Answers why an action was taken or what is known of an incident, from the journal's records alone. Does not read a journal
//! and does not ask the loop: if the record cannot explain a decision, the record is what must be mended.

mod action;
mod incident;
#[cfg(test)]
pub(crate) mod samples;

pub(crate) use action::ActionExplanation;
pub(crate) use incident::IncidentExplanation;

use std::io::{self, Write};

use homeostat_core::{Incident, TickRecord, Timestamp, Withheld};
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
