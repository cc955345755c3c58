//! Why an action was taken.
//!
//! Answers with everything the records hold of one action: the evidence and suspected cause at the moment of decision, what
//! else was possible, which guards looked, what was promised, and what was measured. Does not judge whether it was right.

use std::io::{self, Write};

use homeostat_core::actions::{self, Expectation, Reversal};
use homeostat_core::{
    ActionId, ActionRequest, Effect, Expected, Importance, Incident, JourneyName, Outcome, Regime, TickNumber,
    TickRecord, TrialChange, Withheld,
};
use serde::{Deserialize, Serialize};

use super::{At, write_evidence, write_hypotheses, write_withheld};
use crate::wall_time::{date_and_time, time_of_day};

/// Everything the records hold of one action.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ActionExplanation {
    /// What was decided, and why.
    pub(crate) request: ActionRequest,
    /// At which tick.
    pub(crate) tick: TickNumber,
    /// In which regime.
    pub(crate) regime: Regime,
    /// The incident it answers, as it stood then.
    pub(crate) incident: Option<Incident>,
    /// The journeys it serves, and how much each matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) serves: Vec<(JourneyName, Importance)>,
    /// What was proposed for the same target or incident at the same tick, and withheld.
    pub(crate) withheld: Vec<Withheld>,
    /// How its trial moved.
    pub(crate) stages: Vec<At<TrialChange>>,
    /// What was sent to the outside for it.
    pub(crate) effects: Vec<At<SentEffect>>,
    /// What became of it.
    pub(crate) outcome: Option<At<Outcome>>,
}

/// An effect, wrapped so that it can be told apart from its time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SentEffect {
    /// What was sent.
    pub(crate) effect: Effect,
}

impl ActionExplanation {
    /// From the records that mention `id`, oldest first; `None` if none decided it.
    pub(crate) fn of(id: ActionId, records: &[TickRecord]) -> Option<ActionExplanation> {
        let decided = records.iter().find(|record| record.plan.requests.iter().any(|request| request.id == id))?;
        let request = decided.plan.requests.iter().find(|request| request.id == id)?.clone();
        let incident = request.incident.and_then(|(id, _)| decided.assessment.incident(id)).cloned();
        let withheld = decided.plan.withheld.iter().filter(|withheld| is_about(withheld, &request)).cloned().collect();
        let moved = |record: &TickRecord| {
            let at = record.at;
            let of_this = record.trials.iter().filter(|change| change.id == id).cloned();
            of_this.map(|what| At { at, what }).collect::<Vec<_>>()
        };
        let sent = |record: &TickRecord| {
            let at = record.at;
            let of_this = record.effects.iter().filter(|effect| effect_id(effect) == id).cloned();
            of_this.map(|effect| At { at, what: SentEffect { effect } }).collect::<Vec<_>>()
        };
        let ended = |record: &TickRecord| {
            let outcome = record.outcomes.iter().find(|outcome| outcome.id == id)?;
            Some(At { at: record.at, what: outcome.clone() })
        };
        Some(ActionExplanation {
            tick: decided.tick,
            regime: decided.regime,
            incident,
            serves: decided
                .assessment
                .goals
                .served_by(&request.action.target)
                .map(|(name, state)| (name.clone(), state.importance))
                .collect(),
            withheld,
            stages: records.iter().flat_map(moved).collect(),
            effects: records.iter().flat_map(sent).collect(),
            outcome: records.iter().rev().find_map(ended),
            request,
        })
    }

