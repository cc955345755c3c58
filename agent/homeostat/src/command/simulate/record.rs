//! `sim record`: a journal becomes a scenario.
//!
//! Answers which file was written and what could not be told. Infers nothing itself; the harness does. The newest life that
//! is complete is taken unless another is named, because an incident is usually recorded soon after it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use homeostat_adapters::{EventLog, JournalError, JournalReader};
use serde_json::json;

use crate::cli::SimRecordArgs;
use crate::command::{Answer, CommandError, write_json};

/// Makes a scenario of a journal or of an event log.
pub(super) fn record(args: &SimRecordArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let log = if args.from.is_dir() { life(&args.from, args.life)? } else { EventLog::read(&args.from)? };
    let recording = homeostat_sim::record::record(&log.entries).map_err(CommandError::Record)?;
    let failed = |source| CommandError::Write { path: args.file.clone(), source };
    fs::write(&args.file, &recording.text).map_err(failed)?;
    if args.json {
        let answer =
            json!({ "file": args.file, "life": log.life, "events": log.entries.len(), "notes": recording.notes });
        write_json(out, &answer)?;
        return Ok(Answer::Yes);
    }
    for note in &recording.notes {
        writeln!(out, "note: {note}")?;
    }
    writeln!(out, "life {} is written to {}; run it with:", log.life, args.file.display())?;
    writeln!(out, "  homeostat sim run {}", shown(&args.file))?;
    Ok(Answer::Yes)
}

/// What `sim run` takes for a file rather than a shipped name.
fn shown(file: &Path) -> String {
    let text = file.display().to_string();
    let is_file = text.contains('/') || text.ends_with(".yaml") || text.ends_with(".yml");
    if is_file { text } else { format!("./{text}") }
}

/// The event log of one life: the one that is asked for, or the newest that is complete.
fn life(dir: &Path, wanted: Option<u64>) -> Result<EventLog, CommandError> {
    let journal = JournalReader::open(dir)?;
    let scratch = Scratch(std::env::temp_dir().join(format!("homeostat-record-{}.events", std::process::id())));
    let lives = journal.lives()?;
    let mut candidates: Vec<u64> = match wanted {
        Some(number) => vec![number],
        None => lives.iter().filter(|life| life.ticks.is_some()).map(|life| life.number).collect(),
    };
    let mut incomplete = None;
    while let Some(number) = candidates.pop() {
        match journal.export_event_log(&scratch.0, number) {
            Ok(()) => return Ok(EventLog::read(&scratch.0)?),
            Err(error @ JournalError::LifeIncomplete { .. }) => {
                incomplete.get_or_insert(error);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(incomplete.map_or(CommandError::Record(homeostat_sim::record::RecordError::Empty), CommandError::from))
}

/// A file of this process's own, removed at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may never have been written.
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: names of files as people give them.
    /// Guarantees: the command that is shown runs the file and no shipped scenario of its name.
    #[test]
    fn the_command_that_is_shown_names_a_file() {
        let check = |file: &str, expected: &str| assert_eq!(shown(Path::new(file)), expected);
        check("incident.yaml", "incident.yaml");
        check("incident", "./incident");
        check("/tmp/x", "/tmp/x");
    }
}
