//! Reading the journal.
//!
//! Answers which records, events and lives there are, for explanations, for the doors of the agent and for replay. It does
//! not write. The same functions serve the running agent and a person with a journal that no agent has open; a second
//! process may not read past a running agent, because the store would show it a state that is being overwritten.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, io};

use homeostat_core::{ActionId, IncidentId, TickNumber, TickRecord, Timestamp};
use redb::{Builder, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable};

use super::error::{JournalError, Trouble};
use super::streaming::Events;
use super::tables::{ACTIONS, INCIDENTS, LIVES, RECORDS, starting_with};
use super::{CACHE_BYTES, FILE, wire};

/// Records in one answer: at one tick a second nearly three hours, and some tens of MB. What is beyond is left out; ask
/// again from the last tick on.
pub const RECORDS_PER_READ_MAX: usize = 10_000;

/// A view of a journal. Cheap to clone; every call sees the last committed tick.
#[derive(Clone)]
pub struct JournalReader {
    db: Arc<dyn ReadableDatabase + Send + Sync>,
    path: PathBuf,
}

/// One life of an agent: from one start of the process to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Its number; the first is 1.
    pub number: u64,
    /// How many records it wrote, those deleted since included.
    pub records: u64,
    /// Its first and last tick; `None` if it had none.
    pub ticks: Option<(TickNumber, TickNumber)>,
    /// The times of these; `None` if it had none.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl JournalReader {
    /// Opens the journal in `dir` to look at it, when no agent has it open.
    ///
    /// After a crash the file must be repaired before it can be read; this does so, which needs the right to write it.
    pub fn open(dir: &Path) -> Result<JournalReader, JournalError> {
        let path = dir.join(FILE);
        let db = guarded(&path, || open_closed(&path).map_err(|error| open_error(error, &path)))?;
        Ok(JournalReader { db: Arc::new(db), path })
    }

    pub(super) fn of(db: Arc<redb::Database>, path: PathBuf) -> JournalReader {
        JournalReader { db, path }
    }

    /// The journal's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The record of `tick`, if it is still there.
    pub fn record(&self, tick: TickNumber) -> Result<Option<TickRecord>, JournalError> {
        self.view(|txn| record_of(txn, tick.0))
    }

    /// Records from `from` on, or from the oldest; oldest first, at most `limit` and [`RECORDS_PER_READ_MAX`].
    pub fn records(&self, from: Option<TickNumber>, limit: usize) -> Result<Vec<TickRecord>, JournalError> {
        self.view(|txn| {
            let records = txn.open_table(RECORDS)?;
            let rows = records.range(from.map_or(0, |tick| tick.0)..)?;
            rows.take(limit.min(RECORDS_PER_READ_MAX))
                .map(|row| row.map_err(Trouble::from).and_then(|(tick, row)| decode(tick.value(), row.value().2)))
                .collect()
        })
    }

    /// The newest records; oldest of them first, at most `limit` and [`RECORDS_PER_READ_MAX`].
    pub fn latest(&self, limit: usize) -> Result<Vec<TickRecord>, JournalError> {
        self.view(|txn| {
            let records = txn.open_table(RECORDS)?;
            let rows = records.iter()?.rev().take(limit.min(RECORDS_PER_READ_MAX));
            let newest_first: Result<Vec<_>, Trouble> = rows
                .map(|row| row.map_err(Trouble::from).and_then(|(tick, row)| decode(tick.value(), row.value().2)))
                .collect();
            newest_first.map(|records| records.into_iter().rev().collect())
        })
    }

    /// The records that say something about `id`: it was requested, sent, answered, moved or ended. Oldest first.
    pub fn action(&self, id: ActionId) -> Result<Vec<TickRecord>, JournalError> {
        self.view(|txn| {
            let mut found = Vec::new();
            for row in txn.open_table(ACTIONS)?.range(starting_with(id.0))?.take(RECORDS_PER_READ_MAX) {
                found.extend(record_of(txn, row?.0.value().1)?);
            }
            Ok(found)
        })
    }

    /// The first and the last tick of incident `id`; one if they are the same, none if nothing is known of it.
    pub fn incident(&self, id: IncidentId) -> Result<Vec<TickNumber>, JournalError> {
        self.view(|txn| {
            let row = txn.open_table(INCIDENTS)?.get(id.0)?.map(|row| row.value());
            let mut ticks: Vec<_> = row.into_iter().flat_map(|(first, last)| [first, last]).map(TickNumber).collect();
            ticks.dedup();
            Ok(ticks)
        })
    }

    /// The lives of which something is left, oldest first.
    pub fn lives(&self) -> Result<Vec<Life>, JournalError> {
        self.view(|txn| {
            let lives = txn.open_table(LIVES)?;
            lives
                .iter()?
                .map(|row| row.map(|(number, row)| life(number.value(), row.value())).map_err(Trouble::from))
                .collect()
        })
    }

    /// What entered the loop in `life`, in order. Begins later than the life itself if its first events were deleted.
    pub fn events(&self, life: u64) -> Result<Events, JournalError> {
        self.view(|txn| Events::of(txn, life, &self.path))
    }

    pub(super) fn view<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, Trouble>) -> Result<T, JournalError> {
        guarded(&self.path, || {
            let txn = self.db.begin_read().map_err(|error| Trouble::from(error).at("read", &self.path))?;
            read(&txn).map_err(|trouble| trouble.at("read", &self.path))
        })
    }
}

impl fmt::Debug for JournalReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JournalReader").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Runs `step`, and turns a panic of the store into an error: it trusts its file, and a damaged page makes it panic.
pub(super) fn guarded<T>(path: &Path, step: impl FnOnce() -> Result<T, JournalError>) -> Result<T, JournalError> {
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| {
        Err(JournalError::Damaged { path: path.to_owned(), why: "the store found a page it cannot use".into() })
    })
}

fn open_closed(path: &Path) -> Result<redb::ReadOnlyDatabase, DatabaseError> {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    match builder.open_read_only(path) {
        Err(DatabaseError::RepairAborted) => {
            drop(builder.open(path)?);
            builder.open_read_only(path)
        }
        opened => opened,
    }
}

fn open_error(error: DatabaseError, path: &Path) -> JournalError {
    let is_missing =
        matches!(&error, DatabaseError::Storage(redb::StorageError::Io(io)) if io.kind() == io::ErrorKind::NotFound);
    match Trouble::from(error).at("open", path) {
        _ if is_missing => JournalError::Missing { path: path.to_owned() },
        JournalError::InUse { path } => JournalError::HeldByAgent { path },
        error => error,
    }
}

fn record_of(txn: &ReadTransaction, tick: u64) -> Result<Option<TickRecord>, Trouble> {
    let records = txn.open_table(RECORDS)?;
    let row = records.get(tick)?;
    row.map(|row| decode(tick, row.value().2)).transpose()
}

fn decode(tick: u64, bytes: &[u8]) -> Result<TickRecord, Trouble> {
    wire::decode_record(bytes).map_err(|error| Trouble::Entry(format!("record {}", TickNumber(tick)), error))
}

fn life(number: u64, (records, first, last, since, until): (u64, u64, u64, u64, u64)) -> Life {
    let (ticks, times) = ((TickNumber(first), TickNumber(last)), (Timestamp(since), Timestamp(until)));
    let lived = records != 0;
    Life { number, records, ticks: lived.then_some(ticks), times: lived.then_some(times) }
}
