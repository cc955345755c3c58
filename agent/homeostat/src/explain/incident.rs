//! What is known of an incident.
//!
//! Answers since when it is open, on which evidence, what is suspected, what was done about it and what was withheld. Does
//! not repeat each tick: an incident of an hour has thousands of records, and a person reads the first and the last.

use std::collections::BTreeMap;
use std::io::{self, Write};

use homeostat_core::{ActionId, ActionRequest, Incident, IncidentId, TickRecord, Timestamp, TrialStage, Withheld};
use serde::{Deserialize, Serialize};

use super::{write_evidence, write_hypotheses, write_withheld};
use crate::wall_time::{date_and_time, span, time_of_day};

/// Everything the records hold of one incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct IncidentExplanation {
    /// As it was at the last tick at which findings supported it.
    pub(crate) incident: Incident,
    /// The last tick that mentions it.
    pub(crate) last_mentioned: Timestamp,
    /// When it closed, if it has.
    pub(crate) closed: Option<Timestamp>,
    /// What was done about it, in order.
    pub(crate) answers: Vec<Answer>,
    /// What was withheld: each guard's last word on each kind of action, and how often it said so.
    pub(crate) withheld: Vec<WithheldOften>,
}

/// One action against the incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// What was decided.
    pub(crate) request: ActionRequest,
    /// How far it got.
    pub(crate) stage: Option<TrialStage>,
}

/// One guard's refusals of one kind of action.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WithheldOften {
    /// At how many ticks.
    pub(crate) ticks: u64,
    /// The last one.
    pub(crate) last: Withheld,
}

impl IncidentExplanation {
    /// From the records that mention `id`, oldest first; `None` if none does.
    pub(crate) fn of(id: IncidentId, records: &[TickRecord]) -> Option<IncidentExplanation> {
        let sightings = || records.iter().rev().filter_map(|record| record.assessment.incident(id));
        let incident = sightings().find(|incident| incident.is_active()).or_else(|| sightings().next())?.clone();
        let closed = records.iter().find(|record| record.assessment.closed.contains(&id)).map(|record| record.at);
        Some(IncidentExplanation {
            incident,
            last_mentioned: records.last()?.at,
            closed,
            answers: answers(id, records),
            withheld: withheld(id, records),
        })
    }

    /// Writes it for people.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let incident = &self.incident;
        let services = incident.services.iter().map(|service| service.as_str()).collect::<Vec<_>>().join(", ");
        writeln!(out, "{}  {} of {services}  [{}]", incident.id, incident.kind, self.standing())?;
        let until = self.closed.unwrap_or(self.last_mentioned);
        let lasted = span(until.since(incident.opened));
        match self.closed {
            Some(at) => {
                writeln!(out, "open     {} to {} ({lasted})", date_and_time(incident.opened), time_of_day(at))?;
            }
            None => writeln!(out, "open     since {} ({lasted} so far)", date_and_time(incident.opened))?,
        }
        write_evidence(out, incident)?;
        write_hypotheses(out, incident)?;
        match self.answers.as_slice() {
            [] => writeln!(out, "answers  none")?,
            answers => {
                writeln!(out, "answers  (`homeostat explain ID` for each)")?;
                for Answer { request, stage } in answers {
                    let stage = stage.map_or_else(|| "decided".to_owned(), |stage| stage.to_string());
                    let at = time_of_day(request.decided);
                    writeln!(out, "  {at} {} {} [{stage}]: {}", request.id, request.action.actuation, request.why)?;
                }
            }
        }
        if !self.withheld.is_empty() {
            writeln!(out, "withheld")?;
        }
        for WithheldOften { ticks, last } in &self.withheld {
            write!(out, "  at {ticks} ticks")?;
            write_withheld(out, last)?;
        }
        Ok(())
    }

    fn standing(&self) -> &'static str {
        if self.closed.is_some() { "closed" } else { "open" }
    }
}

fn answers(id: IncidentId, records: &[TickRecord]) -> Vec<Answer> {
    let mut stages: BTreeMap<ActionId, TrialStage> = BTreeMap::new();
    for change in records.iter().flat_map(|record| &record.trials) {
        stages.insert(change.id, change.to);
    }
    let requests = records.iter().flat_map(|record| &record.plan.requests);
    let of_this = requests.filter(|request| request.incident.is_some_and(|(it, _)| it == id));
    of_this.map(|request| Answer { request: request.clone(), stage: stages.get(&request.id).copied() }).collect()
}

fn withheld(id: IncidentId, records: &[TickRecord]) -> Vec<WithheldOften> {
    let mut often: BTreeMap<(String, String), WithheldOften> = BTreeMap::new();
    let all = records.iter().flat_map(|record| &record.plan.withheld);
    for last in all.filter(|withheld| withheld.proposal.incident == Some(id)) {
        let key = (last.guard.to_string(), last.proposal.action.kind.to_string());
        let ticks = often.get(&key).map_or(0, |known| known.ticks) + 1;
        often.insert(key, WithheldOften { ticks, last: last.clone() });
    }
    often.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::samples::{record_of_a_decision, record_of_its_outcome};

    /// Scenario: an incident is answered by an action and closes at a later tick.
    /// Guarantees: the explanation has its evidence, the answer with its verdict, and when it closed.
    #[test]
    fn an_incident_is_explained_by_its_records() {
        let records = [record_of_a_decision(), record_of_its_outcome()];
        let explanation = IncidentExplanation::of(IncidentId(3), &records).expect("the incident is in the records");
        assert_eq!(explanation.closed, Some(records[1].at));
        let mut text = Vec::new();
        explanation.write(&mut text).expect("writing to memory");
        let text = String::from_utf8(text).expect("text");
        for part in ["i-3  saturation of cart  [closed]", "utilization 92.0 % (limit 80.0 %)", "a-17", "[kept]"] {
            assert!(text.contains(part), "{part:?} is missing from\n{text}");
        }
    }
}
