//! The journal.
//!
//! Answers what every tick saw, thought, did and learned, and what entered the loop, so that a restart goes on where the
//! last life ended and a decision can be explained and replayed. It does not know what a record means. An embedded
//! transactional store is used rather than a log file of our own: a torn tail, a half-written index and a crash between
//! two files are its business, not ours.

mod error;
mod event_log;
mod fence;
mod reading;
mod retention;
mod streaming;
mod tables;
pub mod wire;
mod writing;

pub use error::JournalError;
pub use event_log::{EventLog, EventLogError};
pub use reading::{JournalReader, Life, RECORDS_PER_READ_MAX};
pub use retention::Retention;
pub use streaming::Events;

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use homeostat_core::{Checkpoint, Event, TickNumber, TickRecord, Timestamp};
use redb::{Builder, Database};

use error::Trouble;
use fence::Fence;

/// The file inside the journal's directory.
const FILE: &str = "journal.redb";

/// The store's cache. One tick touches a few hundred KiB; a sidecar has tens of MB for everything. Beyond it, pages are read
/// from the file again.
const CACHE_BYTES: usize = 8 << 20;

/// The journal of the running agent: the one writer.
///
/// After a write that failed, every later one fails too, until the journal is opened anew: what is on disk is then known to
/// be the state before the failure. An agent whose journal fails must hold, because it could not explain what it does.
#[derive(Debug)]
pub struct Journal {
    reader: JournalReader,
    db: Arc<Database>,
    /// None only where the journal is no file.
    fence: Option<Fence>,
    retention: Retention,
    life: u64,
    last: Option<TickNumber>,
    /// Events of this life written so far: the position of the next one.
    events: u64,
}

/// What the journal held when it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The last checkpoint; `None` in a new journal.
    pub checkpoint: Option<Checkpoint>,
    /// The latest time in it. The clock must not start before.
    pub last: Option<Timestamp>,
    /// The number of the life that begins now. Every open begins one; the first is 1.
    pub life: u64,
}

/// Everything one tick leaves behind.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The record.
    pub record: &'a TickRecord,
    /// What the loop carries to the next tick. Without bulk, the last that was written stays valid.
    pub checkpoint: &'a Checkpoint,
    /// What entered the loop since the last tick, the tick itself included, in order.
    pub events: &'a [(Timestamp, Event)],
}

impl Journal {
    /// Opens the journal in `dir` for writing, repairs what a crash left, and begins a new life.
    ///
    /// The whole file is checked against its checksums first, because a store that trusts a damaged page may panic later.
    pub fn open(dir: &Path, retention: Retention) -> Result<(Journal, Recovered), JournalError> {
        fs::create_dir_all(dir).map_err(|source| JournalError::Directory { path: dir.to_owned(), source })?;
        let path = dir.join(FILE);
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        let db =
            reading::guarded(&path, || builder.create(&path).map_err(|error| Trouble::from(error).at("open", &path)))?;
        let fence = Fence::of(&path).map_err(|source| JournalError::Directory { path: dir.to_owned(), source })?;
        let (journal, recovered) = Journal::begin(Arc::new(db), path, retention)?;
        Ok((Journal { fence: Some(fence), ..journal }, recovered))
    }

    fn begin(db: Arc<Database>, path: PathBuf, retention: Retention) -> Result<(Journal, Recovered), JournalError> {
        let recovered =
            reading::guarded(&path, || writing::begin_life(&db).map_err(|trouble| trouble.at("open", &path)))?;
        let last = recovered.checkpoint.as_ref().map(|checkpoint| checkpoint.tick);
        let reader = JournalReader::of(db.clone(), path);
        Ok((Journal { reader, db, fence: None, retention, life: recovered.life, last, events: 0 }, recovered))
    }

    /// Writes one tick durably: when this returns, it is on disk, whole. On an error nothing of it is.
    pub fn commit(&mut self, entry: Entry<'_>) -> Result<(), JournalError> {
        let path = self.reader.path();
        if self.fence.is_some_and(|fence| !fence.holds(path)) {
            return Err(JournalError::Replaced { path: path.to_owned() });
        }
        let written = reading::guarded(path, || self.write(&entry).map_err(|trouble| trouble.at("write", path)))?;
        self.last = Some(entry.record.tick);
        self.events += written;
        Ok(())
    }

    /// A reader that shares this journal, for the doors of the running agent.
    pub fn reader(&self) -> JournalReader {
        self.reader.clone()
    }

    fn write(&self, entry: &Entry<'_>) -> Result<u64, Trouble> {
        if let Some(last) = self.last
            && entry.record.tick <= last
        {
            return Err(Trouble::Order { tick: entry.record.tick, last });
        }
        let mut txn = self.db.begin_write()?;
        txn.set_durability(redb::Durability::Immediate)?;
        writing::write_entry(&txn, entry, self.life, self.events)?;
        retention::prune(&txn, &self.retention, entry, (self.life, self.events))?;
        txn.commit()?;
        Ok(entry.events.len() as u64)
    }
}

/// A journal answers everything that a reader answers.
impl Deref for Journal {
    type Target = JournalReader;

    fn deref(&self) -> &JournalReader {
        &self.reader
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicBool, Ordering};

    use homeostat_core::{Generation, Regime};
    use redb::StorageBackend;
    use redb::backends::InMemoryBackend;

    use super::*;

    /// A disk that becomes full at the flip of a switch.
    #[derive(Debug, Default)]
    struct Disk {
        inner: InMemoryBackend,
        full: Arc<AtomicBool>,
    }

    impl Disk {
        fn room(&self) -> io::Result<()> {
            if self.full.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            self.inner.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.inner.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.room().and_then(|()| self.inner.set_len(len))
        }
        fn sync_data(&self) -> io::Result<()> {
            self.inner.sync_data()
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.room().and_then(|()| self.inner.write(offset, data))
        }
    }

    fn record(tick: u64) -> TickRecord {
        TickRecord {
            tick: TickNumber(tick),
            at: Timestamp(tick * 1000),
            regime: Regime::Engaged,
            snapshot: Arc::default(),
            assessment: Arc::default(),
            plan: Arc::default(),
            effects: Vec::new(),
            trials: Vec::new(),
            outcomes: Vec::new(),
            operator: Vec::new(),
            knowledge: Generation(0),
        }
    }

    fn commit(journal: &mut Journal, tick: u64) -> Result<(), JournalError> {
        let checkpoint = Checkpoint { tick: TickNumber(tick), ..Checkpoint::default() };
        let events = [(Timestamp(tick * 1000), Event::Tick)];
        journal.commit(Entry { record: &record(tick), checkpoint: &checkpoint, events: &events })
    }

    /// Scenario: the disk becomes full between two ticks.
    /// Guarantees: the commit fails, says that the disk is full and which file it holds; the ticks before are still read.
    #[test]
    fn a_full_disk_is_named_as_such() {
        let disk = Disk::default();
        let full = disk.full.clone();
        let db = Builder::new().create_with_backend(disk).unwrap();
        let (mut journal, _) = Journal::begin(Arc::new(db), "/data/journal.redb".into(), Retention::default()).unwrap();
        commit(&mut journal, 1).unwrap();
        full.store(true, Ordering::SeqCst);
        let error = commit(&mut journal, 2).unwrap_err();
        assert!(matches!(error, JournalError::Full { .. }), "{error:?}");
        let shown = error.to_string();
        assert!(shown.contains("/data/journal.redb") && shown.contains("free some space"), "{shown}");
        assert_eq!(journal.latest(5).unwrap(), [record(1)]);
    }
}
