//! When to try again.
//!
//! Answers how long to pause after a failed export, or that it is time to give up. Does not send. Pauses double and are
//! spread at random, so that many agents do not return to a recovering destination at the same moment.

use std::time::Duration;

use homeostat_core::Millis;
use rand::Rng;

use crate::config::BufferConfig;

/// How often a pause may double; beyond this every pause is the longest anyway.
const DOUBLINGS_MAX: u32 = 20;

/// What an attempt came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// Accepted, but for some items.
    Accepted { rejected: u64 },
    /// Refused for good.
    Refused(String),
    /// Worth another try, not before `after`.
    Failed { why: String, after: Option<Duration> },
}

/// The longest pause that a destination may ask for where nothing is given up.
const ASKED_MAX: Duration = Duration::from_secs(600);

/// Whether an export is ever given up because its destination does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// After the configured time: memory is short.
    Bounded,
    /// Never: the log is bounded instead.
    Endless,
}

/// The bounds of trying.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    initial: Millis,
    max: Millis,
    give_up: Millis,
    patience: Patience,
}

impl Retry {
    pub(super) fn new(config: BufferConfig, patience: Patience) -> Retry {
        Retry { initial: config.retry_initial, max: config.retry_max, give_up: config.retry_give_up, patience }
    }

    /// The pause after failure number `failures` (from zero), `elapsed` after the first attempt; `None`: give up.
    /// Between half of the doubled pause and the whole of it, but not shorter than the destination asked for.
    pub(super) fn pause(
        &self,
        failures: u32,
        elapsed: Duration,
        asked: Option<Duration>,
        randomness: &mut impl Rng,
    ) -> Option<Duration> {
        let whole = self.initial.0.saturating_mul(1 << failures.min(DOUBLINGS_MAX)).min(self.max.0).max(1);
        let pause = Duration::from_millis(whole - randomness.next_u64() % whole.div_ceil(2));
        let asked = asked.unwrap_or_default();
        if self.patience == Patience::Endless {
            return Some(pause.max(asked.min(ASKED_MAX)));
        }
        let pause = pause.max(asked);
        let end = elapsed.checked_add(pause)?;
        if end <= Duration::from_millis(self.give_up.0) { Some(pause) } else { None }
    }
}

/// Reads `Retry-After`: seconds or a date, against `now` in seconds since the epoch.
pub(super) fn retry_after(text: &str, now: std::time::SystemTime) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok().map(|date| date.duration_since(now).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use homeostat_core::Seed;

    use super::*;

    fn retry() -> Retry {
        Retry { initial: Millis(100), max: Millis(1000), give_up: Millis(5000), patience: Patience::Bounded }
    }

    /// Scenario: failure after failure.
    /// Guarantees: pauses grow within their bounds and are not all alike.
    #[test]
    fn pauses_double_up_to_a_bound() {
        let mut stream = Seed(1).stream("pipeline/retry");
        for (failures, whole) in [(0, 100), (1, 200), (3, 800), (4, 1000), (100, 1000)] {
            let pauses: Vec<_> = (0..50)
                .map(|_| retry().pause(failures, Duration::ZERO, None, &mut stream).unwrap().as_millis())
                .collect();
            assert!(pauses.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{failures}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }

    /// Scenario: the destination asks for a longer pause, then for one beyond the end of patience.
    /// Guarantees: the first is kept to, the second means giving up.
    #[test]
    fn the_destination_is_listened_to() {
        let mut stream = Seed(1).stream("pipeline/retry");
        let mut pause = |elapsed, asked| {
            retry().pause(0, Duration::from_millis(elapsed), Some(Duration::from_millis(asked)), &mut stream)
        };
        assert_eq!(pause(0, 3000), Some(Duration::from_millis(3000)));
        assert_eq!(pause(3000, 3000), None);
        assert_eq!(pause(0, u64::MAX), None);
        let endless = Retry { patience: Patience::Endless, ..retry() };
        let long = endless.pause(9, Duration::from_secs(99_999), Some(Duration::MAX), &mut stream);
        assert_eq!(long, Some(ASKED_MAX), "what is on disk is never given up");
    }

    /// Scenario: `Retry-After` as seconds, as a date ahead and past, and as nonsense.
    /// Guarantees: the first three are pauses, the last is none.
    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let check =
            |text, pause: Option<u64>| assert_eq!(retry_after(text, now), pause.map(Duration::from_secs), "{text}");
        check("7", Some(7));
        check("Sun, 06 Nov 1994 08:50:00 GMT", Some(23));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        check("soon", None);
    }
}
