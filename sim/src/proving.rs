//! Proving grounds.
//!
//! Answers how right the loop's own judgements are, in worlds in which the truth can be had: the same seed is run again without
//! what is judged, or with the policy that was only estimated. Nothing here is part of a run's checks; what is found are
//! shares and intervals for people to read.

pub mod evaluation;
pub mod learner;
pub mod verdicts;

mod learners;

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does `job` for each number below `count` on all cores and gives what came of it, in order; `done` is told after each.
fn in_parallel<T: Send>(count: usize, job: impl Fn(usize) -> T + Sync, done: &(dyn Fn() + Sync)) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
    thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if count <= number {
                        return;
                    }
                    let result = job(number);
                    results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push((number, result));
                    done();
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}
