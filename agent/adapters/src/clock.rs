//! The clock.
//!
//! Answers what time it is, and is the only place that asks the machine. It does not know ticks. The wall clock is read
//! once, at start, and monotonic time is added to it: a plain wall clock could step backwards under the loop, and a plain
//! monotonic clock means nothing after a restart.

use std::time::{Duration, Instant, SystemTime};

use homeostat_core::Timestamp;

/// Wall-clock time at start plus monotonic time since.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    base: Timestamp,
    started: Instant,
}

impl SystemClock {
    /// A clock that starts now, or at `not_before` if the wall clock says something earlier.
    ///
    /// `not_before` is the journal's last time stamp: after a restart with a clock set back, time goes on from there.
    pub fn new(not_before: Option<Timestamp>) -> SystemClock {
        SystemClock { base: base(wall_clock(), not_before), started: monotonic() }
    }

    /// The time, in milliseconds since the Unix epoch. Never goes backwards.
    pub fn now(&self) -> Timestamp {
        Timestamp(self.base.0.saturating_add(millis(monotonic().saturating_duration_since(self.started))))
    }
}

fn base(wall: Timestamp, not_before: Option<Timestamp>) -> Timestamp {
    not_before.map_or(wall, |earliest| wall.max(earliest))
}

/// A wall clock before 1970 is a machine without a battery; it reads as 1970.
#[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
fn wall_clock() -> Timestamp {
    let now = SystemTime::now();
    Timestamp(now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, millis))
}

#[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
fn monotonic() -> Instant {
    Instant::now()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the wall clock was set back by an hour while the agent was down, and the journal knows better.
    /// Guarantees: time goes on from the journal's last time stamp; a journal from the past does not hold the clock back.
    #[test]
    fn time_never_starts_before_the_journal_ends() {
        let check = |wall, not_before: Option<u64>, expected| {
            assert_eq!(base(Timestamp(wall), not_before.map(Timestamp)), Timestamp(expected));
        };
        check(1_000, Some(3_601_000), 3_601_000);
        check(5_000, Some(1_000), 5_000);
        check(5_000, None, 5_000);
    }

    /// Scenario: the clock is asked many times.
    /// Guarantees: no answer is earlier than the one before, and the first is not before the given bound.
    #[test]
    fn time_does_not_go_backwards() {
        let far = Timestamp(4_000_000_000_000);
        let clock = SystemClock::new(Some(far));
        let mut last = far;
        for _ in 0..1000 {
            let now = clock.now();
            assert!(last <= now);
            last = now;
        }
    }

    /// Scenario: no bound is given.
    /// Guarantees: the clock shows this century, so wall-clock time was really read.
    #[test]
    fn without_a_bound_the_wall_clock_is_used() {
        let year_2020 = Timestamp(1_577_836_800_000);
        assert!(year_2020 < SystemClock::new(None).now());
    }
}
