//! What leaves.
//!
//! Answers where kept spans, metrics and logs go, and whether there is room for more. Does not decide what is kept. All
//! exporters share one batch and its bytes, so that a second destination costs a reference, not a copy.

mod batch;
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

use crate::config::{PipelineConfig, Telemetry};
use crate::sample::{KeptSpans, Origin};
use crate::stats::ExporterStats;

use batch::{Batch, Request};
use exporter::Exporter;
pub use exporter::{ExporterError, ExporterProblem};

/// All destinations, and the batch that is being filled for them.
#[derive(Debug)]
pub(crate) struct Outlet {
    exporters: Vec<Arc<Exporter>>,
    batch: Mutex<Batch>,
}

impl Outlet {
    /// Prepares every exporter; connects to none, so that a destination may come later.
    pub(crate) fn new(config: &PipelineConfig) -> Result<Outlet, ExporterError> {
        let exporters = config.exporters.iter().map(|exporter| Exporter::new(exporter, config.buffer).map(Arc::new));
        let batch = Batch::new(config.buffer.batch_bytes, config.buffer.batch_delay);
        Ok(Outlet { exporters: exporters.collect::<Result<_, _>>()?, batch: Mutex::new(batch) })
    }

    /// Reads certificates again where they have changed.
    pub(crate) fn refresh(&self) {
        self.exporters.iter().for_each(|exporter| exporter.refresh());
    }

    /// Starts sending.
    pub(crate) fn spawn(&self, tasks: &mut JoinSet<()>) {
        self.exporters.iter().for_each(|exporter| exporter.spawn(tasks));
    }

    /// Whether more of this kind may be taken in: some exporter of it has room, or none wants it.
    pub(crate) fn has_room(&self, kind: Telemetry) -> bool {
        let mut wanting = self.exporters.iter().filter(|exporter| exporter.wants(kind)).peekable();
        wanting.peek().is_none() || wanting.any(|exporter| exporter.has_room())
    }

    /// Whether any exporter wants this kind.
    pub(crate) fn wants(&self, kind: Telemetry) -> bool {
        self.exporters.iter().any(|exporter| exporter.wants(kind))
    }

    /// Sends bytes as they are.
    pub(crate) fn pass(&self, kind: Telemetry, bytes: &Bytes, items: u64) {
        for exporter in self.exporters.iter().filter(|exporter| exporter.wants(kind)) {
            exporter.send(kind, bytes.clone(), items);
        }
    }

    /// Where kept spans are handed in at `now`.
    pub(crate) fn at(&self, now: Timestamp) -> Entrance<'_> {
        Entrance { outlet: self, now, batch: None, span: Vec::new() }
    }

    /// Sends the batch if it is old enough.
    pub(crate) fn flush_due(&self, now: Timestamp) {
        let due = self.batch.lock().unwrap_or_else(PoisonError::into_inner).take_due(now);
        self.emit(due);
    }

    /// Sends the batch.
    pub(crate) fn flush(&self) {
        let rest = self.batch.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.emit(rest);
    }

    /// Waits until nothing is left to send.
    pub(crate) async fn drained(&self) {
        for exporter in &self.exporters {
            exporter.drained().await;
        }
    }

    /// Counts as lost what is still queued; for the end, when nobody sends any more.
    pub(crate) fn abandon(&self) {
        self.exporters.iter().for_each(|exporter| exporter.abandon());
    }

    /// Bytes waiting or being sent. A request that several exporters share is counted once for each.
    pub(crate) fn queued_bytes(&self) -> u64 {
        self.exporters.iter().map(|exporter| exporter.queued_bytes()).sum()
    }

    pub(crate) fn stats(&self) -> Vec<ExporterStats> {
        self.exporters.iter().map(|exporter| exporter.stats()).collect()
    }

    fn emit(&self, request: Option<Request>) {
        if let Some(request) = request {
            self.pass(Telemetry::Traces, &request.bytes, request.spans);
        }
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
        if !self.outlet.exporters.iter().any(|exporter| exporter.wants(Telemetry::Traces)) {
            return;
        }
        self.span.clear();
        write(&mut self.span);
        let batch = self.batch.get_or_insert_with(|| self.outlet.batch.lock().unwrap_or_else(PoisonError::into_inner));
        let full = batch.add(self.now, origin, &self.span);
        self.outlet.emit(full);
    }
}
