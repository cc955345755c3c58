//! The pipeline's clock.
//!
//! Answers what time it is for the tasks that serve sockets; everything below them takes time as an argument. One reading
//! of the wall clock at start plus monotonic time, so that a clock step moves no deadline.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use homeostat_core::{Millis, Timestamp};

/// A clock that never goes backwards.
#[derive(Debug)]
pub(crate) struct Clock {
    began: Timestamp,
    started: Instant,
}

#[expect(clippy::disallowed_methods, reason = "this is the clock of the tasks that serve sockets")]
impl Clock {
    /// Reads the wall clock once.
    pub(crate) fn start() -> Clock {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Clock { began: Timestamp(since_epoch.as_millis() as u64), started: Instant::now() }
    }

    /// What time it is.
    pub(crate) fn now(&self) -> Timestamp {
        self.began + Millis(self.started.elapsed().as_millis() as u64)
    }
}
