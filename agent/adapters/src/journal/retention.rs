//! Retention.
//!
//! Answers what is deleted when the journal has reached its bounds: the oldest records and events first, in the same
//! transaction that adds the newest. Never the checkpoint, never what the running tick wrote, never the records of open
//! trials, which are still needed to explain what is under way. A background sweep would be simpler to write and would
//! leave a time in which the bound does not hold.

use std::collections::BTreeSet;

use homeostat_core::{Checkpoint, Millis};
use redb::{ReadableTable, WriteTransaction};

use super::error::Trouble;
use super::tables::{self, ACTIONS, EVENTS, INCIDENTS, LIVES, RECORDS, footprint, starting_with};
use super::{Entry, wire, writing};

/// Deletions in one transaction. One tick adds about two entries, so a journal over its bound shrinks; more would make a
/// tick after a week's pause slow.
const DELETIONS_PER_COMMIT_MAX: usize = 256;

/// How much of the past is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Records and events together cost at most this on disk, counted in the store's pages.
    pub bytes_max: u64,
    /// Nothing older than this is kept.
    pub age_max: Millis,
}

impl Default for Retention {
    /// Half a gigabyte is days of ticks of a busy host; a week covers "what happened last weekend?".
    fn default() -> Self {
        Retention { bytes_max: 512 << 20, age_max: Millis::from_secs(7 * 24 * 3600) }
    }
}

/// The oldest entry that may go, and since when it is there.
enum Oldest {
    Record { tick: u64, at: u64 },
    Event { key: (u64, u64), at: u64 },
}

impl Oldest {
    fn at(&self) -> u64 {
        match self {
            Oldest::Record { at, .. } | Oldest::Event { at, .. } => *at,
        }
    }
}

/// Deletes what is beyond `retention`. `first_kept` is the key of the first event of this commit.
pub(super) fn prune(
    txn: &WriteTransaction,
    retention: &Retention,
    entry: &Entry<'_>,
    first_kept: (u64, u64),
) -> Result<(), Trouble> {
    let mut kept = ticks_of_open_trials(txn, entry.checkpoint)?;
    kept.insert(entry.record.tick.0);
    let mut bytes = tables::number(txn, "bytes")?;
    for _ in 0..DELETIONS_PER_COMMIT_MAX {
        let Some(oldest) = oldest(txn, &kept, first_kept)? else { break };
        let is_old = oldest.at().saturating_add(retention.age_max.0) < entry.record.at.0;
        if !is_old && bytes <= retention.bytes_max {
            break;
        }
        bytes = bytes.saturating_sub(delete(txn, &oldest)?);
    }
    tables::set_number(txn, "bytes", bytes)?;
    forget_lives(txn, first_kept.0)
}

fn ticks_of_open_trials(txn: &WriteTransaction, checkpoint: &Checkpoint) -> Result<BTreeSet<u64>, Trouble> {
    let actions = txn.open_table(ACTIONS)?;
    let mut ticks = BTreeSet::new();
    for trial in checkpoint.trials.iter().filter(|trial| trial.is_open()) {
        for row in actions.range(starting_with(trial.request.id.0))? {
            ticks.insert(row?.0.value().1);
        }
    }
    Ok(ticks)
}

/// Of record and event the older one; of the same time the event, which came in before the record came out.
fn oldest(txn: &WriteTransaction, kept: &BTreeSet<u64>, first_kept: (u64, u64)) -> Result<Option<Oldest>, Trouble> {
    let record = oldest_record(txn, kept)?;
    let event = oldest_event(txn, first_kept)?;
    Ok(event.into_iter().chain(record).min_by_key(Oldest::at))
}

fn oldest_record(txn: &WriteTransaction, kept: &BTreeSet<u64>) -> Result<Option<Oldest>, Trouble> {
    for row in txn.open_table(RECORDS)?.iter()? {
        let (tick, row) = row?;
        if !kept.contains(&tick.value()) {
            return Ok(Some(Oldest::Record { tick: tick.value(), at: row.value().0 }));
        }
    }
    Ok(None)
}

fn oldest_event(txn: &WriteTransaction, first_kept: (u64, u64)) -> Result<Option<Oldest>, Trouble> {
    let events = txn.open_table(EVENTS)?;
    let first = events.first()?.map(|(key, row)| (key.value(), row.value().0));
    Ok(first.filter(|(key, _)| *key < first_kept).map(|(key, at)| Oldest::Event { key, at }))
}

/// Deletes an entry and says what it cost.
fn delete(txn: &WriteTransaction, oldest: &Oldest) -> Result<u64, Trouble> {
    match oldest {
        Oldest::Event { key, .. } => {
            let mut events = txn.open_table(EVENTS)?;
            let removed = events.remove(*key)?;
            Ok(removed.map_or(0, |row| footprint(row.value().1.len())))
        }
        Oldest::Record { tick, .. } => delete_record(txn, *tick),
    }
}

fn delete_record(txn: &WriteTransaction, tick: u64) -> Result<u64, Trouble> {
    let mut records = txn.open_table(RECORDS)?;
    let Some(row) = records.remove(tick)? else { return Ok(0) };
    let bytes = row.value().2;
    // A record that cannot be read any more is deleted all the same; its index rows lead nowhere and readers skip them.
    if let Ok(record) = wire::decode_record(bytes) {
        let mut actions = txn.open_table(ACTIONS)?;
        for id in writing::actions_of(&record) {
            actions.remove((id.0, tick))?;
        }
        let mut incidents = txn.open_table(INCIDENTS)?;
        for id in writing::incidents_of(&record) {
            shorten_incident(&mut incidents, id.0, tick)?;
        }
    }
    Ok(footprint(bytes.len()))
}

/// An incident is open in consecutive ticks, so when its first record goes, it begins one tick later.
fn shorten_incident(incidents: &mut redb::Table<'_, u64, (u64, u64)>, id: u64, tick: u64) -> Result<(), Trouble> {
    let Some((first, last)) = incidents.get(id)?.map(|row| row.value()) else { return Ok(()) };
    if last <= tick {
        incidents.remove(id)?;
    } else if first <= tick {
        incidents.insert(id, (tick + 1, last))?;
    }
    Ok(())
}

/// Forgets the oldest lives of which nothing is left. One commit empties at most one life, so looking at a few suffices.
fn forget_lives(txn: &WriteTransaction, current: u64) -> Result<(), Trouble> {
    const LOOKED_AT: usize = 4;
    let oldest_tick = txn.open_table(RECORDS)?.first()?.map_or(u64::MAX, |(tick, _)| tick.value());
    let mut lives = txn.open_table(LIVES)?;
    for _ in 0..LOOKED_AT {
        let Some((life, last)) = lives.first()?.map(|(life, row)| (life.value(), row.value().2)) else { break };
        let has_events = txn.open_table(EVENTS)?.range(starting_with(life))?.next().is_some();
        if life == current || has_events || oldest_tick <= last {
            break;
        }
        lives.remove(life)?;
    }
    Ok(())
}
