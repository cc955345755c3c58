//! Questions to a journal.
//!
//! Answers what the newest records are and what the journal knows of an action or an incident; the running agent's API and
//! the command line on a journal at rest ask the same way. Does not write.

use std::sync::Arc;

use homeostat_adapters::{JournalError, JournalReader};
use homeostat_core::{IncidentId, Snapshot, TickNumber, TickRecord, Timestamp};

use crate::cli::Subject;
use crate::explain::Explanation;

/// Records read at once for an incident: a few tens of MB at most before their snapshots are dropped.
const PAGE: usize = 500;

/// Ticks of an incident that are read from its beginning, and again up to its end. What lies between is left out of the
/// explanation of an incident that lasts longer than four hours.
const INCIDENT_TICKS_MAX: u64 = 7200;

/// The newest records, oldest of them first; with `since`, none older.
pub(crate) fn newest(
    journal: &JournalReader,
    limit: usize,
    since: Option<Timestamp>,
) -> Result<Vec<TickRecord>, JournalError> {
    let mut records = journal.latest(limit)?;
    records.retain(|record| since.is_none_or(|since| since <= record.at));
    Ok(records)
}

/// Explains `subject`; `None` if the journal knows nothing of it.
pub(crate) fn explain(journal: &JournalReader, subject: Subject) -> Result<Option<Explanation>, JournalError> {
    let records = match subject {
        Subject::Action(id) => journal.action(id)?,
        Subject::Incident(id) => records_of_incident(journal, id)?,
    };
    Ok(Explanation::of(subject, &records))
}

fn records_of_incident(journal: &JournalReader, id: IncidentId) -> Result<Vec<TickRecord>, JournalError> {
    let ticks = journal.incident(id)?;
    let (Some(&first), Some(&last)) = (ticks.first(), ticks.last()) else {
        return Ok(Vec::new());
    };
    if last.0 - first.0 <= 2 * INCIDENT_TICKS_MAX {
        return span(journal, first, last);
    }
    let mut records = span(journal, first, TickNumber(first.0 + INCIDENT_TICKS_MAX))?;
    records.extend(span(journal, TickNumber(last.0 - INCIDENT_TICKS_MAX), last)?);
    Ok(records)
}

/// Records from `first` to `last`, without their snapshots: an explanation needs what was thought, not what was read.
fn span(journal: &JournalReader, first: TickNumber, last: TickNumber) -> Result<Vec<TickRecord>, JournalError> {
    let nothing = Arc::new(Snapshot::default());
    let mut found: Vec<TickRecord> = Vec::new();
    let mut from = first;
    loop {
        let page = journal.records(Some(from), PAGE)?;
        let Some(newest) = page.last().map(|record| record.tick) else {
            return Ok(found);
        };
        for mut record in page.into_iter().filter(|record| record.tick <= last) {
            record.snapshot = nothing.clone();
            found.push(record);
        }
        if last <= newest {
            return Ok(found);
        }
        from = newest.next();
    }
}
