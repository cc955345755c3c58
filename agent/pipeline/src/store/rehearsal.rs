//! A log in memory, for fuzzing.
//!
//! Answers what a life makes of the files of the last one, and writes such files as an agent would. Does not judge, and takes
//! the same way through the store as a real start: only the volume is another.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use homeostat_core::Timestamp;

use super::Store;
use super::kept::{ExporterId, KeptRecord, Run};
use super::memory::Memory;
use crate::config::Telemetry;

/// Beyond anything that fits into memory: fuzzing is about what is read, not about a log that is full.
const BYTES_MAX: u64 = u64::MAX / 2;

/// The files of a delivery log.
#[derive(Clone, Debug, Default)]
pub struct Log(Memory);

/// What a life finds in them.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// The received requests that can be read, oldest first.
    pub undecided: Vec<Bytes>,
    /// Number and body of the requests that the exporter has not delivered, oldest first; no body where it is damaged.
    pub unsent: Vec<(u64, Option<Bytes>)>,
    /// Bytes that were counted as lost.
    pub bytes_lost: u64,
    /// What is noted of the records, in bytes, while nothing of them is being read.
    pub noted_bytes: usize,
    /// The most bytes that a file was asked for beyond its length.
    pub overread_max: usize,
}

impl Log {
    /// A log of these files.
    pub fn of(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Log {
        let volume = Memory::default();
        files.into_iter().for_each(|(name, bytes)| volume.put(name, bytes));
        Log(volume)
    }

    /// The files as they are.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.0.contents()
    }

    /// Begins a life and reads everything, with one exporter of that name.
    pub fn read(&self, exporter: &str) -> Found {
        let (store, leftover) = Store::on(Arc::new(self.0.clone()), BYTES_MAX).expect("memory does not break");
        let noted_bytes = leftover.noted_bytes();
        let now = Timestamp(1);
        drop(leftover.settled(&store, now));
        let mut undecided = Vec::new();
        leftover.undecided(
            &store,
            || now,
            |body| {
                undecided.push(body.clone());
                1
            },
        );
        let mut runs: Vec<Run> = Vec::new();
        let queue = |record: KeptRecord| {
            if !runs.last_mut().is_some_and(|run| run.extend(&record)) {
                runs.push(Run::of(&record));
            }
        };
        leftover.unsent(ExporterId::of(exporter), |_| true, queue);
        let records = runs.iter_mut().flat_map(|run| std::iter::from_fn(|| run.pop()));
        let unsent = records.map(|record| (record.number(), record.load())).collect();
        let (bytes_lost, overread_max) = (store.stats().bytes_lost, self.0.overread_max());
        Found { undecided, unsent, bytes_lost, noted_bytes, overread_max }
    }

    /// Begins a life in which these requests are received and those are kept, of which the exporter delivers the first few.
    pub async fn write(&self, received: &[Bytes], kept: &[Bytes], exporter: &str, delivered: usize) {
        let (store, leftover) = Store::on(Arc::new(self.0.clone()), BYTES_MAX).expect("memory does not break");
        let records: Arc<Mutex<Vec<KeptRecord>>> = Arc::default();
        let sink = records.clone();
        let take = move |record: KeptRecord, _| {
            record.expect(1);
            sink.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        };
        store.start(&leftover, Box::new(take));
        for body in received {
            store.receive(body.clone()).await.expect("memory takes everything");
        }
        for body in kept {
            store.pass(Telemetry::Traces, 1, body.clone()).await.expect("memory takes everything");
        }
        store.close();
        let records = records.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().take(delivered).for_each(|record| record.settle(ExporterId::of(exporter)));
    }
}
