//! Recording.
//!
//! Answers which scenario would look like what an event log shows: services fitted to quiet seconds, the load that came from
//! outside, what people wanted and said, the faults that explain the rest, and envelopes around what was seen. The log is
//! given to a fresh loop once more, so that incidents and effects are those that the loop had, without a second format to
//! read. What cannot be seen is not guessed; `Recording::notes` says what that was.

mod fit;
mod infer;
mod seen;
mod write;

use homeostat_control::ControlLoop;
use homeostat_core::{Command, Effect, Event, IncidentKind, Timestamp};
use thiserror::Error;

use crate::record::fit::Fitted;
use crate::record::infer::Found;
use crate::record::seen::Seen;

/// What was made of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The scenario.
    pub text: String,
    /// What could not be told, in sentences.
    pub notes: Vec<String>,
}

/// Why nothing can be made of a log.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RecordError {
    /// It is too short.
    #[error("the log shows {found_s} s, expected at least {LEAST_S}: less tells nothing of a usual day")]
    Short {
        /// Its length.
        found_s: usize,
    },
    /// No service was seen.
    #[error("the log shows no service that was asked anything")]
    Empty,
}

/// A log shorter than this has no quiet seconds to compare with.
const LEAST_S: usize = 60;

/// Seconds before an incident opens that are not quiet any more: an incident is noticed after it began.
const UNEASY_S: usize = 30;

/// What the loop did.
#[derive(Debug, Default)]
pub(crate) struct Acted {
    /// Second and effect.
    pub(crate) effects: Vec<(u64, Effect)>,
    pub(crate) incidents: Vec<Opened>,
    /// Whether each second had an open incident.
    uneasy: Vec<bool>,
}

/// An incident as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) kind: IncidentKind,
    pub(crate) suspect: Option<String>,
    pub(crate) from_s: usize,
    /// The end of the log, if it did not close.
    pub(crate) to_s: usize,
}

/// Makes a scenario of an event log.
pub fn record(events: &[(Timestamp, Event)]) -> Result<Recording, RecordError> {
    let mut seen = Seen::of(events);
    if seen.seconds < LEAST_S {
        return Err(RecordError::Short { found_s: seen.seconds });
    }
    seen.services.retain(|_, rows| rows.iter().any(|row| 0.0 < row.requests));
    if seen.services.is_empty() {
        return Err(RecordError::Empty);
    }
    let acted = act_again(events, &seen);
    let mut notes = Vec::new();
    let is_quiet = quiet(&seen, &acted, &mut notes);
    let fitted = fit::fit(&seen, &is_quiet);
    let found = infer::faults(&seen, &fitted, &acted);
    notes.extend(unknown(&fitted));
    let text = write::scenario(&Told { seen: &seen, acted: &acted, fitted: &fitted, found: &found, notes: &notes });
    Ok(Recording { text, notes })
}

/// Everything that a scenario is written from.
pub(crate) struct Told<'a> {
    seen: &'a Seen,
    acted: &'a Acted,
    fitted: &'a [Fitted],
    found: &'a [Found],
    notes: &'a [String],
}

/// Gives the log to a fresh loop, which does what it did.
fn act_again(events: &[(Timestamp, Event)], seen: &Seen) -> Acted {
    let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
    let mut acted = Acted { uneasy: vec![false; seen.seconds], ..Acted::default() };
    let mut ids = Vec::new();
    for (at, event) in events {
        let at_s = at.since(seen.start).0 / 1000;
        for command in control.handle(*at, event.clone()) {
            match command {
                Command::Effect(effect) => acted.effects.push((at_s, effect)),
                Command::Record(record) => {
                    for incident in &record.assessment.incidents {
                        let place = ids.iter().position(|id| *id == incident.id).unwrap_or_else(|| {
                            ids.push(incident.id);
                            let (kind, from_s) = (incident.kind, at_s as usize);
                            acted.incidents.push(Opened { kind, suspect: None, from_s, to_s: from_s });
                            ids.len() - 1
                        });
                        let opened = &mut acted.incidents[place];
                        opened.to_s = at_s as usize;
                        if opened.suspect.is_none() {
                            opened.suspect = incident.suspect().map(ToString::to_string);
                        }
                    }
                    if let Some(second) = seen.second(*at) {
                        acted.uneasy[second] = !record.assessment.incidents.is_empty();
                    }
                }
            }
        }
    }
    acted
}

/// The seconds in which nothing was wrong.
fn quiet(seen: &Seen, acted: &Acted, notes: &mut Vec<String>) -> Vec<bool> {
    let mut is_quiet: Vec<bool> = acted.uneasy.iter().map(|uneasy| !uneasy).collect();
    for incident in &acted.incidents {
        let (from, to) = (incident.from_s.saturating_sub(UNEASY_S), (incident.to_s + UNEASY_S).min(seen.seconds));
        is_quiet[from..to].fill(false);
    }
    // Of the first seconds there is one total per counter and no rate.
    let first = is_quiet.iter().position(|quiet| *quiet).unwrap_or(0);
    is_quiet[..(first + 2).min(seen.seconds)].fill(false);
    // What was before the first incident is the usual day; what came later may still be the loop's doing.
    if let Some(first) = acted.incidents.iter().map(|incident| incident.from_s).min()
        && LEAST_S / 2 <= is_quiet[..first.min(seen.seconds)].iter().filter(|quiet| **quiet).count()
    {
        is_quiet[first.min(seen.seconds)..].fill(false);
    }
    if is_quiet.iter().filter(|quiet| **quiet).count() < LEAST_S / 2 {
        notes.push("Hardly a second was quiet: services are fitted to all of them, incidents included.".to_owned());
        is_quiet.fill(true);
    }
    is_quiet
}

fn unknown(fitted: &[Fitted]) -> Vec<String> {
    let no_workers = fitted.iter().filter(|service| !service.workers_known).map(|service| {
        format!(
            "Nothing told how busy {} was: its workers are set to plenty, and slow work cannot be told from waiting.",
            service.name
        )
    });
    no_workers.collect()
}

#[cfg(test)]
mod tests;
