//! One server.
//!
//! Answers who is worked on and who waits. A server shares its processor evenly among its threads, so it keeps one number,
//! the progress that each job has made since the server was new; a job ends when that number reaches its goal. Keeping the
//! remaining work of each job instead would touch all of them at every event.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// Jobs that share the processor; the others wait. A fact of the published model.
pub(crate) const THREADS: usize = 100;

/// Who has waited this long when a thread is free leaves unserved. A fact of the published model.
pub(crate) const PATIENCE_S: f64 = 10.0;

/// Work that is closer to its end than this is done: what rounding leaves over.
const DONE_WITHIN_S: f64 = 1e-10;

/// A request that has a thread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Job {
    goal: f64,
    /// Breaks ties in order of start.
    number: u64,
    pub(crate) arrived: f64,
}

impl Job {
    /// A job of `work_s` seconds of a whole processor, begun when its server's progress was `progress`.
    pub(crate) fn new(progress: f64, work_s: f64, number: u64, arrived: f64) -> Job {
        Job { goal: progress + work_s, number, arrived }
    }
}

impl Eq for Job {}

impl PartialOrd for Job {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Job {
    /// Reversed, because the standard heap gives the largest first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.goal.total_cmp(&self.goal).then(other.number.cmp(&self.number))
    }
}

/// The state of one server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Its number when it was booted; the cache belongs to the name.
    pub(crate) name: usize,
    /// It finishes what it has and takes nothing new.
    pub(crate) draining: bool,
    /// When those without a thread arrived. Bounded by the trace: nobody arrives who is not in it.
    pub(crate) waiting: VecDeque<f64>,
    running: BinaryHeap<Job>,
    progress: f64,
    progress_at: f64,
    busy_s: f64,
}

impl Server {
    pub(crate) fn new(name: usize, now: f64) -> Server {
        Server {
            name,
            draining: false,
            waiting: VecDeque::new(),
            running: BinaryHeap::new(),
            progress: 0.0,
            progress_at: now,
            busy_s: 0.0,
        }
    }

    /// Lets the processor work until `now`.
    pub(crate) fn advance(&mut self, now: f64) {
        if !self.running.is_empty() {
            self.progress += (now - self.progress_at) / self.running.len() as f64;
            self.busy_s += now - self.progress_at;
        }
        self.progress_at = now;
    }

    /// When the next job ends if nobody comes.
    pub(crate) fn next_done(&self) -> Option<f64> {
        let first = self.running.peek()?;
        Some(self.progress_at + (first.goal - self.progress) * self.running.len() as f64)
    }

    /// Takes off one job that has ended.
    pub(crate) fn take_done(&mut self) -> Option<Job> {
        let is_done = self.running.peek().is_some_and(|job| job.goal - self.progress < DONE_WITHIN_S);
        if is_done { self.running.pop() } else { None }
    }

    /// When the first in the queue arrived, if a thread is free for it.
    pub(crate) fn next_waiting(&mut self) -> Option<f64> {
        if self.running.len() < THREADS { self.waiting.pop_front() } else { None }
    }

    pub(crate) fn start(&mut self, job: Job) {
        assert!(self.running.len() < THREADS, "a job starts only on a free thread");
        self.running.push(job);
    }

    pub(crate) fn progress(&self) -> f64 {
        self.progress
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }

    /// Seconds in which it worked on something since the last call.
    pub(crate) fn take_busy_s(&mut self, now: f64) -> f64 {
        self.advance(now);
        std::mem::take(&mut self.busy_s)
    }
}
