//! Bookkeeping.
//!
//! Answers whether a record, its checkpoint and the events that led to it are on disk. Does not know how they are stored. An
//! effect may only follow a record that is: the caller asks here first. A page that could not be written is not tried
//! again, because after a failed write the store is certain of its state only when it is opened anew; the agent holds
//! until it is restarted.

use homeostat_core::{Checkpoint, Event, TickRecord, Timestamp};

/// Everything one tick leaves behind.
#[derive(Debug)]
pub(crate) struct Page {
    /// The record.
    pub(crate) record: Box<TickRecord>,
    /// What the loop carries to the next tick.
    pub(crate) checkpoint: Checkpoint,
    /// What entered the loop since the page before, the tick itself included.
    pub(crate) events: Vec<(Timestamp, Event)>,
}

/// Writes a page durably, or says why not.
pub(crate) type Writer = Box<dyn FnMut(&Page) -> Result<(), String> + Send>;

/// The book.
pub(crate) struct Book {
    writer: Writer,
    events: Vec<(Timestamp, Event)>,
    trouble: Option<String>,
}

/// The page is not on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotWritten;

impl Book {
    /// A book written by `writer`.
    pub(crate) fn new(writer: Writer) -> Book {
        Book { writer, events: Vec::new(), trouble: None }
    }

    /// Notes an event that is about to enter the loop. Between two ticks there are as many as the driver's channels hold.
    pub(crate) fn note(&mut self, at: Timestamp, event: &Event) {
        if self.trouble.is_none() {
            self.events.push((at, event.clone()));
        }
    }

    /// Writes this record and everything noted before it. Blocks until it is on disk.
    pub(crate) fn commit(&mut self, record: Box<TickRecord>, checkpoint: Checkpoint) -> Result<(), NotWritten> {
        if self.trouble.is_some() {
            return Err(NotWritten);
        }
        let events = std::mem::take(&mut self.events);
        (self.writer)(&Page { record, checkpoint, events }).map_err(|why| {
            tracing::error!(
                "the journal failed: {why}; nothing is done any more; telemetry goes on; then restart the agent"
            );
            self.trouble = Some(why);
            NotWritten
        })
    }

    /// Why pages cannot be written, if they cannot.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::explain::samples::record_of_a_decision;

    /// Scenario: the disk refuses the second page and would take the third.
    /// Guarantees: the second commit says so, the third is not tried, and a page carries exactly the events noted before it.
    #[test]
    fn after_a_failure_nothing_is_written_any_more() {
        let written = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut attempts) = (written.clone(), 0);
        let mut book = Book::new(Box::new(move |page| {
            attempts += 1;
            seen.lock().expect("no panic while held").push(page.events.len());
            if attempts == 2 { Err("disk full".to_owned()) } else { Ok(()) }
        }));
        let commit = |book: &mut Book| book.commit(Box::new(record_of_a_decision()), Checkpoint::default());
        book.note(Timestamp(1), &Event::Tick);
        assert_eq!(commit(&mut book), Ok(()));
        book.note(Timestamp(2), &Event::Drain);
        book.note(Timestamp(2), &Event::Tick);
        assert_eq!(commit(&mut book), Err(NotWritten));
        assert_eq!(book.trouble(), Some("disk full"));
        assert_eq!(commit(&mut book), Err(NotWritten));
        assert_eq!(*written.lock().expect("no panic while held"), [1, 2]);
    }
}
