//! The journal as its users see it: commits, look-ups, lives, retention, event logs.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test binary has no public items, and a failed unwrap is a failed test"
)]

#[allow(dead_code, reason = "each test binary uses a part of the samples")]
mod common;

use std::fs;
use std::path::Path;

use common::{acting, bulk, checkpoint, commit, commit_with, events, open_trial, quiet, troubled};
use homeostat_adapters::journal::wire;
use homeostat_adapters::{EventLog, Journal, JournalError, JournalReader, Retention};
use homeostat_core::{ActionId, Event, IncidentId, Millis, TickNumber, TickRecord, Timestamp};
use tempfile::tempdir;

fn open(dir: &Path) -> Journal {
    Journal::open(dir, Retention::default()).unwrap().0
}

fn all_events(journal: &Journal, life: u64) -> Vec<(Timestamp, Event)> {
    journal.events(life).unwrap().map(Result::unwrap).collect()
}

fn ticks(records: &[TickRecord]) -> Vec<u64> {
    records.iter().map(|record| record.tick.0).collect()
}

/// Scenario: a new journal, then a second life after three ticks, whose last two commits carried no bulk.
/// Guarantees: the first life has no past; the second recovers the last checkpoint, the last bulk and the last time.
#[test]
fn a_life_begins_where_the_last_one_ended() {
    let dir = tempdir().unwrap();
    let (mut journal, recovered) = Journal::open(dir.path(), Retention::default()).unwrap();
    assert_eq!((recovered.checkpoint, recovered.last, recovered.life), (None, None, 1));
    let mut first = checkpoint(1);
    first.bulk = bulk(11);
    commit_with(&mut journal, &quiet(1), &first).unwrap();
    commit(&mut journal, &quiet(2)).unwrap();
    commit(&mut journal, &quiet(3)).unwrap();
    drop(journal);

    let (journal, recovered) = Journal::open(dir.path(), Retention::default()).unwrap();
    let mut expected = checkpoint(3);
    expected.bulk = bulk(11);
    assert_eq!(recovered.checkpoint, Some(expected));
    assert_eq!((recovered.last, recovered.life), (Some(Timestamp(3000)), 2));
    assert_eq!(ticks(&journal.records(None, 10).unwrap()), [1, 2, 3]);
}

/// Scenario: four ticks; an incident spans three of them and an action was requested in one.
/// Guarantees: each look-up finds exactly its records, limits hold, and what is not there is an empty answer.
#[test]
fn records_are_found_by_tick_action_and_incident() {
    let dir = tempdir().unwrap();
    let mut journal = open(dir.path());
    for record in [quiet(1), troubled(2), acting(3, 17), troubled(4), quiet(5)] {
        commit(&mut journal, &record).unwrap();
    }
    assert_eq!(ticks(&journal.records(Some(TickNumber(2)), 2).unwrap()), [2, 3]);
    assert_eq!(ticks(&journal.latest(2).unwrap()), [4, 5]);
    assert_eq!(journal.record(TickNumber(3)).unwrap(), Some(acting(3, 17)));
    assert_eq!(journal.record(TickNumber(9)).unwrap(), None);
    assert_eq!(journal.action(ActionId(17)).unwrap(), [acting(3, 17)]);
    assert!(journal.action(ActionId(18)).unwrap().is_empty());
    assert_eq!(journal.incident(IncidentId(7)).unwrap(), [TickNumber(2), TickNumber(4)]);
    assert!(journal.incident(IncidentId(8)).unwrap().is_empty());
}

/// Scenario: a record is committed twice, and one from the past.
/// Guarantees: both are refused and nothing is overwritten, within a life and after a restart.
#[test]
fn ticks_only_go_forward() {
    let dir = tempdir().unwrap();
    let mut journal = open(dir.path());
    commit(&mut journal, &quiet(5)).unwrap();
    let error = commit(&mut journal, &troubled(5)).unwrap_err();
    assert_eq!(error.to_string(), "record t-5 does not follow t-5; nothing was written");
    drop(journal);
    let mut journal = open(dir.path());
    assert!(matches!(commit(&mut journal, &troubled(4)), Err(JournalError::OutOfOrder { .. })));
    assert_eq!(journal.latest(9).unwrap(), [quiet(5)]);
}

