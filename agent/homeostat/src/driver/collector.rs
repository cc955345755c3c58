//! The collector.
//!
//! Answers what sources outside this process say, once a second, beside the loop. Does not make it wait: a source that is
//! slow delays only its own readings, and readings the loop has no room for are dropped and counted. What is not observed
//! goes stale there, which is the truth.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use homeostat_adapters::{Sources, SystemClock};
use homeostat_core::Observation;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// Batches on their way to the loop. One a second arrives and the loop takes them at once; more than a few means that it is
/// stuck in a long tick, and old readings are then worth less than none.
pub(crate) const BATCHES_MAX: usize = 4;

/// How often sources are asked.
const EVERY: Duration = Duration::from_secs(1);

/// Starts asking. Ends when the loop no longer listens.
pub(crate) fn start(
    sources: Sources,
    clock: SystemClock,
    batches: mpsc::Sender<Vec<Observation>>,
    dropped: Arc<AtomicU64>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while !batches.is_closed() {
            every.tick().await;
            let seen = sources.read(clock.now()).await;
            let count = seen.len() as u64;
            if !seen.is_empty() && batches.try_send(seen).is_err() {
                dropped.fetch_add(count, Ordering::Relaxed);
            }
        }
    })
}
