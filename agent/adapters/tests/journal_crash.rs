//! The journal when things go wrong: killed processes, torn and foreign files, two agents, bad directories.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test binary has no public items, and a failed unwrap is a failed test"
)]

#[allow(dead_code, reason = "each test binary uses a part of the samples")]
mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::{checkpoint, commit, quiet};
use homeostat_adapters::{Journal, JournalError, JournalReader, Retention};
use homeostat_core::{TickNumber, TickRecord};
use tempfile::tempdir;

/// Set for the child process of the kill test only: the same test in another process, which then writes to this directory.
const CHILD_DIR: &str = "HOMEOSTAT_JOURNAL_TEST_DIR";
/// The name of the kill test.
const KILL_TEST: &str = "nothing_durable_is_lost_when_the_process_is_killed";

fn open(dir: &Path) -> Result<Journal, JournalError> {
    Journal::open(dir, Retention::default()).map(|(journal, _)| journal)
}

fn ticks(records: &[TickRecord]) -> Vec<u64> {
    records.iter().map(|record| record.tick.0).collect()
}

/// What the child process does: writes ticks until it is killed, and says after each commit that it is durable.
fn write_until_killed(dir: &Path) {
    let (mut journal, recovered) = Journal::open(dir, Retention::default()).unwrap();
    let first = recovered.checkpoint.map_or(1, |checkpoint| checkpoint.tick.0 + 1);
    for tick in first..first + 100_000 {
        commit(&mut journal, &quiet(tick)).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "durable {tick}").unwrap();
        out.flush().unwrap();
    }
}

/// Starts a writer on `dir`, lets it commit `count` ticks, kills it, and says the last tick it called durable.
fn write_and_kill(dir: &Path, count: u64) -> u64 {
    let arguments = ["--exact", KILL_TEST, "--nocapture"];
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(arguments)
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut durable = lines.filter_map(|line| line.split_once("durable ")?.1.trim().parse::<u64>().ok());
    let last = durable.by_ref().take(count as usize).last().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    durable.last().unwrap_or(last)
}

/// Scenario: a writing process is killed (SIGKILL) in the middle of its work, five times over, on one journal.
/// Guarantees: every tick it called durable is there, whole and in order, with its checkpoint; at most one more is.
#[test]
fn nothing_durable_is_lost_when_the_process_is_killed() {
    if let Ok(dir) = std::env::var(CHILD_DIR) {
        return write_until_killed(Path::new(&dir));
    }
    let dir = tempdir().unwrap();
    for round in 1..=5 {
        let durable = write_and_kill(dir.path(), 5 * round);
        let read = ticks(&JournalReader::open(dir.path()).unwrap().records(None, 10_000).unwrap());
        let last = *read.last().unwrap();
        assert_eq!(read, (1..=last).collect::<Vec<_>>());
        assert!(last == durable || last == durable + 1, "{durable} was durable, {last} was found");
        let (_, recovered) = Journal::open(dir.path(), Retention::default()).unwrap();
        assert_eq!(recovered.checkpoint, Some(checkpoint(last)));
        assert_eq!(recovered.life, 2 * round);
    }
}

/// Scenario: the process ends without closing the journal; its file is as it stood after the last commit.
/// Guarantees: agent and reader both open the image, and find what was committed.
#[test]
fn a_journal_that_was_never_closed_opens() {
    let dir = tempdir().unwrap();
    // Open until the end of the test, so that nothing it would do on closing reaches the images.
    let mut journal = open(dir.path()).unwrap();
    commit(&mut journal, &quiet(1)).unwrap();
    commit(&mut journal, &quiet(2)).unwrap();
    let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
    for image in [&first, &second] {
        fs::copy(journal.path(), image.path().join("journal.redb")).unwrap();
    }
    assert_eq!(ticks(&open(first.path()).unwrap().latest(9).unwrap()), [1, 2]);
    assert_eq!(ticks(&JournalReader::open(second.path()).unwrap().latest(9).unwrap()), [1, 2]);
}

/// Scenario: an agent is started on the directory of a running one.
/// Guarantees: it is refused and told what to do; the running one is not disturbed.
#[test]
fn a_second_agent_is_refused() {
    let dir = tempdir().unwrap();
    let mut journal = open(dir.path()).unwrap();
    let refused = open(dir.path()).unwrap_err();
    assert!(matches!(refused, JournalError::InUse { .. }), "{refused:?}");
    assert!(refused.to_string().starts_with("another homeostat is using "), "{refused}");
    commit(&mut journal, &quiet(1)).unwrap();
    assert_eq!(journal.record(TickNumber(1)).unwrap(), Some(quiet(1)));
}