/// Scenario: two lives with ticks, with two starts between them that died before their first tick.
/// Guarantees: each start has its own number, each life its own events, and starts without a tick leave at most one row.
#[test]
fn lives_keep_their_events_apart() {
    let dir = tempdir().unwrap();
    let mut journal = open(dir.path());
    commit(&mut journal, &quiet(1)).unwrap();
    commit(&mut journal, &quiet(2)).unwrap();
    drop(journal);
    drop(open(dir.path()));
    drop(open(dir.path()));
    let (mut journal, recovered) = Journal::open(dir.path(), Retention::default()).unwrap();
    assert_eq!(recovered.life, 4);
    commit(&mut journal, &quiet(3)).unwrap();
    let lives = journal.lives().unwrap();
    assert_eq!(lives.iter().map(|life| (life.number, life.records)).collect::<Vec<_>>(), [(1, 2), (4, 1)]);
    assert_eq!(lives[0].ticks, Some((TickNumber(1), TickNumber(2))));
    assert_eq!(lives[0].times, Some((Timestamp(1000), Timestamp(2000))));
    assert_eq!(all_events(&journal, 1), [events(1), events(2)].concat());
    assert_eq!(all_events(&journal, 4), events(3));
}

/// Scenario: three hundred ticks, one a second, with an age limit of a hundred seconds.
/// Guarantees: nothing older is left in any table, the newest and the checkpoint are.
#[test]
fn what_is_too_old_is_deleted() {
    let dir = tempdir().unwrap();
    let retention = Retention { age_max: Millis::from_secs(100), ..Retention::default() };
    let mut journal = Journal::open(dir.path(), retention).unwrap().0;
    for tick in 1..=300 {
        commit(&mut journal, &if tick < 50 { acting(tick, tick) } else { quiet(tick) }).unwrap();
    }
    let kept = ticks(&journal.records(None, 1000).unwrap());
    assert_eq!((kept.first(), kept.last(), kept.len()), (Some(&200), Some(&300), 101));
    assert_eq!(all_events(&journal, 1).len(), 202);
    assert!(journal.incident(IncidentId(7)).unwrap().is_empty());
    assert!(journal.action(ActionId(20)).unwrap().is_empty());
    drop(journal);
    let recovered = Journal::open(dir.path(), retention).unwrap().1;
    assert_eq!(recovered.checkpoint, Some(checkpoint(300)));
}

/// Scenario: a byte limit of 60 KiB and far more ticks than fit, the second of which began an action that is still open.
/// Guarantees: the file stops growing, the open trial's record survives, the life's deleted beginning is reported.
#[test]
fn bytes_are_bounded_but_open_trials_keep_their_records() {
    let dir = tempdir().unwrap();
    let retention = Retention { bytes_max: 60 << 10, ..Retention::default() };
    let mut journal = Journal::open(dir.path(), retention).unwrap().0;
    let mut size_half_way = 0;
    for tick in 1..=500 {
        let mut state = checkpoint(tick);
        state.trials = vec![open_trial(17)];
        let record = if tick == 2 { acting(2, 17) } else { quiet(tick) };
        commit_with(&mut journal, &record, &state).unwrap();
        if tick == 250 {
            size_half_way = fs::metadata(journal.path()).unwrap().len();
        }
    }
    assert_eq!(fs::metadata(journal.path()).unwrap().len(), size_half_way);
    let kept = ticks(&journal.records(None, 5000).unwrap());
    assert_eq!((kept[0], *kept.last().unwrap()), (2, 500));
    assert!((20..250).contains(&kept.len()), "{}", kept.len());
    assert_eq!(journal.action(ActionId(17)).unwrap().len(), 1);
    let refused = journal.export_event_log(&dir.path().join("log"), 1).unwrap_err();
    assert!(matches!(refused, JournalError::LifeIncomplete { life: 1 }), "{refused}");
}

