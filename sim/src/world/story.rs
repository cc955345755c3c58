//! The story of a run.
//!
//! Answers which incidents there were and what was done about them, in the words of the records. It draws no conclusions of
//! its own, so what it tells is what an operator could read in the journal.

use homeostat_core::actions::Measure;
use homeostat_core::{
    ActionId, Assessment, Effect, Incident, IncidentId, IncidentKind, Outcome, Target, TickRecord, Verdict,
};

use crate::queue::SimTime;

/// Actions and incidents told per run. A run that exceeds this is broken anyway; the first ones tell why.
const TOLD_MAX: usize = 10_000;

/// One decided action, from its request to its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionStory {
    /// Its id.
    pub id: ActionId,
    /// The second in which it was decided.
    pub at_s: u64,
    /// Who proposed it.
    pub policy: String,
    /// Its kind.
    pub kind: String,
    /// On what.
    pub target: Target,
    /// The change.
    pub what: String,
    /// The reason given.
    pub why: String,
    /// The incident it answered.
    pub incident: Option<IncidentId>,
    /// What it promises to improve.
    pub measure: Option<Measure>,
    /// Whether it was sent to the outside.
    pub sent: bool,
    /// The second in which it was judged, the verdict, and the promised measure before and after.
    pub end: Option<ActionEnd>,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionEnd {
    /// The second.
    pub at_s: u64,
    /// The verdict.
    pub verdict: Verdict,
    /// The promised measure when it was decided.
    pub before: Option<u64>,
    /// The promised measure when it was judged.
    pub after: Option<u64>,
}

/// One incident, from opening to closing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentStory {
    /// Its id.
    pub id: IncidentId,
    /// What kind.
    pub kind: IncidentKind,
    /// The second in which it opened.
    pub opened_s: u64,
    /// The second in which it closed; none if it was open at the end.
    pub closed_s: Option<u64>,
    /// The services it touched when it opened.
    pub services: Vec<String>,
    /// The first suspect named.
    pub suspect: Option<String>,
}

/// Everything told so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) actions: Vec<ActionStory>,
    pub(crate) incidents: Vec<IncidentStory>,
    open: usize,
}

impl Story {
    pub(crate) fn record(&mut self, now: SimTime, record: &TickRecord) {
        let at_s = now.as_secs();
        self.tell_incidents(at_s, &record.assessment);
        for request in &record.plan.requests {
            if self.actions.len() < TOLD_MAX {
                self.actions.push(ActionStory {
                    id: request.id,
                    at_s,
                    policy: request.policy.to_string(),
                    kind: request.action.kind.to_string(),
                    target: request.action.target.clone(),
                    what: request.action.actuation.to_string(),
                    why: request.why.clone(),
                    incident: request.incident.map(|(id, _)| id),
                    measure: request.action.expectation.measure().cloned(),
                    sent: false,
                    end: None,
                });
            }
        }
        record.outcomes.iter().for_each(|outcome| self.tell_outcome(at_s, outcome));
    }

    pub(crate) fn effect(&mut self, effect: &Effect) {
        let Effect::Apply { id, .. } = effect else { return };
        if let Some(action) = self.actions.iter_mut().rev().find(|action| action.id == *id) {
            action.sent = true;
        }
    }

    pub(crate) fn incidents_open(&self) -> usize {
        self.open
    }

    fn tell_incidents(&mut self, at_s: u64, assessment: &Assessment) {
        self.open = assessment.incidents.len();
        for incident in &assessment.incidents {
            match self.incidents.iter().rposition(|told| told.id == incident.id) {
                Some(index) if self.incidents[index].suspect.is_none() => {
                    self.incidents[index].suspect = incident.suspect().map(ToString::to_string);
                }
                None if self.incidents.len() < TOLD_MAX => self.incidents.push(begin(at_s, incident)),
                _ => {}
            }
        }
        for id in &assessment.closed {
            if let Some(told) = self.incidents.iter_mut().rev().find(|told| told.id == *id) {
                told.closed_s = Some(at_s);
            }
        }
    }

    fn tell_outcome(&mut self, at_s: u64, outcome: &Outcome) {
        if let Some(action) = self.actions.iter_mut().rev().find(|action| action.id == outcome.id) {
            let Outcome { verdict, before, after, .. } = *outcome;
            action.end = Some(ActionEnd { at_s, verdict, before, after });
        }
    }
}

fn begin(at_s: u64, incident: &Incident) -> IncidentStory {
    IncidentStory {
        id: incident.id,
        kind: incident.kind,
        opened_s: at_s,
        closed_s: None,
        services: incident.services.iter().map(ToString::to_string).collect(),
        suspect: incident.suspect().map(ToString::to_string),
    }
}