/// Scenario: the directory of a running agent is moved away, and another agent is started in its place.
/// Guarantees: the first can write nothing any more and says why; the second can.
#[test]
fn an_agent_whose_place_was_taken_writes_no_more() {
    let parent = tempdir().unwrap();
    let place = parent.path().join("state");
    let mut first = open(&place).unwrap();
    commit(&mut first, &quiet(1)).unwrap();
    fs::rename(&place, parent.path().join("elsewhere")).unwrap();
    let refused = commit(&mut first, &quiet(2)).unwrap_err();
    assert!(matches!(refused, JournalError::Replaced { .. }), "{refused:?}");
    let mut second = open(&place).unwrap();
    commit(&mut second, &quiet(1)).unwrap();
    let refused = commit(&mut first, &quiet(2)).unwrap_err();
    assert!(refused.to_string().contains("is not the journal that this agent opened"), "{refused}");
}

/// Scenario: a journal whose checkpoint was written in another form, by a program that is not this one.
/// Guarantees: opening it names the checkpoint and what to do, and changes nothing: the program that wrote it still can.
#[test]
fn a_foreign_checkpoint_is_named() {
    const STATE: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("state");
    let dir = tempdir().unwrap();
    let path = closed_journal(dir.path());
    let write = |bytes: &[u8]| {
        let txn = redb::Database::open(&path).unwrap().begin_write().unwrap();
        let before = txn.open_table(STATE).unwrap().insert("checkpoint", bytes).unwrap().unwrap().value().to_vec();
        txn.commit().unwrap();
        before
    };
    let right = write(&[9, 9, 9]);
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(error, JournalError::Entry { .. }), "{error:?}");
    assert!(
        error.to_string().starts_with("the checkpoint in the journal ") && error.to_string().contains("move"),
        "{error}"
    );
    write(&right);
    let (_, recovered) = Journal::open(dir.path(), Retention::default()).unwrap();
    assert_eq!((recovered.checkpoint, recovered.life), (Some(checkpoint(50)), 2));
}

/// A journal of some pages, closed.
fn closed_journal(dir: &Path) -> std::path::PathBuf {
    let mut journal = open(dir).unwrap();
    for tick in 1..=50 {
        commit(&mut journal, &quiet(tick)).unwrap();
    }
    journal.path().to_owned()
}

/// Scenario: the journal is cut to every kind of length, overwritten with text, or made of zeros.
/// Guarantees: opening it says that it is damaged and to move it aside; it never panics and never begins anew in silence.
#[test]
fn a_damaged_journal_says_what_to_do() {
    let dir = tempdir().unwrap();
    let path = closed_journal(dir.path());
    let whole = fs::read(&path).unwrap();
    let check = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let shown = open(dir.path()).unwrap_err().to_string();
        assert!(shown.contains("move it aside"), "{} bytes: {shown}", bytes.len());
        let shown = JournalReader::open(dir.path()).unwrap_err().to_string();
        assert!(shown.contains("move it aside"), "{} bytes: {shown}", bytes.len());
    };
    for length in [1, 8, 100, 319, 512, 4096, 5000, whole.len() / 2] {
        check(&whole[..length]);
    }
    check(b"this is a note that somebody saved under the wrong name\n");
    check(&vec![0; 100_000]);
}

/// Scenario: a page in the middle of a closed journal is overwritten, each page in turn.
/// Guarantees: the agent either refuses the file or finds every record as it was; a wrong record is never read.
#[test]
fn a_damaged_page_never_becomes_a_wrong_record() {
    let dir = tempdir().unwrap();
    let path = closed_journal(dir.path());
    let whole = fs::read(&path).unwrap();
    let right: Vec<_> = (1..=50).map(quiet).collect();
    let mut refused = 0;
    for page in
        (0..whole.len()).step_by(4096).skip(1).filter(|page| whole[*page..page + 4096].iter().any(|byte| *byte != 0))
    {
        let mut bytes = whole.clone();
        bytes[page + 16..page + 64].fill(0xA5);
        fs::write(&path, &bytes).unwrap();
        match JournalReader::open(dir.path()).and_then(|reader| reader.records(None, 100)) {
            Ok(records) => assert!(records.iter().all(|record| right.contains(record)), "page at {page}"),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        fs::write(&path, &bytes).unwrap();
        match open(dir.path()) {
            Ok(journal) => assert_eq!(journal.records(None, 100).unwrap(), right, "page at {page}"),
            Err(error) => refused += usize::from(error.to_string().contains("move it aside")),
        }
    }
    assert!(0 < refused);
}

/// Scenario: the directory cannot be made because a file is in the way, or the journal itself is a directory.
/// Guarantees: the error names the path and the step.
#[test]
fn a_bad_directory_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("below")).unwrap_err();
    assert!(matches!(error, JournalError::Directory { .. }), "{error:?}");
    assert!(error.to_string().contains("file/below"), "{error}");

    let blocked = tempdir().unwrap();
    fs::create_dir(blocked.path().join("journal.redb")).unwrap();
    let error = open(blocked.path()).unwrap_err().to_string();
    assert!(error.contains("cannot open the journal") && error.contains("journal.redb"), "{error}");
}
