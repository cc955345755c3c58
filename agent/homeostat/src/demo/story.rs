//! The story.
//!
//! Answers what is worth telling of each tick, and what the whole run amounts to: a fold over the records, so that whatever
//! is told can be found in the journal. Does not know a screen, a clock or the shop. Records repeat themselves every second
//! by design; the story says a thing once, when it becomes true.

mod actions;
mod course;
mod health;

pub(crate) use actions::{changed, which};
pub(crate) use course::{Course, Moment, ServiceMoment};
pub(crate) use health::promise;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use homeostat_core::actions::ActionClass;
use homeostat_core::{
    ActionId, ActionRequest, Actuation, BasisPoints, Edge, Efficacy, EfficacyKey, Incident, IncidentId, Label, Millis,
    Regime, ServiceName, ServiceSampling, Settings, TickRecord, Timestamp, TrialStage, Withheld, WithholdReason,
};

use super::line::{Line, Room, Tone};

/// Withheld proposals are told again when this much time has passed; by then it is news that it still holds.
const WITHHELD_AGAIN_AFTER: Millis = Millis::from_secs(60);

/// Actions remembered. The guards let through sixty a minute; the demo lasts two.
const ACTIONS_MAX: usize = 1000;

/// What has been told, and what must be remembered to tell the next tick.
pub(crate) struct Story {
    /// When the demo began, by the agent's clock.
    pub(crate) began: Timestamp,
    /// What the agent was told to do.
    pub(crate) settings: Settings,
    /// The newest record.
    pub(crate) last: Option<Arc<TickRecord>>,
    /// Every action begun so far.
    pub(crate) actions: BTreeMap<ActionId, Begun>,
    /// How services are sampled, where that has been decided.
    pub(crate) sampling: BTreeMap<ServiceName, ServiceSampling>,
    /// How it went, second by second.
    pub(crate) course: Course,
    /// When an incident last closed.
    pub(crate) closed: Option<Timestamp>,
    incidents: BTreeMap<IncidentId, Suspected>,
    services: BTreeSet<ServiceName>,
    edges: BTreeSet<Edge>,
    broken: BTreeSet<ServiceName>,
    withheld: BTreeMap<String, Timestamp>,
    tried: BTreeMap<EfficacyKey, Efficacy>,
    regime: Option<Regime>,
}

/// An action that was begun.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// What was decided.
    pub(crate) request: ActionRequest,
    /// Where it stands.
    pub(crate) stage: TrialStage,
    /// Since when.
    pub(crate) since: Timestamp,
    /// The promised measure when it was judged.
    pub(crate) after: Option<u64>,
}

/// The cause that was told of an incident, and how sure it was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Suspected {
    cause: Option<(ServiceName, Label)>,
    confidence: BasisPoints,
}

impl Suspected {
    fn of(incident: &Incident) -> Suspected {
        let first = incident.hypotheses.first();
        Suspected {
            cause: first.map(|hypothesis| (hypothesis.cause.clone(), hypothesis.mechanism.clone())),
            confidence: first.map(|hypothesis| hypothesis.confidence).unwrap_or_default(),
        }
    }

    /// Another cause is news if it is surer, or another service; an incident that fades away gets vaguer, which is not.
    fn is_news(&self, before: &Suspected) -> bool {
        let service = |suspected: &Suspected| suspected.cause.as_ref().map(|(service, _)| service.clone());
        self.cause.is_some()
            && self.cause != before.cause
            && (before.confidence < self.confidence || service(self) != service(before))
    }
}

impl Story {
    /// A story that begins at `began`.
    pub(crate) fn new(began: Timestamp, settings: Settings) -> Story {
        Story {
            began,
            settings,
            last: None,
            actions: BTreeMap::new(),
            sampling: BTreeMap::new(),
            course: Course::default(),
            incidents: BTreeMap::new(),
            services: BTreeSet::new(),
            edges: BTreeSet::new(),
            broken: BTreeSet::new(),
            withheld: BTreeMap::new(),
            tried: BTreeMap::new(),
            regime: None,
            closed: None,
        }
    }

    /// Takes one tick; returns what is worth telling of it, in the order of the rooms.
    pub(crate) fn take(&mut self, record: Arc<TickRecord>) -> Vec<Line> {
        let mut lines = Vec::new();
        self.tell_regime(&record, &mut lines);
        self.tell_perceived(&record, &mut lines);
        self.tell_assessed(&record, &mut lines);
        self.tell_decided(&record, &mut lines);
        self.tell_withheld(&record, &mut lines);
        self.tell_done(&record, &mut lines);
        self.tell_learned(&record, &mut lines);
        self.note_course(&record);
        self.last = Some(record);
        lines
    }

    /// Whether `service` breaks a promise now.
    pub(crate) fn is_broken(&self, service: &ServiceName) -> bool {
        self.broken.contains(service)
    }

    /// The actions that changed how many workers `service` has.
    pub(crate) fn repairs_of(&self, service: &ServiceName) -> impl Iterator<Item = &Begun> {
        self.actions.values().filter(move |begun| match &begun.request.action.actuation {
            Actuation::SetReplicas { service: of, .. } => of == service,
            _ => false,
        })
    }

    /// How `service` is sampled now.
    pub(crate) fn sampling_of(&self, service: &ServiceName) -> ServiceSampling {
        self.sampling.get(service).copied().unwrap_or(self.settings.sampling.initial)
    }

