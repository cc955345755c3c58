//! What can go wrong with a journal.
//!
//! Answers which step failed and what a person should do about it. It does not know how the driver reacts; the store's own
//! errors are translated here, because "database already open" does not tell an operator that another agent is running.

use std::io;
use std::path::{Path, PathBuf};

use homeostat_core::TickNumber;
use thiserror::Error;

use super::wire::WireError;

/// Why the journal could not do what was asked.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The directory cannot be made.
    #[error("cannot create the journal's directory {}; choose another one or change its permissions", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Another process writes it.
    #[error("another homeostat is using {}; stop it, or give this one another directory", path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// Another file is in its place, or none.
    #[error("{} is not the journal that this agent opened; another agent may act in its place, so this one must not", path.display())]
    Replaced {
        /// Where it was.
        path: PathBuf,
    },
    /// A running agent holds it, and somebody wants to read it from outside.
    #[error("{} is held by a running agent; ask the running agent instead: homeostat journal", path.display())]
    HeldByAgent {
        /// The journal.
        path: PathBuf,
    },
    /// There is none.
    #[error("there is no journal at {}; an agent writes one when it runs", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file is not, or no longer, a journal.
    #[error("the journal {} is damaged ({why}); move it aside and start again: a new one is begun", path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The file was written by a newer program.
    #[error("the journal {} has format {found}, this homeostat knows {known}; use the one that wrote it", path.display())]
    Format {
        /// The journal.
        path: PathBuf,
        /// The format found.
        found: u64,
        /// The format known.
        known: u64,
    },
    /// The disk is full.
    #[error("the disk that holds {} is full; free some space, or lower the journal's limit", path.display())]
    Full {
        /// The journal.
        path: PathBuf,
    },
    /// The file cannot be opened, read or written.
    #[error("cannot {step} the journal {}; check the disk and the file's permissions", path.display())]
    Store {
        /// What was tried: `open`, `read`, `write`.
        step: &'static str,
        /// The journal.
        path: PathBuf,
        /// The cause.
        source: Box<redb::Error>,
    },
    /// One entry cannot be understood.
    #[error("{entry} in the journal {} cannot be read; if it is in the way, move the journal aside", path.display())]
    Entry {
        /// Which entry, for example `record t-17`.
        entry: String,
        /// The journal.
        path: PathBuf,
        /// The cause.
        source: WireError,
    },
    /// A record does not follow the last one.
    #[error("record {tick} does not follow {last}; nothing was written")]
    OutOfOrder {
        /// The record's tick.
        tick: TickNumber,
        /// The last tick in the journal.
        last: TickNumber,
    },
    /// There is no such life.
    #[error("the journal knows no life {life}; it has {known}")]
    UnknownLife {
        /// The life asked for.
        life: u64,
        /// The lives it has, for people.
        known: String,
    },
    /// A life's beginning was deleted, so it cannot be replayed.
    #[error("the first events of life {life} were deleted to stay within the journal's limits; replay a younger one")]
    LifeIncomplete {
        /// The life asked for.
        life: u64,
    },
    /// The event log cannot be written.
    #[error("cannot write the event log {}", path.display())]
    Export {
        /// The event log.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// What can go wrong inside, before the path and the step are known.
#[derive(Debug)]
pub(super) enum Trouble {
    Store(redb::Error),
    Entry(String, WireError),
    Order { tick: TickNumber, last: TickNumber },
    Format { found: u64, known: u64 },
}

macro_rules! from_store {
    ($($error:ty),*) => {$(
        impl From<$error> for Trouble {
            fn from(error: $error) -> Trouble {
                Trouble::Store(error.into())
            }
        }
    )*};
}

from_store!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError
);

impl Trouble {
    /// For people: which file, and during which step.
    pub(super) fn at(self, step: &'static str, path: &Path) -> JournalError {
        let path = path.to_owned();
        match self {
            Trouble::Entry(entry, source) => JournalError::Entry { entry, path, source },
            Trouble::Order { tick, last } => JournalError::OutOfOrder { tick, last },
            Trouble::Format { found, known } => JournalError::Format { path, found, known },
            Trouble::Store(error) => store_error(error, step, path),
        }
    }
}

fn store_error(error: redb::Error, step: &'static str, path: PathBuf) -> JournalError {
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => JournalError::InUse { path },
        redb::Error::Corrupted(why) => JournalError::Damaged { path, why },
        redb::Error::UpgradeRequired(version) => {
            JournalError::Damaged { path, why: format!("file format {version} of the store is too old") }
        }
        redb::Error::Io(error) if is_not_a_store(&error) => JournalError::Damaged { path, why: error.to_string() },
        redb::Error::Io(error) if error.kind() == io::ErrorKind::StorageFull => JournalError::Full { path },
        error => JournalError::Store { step, path, source: Box::new(error) },
    }
}

/// The store reports a file that is too short or has foreign magic as an I/O error of these kinds.
fn is_not_a_store(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof)
}
