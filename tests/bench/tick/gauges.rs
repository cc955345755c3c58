//! Clocks and memory of this process.
//!
//! Answers how much processor time this thread has used and how much memory this process has. Linux only.

#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Both times, from one moment on.
pub(crate) struct Stopwatch {
    processor: Duration,
    wall: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Stopwatch {
        Stopwatch { processor: processor_time(), wall: Instant::now() }
    }

    /// Processor time of this thread since the start.
    pub(crate) fn processor(&self) -> Duration {
        processor_time() - self.processor
    }

    /// Time on the wall since the start.
    pub(crate) fn wall(&self) -> Duration {
        self.wall.elapsed()
    }
}

fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Bytes of this process in memory now.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

/// Bytes of this process in memory at most, since it began.
pub(crate) fn peak() -> u64 {
    status("VmHWM:")
}

fn status(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
