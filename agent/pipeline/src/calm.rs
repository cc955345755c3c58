//! The calm between requests.
//!
//! Answers how long the sweeper may sleep: while nothing waits, until the next request, or a second. Does not sweep. A
//! sidecar of an idle service is idle most of its life, and ten sweeps a second of nothing would be half of what it costs.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// How long nothing is looked at when nothing waits: what is remembered grows old, and memory may be given back.
const CALM_INTERVAL: Duration = Duration::from_secs(1);

/// Whether the sweeper sleeps, and how to wake it.
#[derive(Debug, Default)]
pub(crate) struct Calm {
    sleeps: AtomicBool,
    waking: Notify,
}

impl Calm {
    /// A request has come; called before it is worked on.
    pub(crate) fn end(&self) {
        if self.sleeps.load(Relaxed) && self.sleeps.swap(false, Relaxed) {
            self.waking.notify_one();
        }
    }

    /// Sleeps until a request comes, but not for long. One that comes between the caller's last look and this call may be
    /// looked after that much later; its decision only waits.
    pub(crate) async fn sleep(&self) {
        self.sleeps.store(true, Relaxed);
        let _late = timeout(CALM_INTERVAL, self.waking.notified()).await;
        self.sleeps.store(false, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// Scenario: nothing comes; then a request comes during the sleep.
    /// Guarantees: the first sleep lasts its second, the other ends with the request.
    #[tokio::test(start_paused = true)]
    async fn a_request_ends_the_calm() {
        let (calm, begun) = (Calm::default(), Instant::now());
        calm.sleep().await;
        assert_eq!(begun.elapsed(), CALM_INTERVAL);
        let request = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            calm.end();
        };
        let begun = Instant::now();
        tokio::join!(calm.sleep(), request);
        assert!(begun.elapsed() < Duration::from_millis(20));
    }
}
