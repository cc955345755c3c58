//! What lies in the store.
//!
//! Answers how many bytes there are, and which segments nobody needs any more. Does not delete them. A received segment is
//! needed until every trace that has a span in it is decided and what was kept of them is durable. A kept segment is needed
//! until every exporter has settled it, and as long as a received segment exists from which its spans may come: by what it
//! holds, a replay knows what was already kept.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use homeostat_core::Timestamp;

use super::kept::KeptSegment;

/// A segment of received requests.
#[derive(Debug)]
struct Received {
    first: u64,
    bytes: u64,
    /// Requests that are on disk and not yet offered to the sampler.
    open: u64,
    /// When the last of them was offered.
    offered: Timestamp,
    is_sealed: bool,
}

/// A segment of kept requests.
#[derive(Debug)]
struct Kept {
    segment: Arc<KeptSegment>,
    bytes: u64,
    /// The number of the next received record when it was sealed.
    sealed: Option<u64>,
    /// Whether the system failed to make it durable.
    is_doubtful: bool,
}

/// The book of all segments.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    received: VecDeque<Received>,
    kept: BTreeMap<u64, Kept>,
    bytes: u64,
    /// Takes in progress, by the turn in which they began.
    working: BTreeMap<u64, u64>,
    turn: u64,
}

impl Ledger {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn segments(&self) -> (u64, u64) {
        (self.received.len() as u64, self.kept.len() as u64)
    }

    pub(super) fn begin_received(&mut self, first: u64, bytes: u64) {
        self.bytes += bytes;
        self.received.push_back(Received { first, bytes, open: 0, offered: Timestamp(0), is_sealed: false });
    }

    /// A request was written and is going to be offered.
    pub(super) fn add_received(&mut self, first: u64, bytes: u64) {
        let written = self.received.iter_mut().rev().find(|segment| segment.first == first);
        let segment = written.expect("a record is written into a segment that was begun");
        segment.bytes += bytes;
        segment.open += 1;
        self.bytes += bytes;
    }

    /// The requests of a segment of the last life are going to be offered again, as one.
    pub(super) fn reopen(&mut self, first: u64) {
        if let Some(segment) = self.received.iter_mut().find(|segment| segment.first == first) {
            segment.open += 1;
        }
    }

    /// A request of the segment was offered, or was nothing that can be.
    pub(super) fn offered(&mut self, first: u64, now: Timestamp) {
        if let Some(segment) = self.received.iter_mut().find(|segment| segment.first == first) {
            segment.open -= 1;
            segment.offered = segment.offered.max(now);
        }
    }

    pub(super) fn seal_received(&mut self, first: u64) {
        if let Some(segment) = self.received.iter_mut().find(|segment| segment.first == first) {
            segment.is_sealed = true;
        }
    }

    pub(super) fn begin_kept(&mut self, segment: Arc<KeptSegment>, bytes: u64) {
        self.bytes += bytes;
        self.kept.insert(segment.first, Kept { segment, bytes, sealed: None, is_doubtful: false });
    }

    pub(super) fn add_kept(&mut self, first: u64, bytes: u64) {
        self.bytes += bytes;
        if let Some(kept) = self.kept.get_mut(&first) {
            kept.bytes += bytes;
        }
    }

    /// A kept segment that is still there.
    pub(super) fn kept(&self, first: u64) -> Option<Arc<KeptSegment>> {
        self.kept.get(&first).map(|kept| kept.segment.clone())
    }

    pub(super) fn seal_kept(&mut self, first: u64, received_next: u64) {
        if let Some(kept) = self.kept.get_mut(&first) {
            kept.sealed = Some(received_next);
        }
    }

    /// Received segments stay until this one has left by delivery: they hold what it may have lost.
    pub(super) fn doubt_kept(&mut self, first: u64) {
        if let Some(kept) = self.kept.get_mut(&first) {
            kept.is_doubtful = true;
        }
    }

    /// A take begins; the answer is for [`Self::end_work`].
    pub(super) fn begin_work(&mut self) -> u64 {
        *self.working.entry(self.turn).or_default() += 1;
        self.turn
    }

    pub(super) fn end_work(&mut self, turn: u64) {
        if let Some(count) = self.working.get_mut(&turn) {
            *count -= 1;
            if *count == 0 {
                self.working.remove(&turn);
            }
        }
    }

    /// Begins a new turn; the answer is the one that ended.
    pub(super) fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn - 1
    }

    /// Whether every take that began in `turn` or before has ended.
    pub(super) fn is_over(&self, turn: u64) -> bool {
        self.working.first_key_value().is_none_or(|(oldest, _)| *oldest > turn)
    }

    /// Whether some received segment has only traces that began before `undecided`, the oldest that still waits.
    pub(super) fn has_decided(&self, undecided: Timestamp) -> bool {
        !self.kept.values().any(|kept| kept.is_doubtful)
            && self.received.front().is_some_and(|segment| is_decided(segment, undecided))
    }

    /// Takes such segments out.
    pub(super) fn take_decided(&mut self, undecided: Timestamp) -> Vec<u64> {
        let mut taken = Vec::new();
        while self.has_decided(undecided)
            && let Some(segment) = self.received.pop_front()
        {
            self.bytes -= segment.bytes;
            taken.push(segment.first);
        }
        taken
    }

    /// Takes out kept segments that nobody needs.
    pub(super) fn take_delivered(&mut self) -> Vec<u64> {
        let floor = self.received.front().map_or(u64::MAX, |segment| segment.first);
        let spent = |kept: &Kept| {
            let is_remembered = kept.is_doubtful || kept.sealed.is_some_and(|received_next| received_next <= floor);
            kept.sealed.is_some() && is_remembered && kept.segment.is_settled()
        };
        let spent: Vec<u64> = self.kept.iter().filter(|(_, kept)| spent(kept)).map(|(first, _)| *first).collect();
        for first in &spent {
            let kept = self.kept.remove(first).expect("found above");
            self.bytes -= kept.bytes;
        }
        spent
    }
}

fn is_decided(segment: &Received, undecided: Timestamp) -> bool {
    segment.is_sealed && segment.open == 0 && segment.offered < undecided
}
