//! The durable log.
//!
//! Answers what survives a kill and a power cut: every acknowledged span that is or will be kept, and every acknowledged
//! metric and log. Does not decide and does not send. Two streams of append-only segments lie in one directory:
//!
//! ```text
//! received-*.log   trace requests as they came, written and synced before the acknowledgement
//! kept-*.log       export requests, cut from what was kept; metrics and logs, synced before the acknowledgement
//! kept-*.sent      beside a kept segment: which exporter has delivered which of its records
//! ```
//!
//! A kept record both queues the request and says, by the spans in it, which received spans are dealt with: one write is
//! index and delete at once, and no second file can contradict it. A general store is not used because all that is asked of
//! it is to append, to read in order and to drop whole files; compaction would write every span twice more.

mod kept;
mod ledger;
mod memory;
mod record;
mod recovery;
mod rehearsal;
mod repeats;
mod segment;
mod tend;
mod volume;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use homeostat_core::Timestamp;
use thiserror::Error;
use tokio::sync::oneshot;

pub(crate) use kept::{ExporterId, KeptRecord, Run};
pub(crate) use recovery::{Leftover, Settled, SpanKey};
pub use rehearsal::{Found, Log};
pub(crate) use repeats::{Repeat, Repeats, RequestKey};
pub(crate) use tend::{BatchState, Tending};

use crate::config::Telemetry;
use crate::stats::{Counter, StoreStats};
use ledger::Ledger;
use record::Stream;
use volume::{Directory, Volume};
use writer::Writer;

/// How much is written between two syncs at most, so that the first of a round does not wait for a flood behind it.
const ROUND_BYTES_MAX: usize = 32 << 20;
/// The pause between attempts to write to a disk that is full or broken.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Why the log cannot be opened.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process has it.
    #[error("the delivery log in {} is in use; stop the other agent or give this one a state directory of its own", .0.display())]
    InUse(PathBuf),
    /// The directory cannot be used.
    #[error("cannot use the delivery log in {}", path.display())]
    Directory {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why something was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unwritten {
    /// Its bytes are used up.
    Full,
    /// The disk is full or broken.
    Disk,
}

/// A received request that is durable and goes on to the sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    segment: u64,
}

/// One thing to write.
#[derive(Debug)]
struct Append {
    stream: Stream,
    kind: Telemetry,
    items: u64,
    body: Bytes,
    /// Who waits until it is durable; nobody for kept spans, whose requests were acknowledged before.
    done: Option<oneshot::Sender<Result<Ticket, Unwritten>>>,
}

#[derive(Debug)]
enum Entry {
    Append(Append),
    /// Tell when everything before is durable.
    Sync(oneshot::Sender<()>),
    /// Close the segments at hand.
    Seal,
}

#[derive(Debug, Default)]
struct Inbox {
    entries: Vec<Entry>,
    is_closing: bool,
}

/// Hands written records to the exporters, with their bytes while they are at hand.
type Deliver = Box<dyn Fn(KeptRecord, Bytes) + Send + Sync>;

/// What the doors, the exporters and the writer share.
struct Inner {
    volume: Arc<dyn Volume>,
    bytes_max: u64,
    inbox: Mutex<Inbox>,
    arrived: Condvar,
    ledger: Mutex<Ledger>,
    /// Bytes handed in and not written yet. Bounded by what the doors let in at once and by the trace buffer.
    pending: AtomicU64,
    failing: AtomicBool,
    deliver: OnceLock<Deliver>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    write_failures: Counter,
    records_lost: Counter,
    bytes_lost: Counter,
    spans_recovered: Counter,
    requests_repeated: Counter,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("volume", &self.volume).finish_non_exhaustive()
    }
}

