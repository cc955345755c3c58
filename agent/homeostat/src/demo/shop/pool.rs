//! A service's worker pool.
//!
//! Answers who works and who waits: at most `workers` requests work at once, a bounded number waits in order of arrival,
//! the rest is refused. Does not know what work is. A semaphore of the library is not used because it can neither shrink
//! below the permits in use nor tell how busy it was, and both are what the demo is about.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// Requests that may wait. A backend that takes 84 ms instead of 28 lets two workers do 24 of 32 requests a second, so the
/// queue fills in a quarter of a minute and then holds five seconds of waiting: less than a caller waits. Beyond it a
/// request is refused with a 503.
pub(crate) const WAITING_MAX: usize = 128;

/// Utilisation is metered in slots of this length…
const SLOT: Duration = Duration::from_secs(1);

/// …and averaged over this many of them: at thirty requests a second, a single second may by chance be half as busy again
/// as the mean. Before there are so many nothing is said; the first seconds of a service are not typical of it.
const SLOTS_AVERAGED: usize = 5;

/// Nobody may wait any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PoolFull;

/// The pool.
#[derive(Debug)]
pub(crate) struct Pool {
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    workers: u32,
    busy: u32,
    waiting: VecDeque<oneshot::Sender<Worker>>,
    meter: Meter,
}

/// A worker, taken; given back when dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    /// `None` once it has been given on to somebody who no longer wanted it.
    pool: Option<Arc<Pool>>,
}

impl Pool {
    /// A pool of `workers`.
    pub(crate) fn new(workers: u32) -> Arc<Pool> {
        let state = State { workers, busy: 0, waiting: VecDeque::new(), meter: Meter::default() };
        Arc::new(Pool { opened: Instant::now(), state: Mutex::new(state) })
    }

    /// Takes a worker, waiting for one if the queue has room.
    pub(crate) async fn acquire(self: &Arc<Pool>) -> Result<Worker, PoolFull> {
        let turn = {
            let mut state = self.lock();
            if state.busy < state.workers {
                state.busy += 1;
                return Ok(Worker { pool: Some(Arc::clone(self)) });
            }
            if WAITING_MAX <= state.waiting.len() {
                return Err(PoolFull);
            }
            let (give, turn) = oneshot::channel();
            state.waiting.push_back(give);
            turn
        };
        // The sender is only dropped with the pool, which the caller holds.
        turn.await.map_err(|_| PoolFull)
    }

    /// Changes the number of workers. Those at work finish; those who wait get what is new at once.
    pub(crate) fn resize(self: &Arc<Pool>, workers: u32) {
        let mut state = self.lock();
        state.workers = workers;
        self.hand_out(&mut state);
    }

    /// How many workers there are.
    pub(crate) fn workers(&self) -> u32 {
        self.lock().workers
    }

    /// The share of the workers' time that was spent working lately, from 0 to 1, once that can be told.
    pub(crate) fn utilization(&self) -> Option<f64> {
        self.lock().meter.utilization()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("no code panics while it holds a pool");
        let (busy, workers) = (state.busy, state.workers);
        state.meter.advance(self.opened.elapsed(), busy, workers);
        state
    }

    fn give_back(self: &Arc<Pool>) {
        let mut state = self.lock();
        state.busy -= 1;
        self.hand_out(&mut state);
    }

