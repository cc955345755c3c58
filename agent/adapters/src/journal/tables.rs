//! The journal's tables.
//!
//! Answers what is kept under which key, and what an entry costs on disk. It does not know the entries' form. Times and
//! lives stand beside the bytes, so that retention and look-ups need not inflate anything.

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::error::Trouble;

/// The layout of these tables. Grows when a table changes its meaning.
pub(super) const FORMAT: u64 = 1;

/// `format`, `life` (the number of the last life) and `bytes` (what records and events cost).
pub(super) const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");
/// `checkpoint` and `bulk`, encoded.
pub(super) const STATE: TableDefinition<&str, &[u8]> = TableDefinition::new("state");
/// Tick → time, life, encoded record.
pub(super) const RECORDS: TableDefinition<u64, (u64, u64, &[u8])> = TableDefinition::new("records");
/// Life and position in it → time, encoded event.
pub(super) const EVENTS: TableDefinition<(u64, u64), (u64, &[u8])> = TableDefinition::new("events");
/// Action and tick: the record of this tick says something about this action.
pub(super) const ACTIONS: TableDefinition<(u64, u64), ()> = TableDefinition::new("actions");
/// Incident → its first and last tick.
pub(super) const INCIDENTS: TableDefinition<u64, (u64, u64)> = TableDefinition::new("incidents");
/// Life → how many records, first tick, last tick, first time, last time.
pub(super) const LIVES: TableDefinition<u64, (u64, u64, u64, u64, u64)> = TableDefinition::new("lives");

/// Makes every table, so that readers never meet a journal without one.
pub(super) fn create_all(txn: &WriteTransaction) -> Result<(), Trouble> {
    txn.open_table(STATE)?;
    txn.open_table(RECORDS)?;
    txn.open_table(EVENTS)?;
    txn.open_table(ACTIONS)?;
    txn.open_table(INCIDENTS)?;
    txn.open_table(LIVES)?;
    let mut numbers = txn.open_table(NUMBERS)?;
    let found = numbers.get("format")?.map(|found| found.value());
    match found {
        None => drop(numbers.insert("format", FORMAT)?),
        Some(FORMAT) => {}
        Some(found) => return Err(Trouble::Format { found, known: FORMAT }),
    }
    Ok(())
}

/// What an entry of `len` bytes costs on disk: the store keeps small entries together on pages of 4 KiB, and gives a larger
/// one a run of pages whose length is a power of two.
pub(super) fn footprint(len: usize) -> u64 {
    let len = len as u64 + 64;
    if len <= 2048 { len } else { len.next_power_of_two() }
}

/// The value of `name`, zero if it was never set.
pub(super) fn number(txn: &WriteTransaction, name: &str) -> Result<u64, Trouble> {
    Ok(txn.open_table(NUMBERS)?.get(name)?.map_or(0, |value| value.value()))
}

/// Sets `name`.
pub(super) fn set_number(txn: &WriteTransaction, name: &str, value: u64) -> Result<(), Trouble> {
    txn.open_table(NUMBERS)?.insert(name, value)?;
    Ok(())
}

/// A range over everything that begins with `first`.
pub(super) fn starting_with(first: u64) -> std::ops::RangeInclusive<(u64, u64)> {
    (first, 0)..=(first, u64::MAX)
}
