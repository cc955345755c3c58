//! A service's worker pool.
//!
//! Answers who works and who waits: at most `workers` requests work at once, a bounded number waits in order of arrival,
//! the rest is refused. Does not know what work is. A semaphore of the library is not used because it can neither shrink
//! below the permits in use nor tell how busy it was, and both are what the demo is about.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Requests that may wait. With two workers of 25 ms each this is over a second of waiting; with a backend four times as
/// slow it is almost five, which is as long as a caller waits anyway. Beyond it a request is refused with a 503.
pub(crate) const WAITING_MAX: usize = 96;

/// Over how long utilisation is averaged: long enough that chance does not look like load, short enough to be news.
const AVERAGED_OVER: Duration = Duration::from_secs(4);

/// Between the marks from which the average is taken.
const MARK_EVERY: Duration = Duration::from_millis(500);

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

    /// The share of the workers' time that was spent working lately, from 0 to 1.
    pub(crate) fn utilization(&self) -> f64 {
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

/// Busy time and capacity, integrated; utilisation is the quotient of their growth.
#[derive(Debug, Default)]
struct Meter {
    now: Mark,
    marks: VecDeque<Mark>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    at: Duration,
    busy: Duration,
    capacity: Duration,
}

impl Meter {
    /// Accounts for the time up to `at`, in which `busy` of `workers` worked.
    fn advance(&mut self, at: Duration, busy: u32, workers: u32) {
        let passed = at.saturating_sub(self.now.at);
        self.now.at = at.max(self.now.at);
        self.now.busy += passed * busy.min(workers);
        self.now.capacity += passed * workers;
        if self.marks.back().is_none_or(|last| MARK_EVERY <= at.saturating_sub(last.at)) {
            self.marks.push_back(self.now);
        }
        while self.marks.get(1).is_some_and(|second| AVERAGED_OVER <= at.saturating_sub(second.at)) {
            self.marks.pop_front();
        }
    }

    fn utilization(&self) -> f64 {
        let since = self.marks.front().copied().unwrap_or_default();
        let capacity = self.now.capacity.saturating_sub(since.capacity).as_secs_f64();
        if capacity == 0.0 {
            return 0.0;
        }
        self.now.busy.saturating_sub(since.busy).as_secs_f64() / capacity
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

    /// Scenario: one of two workers is busy for ten seconds, then both; then there are four.
    /// Guarantees: utilisation is the share of the recent capacity that was used, whatever was before.
    #[test]
    fn utilisation_is_used_over_available_time() {
        let mut meter = Meter::default();
        let mut run = |from_s: u64, to_s: u64, busy, workers| {
            for half in from_s * 2..=to_s * 2 {
                meter.advance(Duration::from_millis(half * 500), busy, workers);
            }
            (meter.utilization() * 100.0).round() as u32
        };
        assert_eq!(run(0, 10, 1, 2), 50);
        assert_eq!(run(10, 20, 2, 2), 100);
        assert_eq!(run(20, 30, 2, 4), 50);
    }
}
