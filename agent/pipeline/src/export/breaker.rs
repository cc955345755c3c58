//! The circuit breaker of one exporter.
//!
//! Answers whether a destination is tried now. Closed: everybody tries. After some failures in a row it opens: nobody tries
//! for a pause. Then one request goes ahead as a probe, and its outcome closes the circuit or opens it again. Pauses of the
//! single requests do not do this: with several senders a dead destination would be tried several times as often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::stats::{CircuitState, Counter};

/// Failures in a row that open the circuit: more than a lost connection costs the senders together.
const FAILURES_MAX: u32 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Circuit {
    Closed { failures: u32 },
    Open { until: Instant },
    HalfOpen,
}

/// What a sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Go,
    WaitUntil(Instant),
    WaitForProbe,
}

impl Circuit {
    fn enter(&mut self, now: Instant) -> Entry {
        match *self {
            Circuit::Closed { .. } => Entry::Go,
            Circuit::Open { until } if now < until => Entry::WaitUntil(until),
            Circuit::Open { .. } => {
                *self = Circuit::HalfOpen;
                Entry::Go
            }
            Circuit::HalfOpen => Entry::WaitForProbe,
        }
    }

    /// Whether this failure opened a closed circuit.
    fn fail(&mut self, until: Instant) -> bool {
        match *self {
            Circuit::Closed { failures } if failures + 1 < FAILURES_MAX => {
                *self = Circuit::Closed { failures: failures + 1 };
                false
            }
            Circuit::Closed { .. } => {
                *self = Circuit::Open { until };
                true
            }
            Circuit::HalfOpen => {
                *self = Circuit::Open { until };
                false
            }
            // A try that began before it opened.
            Circuit::Open { .. } => false,
        }
    }
}

/// The circuit, shared by the senders.
#[derive(Debug)]
pub(super) struct Breaker {
    circuit: Mutex<Circuit>,
    probed: Notify,
    opened: Counter,
}

impl Breaker {
    pub(super) fn new() -> Breaker {
        let circuit = Mutex::new(Circuit::Closed { failures: 0 });
        Breaker { circuit, probed: Notify::new(), opened: Counter::default() }
    }

    /// Waits until the destination may be tried. Whoever is let in must report what came of it.
    pub(super) async fn enter(&self) {
        loop {
            let probed = self.probed.notified();
            let entry = self.lock().enter(Instant::now());
            match entry {
                Entry::Go => return,
                Entry::WaitUntil(until) => tokio::time::sleep_until(until).await,
                Entry::WaitForProbe => probed.await,
            }
        }
    }

    /// The destination answered.
    pub(super) fn succeed(&self) {
        *self.lock() = Circuit::Closed { failures: 0 };
        self.probed.notify_waiters();
    }

    /// The destination did not answer, or asked to come back later; `pause` is how long to leave it alone.
    pub(super) fn fail(&self, pause: Duration) -> bool {
        let has_opened = self.lock().fail(Instant::now() + pause);
        self.opened.add(u64::from(has_opened));
        self.probed.notify_waiters();
        has_opened
    }

    /// Whether the last try failed: the destination is away, not merely slow.
    pub(super) fn is_failing(&self) -> bool {
        *self.lock() != Circuit::Closed { failures: 0 }
    }

    pub(super) fn state(&self) -> CircuitState {
        match *self.lock() {
            Circuit::Closed { .. } => CircuitState::Closed,
            Circuit::Open { .. } => CircuitState::Open,
            Circuit::HalfOpen => CircuitState::HalfOpen,
        }
    }

    /// How often it opened.
    pub(super) fn opened(&self) -> u64 {
        self.opened.read()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: failures in a row, a pause, a probe that fails, a pause, a probe that succeeds.
    /// Guarantees: nobody tries during a pause, one probes after it, and its outcome decides.
    #[tokio::test(start_paused = true)]
    async fn one_probe_decides() {
        let (mut circuit, now) = (Circuit::Closed { failures: 0 }, Instant::now());
        let (second, later) = (Duration::from_secs(1), now + Duration::from_secs(1));
        for failure in 1..=FAILURES_MAX {
            assert_eq!(circuit.enter(now), Entry::Go);
            assert_eq!(circuit.fail(later), failure == FAILURES_MAX, "{failure}");
        }
        assert_eq!(circuit.enter(now), Entry::WaitUntil(later));
        assert!(!circuit.fail(later + second), "a try that began before");
        assert_eq!((circuit.enter(later), circuit.enter(later)), (Entry::Go, Entry::WaitForProbe));
        assert!(!circuit.fail(later + second));
        assert_eq!(circuit.enter(later), Entry::WaitUntil(later + second));
        let breaker = Breaker { circuit: Mutex::new(circuit), ..Breaker::new() };
        breaker.enter().await;
        assert_eq!((breaker.state(), Instant::now() >= later + second), (CircuitState::HalfOpen, true));
        breaker.succeed();
        breaker.enter().await;
        breaker.enter().await;
        assert_eq!(breaker.state(), CircuitState::Closed);
    }

    /// Scenario: failures with successes between them.
    /// Guarantees: the circuit stays closed.
    #[test]
    fn scattered_failures_open_nothing() {
        let breaker = Breaker::new();
        for _ in 0..10 {
            (1..FAILURES_MAX).for_each(|_| assert!(!breaker.fail(Duration::ZERO)));
            breaker.succeed();
        }
        assert_eq!((breaker.state(), breaker.opened()), (CircuitState::Closed, 0));
    }
}