    /// Gives free workers to those who wait, skipping those who have gone away.
    fn hand_out(self: &Arc<Pool>, state: &mut State) {
        while state.busy < state.workers {
            let Some(next) = state.waiting.pop_front() else { return };
            match next.send(Worker { pool: Some(Arc::clone(self)) }) {
                Ok(()) => state.busy += 1,
                Err(mut unwanted) => unwanted.pool = None,
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.take() {
            pool.give_back();
        }
    }
}

/// Busy time and capacity, slot by slot.
#[derive(Debug, Default)]
struct Meter {
    at: Duration,
    current: Slot,
    /// Whole slots, oldest first.
    slots: VecDeque<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    busy: Duration,
    capacity: Duration,
}

impl Meter {
    /// Accounts for the time up to `now`, in which `busy` of `workers` worked.
    fn advance(&mut self, now: Duration, busy: u32, workers: u32) {
        // Slots longer ago than the average reaches would be forgotten anyway, so at most that many are filled.
        let reach = SLOT * (SLOTS_AVERAGED as u32 + 1);
        self.at = self.at.max(now.saturating_sub(reach));
        while self.at < now {
            let slot_ends = SLOT * (self.at.as_secs() as u32 + 1);
            let passed = slot_ends.min(now) - self.at;
            self.current.busy += passed * busy.min(workers);
            self.current.capacity += passed * workers;
            self.at += passed;
            if self.at == slot_ends {
                self.slots.push_back(std::mem::take(&mut self.current));
            }
        }
        while SLOTS_AVERAGED < self.slots.len() {
            self.slots.pop_front();
        }
    }

    fn utilization(&self) -> Option<f64> {
        if self.slots.len() < SLOTS_AVERAGED {
            return None;
        }
        let busy: Duration = self.slots.iter().map(|slot| slot.busy).sum();
        let capacity: Duration = self.slots.iter().map(|slot| slot.capacity).sum();
        (!capacity.is_zero()).then(|| busy.as_secs_f64() / capacity.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: two workers, three requests, one of which goes away while it waits; then the pool is enlarged.
    /// Guarantees: nobody works beyond the number of workers, who went away costs nobody a worker, and who waits gets a new
    /// worker without anybody having to finish.
    #[tokio::test]
    async fn workers_are_handed_on_in_order() {
        let pool = Pool::new(1);
        let first = pool.acquire().await.expect("a free worker");
        let gone = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.acquire().await.map(drop) }
        });
        while pool.lock().waiting.is_empty() {
            tokio::task::yield_now().await;
        }
        gone.abort();
        let _ = gone.await;
        let second = tokio::spawn({
            let pool = Arc::clone(&pool);
            async move { pool.acquire().await }
        });
        while pool.lock().waiting.len() < 2 {
            tokio::task::yield_now().await;
        }
        pool.resize(2);
        let second = second.await.expect("not cancelled").expect("a new worker");
        assert_eq!(pool.lock().busy, 2);
        drop((first, second));
        assert_eq!(pool.lock().busy, 0);
    }

    /// Scenario: the only worker is taken and as many wait as may.
    /// Guarantees: the next one is refused at once rather than queued.
    #[tokio::test]
    async fn the_queue_is_bounded() {
        let pool = Pool::new(1);
        let _busy = pool.acquire().await.expect("a free worker");
        let mut waiting = Vec::new();
        for _ in 0..WAITING_MAX {
            let (give, turn) = oneshot::channel();
            pool.lock().waiting.push_back(give);
            waiting.push(turn);
        }
        assert_eq!(pool.acquire().await.map(drop), Err(PoolFull));
    }

    /// Scenario: one of two workers is busy for twenty seconds; then both; then one of four.
    /// Guarantees: nothing is said of the first moments, and afterwards the mean of the last five seconds, weighted by the
    /// workers there were.
    #[test]
    fn utilisation_is_the_mean_of_the_last_seconds() {
        let mut meter = Meter::default();
        let mut run = |to_s: u64, busy, workers| {
            meter.advance(Duration::from_secs(to_s), busy, workers);
            meter.utilization().map(|used| (used * 100.0).round() as u32)
        };
        assert_eq!(run(3, 2, 2), None);
        assert_eq!(run(20, 1, 2), Some(50));
        assert_eq!(run(22, 2, 2), Some(70));
        assert_eq!(run(25, 2, 2), Some(100));
        assert_eq!(run(26, 1, 4), Some(75));
        assert_eq!(run(60, 1, 4), Some(25));
    }
}
