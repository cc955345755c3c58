//! Freeing what nobody needs.
//!
//! Answers when segments may go, a few times a second. Does not hold anybody up. That a trace is decided does not mean that
//! its spans are on disk again: whoever decided it may still be handing them on, the batch that has them may not be full,
//! the write may not be durable. Each of these is waited for in turn, as a state and not as a lock.

use std::collections::VecDeque;
use std::sync::PoisonError;

use homeostat_core::{Millis, Timestamp};
use tokio::sync::oneshot;

use super::record::Stream;
use super::segment::{log_name, sent_name};
use super::{Entry, Store};

/// How long a segment stays open at most, so that little traffic does not keep old requests around.
const SEAL_INTERVAL: Millis = Millis::from_secs(10);

/// How long a trace may be on its way between its decision and the batch at most: the cap on what leaves lets kept traces
/// wait for each other for half of this.
const HELD_MAX: Millis = Millis(1000);

/// How far the next freeing of received segments is.
#[derive(Debug, Default)]
enum Pass {
    #[default]
    Idle,
    /// Until all takes of this turn have ended.
    Working { undecided: Timestamp, turn: u64 },
    /// Until the batch that was being filled is handed in.
    Batching { undecided: Timestamp, handed_in: u64 },
    /// Until that is durable.
    Syncing { undecided: Timestamp, durable: oneshot::Receiver<()> },
}

/// What the tending remembers.
#[derive(Debug, Default)]
pub(crate) struct Tending {
    pass: Pass,
    sealed: Timestamp,
    /// When it was looked, and the oldest trace that was undecided then; of the last [`HELD_MAX`] and one before.
    seen: VecDeque<(Timestamp, Timestamp)>,
}

impl Tending {
    /// Every trace that is not in the batch yet began at the answer or later: it was undecided a while ago, or not there.
    fn settled_before(&mut self, now: Timestamp, undecided: Timestamp) -> Timestamp {
        self.seen.push_back((now, undecided.min(now)));
        while let Some((at, _)) = self.seen.get(1)
            && now.since(*at) >= HELD_MAX
        {
            self.seen.pop_front();
        }
        let past = self.seen.front().filter(|(at, _)| now.since(*at) >= HELD_MAX);
        past.map_or(Timestamp(0), |(_, undecided)| *undecided)
    }
}

/// How the batch stands: how many requests it has handed in, and whether spans are in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchState {
    pub(crate) handed_in: u64,
    pub(crate) is_empty: bool,
}

impl Store {
    /// Frees what can be freed. Every trace that still waits began at `undecided` or later.
    pub(crate) fn tend(&self, now: Timestamp, undecided: Timestamp, batch: BatchState) {
        let mut tending = self.tending.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(tending.sealed) >= SEAL_INTERVAL {
            tending.sealed = now;
            self.inner.put(Entry::Seal);
        }
        let undecided = tending.settled_before(now, undecided);
        tending.pass = self.advance(std::mem::take(&mut tending.pass), undecided, batch);
        self.sweep_delivered();
    }

    /// One look; a state that is not over yet is looked at again next time.
    fn advance(&self, pass: Pass, undecided: Timestamp, batch: BatchState) -> Pass {
        match pass {
            Pass::Idle => {
                let mut ledger = self.inner.ledger();
                if ledger.has_decided(undecided) {
                    Pass::Working { undecided, turn: ledger.next_turn() }
                } else {
                    Pass::Idle
                }
            }
            Pass::Working { undecided, turn } if self.inner.ledger().is_over(turn) => {
                Pass::Batching { undecided, handed_in: batch.handed_in }
            }
            Pass::Batching { undecided, handed_in } if batch.is_empty || batch.handed_in > handed_in => {
                let (done, durable) = oneshot::channel();
                self.inner.put(Entry::Sync(done));
                Pass::Syncing { undecided, durable }
            }
            Pass::Syncing { undecided, mut durable } => match durable.try_recv() {
                Ok(()) => {
                    self.drop_decided(undecided);
                    Pass::Idle
                }
                Err(oneshot::error::TryRecvError::Empty) => Pass::Syncing { undecided, durable },
                Err(oneshot::error::TryRecvError::Closed) => Pass::Idle,
            },
            waiting => waiting,
        }
    }

    /// Drops every received request; for the end, when everything is decided and durable.
    pub(crate) fn drop_decided(&self, undecided: Timestamp) {
        let decided = self.inner.ledger().take_decided(undecided);
        decided.into_iter().for_each(|first| self.remove(&log_name(Stream::Received, first)));
    }

    /// Drops kept segments that nobody needs.
    pub(crate) fn sweep_delivered(&self) {
        let delivered = self.inner.ledger().take_delivered();
        for first in delivered {
            // In this order: marks without a segment are nothing, a segment without marks would be sent again.
            self.remove(&log_name(Stream::Kept, first));
            self.remove(&sent_name(first));
        }
    }

    fn remove(&self, name: &str) {
        if let Err(error) = self.inner.volume.remove(name) {
            tracing::warn!(file = name, %error, "cannot remove a segment of the delivery log");
        }
    }
}
