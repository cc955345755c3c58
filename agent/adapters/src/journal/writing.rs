//! Writing one tick.
//!
//! Answers how an entry is spread over the tables, inside one transaction that the caller commits. It does not know what may
//! be deleted. The checkpoint's bulk has a key of its own, because it is large and changes slowly.

use std::collections::BTreeSet;

use homeostat_core::{ActionId, Checkpoint, IncidentId, OperatorCommand, TickRecord, Timestamp};
use redb::{Database, ReadableTable, WriteTransaction};

use super::error::Trouble;
use super::tables::{self, ACTIONS, EVENTS, INCIDENTS, LIVES, RECORDS, STATE, footprint};
use super::{Entry, Recovered, wire};

/// Makes the tables, reads what the last life left, and counts a new one.
pub(super) fn begin_life(db: &Database) -> Result<Recovered, Trouble> {
    let txn = db.begin_write()?;
    tables::create_all(&txn)?;
    let recovered = Recovered {
        checkpoint: recovered_checkpoint(&txn)?,
        last: last_time(&txn)?,
        life: tables::number(&txn, "life")? + 1,
    };
    tables::set_number(&txn, "life", recovered.life)?;
    forget_an_empty_life(&txn, recovered.life - 1)?;
    txn.open_table(LIVES)?.insert(recovered.life, (0, 0, 0, 0, 0))?;
    txn.commit()?;
    Ok(recovered)
}

/// A process that dies before its first tick leaves nothing but a row; a thousand of them in a row leave one.
fn forget_an_empty_life(txn: &WriteTransaction, life: u64) -> Result<(), Trouble> {
    let mut lives = txn.open_table(LIVES)?;
    let is_empty = lives.get(life)?.is_some_and(|row| row.value().0 == 0);
    if is_empty {
        lives.remove(life)?;
    }
    Ok(())
}

fn recovered_checkpoint(txn: &WriteTransaction) -> Result<Option<Checkpoint>, Trouble> {
    let state = txn.open_table(STATE)?;
    let Some(stored) = state.get("checkpoint")? else { return Ok(None) };
    let mut checkpoint =
        wire::decode_checkpoint(stored.value()).map_err(|error| Trouble::Entry("the checkpoint".into(), error))?;
    if let Some(bulk) = state.get("bulk")? {
        let bulk = wire::decode_bulk(bulk.value())
            .map_err(|error| Trouble::Entry("the bulk of the checkpoint".into(), error))?;
        checkpoint.bulk = Some(Box::new(bulk));
    }
    Ok(Some(checkpoint))
}

fn last_time(txn: &WriteTransaction) -> Result<Option<Timestamp>, Trouble> {
    let record = txn.open_table(RECORDS)?.last()?.map(|(_, row)| row.value().0);
    let event = txn.open_table(EVENTS)?.last()?.map(|(_, row)| row.value().0);
    Ok(record.max(event).map(Timestamp))
}

/// Writes everything of `entry`; its events get the positions from `first_event` on.
pub(super) fn write_entry(
    txn: &WriteTransaction,
    entry: &Entry<'_>,
    life: u64,
    first_event: u64,
) -> Result<(), Trouble> {
    let cost = write_record(txn, entry.record, life)? + write_events(txn, entry, life, first_event)?;
    tables::set_number(txn, "bytes", tables::number(txn, "bytes")? + cost)?;
    write_checkpoint(txn, entry.checkpoint)?;
    index_actions(txn, entry.record)?;
    index_incidents(txn, entry.record)?;
    count_life(txn, entry.record, life)
}

fn write_record(txn: &WriteTransaction, record: &TickRecord, life: u64) -> Result<u64, Trouble> {
    let bytes = wire::encode_record(record);
    txn.open_table(RECORDS)?.insert(record.tick.0, (record.at.0, life, bytes.as_slice()))?;
    Ok(footprint(bytes.len()))
}

fn write_events(txn: &WriteTransaction, entry: &Entry<'_>, life: u64, first: u64) -> Result<u64, Trouble> {
    let mut events = txn.open_table(EVENTS)?;
    let mut cost = 0;
    for ((at, event), position) in entry.events.iter().zip(first..) {
        let bytes = wire::encode_event(*at, event);
        events.insert((life, position), (at.0, bytes.as_slice()))?;
        cost += footprint(bytes.len());
    }
    Ok(cost)
}

fn write_checkpoint(txn: &WriteTransaction, checkpoint: &Checkpoint) -> Result<(), Trouble> {
    let mut state = txn.open_table(STATE)?;
    let Some(bulk) = &checkpoint.bulk else {
        state.insert("checkpoint", wire::encode_checkpoint(checkpoint).as_slice())?;
        return Ok(());
    };
    let rest = Checkpoint { bulk: None, ..checkpoint.clone() };
    state.insert("checkpoint", wire::encode_checkpoint(&rest).as_slice())?;
    state.insert("bulk", wire::encode_bulk(bulk).as_slice())?;
    Ok(())
}

/// Every action that a record says something about.
pub(super) fn actions_of(record: &TickRecord) -> BTreeSet<ActionId> {
    let requested = record.plan.requests.iter().map(|request| request.id);
    let emitted = record.effects.iter().map(effect_id);
    let moved = record.trials.iter().map(|change| change.id);
    let ended = record.outcomes.iter().map(|outcome| outcome.id);
    let answered = record.operator.iter().filter_map(|said| match said {
        OperatorCommand::Approve(id) | OperatorCommand::Reject(id) => Some(*id),
        OperatorCommand::Hold | OperatorCommand::Resume | OperatorCommand::Arm { .. } => None,
    });
    requested.chain(emitted).chain(moved).chain(ended).chain(answered).collect()
}

fn effect_id(effect: &homeostat_core::Effect) -> ActionId {
    use homeostat_core::Effect::{Apply, ReadBack, Undo};
    match effect {
        Apply { id, .. } | Undo { id, .. } | ReadBack { id, .. } => *id,
    }
}

/// Every incident that is open or closes in a record.
pub(super) fn incidents_of(record: &TickRecord) -> BTreeSet<IncidentId> {
    let open = record.assessment.incidents.iter().map(|incident| incident.id);
    open.chain(record.assessment.closed.iter().copied()).collect()
}

fn index_actions(txn: &WriteTransaction, record: &TickRecord) -> Result<(), Trouble> {
    let mut actions = txn.open_table(ACTIONS)?;
    for id in actions_of(record) {
        actions.insert((id.0, record.tick.0), ())?;
    }
    Ok(())
}

fn index_incidents(txn: &WriteTransaction, record: &TickRecord) -> Result<(), Trouble> {
    let mut incidents = txn.open_table(INCIDENTS)?;
    for id in incidents_of(record) {
        let first = incidents.get(id.0)?.map_or(record.tick.0, |row| row.value().0);
        incidents.insert(id.0, (first, record.tick.0))?;
    }
    Ok(())
}

fn count_life(txn: &WriteTransaction, record: &TickRecord, life: u64) -> Result<(), Trouble> {
    let mut lives = txn.open_table(LIVES)?;
    let (tick, at) = (record.tick.0, record.at.0);
    let before = lives.get(life)?.map(|row| row.value()).filter(|row| row.0 != 0);
    let row = before.map_or((1, tick, tick, at, at), |(count, first, _, since, _)| (count + 1, first, tick, since, at));
    lives.insert(life, row)?;
    Ok(())
}
