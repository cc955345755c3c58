//! Long answers.
//!
//! Answers the events and records of a whole life one by one, all as of one instant, in the memory of one of them: a week of
//! events does not fit into a sidecar. It does not read past a gap in silence. While such an answer is open, the store keeps
//! what is deleted meanwhile, so finish or drop it soon.

use std::path::{Path, PathBuf};

use homeostat_core::{Event, Timestamp};
use redb::{Range, ReadTransaction};

use super::error::{JournalError, Trouble};
use super::reading::guarded;
use super::tables::{EVENTS, LIVES, RECORDS, starting_with};
use super::wire;

/// What entered the loop in one life, in order.
pub struct Events {
    rows: Range<'static, (u64, u64), (u64, &'static [u8])>,
    path: PathBuf,
}

impl Events {
    /// The events of `life` that are still there.
    pub(super) fn of(txn: &ReadTransaction, life: u64, path: &Path) -> Result<Events, Trouble> {
        let rows = txn.open_table(EVENTS)?.range(starting_with(life))?;
        Ok(Events { rows, path: path.to_owned() })
    }

    fn step(&mut self) -> Result<Option<(Timestamp, Event)>, Trouble> {
        let Some((key, row)) = self.rows.next().transpose()? else { return Ok(None) };
        let (life, position) = key.value();
        let event = wire::decode_event(row.value().1);
        event.map(Some).map_err(|error| Trouble::Entry(format!("event {position} of life {life}"), error))
    }
}

impl Iterator for Events {
    type Item = Result<(Timestamp, Event), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.path.clone();
        guarded(&path, || self.step().map_err(|trouble| trouble.at("read", &path))).transpose()
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Whether the first event of `life` is still there, so that it can be replayed.
pub(super) fn is_whole(txn: &ReadTransaction, life: u64) -> Result<bool, Trouble> {
    let first = txn.open_table(EVENTS)?.range(starting_with(life))?.next().transpose()?;
    Ok(first.is_some_and(|(key, _)| key.value().1 == 0))
}

/// The encoded records of one life, oldest first.
pub(super) struct Records(Range<'static, u64, (u64, u64, &'static [u8])>);

impl Records {
    /// The records of `life` that are still there.
    pub(super) fn of(txn: &ReadTransaction, life: u64) -> Result<Records, Trouble> {
        let row = txn.open_table(LIVES)?.get(life)?.map(|row| row.value());
        let ticks = row.filter(|row| row.0 != 0).map_or((1, 0), |row| (row.1, row.2));
        Ok(Records(txn.open_table(RECORDS)?.range(ticks.0..=ticks.1)?))
    }
}

impl Iterator for Records {
    type Item = Result<Vec<u8>, Trouble>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|row| Ok(row?.1.value().2.to_vec()))
    }
}
