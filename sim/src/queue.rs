//! The event queue and the virtual clock.
//!
//! Answers what happens next: events in total order by instant, and by order of entry within one instant. Does not know
//! what an event means. A heap is used rather than a timer wheel because a run holds dozens to hundreds of events, not
//! millions.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use homeostat_core::{Micros, Timestamp};

/// When every run begins, in milliseconds since the Unix epoch: 2026-01-01T00:00:00Z. A constant, so that a seed alone
/// decides a record byte for byte.
pub const EPOCH: Timestamp = Timestamp(1_767_225_600_000);

/// An instant of the virtual clock, in microseconds since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(pub u64);

impl SimTime {
    /// This many seconds after the start.
    pub const fn from_secs(secs: u64) -> SimTime {
        SimTime(secs * 1_000_000)
    }

    /// Whole seconds since the start.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// This instant plus `span`.
    #[must_use]
    pub const fn after(self, span: Micros) -> SimTime {
        SimTime(self.0.saturating_add(span.0))
    }

    /// The same instant as the loop sees it.
    pub const fn wall(self) -> Timestamp {
        Timestamp(EPOCH.0 + self.0 / 1000)
    }
}

/// Events in the order in which they happen.
///
/// The queue itself has no bound; each owner bounds what it puts in: the plant by the places in its stations, the world by
/// the number of trials and faults.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    heap: BinaryHeap<Entry<E>>,
    next_seq: u64,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Queue<E> {
        Queue { heap: BinaryHeap::new(), next_seq: 0 }
    }

    pub(crate) fn push(&mut self, at: SimTime, what: E) {
        self.heap.push(Entry { at, seq: self.next_seq, what });
        self.next_seq += 1;
    }

    /// The instant of the next event.
    pub(crate) fn next_at(&self) -> Option<SimTime> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(crate) fn pop(&mut self) -> Option<(SimTime, E)> {
        self.heap.pop().map(|entry| (entry.at, entry.what))
    }
}

#[derive(Debug)]
struct Entry<E> {
    at: SimTime,
    seq: u64,
    what: E,
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    /// Reversed, because the standard heap gives the largest first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: events are entered out of order, three of them for one instant.
    /// Guarantees: they leave by instant, and within the instant as they were entered.
    #[test]
    fn events_leave_by_instant_and_then_by_entry() {
        let mut queue = Queue::new();
        for (at, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (3, 'b'), (5, 'e')] {
            queue.push(SimTime(at), name);
        }
        assert_eq!(queue.next_at(), Some(SimTime(1)));
        let order: String = std::iter::from_fn(|| queue.pop()).map(|(_, name)| name).collect();
        assert_eq!(order, "abcde");
    }

    /// Scenario: an instant in the middle of a millisecond.
    /// Guarantees: the loop sees it rounded down, counted from the fixed epoch.
    #[test]
    fn the_wall_sees_whole_milliseconds() {
        assert_eq!(SimTime(1_999).wall(), Timestamp(EPOCH.0 + 1));
        assert_eq!(SimTime::from_secs(2).wall(), Timestamp(EPOCH.0 + 2000));
    }
}
