//! The queue of one exporter.
//!
//! Answers what is to be sent next and whether there is room. Bounded in bytes rather than in requests, because memory is
//! what runs out. What is being sent still counts as queued: it is in memory until it is accepted or given up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::config::Telemetry;

/// One request to be sent.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Telemetry,
    pub(super) bytes: Bytes,
    /// Spans, data points or log records in it.
    pub(super) items: u64,
}

#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<VecDeque<Item>>,
    bytes: AtomicU64,
    items: AtomicU64,
    requests: AtomicU64,
    arrived: Notify,
    settled: Notify,
    bytes_max: u64,
}

impl Queue {
    pub(super) fn new(bytes_max: usize) -> Queue {
        Queue {
            waiting: Mutex::new(VecDeque::new()),
            bytes: AtomicU64::new(0),
            items: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            arrived: Notify::new(),
            settled: Notify::new(),
            bytes_max: bytes_max as u64,
        }
    }

    /// Takes `item` in, unless it does not fit; an empty queue takes anything.
    pub(super) fn push(&self, item: Item) -> Result<(), Item> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = self.bytes();
        if bytes > 0 && bytes + item.bytes.len() as u64 > self.bytes_max {
            return Err(item);
        }
        self.bytes.fetch_add(item.bytes.len() as u64, Relaxed);
        self.items.fetch_add(item.items, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        waiting.push_back(item);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next item, when there is one. It counts as queued until [`Self::settle`].
    pub(super) async fn next(&self) -> Item {
        loop {
            if let Some(item) = self.pop() {
                return item;
            }
            self.arrived.notified().await;
        }
    }

    /// Forgets an item that was taken with [`Self::next`].
    pub(super) fn settle(&self, item: &Item) {
        self.bytes.fetch_sub(item.bytes.len() as u64, Relaxed);
        self.items.fetch_sub(item.items, Relaxed);
        self.requests.fetch_sub(1, Relaxed);
        self.settled.notify_waiters();
    }

    /// Waits until nothing is queued.
    pub(super) async fn drained(&self) {
        loop {
            let settled = self.settled.notified();
            if self.requests.load(Relaxed) == 0 {
                return;
            }
            settled.await;
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.bytes() < self.bytes_max
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(super) fn items(&self) -> u64 {
        self.items.load(Relaxed)
    }

    /// Empties the queue; returns how many items were in it.
    pub(super) fn clear(&self) -> u64 {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.bytes.store(0, Relaxed);
        self.requests.store(0, Relaxed);
        self.items.swap(0, Relaxed)
    }

    fn pop(&self) -> Option<Item> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let item = waiting.pop_front()?;
        if !waiting.is_empty() {
            self.arrived.notify_one();
        }
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: usize) -> Item {
        Item { kind: Telemetry::Logs, bytes: vec![0; bytes].into(), items: 2 }
    }

    /// Scenario: items are queued beyond the bound, one is taken and settled.
    /// Guarantees: the bound holds, what is being sent still counts, and room returns when it is settled.
    #[tokio::test]
    async fn bytes_bound_the_queue() {
        let queue = Queue::new(100);
        assert!(queue.push(item(500)).is_ok(), "an empty queue takes anything");
        assert!(queue.push(item(1)).is_err() && !queue.has_room());
        let taken = queue.next().await;
        assert!(queue.push(item(1)).is_err(), "still in memory");
        queue.settle(&taken);
        assert!(queue.push(item(60)).is_ok() && queue.push(item(60)).is_err() && queue.has_room());
        assert_eq!((queue.bytes(), queue.items()), (60, 2));
        assert_eq!(queue.clear(), 2);
        queue.drained().await;
    }
}