    /// Writes it for people.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let request = &self.request;
        writeln!(out, "{}  {}  [{}]", request.id, request.action.actuation, self.standing())?;
        let decided = date_and_time(request.decided);
        writeln!(out, "decided  {decided} at tick {} ({}), by policy {}", self.tick, self.regime, request.policy)?;
        writeln!(out, "why      {}", request.why)?;
        if !self.serves.is_empty() {
            let goals = self.serves.iter().map(|(name, importance)| format!("{name} ({importance})"));
            writeln!(out, "serves   {}", goals.collect::<Vec<_>>().join(", "))?;
        }
        self.write_grounds(out)?;
        self.write_choice(out)?;
        self.write_promise(out)?;
        self.write_life(out)
    }

    fn standing(&self) -> String {
        match (&self.outcome, self.stages.last()) {
            (Some(outcome), _) => outcome.what.verdict.to_string(),
            (None, Some(change)) => change.what.to.to_string(),
            (None, None) => "decided".to_owned(),
        }
    }

    fn write_grounds(&self, out: &mut dyn Write) -> io::Result<()> {
        let Some(incident) = &self.incident else {
            return writeln!(out, "answers  no incident");
        };
        let services = incident.services.iter().map(|service| service.as_str()).collect::<Vec<_>>().join(", ");
        let opened = time_of_day(incident.opened);
        writeln!(out, "answers  {} {} of {services}, open since {opened}", incident.id, incident.kind)?;
        write_evidence(out, incident)?;
        write_hypotheses(out, incident)
    }

    fn write_choice(&self, out: &mut dyn Write) -> io::Result<()> {
        let request = &self.request;
        writeln!(out, "chosen   with probability {}", request.propensity)?;
        match request.alternatives.as_slice() {
            [] => writeln!(out, "instead  nothing else was proposed")?,
            alternatives => {
                writeln!(out, "instead  of")?;
                for other in alternatives {
                    writeln!(out, "  {} [{}, proposed by {}]", other.what, other.kind, other.policy)?;
                }
            }
        }
        let passed = request.passed.iter().map(|guard| guard.as_str()).collect::<Vec<_>>().join(", ");
        writeln!(out, "guards   passed {}", if passed.is_empty() { "none" } else { &passed })?;
        if !self.withheld.is_empty() {
            writeln!(out, "withheld at the same tick")?;
        }
        self.withheld.iter().try_for_each(|withheld| write_withheld(out, withheld))
    }

    fn write_promise(&self, out: &mut dyn Write) -> io::Result<()> {
        let action = &self.request.action;
        match &action.expectation {
            Expectation::Relieves { measure, by } => writeln!(out, "promises {measure} falls by at least {by}")?,
            Expectation::StaysBelow { measure, limit } => {
                writeln!(out, "promises {measure} stays at or below {}", measure.unit().render(*limit))?;
            }
            Expectation::Delivered => writeln!(out, "promises delivery, nothing more")?,
        }
        match &action.way_back {
            Some(way_back) => writeln!(out, "way back {way_back}"),
            None => match actions::kind(action.kind.as_str()).map(|kind| kind.reversal) {
                Some(Reversal::NotNeeded) => writeln!(out, "way back none, and none is needed"),
                _ => writeln!(out, "way back none: it cannot be taken back"),
            },
        }
    }

    fn write_life(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "life")?;
        for change in &self.stages {
            writeln!(out, "  {} {}", time_of_day(change.at), change.what.to)?;
        }
        let Some(At { at, what: outcome }) = &self.outcome else {
            return writeln!(out, "outcome  not known yet");
        };
        let value = |value: Option<u64>| match (value, self.request.action.expectation.measure()) {
            (Some(value), Some(measure)) => measure.unit().render(value),
            (Some(value), None) => value.to_string(),
            (None, _) => "unknown".to_owned(),
        };
        write!(out, "outcome  {} at {}", outcome.verdict, time_of_day(*at))?;
        if let Some(measure) = self.request.action.expectation.measure() {
            write!(out, ": {measure} was {}, became {}", value(outcome.before), value(outcome.after))?;
        }
        if let Some(Expected { low, high }) = outcome.expected {
            write!(out, "; without it {} to {} were expected", value(Some(low)), value(Some(high)))?;
        }
        match &outcome.complaint {
            Some(complaint) => writeln!(out, "; the outside said: {complaint}"),
            None => writeln!(out),
        }
    }
}

fn effect_id(effect: &Effect) -> ActionId {
    match effect {
        Effect::Apply { id, .. } | Effect::Undo { id, .. } | Effect::ReadBack { id, .. } => *id,
    }
}

fn is_about(withheld: &Withheld, request: &ActionRequest) -> bool {
    let same_incident = withheld.proposal.incident.is_some_and(|id| request.incident.is_some_and(|(it, _)| it == id));
    same_incident || withheld.proposal.action.target == request.action.target
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::samples::{record_of_a_decision, record_of_its_outcome};

    /// Scenario: an action is decided at one tick and judged at a later one.
    /// Guarantees: the explanation names its reason, what it promised, the measured change, and the verdict.
    #[test]
    fn an_action_is_explained_by_its_records() {
        let records = [record_of_a_decision(), record_of_its_outcome()];
        let explanation = ActionExplanation::of(ActionId(17), &records).expect("the action is in the records");
        let mut text = Vec::new();
        explanation.write(&mut text).expect("writing to memory");
        let text = String::from_utf8(text).expect("text");
        for part in ["a-17  run cart with 4 replicas  [kept]", "why      too busy", "way back run cart with 2 replicas"]
        {
            assert!(text.contains(part), "{part:?} is missing from\n{text}");
        }
        let measured = "utilization of cart was 92.0 %, became 55.0 %; without it 83.0 % to 100.0 % were expected";
        assert!(text.contains(measured), "{text}");
        assert!(ActionExplanation::of(ActionId(18), &records).is_none());
    }
}