impl Inner {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, entry: Entry) {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if inbox.is_closing {
            // Whoever waits learns from the dropped channel that nobody writes any more.
            return;
        }
        if let Entry::Append(append) = &entry {
            self.pending.fetch_add(append.body.len() as u64, Relaxed);
        }
        inbox.entries.push(entry);
        drop(inbox);
        self.arrived.notify_one();
    }

    /// What arrived since, and whether it is the last. Waits for something; while the disk fails, not for long.
    fn next_round(&self) -> (Vec<Entry>, bool) {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_failing() {
            let waits = |inbox: &mut Inbox| !inbox.is_closing;
            inbox =
                self.arrived.wait_timeout_while(inbox, RETRY_PAUSE, waits).unwrap_or_else(PoisonError::into_inner).0;
        } else {
            let waits = |inbox: &mut Inbox| inbox.entries.is_empty() && !inbox.is_closing;
            inbox = self.arrived.wait_while(inbox, waits).unwrap_or_else(PoisonError::into_inner);
        }
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            bytes += if let Entry::Append(append) = entry { append.body.len() } else { 0 };
            bytes <= ROUND_BYTES_MAX
        };
        let count = inbox.entries.iter().take_while(fits).count().max(1).min(inbox.entries.len());
        let rest = inbox.entries.split_off(count);
        let round = std::mem::replace(&mut inbox.entries, rest);
        (round, inbox.is_closing && inbox.entries.is_empty())
    }

    fn written(&self, bytes: usize) {
        self.pending.fetch_sub(bytes as u64, Relaxed);
    }

    fn is_failing(&self) -> bool {
        self.failing.load(Relaxed)
    }

    fn fail(&self, error: &io::Error) {
        self.counters.write_failures.add(1);
        if !self.failing.swap(true, Relaxed) {
            tracing::error!(%error, "cannot write the delivery log; senders are asked to come back until it can be written");
        }
    }

    fn deliver(&self, record: KeptRecord, body: Bytes) {
        if let Some(deliver) = self.deliver.get() {
            deliver(record, body);
        }
    }

    fn lose(&self, name: &str, records: u64, bytes: u64) {
        self.counters.records_lost.add(records);
        self.counters.bytes_lost.add(bytes);
        tracing::warn!(file = name, records, bytes, "a part of the delivery log is damaged and was skipped");
    }
}

/// The log. Dropped without [`Store::close`], it finishes what was handed in.
#[derive(Debug)]
pub(crate) struct Store {
    inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub(crate) repeats: Repeats,
    tending: Mutex<Tending>,
}

impl Drop for Store {
    fn drop(&mut self) {
        self.inner.inbox.lock().unwrap_or_else(PoisonError::into_inner).is_closing = true;
        self.inner.arrived.notify_one();
    }
}

impl Store {
    /// Opens the log in `path`, and says what a former life left in it.
    pub(crate) fn open(path: &Path, bytes_max: u64) -> Result<(Store, Leftover), StoreError> {
        let fault = |source: io::Error| match source.kind() {
            io::ErrorKind::WouldBlock => StoreError::InUse(path.to_owned()),
            _ => StoreError::Directory { path: path.to_owned(), source },
        };
        let volume: Arc<dyn Volume> = Arc::new(Directory::take(path).map_err(fault)?);
        Store::on(volume, bytes_max).map_err(fault)
    }

    fn on(volume: Arc<dyn Volume>, bytes_max: u64) -> io::Result<(Store, Leftover)> {
        let inner = Arc::new(Inner {
            volume,
            bytes_max,
            inbox: Mutex::new(Inbox::default()),
            arrived: Condvar::new(),
            ledger: Mutex::new(Ledger::default()),
            pending: AtomicU64::new(0),
            failing: AtomicBool::new(false),
            deliver: OnceLock::new(),
            counters: Counters::default(),
        });
        let leftover = Leftover::read(&inner)?;
        let store = Store { inner, thread: Mutex::new(None), repeats: Repeats::default(), tending: Mutex::default() };
        Ok((store, leftover))
    }

