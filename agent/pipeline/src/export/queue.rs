//! The queue of one exporter.
//!
//! Answers what is to be sent next and whether there is room. What has waited for long is the backlog; it is drained oldest
//! first, but every other request is a fresh one, so that nobody looks at yesterday while today passes. In memory the queue
//! is bounded in bytes, because memory is what runs out; on disk the log is bounded, and a backlog of any size is a few
//! entries here. What is being sent still counts as queued until it is accepted or given up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::Telemetry;
use crate::store::{ExporterId, KeptRecord, Run};

/// What waits for longer is backlog: several batches' worth, so that a short hiccup changes no order.
const FRESH_FOR: Duration = Duration::from_secs(5);
/// Bytes of written requests that stay in memory to be sent without reading them back.
pub(super) const HOT_BYTES_MAX: u64 = 16 << 20;
/// One request in so many is a fresh one while there is a backlog.
const FRESH_EVERY: u32 = 2;
/// So many requests waiting are a crowd: more than come at once where senders come together.
const CROWD: usize = 8;

/// One request to be sent.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) kind: Telemetry,
    pub(super) bytes: Bytes,
    /// Spans, data points or log records in it.
    pub(super) items: u64,
}

/// One request that waits.
#[derive(Debug)]
pub(super) struct Queued {
    kind: Telemetry,
    bytes: u64,
    pub(super) items: u64,
    hot: Option<Bytes>,
    record: Option<KeptRecord>,
}

impl Queued {
    /// One that is in memory only.
    pub(super) fn in_memory(item: Item) -> Queued {
        let Item { kind, bytes, items } = item;
        Queued { kind, bytes: bytes.len() as u64, items, hot: Some(bytes), record: None }
    }

    /// One that is on disk, with its bytes if they are at hand.
    pub(super) fn on_disk(record: KeptRecord, hot: Option<Bytes>) -> Queued {
        Queued { kind: record.kind(), bytes: record.bytes(), items: record.items(), hot, record: Some(record) }
    }

    /// Whether it survives a crash.
    pub(super) fn is_on_disk(&self) -> bool {
        self.record.is_some()
    }

    /// Its content, read back if need be; `None` if it was damaged on disk.
    pub(super) async fn load(&self) -> Option<Item> {
        let bytes = match (&self.hot, &self.record) {
            (Some(bytes), _) => bytes.clone(),
            (None, Some(record)) => {
                let record = record.clone();
                // A cold file blocks for as long as the disk takes.
                tokio::task::spawn_blocking(move || record.load()).await.ok().flatten()?
            }
            (None, None) => return None,
        };
        Some(Item { kind: self.kind, bytes, items: self.items })
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Queued(Queued),
    /// So many items cannot be read back.
    Damaged(u64),
}

#[derive(Debug)]
enum Old {
    One(Queued),
    Run(Run),
}

#[derive(Debug, Default)]
struct Lanes {
    fresh: VecDeque<(Instant, Queued)>,
    fresh_bytes: u64,
    backlog: VecDeque<Old>,
    turn: u32,
}

impl Lanes {
    fn is_empty(&self) -> bool {
        self.fresh.is_empty() && self.backlog.is_empty()
    }

    fn is_crowded(&self) -> bool {
        self.fresh.len() >= CROWD || !self.backlog.is_empty()
    }

    /// Moves what is not fresh any more.
    fn age(&mut self, now: Instant) {
        while let Some((since, queued)) = self.fresh.front()
            && (now.duration_since(*since) >= FRESH_FOR
                || (queued.record.is_some() && self.fresh_bytes > HOT_BYTES_MAX))
        {
            let (_, queued) = self.fresh.pop_front().expect("there is a front");
            self.fresh_bytes -= queued.bytes;
            self.put_by(queued);
        }
    }

    fn put_by(&mut self, queued: Queued) {
        let Some(record) = &queued.record else {
            return self.backlog.push_back(Old::One(queued));
        };
        if let Some(Old::Run(run)) = self.backlog.back_mut()
            && run.extend(record)
        {
            return;
        }
        self.backlog.push_back(Old::Run(Run::of(record)));
    }

    fn pop(&mut self) -> Option<Popped> {
        self.turn = self.turn.wrapping_add(1);
        if self.turn.is_multiple_of(FRESH_EVERY) || self.backlog.is_empty() {
            self.pop_fresh().or_else(|| self.pop_old())
        } else {
            self.pop_old()
        }
    }

    fn pop_fresh(&mut self) -> Option<Popped> {
        let (_, queued) = self.fresh.pop_front()?;
        self.fresh_bytes -= queued.bytes;
        Some(Popped::Queued(queued))
    }

