//! What leaves.
//!
//! Answers where kept spans, metrics and logs go, and whether there is room for more. Does not decide what is kept. All
//! exporters share one batch and its bytes, so that a second destination costs a reference, not a copy.

mod batch;
mod breaker;
mod connect;
mod exporter;
mod grpc;
mod http;
mod queue;
mod retry;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use homeostat_core::Timestamp;
use tokio::task::JoinSet;

use crate::config::{Durability, PipelineConfig, Telemetry};
use crate::pipeline::StartError;
use crate::sample::{KeptSpans, Origin};
use crate::stats::{ExporterStats, StoreStats};
use crate::store::{Leftover, Store};

use batch::{Batch, BatchSize, Request};
use exporter::Exporter;
pub use exporter::{ExporterError, ExporterProblem};
use queue::Item;
use retry::Patience;

/// The largest batch where the log is on disk.
const DURABLE_BATCH_BYTES: usize = 256 << 10;
/// From this fullness of the log on, an exporter that lags far behind the others loses its oldest.
const CROWDED_PERCENT: u64 = 90;

/// All destinations, and the batch that is being filled for them.
#[derive(Debug)]
pub(crate) struct Outlet {
    exporters: Arc<[Arc<Exporter>]>,
    batch: Mutex<Batch>,
    store: Option<Store>,
    leftover: Mutex<Option<Leftover>>,
}

impl Outlet {
    /// Prepares every exporter; connects to none, so that a destination may come later.
    pub(crate) fn new(config: &PipelineConfig) -> Result<Outlet, StartError> {
        let batch_bytes = config.buffer.batch_bytes;
        let (patience, size) = match config.durability {
            Durability::Memory => (Patience::Bounded, BatchSize::Fixed(batch_bytes)),
            Durability::Disk { .. } => (Patience::Endless, BatchSize::InFlight(batch_bytes.min(DURABLE_BATCH_BYTES))),
        };
        let prepared = config.exporters.iter().map(|one| Exporter::new(one, config.buffer, patience).map(Arc::new));
        let exporters = prepared.collect::<Result<Vec<_>, _>>()?.into();
        let (store, leftover) = match &config.durability {
            Durability::Memory => (None, None),
            Durability::Disk { dir, bytes_max } => Store::open(dir, *bytes_max).map(|(a, b)| (Some(a), Some(b)))?,
        };
        let batch = Mutex::new(Batch::new(size, config.buffer.batch_delay));
        Ok(Outlet { exporters, batch, store, leftover: Mutex::new(leftover) })
    }

    /// Reads certificates again where they have changed.
    pub(crate) fn refresh(&self) {
        self.exporters.iter().for_each(|exporter| exporter.refresh());
    }

