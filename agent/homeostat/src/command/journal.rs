//! `journal`: what every tick saw, thought, did and learned.
//!
//! Answers with one line a tick for people, or with the records themselves for scripts. Ticks at which nothing happened are
//! folded together for people, because most of them are like that.

use std::io::{self, Write};

use homeostat_adapters::JournalReader;
use homeostat_core::{Millis, TickRecord, Timestamp};

use super::look::or_at_rest;
use super::{Answer, CommandError, asking, state_dir};
use crate::cli::{JournalArgs, JournalCommand};
use crate::client::AgentClient;
use crate::wall_time::time_of_day;

/// Prints records, or exports a life.
pub(super) fn journal(args: JournalArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    if let Some(JournalCommand::Export { life, state_dir: dir, file }) = args.command {
        JournalReader::open(&state_dir(dir))?.export_event_log(&file, life)?;
        writeln!(out, "wrote life {life} to {}; try `homeostat replay {0}`", file.display())?;
        return Ok(Answer::Yes);
    }
    let limit = args.limit as usize;
    let client = AgentClient::new(&args.source.api.api);
    let since = args.since.map_or_else(String::new, |span| format!("&since_ms={}", span.0));
    let asked = asking(client.get(&format!("/v1/journal?limit={limit}{since}")));
    let from_rest = |journal: &JournalReader| Ok(at_rest(journal, limit, args.since)?);
    let records: Vec<TickRecord> = or_at_rest(asked, &args.source, from_rest)?;
    if args.json {
        for record in &records {
            serde_json::to_writer(&mut *out, record).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    } else {
        write_records(out, &records)?;
    }
    Ok(Answer::Yes)
}

/// At rest, "the last while" ends with the last record: nothing has happened since.
fn at_rest(
    journal: &JournalReader,
    limit: usize,
    since: Option<Millis>,
) -> Result<Vec<TickRecord>, homeostat_adapters::JournalError> {
    let last = journal.latest(1)?.last().map_or(Timestamp(0), |record| record.at);
    crate::journal_at_rest::newest(journal, limit, since.map(|span| last - span))
}

fn write_records(out: &mut dyn Write, records: &[TickRecord]) -> io::Result<()> {
    let mut quiet: Vec<&TickRecord> = Vec::new();
    for record in records {
        if is_quiet(record) {
            quiet.push(record);
            continue;
        }
        write_quiet(out, &mut quiet)?;
        write_record(out, record)?;
    }
    write_quiet(out, &mut quiet)
}

fn is_quiet(record: &TickRecord) -> bool {
    let said = record.operator.len() + record.trials.len() + record.outcomes.len();
    said == 0 && record.effects.is_empty() && record.plan.requests.is_empty() && record.assessment.closed.is_empty()
}

fn write_quiet(out: &mut dyn Write, quiet: &mut Vec<&TickRecord>) -> io::Result<()> {
    let (Some(first), Some(last)) = (quiet.first(), quiet.last()) else {
        return Ok(());
    };
    let open = last.assessment.incidents.len();
    let ticks = match first.tick == last.tick {
        true => first.tick.to_string(),
        false => format!("{}…{}", first.tick, last.tick),
    };
    let noun = if open == 1 { "incident" } else { "incidents" };
    writeln!(out, "{} {ticks} {}: watched, {open} open {noun}", time_of_day(first.at), last.regime)?;
    quiet.clear();
    Ok(())
}

fn write_record(out: &mut dyn Write, record: &TickRecord) -> io::Result<()> {
    writeln!(out, "{} {} {}", time_of_day(record.at), record.tick, record.regime)?;
    for said in &record.operator {
        writeln!(out, "  operator: {}", serde_json::to_string(said).unwrap_or_default())?;
    }
    for request in &record.plan.requests {
        writeln!(out, "  {} decided: {} because {}", request.id, request.action.actuation, request.why)?;
    }
    for change in &record.trials {
        writeln!(out, "  {} {} of {} is {}", change.id, change.kind, change.target, change.to)?;
    }
    for outcome in record.outcomes.iter().filter(|outcome| outcome.complaint.is_some()) {
        let complaint = outcome.complaint.as_deref().unwrap_or_default();
        writeln!(out, "  {} the outside said: {complaint}", outcome.id)?;
    }
    for closed in &record.assessment.closed {
        writeln!(out, "  {closed} closed")?;
    }
    Ok(())
}