    fn pop_old(&mut self) -> Option<Popped> {
        if let Some(Old::One(_)) = self.backlog.front() {
            let Some(Old::One(queued)) = self.backlog.pop_front() else { return None };
            return Some(Popped::Queued(queued));
        }
        let Some(Old::Run(run)) = self.backlog.front_mut() else { return None };
        let Some(record) = run.pop() else {
            let Some(Old::Run(run)) = self.backlog.pop_front() else { return None };
            return Some(Popped::Damaged(run));
        };
        if run.is_empty() {
            self.backlog.pop_front();
        }
        Some(Popped::Queued(Queued::on_disk(record, None)))
    }
}

/// When a sender takes what is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Always,
    /// Only to help: what several send at once would arrive twice after a kill, so with a log on disk one goes ahead alone as
    /// long as it keeps up.
    WhenCrowded,
}

enum Popped {
    Queued(Queued),
    Damaged(Run),
}

#[derive(Debug)]
pub(super) struct Queue {
    exporter: ExporterId,
    lanes: Mutex<Lanes>,
    bytes: AtomicU64,
    items: AtomicU64,
    requests: AtomicU64,
    arrived: Notify,
    /// More waits than one sender should be left alone with.
    crowded: Notify,
    settled: Notify,
    bytes_max: u64,
}

impl Queue {
    pub(super) fn new(exporter: ExporterId, bytes_max: usize) -> Queue {
        Queue {
            exporter,
            lanes: Mutex::new(Lanes::default()),
            bytes: AtomicU64::new(0),
            items: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            arrived: Notify::new(),
            crowded: Notify::new(),
            settled: Notify::new(),
            bytes_max: bytes_max as u64,
        }
    }

    /// Takes `item` into memory, unless it does not fit into the queue and `more` bytes; an empty queue takes anything.
    pub(super) fn push(&self, item: Item, more: u64) -> Result<(), Item> {
        let mut lanes = self.lock();
        let bytes = self.bytes();
        if bytes > 0 && bytes + item.bytes.len() as u64 > self.bytes_max + more {
            return Err(item);
        }
        self.enter(&mut lanes, Queued::in_memory(item));
        self.call(&lanes);
        Ok(())
    }

    /// Takes in what is on disk, where it is bounded.
    pub(super) fn push_record(&self, record: KeptRecord, hot: Bytes) {
        let mut lanes = self.lock();
        self.enter(&mut lanes, Queued::on_disk(record, Some(hot)));
        self.call(&lanes);
    }

    /// Takes in what a former life left.
    pub(super) fn push_left(&self, record: KeptRecord) {
        let queued = Queued::on_disk(record, None);
        self.count(&queued);
        let mut lanes = self.lock();
        lanes.put_by(queued);
        self.call(&lanes);
    }

    /// Takes back what was taken with [`Self::next`], behind everything that waits.
    pub(super) fn put_back(&self, mut queued: Queued) {
        queued.hot = queued.hot.filter(|_| queued.record.is_none());
        let mut lanes = self.lock();
        lanes.put_by(queued);
        self.call(&lanes);
    }

    fn enter(&self, lanes: &mut Lanes, queued: Queued) {
        self.count(&queued);
        lanes.fresh_bytes += queued.bytes;
        let now = Instant::now();
        lanes.fresh.push_back((now, queued));
        lanes.age(now);
    }

    fn count(&self, queued: &Queued) {
        self.bytes.fetch_add(queued.bytes, Relaxed);
        self.items.fetch_add(queued.items, Relaxed);
        self.requests.fetch_add(1, Relaxed);
    }

    /// Wakes who is needed for what waits.
    fn call(&self, lanes: &Lanes) {
        if !lanes.is_empty() {
            self.arrived.notify_one();
        }
        if lanes.is_crowded() {
            self.crowded.notify_one();
        }
    }

    /// What is next, when there is something. It counts as queued until [`Self::settle`].
    pub(super) async fn next(&self, turn: Turn) -> Next {
        loop {
            if let Some(next) = self.pop(turn) {
                return next;
            }
            match turn {
                Turn::Always => self.arrived.notified().await,
                Turn::WhenCrowded => self.crowded.notified().await,
            }
        }
    }

    fn pop(&self, turn: Turn) -> Option<Next> {
        let mut lanes = self.lock();
        lanes.age(Instant::now());
        if turn == Turn::WhenCrowded && !lanes.is_crowded() {
            return None;
        }
        let popped = lanes.pop()?;
        self.call(&lanes);
        drop(lanes);
        Some(match popped {
            Popped::Queued(queued) => Next::Queued(queued),
            Popped::Damaged(mut run) => Next::Damaged(self.give_up(&mut run)),
        })
    }