    /// Starts sending, first what a former life left; returns what is left for the sampler.
    pub(crate) fn spawn(&self, tasks: &mut JoinSet<()>) -> Option<Leftover> {
        let leftover = self.leftover.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(store), Some(leftover)) = (&self.store, &leftover) {
            self.exporters.iter().for_each(|exporter| exporter.resume(leftover));
            let exporters = self.exporters.clone();
            let deliver = move |record: crate::store::KeptRecord, bytes: Bytes| {
                let wanting = || exporters.iter().filter(|exporter| exporter.wants(record.kind()));
                record.expect(wanting().count() as u64);
                wanting().for_each(|exporter| exporter.send_record(record.clone(), bytes.clone()));
            };
            store.start(leftover, Box::new(deliver));
        }
        self.exporters.iter().for_each(|exporter| exporter.spawn(tasks));
        leftover
    }

    /// The log on disk, if there is one.
    pub(crate) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// Whether any exporter takes this kind.
    pub(crate) fn wants(&self, kind: Telemetry) -> bool {
        self.exporters.iter().any(|exporter| exporter.wants(kind))
    }

    /// Whether more of this kind may be taken in: some exporter of it has room, or none wants it. Spans also when every
    /// destination is gone: whoever steers by their counts must not go blind, so they are counted, sampled, and dropped for
    /// a stated reason at the queue. With a log on disk it is asked for room instead.
    pub(crate) fn has_room(&self, kind: Telemetry) -> bool {
        let mut wanting = self.exporters.iter().filter(|exporter| exporter.wants(kind)).peekable();
        if self.store.is_some() || wanting.peek().is_none() {
            return true;
        }
        wanting.any(|exporter| exporter.has_room() || (kind == Telemetry::Traces && exporter.is_cut_off()))
    }

    /// Sends bytes as they are; says whether any exporter that wants them took them. With a log on disk they are in it
    /// already.
    pub(crate) fn pass(&self, kind: Telemetry, bytes: &Bytes, items: u64) -> bool {
        self.store.is_some() || !self.wants(kind) || self.send(kind, bytes, items)
    }

    /// Sends what begins in this process; says whether any exporter that wants it took it. If one did, what the others had
    /// no room for is counted as dropped.
    pub(crate) fn send(&self, kind: Telemetry, bytes: &Bytes, items: u64) -> bool {
        if let Some(store) = &self.store {
            store.keep(kind, items, bytes.clone());
            return true;
        }
        let (mut took, mut full) = (false, Vec::new());
        for exporter in self.exporters.iter().filter(|exporter| exporter.wants(kind)) {
            match exporter.offer(Item { kind, bytes: bytes.clone(), items }) {
                Ok(()) => took = true,
                Err(_) => full.push(exporter),
            }
        }
        // Accepted spans cannot be given back; all else is refused when nobody takes it, and lost by nobody.
        if took || kind == Telemetry::Traces {
            full.iter().for_each(|exporter| exporter.lose(items));
        }
        took
    }

    /// Where kept spans are handed in at `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Entrance<'_> {
        Entrance { outlet: self, now, batch: None, span: Vec::new() }
    }

    /// Sends the batch if it is old enough.
    pub(crate) fn flush_due(&self, now: Timestamp) {
        let mut batch = self.batch();
        let due = batch.take_due(now);
        self.emit(&mut batch, due);
    }

    /// Sends the batch.
    pub(crate) fn flush(&self) {
        let mut batch = self.batch();
        let rest = batch.take();
        self.emit(&mut batch, rest);
    }

    /// Whether nothing waits to be sent or written.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.batch().state().is_empty && self.queued_bytes() == 0
    }

    /// Frees what is not needed any more. Every trace that still waits began at `undecided` or later.
    pub(crate) fn tend(&self, now: Timestamp, undecided: Timestamp) {
        let Some(store) = &self.store else { return };
        let state = self.batch().state();
        store.tend(now, undecided, state);
        if store.fullness_percent() >= CROWDED_PERCENT {
            self.shed(store.stats().bytes_max);
        }
    }

    /// One exporter that is far behind must not stop the others: where another keeps up, it loses some of its oldest.
    fn shed(&self, bytes_max: u64) {
        let keeps_up = |exporter: &&Arc<Exporter>| exporter.queue_bytes() < bytes_max / 8;
        for lagging in self.exporters.iter().filter(|exporter| exporter.queue_bytes() > bytes_max / 4) {
            if self.exporters.iter().filter(keeps_up).any(|other| other.covers(lagging)) {
                lagging.shed(bytes_max / 32);
            }
        }
    }

    /// Waits until nothing is left to send.
    pub(crate) async fn drained(&self) {
        if let Some(store) = &self.store {
            store.flushed().await;
        }
        for exporter in self.exporters.iter() {
            exporter.drained().await;
        }
    }

    /// For the end, when nobody sends any more: what is in memory only is lost and counted, what is on disk stays there.
    pub(crate) async fn close(&self) {
        let Some(store) = &self.store else {
            return self.exporters.iter().for_each(|exporter| exporter.abandon());
        };
        let is_durable = store.flushed().await;
        // It waits for a thread, for as long as a sync takes.
        store.close();
        if is_durable {
            // Nothing is undecided any more.
            store.drop_decided(Timestamp(u64::MAX));
        }
        store.sweep_delivered();
    }

    /// Bytes waiting or being sent in memory. A request that several exporters share is counted once for each. With a log
    /// on disk most of what waits is not in memory; at most so much of it is.
    pub(crate) fn queued_bytes(&self) -> u64 {
        let (most, unwritten) = match &self.store {
            Some(store) => (queue::HOT_BYTES_MAX, store.pending()),
            None => (u64::MAX, 0),
        };
        self.exporters.iter().map(|exporter| exporter.queue_bytes().min(most)).sum::<u64>() + unwritten
    }

    pub(crate) fn stats(&self) -> Vec<ExporterStats> {
        self.exporters.iter().map(|exporter| exporter.stats()).collect()
    }

    pub(crate) fn store_stats(&self) -> Option<StoreStats> {
        self.store.as_ref().map(Store::stats)
    }

    /// Under the batch's lock, so that whoever sees that a batch was handed in finds it in the log's queue.
    fn emit(&self, batch: &mut MutexGuard<'_, Batch>, request: Option<Request>) {
        if let Some(request) = request {
            self.send(Telemetry::Traces, &request.bytes, request.spans);
            batch.set_waiting(self.exporters.iter().map(|exporter| exporter.queue_requests()).max().unwrap_or(0));
        }
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The outlet at one instant. Whoever has one holds the batch from the first span on, until it is dropped.
pub(crate) struct Entrance<'a> {
    outlet: &'a Outlet,
    now: Timestamp,
    batch: Option<MutexGuard<'a, Batch>>,
    span: Vec<u8>,
}

impl KeptSpans for Entrance<'_> {
    fn take(&mut self, origin: &Arc<Origin>, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.outlet.wants(Telemetry::Traces) {
            return;
        }
        self.span.clear();
        write(&mut self.span);
        let batch = self.batch.get_or_insert_with(|| self.outlet.batch());
        let full = batch.add(self.now, origin, &self.span);
        self.outlet.emit(batch, full);
    }
}