/// Scenario: a byte limit so small that not even one tick fits.
/// Guarantees: the newest tick is kept all the same.
#[test]
fn the_newest_tick_is_always_kept() {
    let dir = tempdir().unwrap();
    let mut journal = Journal::open(dir.path(), Retention { bytes_max: 1, ..Retention::default() }).unwrap().0;
    for tick in 1..=5 {
        commit(&mut journal, &quiet(tick)).unwrap();
    }
    assert_eq!(journal.records(None, 9).unwrap(), [quiet(5)]);
    assert_eq!(all_events(&journal, 1), events(5));
}

/// Scenario: a life is exported, and read back in another place.
/// Guarantees: events are equal, records are byte-identical, and an unknown life is named with those that exist.
#[test]
fn an_event_log_is_read_as_it_was_exported() {
    let dir = tempdir().unwrap();
    let mut journal = open(dir.path());
    commit(&mut journal, &quiet(1)).unwrap();
    commit(&mut journal, &acting(2, 17)).unwrap();
    drop(journal);
    let mut journal = open(dir.path());
    commit(&mut journal, &quiet(3)).unwrap();

    let path = dir.path().join("life.jsonl");
    journal.export_event_log(&path, 1).unwrap();
    let log = EventLog::read(&path).unwrap();
    assert_eq!((log.life, &log.entries), (1, &[events(1), events(2)].concat()));
    assert_eq!(log.records, [wire::encode_record(&quiet(1)), wire::encode_record(&acting(2, 17))]);
    let unknown = journal.export_event_log(&path, 9).unwrap_err();
    assert_eq!(unknown.to_string(), "the journal knows no life 9; it has 1, 2");
}

/// Scenario: event logs that were cut, edited, made by a newer program, or are something else.
/// Guarantees: each error names the file, the line and what is wrong with it.
#[test]
fn a_bad_event_log_is_refused_by_line() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("log");
    let header = r#"{"format":"homeostat-event-log","version":1,"life":1}"#;
    let tick = r#"{"at":1000,"event":"tick"}"#;
    let check = |text: String, expected: &str| {
        fs::write(&path, text).unwrap();
        let error = EventLog::read(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(String::new(), "line 1");
    check("{\"format\":\"other\",\"version\":1,\"life\":1}\n".into(), "not the header of an event log");
    check(header.replace("\"version\":1", "\"version\":2"), "version 2, this homeostat reads 1");
    check(format!("{header}\n{tick}\n{}", &tick[..10]), "line 3");
    check(format!("{header}\n{tick}\n{{\"at\":5}}\n"), "line 3");
    check(format!("{header}\n{{\"record\":{{\"tick\":1}}}}\n"), "line 2");
    check(format!("{header}\n{{\"at\":1,\"event\":\"tock\"}}\n"), "line 2");
    fs::write(&path, format!("{header}\n\n{tick}\n")).unwrap();
    assert_eq!(EventLog::read(&path).unwrap().entries, [(Timestamp(1000), Event::Tick)]);
    assert!(EventLog::read(&dir.path().join("none")).unwrap_err().to_string().contains("cannot open"));
}

/// Scenario: a person looks at a journal before, while and after an agent has it open.
/// Guarantees: a missing one is named; a held one points to the running agent; a free one gives the same answers.
#[test]
fn a_reader_needs_a_journal_that_no_agent_holds() {
    let dir = tempdir().unwrap();
    let missing = JournalReader::open(dir.path()).unwrap_err();
    assert!(matches!(missing, JournalError::Missing { .. }), "{missing}");
    let mut journal = open(dir.path());
    commit(&mut journal, &quiet(1)).unwrap();
    let held = JournalReader::open(dir.path()).unwrap_err().to_string();
    assert!(held.contains("ask the running agent instead: homeostat journal"), "{held}");
    let shared = journal.reader();
    commit(&mut journal, &quiet(2)).unwrap();
    assert_eq!(ticks(&shared.latest(5).unwrap()), [1, 2]);
    drop((journal, shared));
    assert_eq!(ticks(&JournalReader::open(dir.path()).unwrap().latest(5).unwrap()), [1, 2]);
}