    fn give_up(&self, run: &mut Run) -> u64 {
        self.forget(run.bytes, run.items, run.give_up(self.exporter));
        run.items
    }

    /// Forgets what was taken with [`Self::next`], on disk too.
    pub(super) fn settle(&self, queued: &Queued) {
        if let Some(record) = &queued.record {
            record.settle(self.exporter);
        }
        self.forget(queued.bytes, queued.items, 1);
    }

    fn forget(&self, bytes: u64, items: u64, requests: u64) {
        self.bytes.fetch_sub(bytes, Relaxed);
        self.items.fetch_sub(items, Relaxed);
        self.requests.fetch_sub(requests, Relaxed);
        self.settled.notify_waiters();
    }

    /// Gives up the oldest of the backlog, about `bytes` of it; returns how many items they were.
    pub(super) fn shed(&self, bytes: u64) -> u64 {
        let (mut shed, mut items) = (0, 0);
        while shed < bytes {
            let popped = self.lock().pop_old();
            match popped {
                Some(Popped::Queued(queued)) => {
                    shed += queued.bytes;
                    items += queued.items;
                    self.settle(&queued);
                }
                Some(Popped::Damaged(mut run)) => items += self.give_up(&mut run),
                None => break,
            }
        }
        items
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

    /// Requests that wait or are being sent.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub(super) fn items(&self) -> u64 {
        self.items.load(Relaxed)
    }

    /// Empties the queue; returns how many items were in it.
    pub(super) fn clear(&self) -> u64 {
        *self.lock() = Lanes::default();
        self.bytes.store(0, Relaxed);
        self.requests.store(0, Relaxed);
        self.items.swap(0, Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(bytes: usize) -> Item {
        Item { kind: Telemetry::Logs, bytes: vec![0; bytes].into(), items: 2 }
    }

    fn queue() -> Queue {
        Queue::new(ExporterId::of("out"), 100)
    }

    async fn next(queue: &Queue) -> Queued {
        match queue.next(Turn::Always).await {
            Next::Queued(queued) => queued,
            Next::Damaged(_) => panic!("nothing is on disk here"),
        }
    }

    /// Scenario: items are queued beyond the bound, one is taken and settled.
    /// Guarantees: the bound holds, what is being sent still counts, and room returns when it is settled.
    #[tokio::test]
    async fn bytes_bound_the_queue() {
        let queue = queue();
        assert!(queue.push(item(500), 0).is_ok(), "an empty queue takes anything");
        assert!(queue.push(item(1), 0).is_err() && !queue.has_room());
        let taken = next(&queue).await;
        assert!(queue.push(item(1), 0).is_err(), "still in memory");
        queue.settle(&taken);
        assert!(queue.push(item(60), 0).is_ok() && queue.push(item(60), 0).is_err() && queue.has_room());
        assert_eq!((queue.bytes(), queue.items()), (60, 2));
        assert_eq!(queue.clear(), 2);
        queue.drained().await;
    }

    /// Scenario: six requests have waited for long, and four new ones arrive.
    /// Guarantees: the backlog leaves oldest first, and every other request is a fresh one while there are any.
    #[tokio::test(start_paused = true)]
    async fn a_backlog_drains_without_starving_the_fresh() {
        let queue = queue();
        for size in 1..=6 {
            queue.push(item(size), 0).unwrap();
        }
        tokio::time::advance(FRESH_FOR).await;
        for size in 11..=14 {
            queue.push(item(size), 0).unwrap();
        }
        let mut order = Vec::new();
        for _ in 0..10 {
            order.push(next(&queue).await.load().await.unwrap().bytes.len());
        }
        assert_eq!(order, [1, 11, 2, 12, 3, 13, 4, 14, 5, 6]);
    }

    /// Scenario: a helper waits while requests come one by one, until there are many.
    /// Guarantees: it takes none before there is a crowd, and one as soon as there is.
    #[tokio::test(start_paused = true)]
    async fn helpers_wait_for_a_crowd() {
        let queue = queue();
        let helped = |queue: &Queue| queue.pop(Turn::WhenCrowded).is_some();
        for _ in 1..CROWD {
            queue.push(item(1), 0).unwrap();
            assert!(!helped(&queue));
        }
        let helper = queue.next(Turn::WhenCrowded);
        let last = async { queue.push(item(1), 0).unwrap() };
        tokio::join!(helper, last);
        assert!(!helped(&queue));
        assert!(queue.pop(Turn::Always).is_some());
    }
}