    fn line(&self, record: &TickRecord, room: Room, text: impl Into<String>) -> Line {
        Line::new(record.at.since(self.began), room, text)
    }

    fn tell_regime(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        // Until the first full picture nothing is news.
        let is_news = self.regime.is_some_and(|before| before != record.regime);
        if is_news || (self.regime.is_none() && record.regime == Regime::Engaged) {
            let text = match record.regime {
                Regime::Starting => "reading how the world stands before acting".to_owned(),
                Regime::Holding => "on hold: watching, not acting".to_owned(),
                Regime::Blind => {
                    format!("blind: {} of the signals are not fresh, so nothing is done", record.snapshot.blindness)
                }
                Regime::Engaged => "engaged: the picture is complete enough to act on".to_owned(),
                Regime::Draining => "draining: finishing what is open, beginning nothing".to_owned(),
            };
            lines.push(self.line(record, Room::Assessed, text));
        }
        if self.regime.is_some() || record.regime == Regime::Engaged {
            self.regime = Some(record.regime);
        }
    }

    fn tell_assessed(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        for incident in &record.assessment.incidents {
            let suspected = Suspected::of(incident);
            match self.incidents.get(&incident.id) {
                None => lines.push(self.opened(record, incident)),
                Some(before) if suspected.is_news(before) => lines.push(self.suspected(record, incident)),
                Some(_) => continue,
            }
            self.incidents.insert(incident.id, suspected);
        }
        for id in &record.assessment.closed {
            self.closed = Some(record.at);
            lines.push(
                self.line(record, Room::Assessed, format!("{id} is over: nothing has supported it lately"))
                    .tone(Tone::Good),
            );
        }
    }

    fn opened(&self, record: &TickRecord, incident: &Incident) -> Line {
        let services = names(incident.services.iter().map(|service| service.as_str()));
        let text = format!("{} opens: {} at {services}", incident.id, incident.kind);
        let (of_suspect, of_others): (Vec<_>, Vec<_>) =
            incident.findings.iter().partition(|finding| Some(&finding.service) == incident.suspect());
        let findings = of_suspect.into_iter().chain(of_others);
        let evidence = findings
            .flat_map(|finding| finding.evidence.first().map(|evidence| format!("{} {evidence}", finding.service)));
        let mut why: Vec<String> = evidence.take(EVIDENCE_TOLD_MAX).collect();
        why.extend(suspicion(incident));
        self.line(record, Room::Assessed, text).because(why.join("; ")).tone(Tone::Bad)
    }

    fn suspected(&self, record: &TickRecord, incident: &Incident) -> Line {
        let told = suspicion(incident).unwrap_or_else(|| "no cause is suspected any more".to_owned());
        let line = self.line(record, Room::Assessed, format!("{}: {told}", incident.id));
        match incident.hypotheses.first() {
            Some(hypothesis) if !hypothesis.because.is_empty() => line.because(hypothesis.because.join("; ")),
            _ => line,
        }
    }

    fn tell_withheld(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        for withheld in &record.plan.withheld {
            if self.goes_without_saying(withheld) {
                continue;
            }
            let action = &withheld.proposal.action;
            let key = format!("{} {} {}", action.kind, action.target, withheld.guard);
            let lately = self.withheld.get(&key).is_some_and(|told| record.at.since(*told) < WITHHELD_AGAIN_AFTER);
            if lately {
                continue;
            }
            self.withheld.insert(key, record.at);
            let until =
                withheld.until.map(|until| format!(", until {}", clock(until.since(self.began)))).unwrap_or_default();
            let what = actions::proposed(&action.actuation);
            lines.push(self.line(record, Room::Withheld, format!("{what}: {}{until}", withheld.reason)));
        }
    }

    /// That a blind agent does nothing has been said of its regime; that what is under way is not begun twice is no news, nor
    /// that sampling is changed in steps with rests between them.
    fn goes_without_saying(&self, withheld: &Withheld) -> bool {
        match &withheld.reason {
            WithholdReason::Blind { .. } => true,
            WithholdReason::TrialOpen { .. } | WithholdReason::CoolingDown
                if withheld.proposal.action.class == ActionClass::Sampling =>
            {
                true
            }
            WithholdReason::TrialOpen { trial } => self
                .actions
                .get(trial)
                .is_some_and(|begun| begun.request.action.actuation == withheld.proposal.action.actuation),
            _ => false,
        }
    }
}

/// Evidence told when an incident opens; the rest is in the record.
const EVIDENCE_TOLD_MAX: usize = 2;

/// The most likely cause, in half a sentence.
pub(crate) fn suspicion(incident: &Incident) -> Option<String> {
    let hypothesis = incident.hypotheses.first()?;
    let (cause, mechanism) = (&hypothesis.cause, &hypothesis.mechanism);
    Some(format!("suspected cause: {cause}, {mechanism} ({} % sure)", hypothesis.confidence.0 / 100))
}

/// Names in a row: `a`, `a and b`, `a, b and c`.
pub(crate) fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A time of the demo's own clock, as it stands at the left of the lines.
pub(crate) fn clock(at: Millis) -> String {
    format!("{}.{} s", at.0 / 1000, at.0 % 1000 / 100)
}

#[cfg(test)]
pub(super) mod tests;
