//! `replay`: the same events must give the same journal.
//!
//! Answers whether a fresh loop, fed with recorded events, writes the recorded records byte for byte. If not, it shows the
//! first record that differs. A journal is exported to event logs first and read back, so the file form is proved too.

use std::io::Write;
use std::path::Path;

use homeostat_adapters::journal::wire;
use homeostat_adapters::{EventLog, JournalError, JournalReader};
use homeostat_control::ControlLoop;
use homeostat_core::Command;
use serde::Serialize;

use super::{Answer, CommandError, write_json};
use crate::cli::ReplayArgs;

/// How one life compared.
#[derive(Debug, Serialize)]
struct Compared {
    life: u64,
    events: usize,
    records: usize,
    identical: bool,
    first_difference: Option<Difference>,
}

/// Where two journals part.
#[derive(Debug, Serialize)]
struct Difference {
    position: usize,
    recorded: String,
    replayed: String,
}

/// Replays an event log, or every life of a journal at rest.
pub(super) fn replay(args: ReplayArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let mut compared = Vec::new();
    if args.path.is_dir() {
        replay_lives(&args.path, out, args.json, &mut compared)?;
    } else {
        compared.push(compare(&EventLog::read(&args.path)?));
    }
    if args.json {
        write_json(out, &compared)?;
    } else {
        compared.iter().try_for_each(|life| write_life(out, life))?;
    }
    let identical = !compared.is_empty() && compared.iter().all(|life| life.identical);
    Ok(if identical { Answer::Yes } else { Answer::No })
}

fn replay_lives(dir: &Path, out: &mut dyn Write, json: bool, compared: &mut Vec<Compared>) -> Result<(), CommandError> {
    let journal = JournalReader::open(dir)?;
    each_life(&journal, &mut |life| {
        match life {
            Ok(log) => compared.push(compare(&log)),
            Err(skipped) if !json => writeln!(out, "{skipped}")?,
            Err(_) => {}
        }
        Ok(())
    })
}

/// A life whose events are no longer all in the journal.
#[derive(Debug, thiserror::Error)]
#[error("life {life}: skipped, {why}")]
pub(super) struct Skipped {
    life: u64,
    why: JournalError,
}

/// Hands every life of a journal at rest to `take`, oldest first.
pub(super) fn each_life(
    journal: &JournalReader,
    take: &mut dyn FnMut(Result<EventLog, Skipped>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let scratch = Scratch::new();
    for life in journal.lives()?.iter().filter(|life| life.ticks.is_some()) {
        match journal.export_event_log(&scratch.0, life.number) {
            Ok(()) => take(Ok(EventLog::read(&scratch.0)?))?,
            Err(why @ JournalError::LifeIncomplete { .. }) => take(Err(Skipped { life: life.number, why }))?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn compare(log: &EventLog) -> Compared {
    let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
    let mut replayed = Vec::new();
    for (at, event) in &log.entries {
        for command in control.handle(*at, event.clone()) {
            if let Command::Record(record) = command {
                replayed.push(wire::encode_record(&record));
            }
        }
    }
    // A life ends where its last record ends: what was decided after it never reached the disk.
    let first_difference = first_difference(&log.records, &replayed);
    let identical = first_difference.is_none();
    Compared { life: log.life, events: log.entries.len(), records: log.records.len(), identical, first_difference }
}

fn first_difference(recorded: &[Vec<u8>], replayed: &[Vec<u8>]) -> Option<Difference> {
    let text = |record: Option<&Vec<u8>>| match record {
        Some(bytes) => wire::text(bytes).unwrap_or_else(|error| error.to_string()),
        None => "nothing".to_owned(),
    };
    let position = (0..recorded.len().max(replayed.len())).find(|at| recorded.get(*at) != replayed.get(*at))?;
    Some(Difference { position, recorded: text(recorded.get(position)), replayed: text(replayed.get(position)) })
}

fn write_life(out: &mut dyn Write, life: &Compared) -> Result<(), CommandError> {
    let Some(difference) = &life.first_difference else {
        return Ok(writeln!(
            out,
            "life {}: identical: {} records from {} events",
            life.life, life.records, life.events
        )?);
    };
    writeln!(out, "life {}: record {} of {} differs", life.life, difference.position + 1, life.records)?;
    let start = parting(&difference.recorded, &difference.replayed);
    writeln!(out, "  both begin   {}", excerpt(&difference.recorded, start.saturating_sub(SHOWN), start))?;
    writeln!(out, "  recorded     {}", excerpt(&difference.recorded, start, start + SHOWN))?;
    writeln!(out, "  replayed     {}", excerpt(&difference.replayed, start, start + SHOWN))?;
    Ok(writeln!(out, "  (--json shows both records in full)")?)
}

/// Characters shown on either side of the place where two records part.
const SHOWN: usize = 160;

fn parting(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count()
}

fn excerpt(text: &str, from: usize, to: usize) -> String {
    text.chars().skip(from).take(to - from).collect()
}

/// A file of this process's own, removed at the end.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Scratch {
        Scratch(std::env::temp_dir().join(format!("homeostat-replay-{}.events", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been written.
        drop(std::fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use homeostat_core::{Event, Timestamp};

    fn log_of_a_quiet_minute() -> EventLog {
        let mut entries = vec![(Timestamp(1_000), Event::Reconfigured(Box::default()))];
        entries.extend((1..60).map(|second| (Timestamp(second * 1000), Event::Tick)));
        let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
        let mut records = Vec::new();
        for (at, event) in &entries {
            for command in control.handle(*at, event.clone()) {
                if let Command::Record(record) = command {
                    records.push(wire::encode_record(&record));
                }
            }
        }
        EventLog { life: 1, entries, records }
    }

    /// Scenario: a recorded minute is replayed; then one of its records is exchanged for another, then one is missing.
    /// Guarantees: the first is identical; the others are not, and the position is named.
    #[test]
    fn a_replay_tells_identical_from_different() {
        let mut log = log_of_a_quiet_minute();
        let compared = compare(&log);
        assert!(compared.identical && compared.records == 59, "{compared:?}");
        log.records[7] = log.records[8].clone();
        assert_eq!(compare(&log).first_difference.map(|difference| difference.position), Some(7));
        let mut log = log_of_a_quiet_minute();
        log.records.pop();
        assert_eq!(compare(&log).first_difference.map(|difference| difference.position), Some(58));
    }
}