    /// Begins to write; `deliver` is handed every kept record as soon as it is written.
    pub(crate) fn start(&self, leftover: &Leftover, deliver: Deliver) {
        let is_first = self.inner.deliver.set(deliver).is_ok();
        assert!(is_first, "a store is started once");
        let writer = Writer::new(self.inner.clone(), leftover.received_next, leftover.kept_next);
        let thread = std::thread::Builder::new().name("delivery-log".to_owned()).spawn(move || writer.run());
        match thread {
            Ok(thread) => *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread),
            Err(error) => self.inner.fail(&error),
        }
    }

    /// Whether `bytes` more may be taken in.
    pub(crate) fn admit(&self, bytes: usize) -> Result<(), Unwritten> {
        if self.inner.is_failing() {
            return Err(Unwritten::Disk);
        }
        let used = self.inner.ledger().bytes() + self.inner.pending.load(Relaxed);
        if used + bytes as u64 > self.inner.bytes_max { Err(Unwritten::Full) } else { Ok(()) }
    }

    /// Writes a trace request; returns when it is durable. What comes of it is to be told with [`Store::offered`].
    pub(crate) async fn receive(&self, body: Bytes) -> Result<Ticket, Unwritten> {
        self.admit(body.len())?;
        self.append(Stream::Received, Telemetry::Traces, 0, body).await
    }

    /// Writes a request that needs no decision; returns when it is durable.
    pub(crate) async fn pass(&self, kind: Telemetry, items: u64, body: Bytes) -> Result<(), Unwritten> {
        self.admit(body.len())?;
        self.append(Stream::Kept, kind, items, body).await.map(drop)
    }

    async fn append(&self, stream: Stream, kind: Telemetry, items: u64, body: Bytes) -> Result<Ticket, Unwritten> {
        let (done, waiting) = oneshot::channel();
        self.inner.put(Entry::Append(Append { stream, kind, items, body, done: Some(done) }));
        waiting.await.unwrap_or(Err(Unwritten::Disk))
    }

    /// Writes an export request whose content was acknowledged before. Always taken: what is full is full of the same.
    pub(crate) fn keep(&self, kind: Telemetry, items: u64, body: Bytes) {
        self.inner.put(Entry::Append(Append { stream: Stream::Kept, kind, items, body, done: None }));
    }

    /// Everything that came with `ticket` was offered to the sampler by `now`.
    pub(crate) fn offered(&self, ticket: Ticket, now: Timestamp) {
        self.inner.ledger().offered(ticket.segment, now);
    }

    /// Somebody is offering spans, and may hand on what is kept, until the answer is dropped.
    pub(crate) fn working(&self) -> Working<'_> {
        Working { store: self, turn: self.inner.ledger().begin_work() }
    }

    /// Waits until everything handed in is durable; `false` if it cannot be.
    pub(crate) async fn flushed(&self) -> bool {
        let (done, waiting) = oneshot::channel();
        self.inner.put(Entry::Sync(done));
        waiting.await.is_ok()
    }

    /// Bytes handed in and not yet written.
    pub(crate) fn pending(&self) -> u64 {
        self.inner.pending.load(Relaxed)
    }

    /// How full it is, in percent.
    pub(crate) fn fullness_percent(&self) -> u64 {
        let used = self.inner.ledger().bytes() + self.pending();
        used.saturating_mul(100) / self.inner.bytes_max.max(1)
    }

    /// A request of the same bytes was taken in before, and its sender was not told.
    pub(crate) fn count_repeat(&self) {
        self.inner.counters.requests_repeated.add(1);
    }

    /// Spans of a former life went back to the sampler.
    pub(crate) fn count_recovered(&self, spans: u64) {
        self.inner.counters.spans_recovered.add(spans);
    }

    /// Finishes what was handed in and ends the writer; blocks for a moment.
    pub(crate) fn close(&self) {
        self.inner.inbox.lock().unwrap_or_else(PoisonError::into_inner).is_closing = true;
        self.inner.arrived.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }

    pub(crate) fn stats(&self) -> StoreStats {
        let ledger = self.inner.ledger();
        let (received_segments, kept_segments) = ledger.segments();
        let counters = &self.inner.counters;
        StoreStats {
            bytes: ledger.bytes() + self.pending(),
            bytes_max: self.inner.bytes_max,
            received_segments,
            kept_segments,
            is_failing: self.inner.is_failing(),
            write_failures: counters.write_failures.read(),
            records_lost: counters.records_lost.read(),
            bytes_lost: counters.bytes_lost.read(),
            spans_recovered: counters.spans_recovered.read(),
            requests_repeated: counters.requests_repeated.read(),
        }
    }
}

/// A take in progress.
#[derive(Debug)]
pub(crate) struct Working<'a> {
    store: &'a Store,
    turn: u64,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        self.store.inner.ledger().end_work(self.turn);
    }
}

#[cfg(test)]
#[path = "store/tests.rs"]
mod tests;
