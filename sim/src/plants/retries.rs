//! Retries.
//!
//! Answers whether a failed call is made again, and after how long. Backoff doubles with every try and is spread over its
//! upper half, so that callers that failed together do not come back together. A budget lets retries be a share of first
//! tries only; without one, an overload makes its own load, which is how a system stays down after its cause is gone
//! (Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021).

use homeostat_core::{Micros, Stream};
use rand::Rng;

/// How often a caller tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetrySpec {
    /// Tries in all, the first included.
    pub tries_max: u8,
    /// The longest wait before the second try; it doubles with every further one.
    pub backoff: Micros,
    /// Retries for ten thousand first tries; none means as many as fail.
    pub budget_bp: Option<u32>,
}

/// What one retry costs; a first try earns its share of it.
const RETRY: u32 = 10_000;

/// Retries that can be saved up. Enough for a blip that hits what is under way, not for an outage.
const SAVED_MAX: u32 = 10;

/// Doublings of the backoff, at most.
const DOUBLINGS_MAX: u8 = 6;

/// The retries of one kind of call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    spec: RetrySpec,
    saved: u32,
}

impl Retries {
    pub(crate) fn new(spec: RetrySpec) -> Retries {
        Retries { spec, saved: SAVED_MAX * RETRY }
    }

    /// A first try is made.
    pub(crate) fn tried(&mut self) {
        if let Some(budget_bp) = self.spec.budget_bp {
            self.saved = self.saved.saturating_add(budget_bp).min(SAVED_MAX * RETRY);
        }
    }

    /// How long to wait before the next try, if there is to be one after `tries` that failed.
    pub(crate) fn again(&mut self, tries: u8, stream: &mut Stream) -> Option<Micros> {
        if self.spec.tries_max <= tries {
            return None;
        }
        if self.spec.budget_bp.is_some() {
            self.saved = self.saved.checked_sub(RETRY)?;
        }
        let longest = self.spec.backoff.0 << tries.saturating_sub(1).min(DOUBLINGS_MAX);
        let spread = (longest / 2 * u64::from(stream.next_u32())) >> 32;
        Some(Micros(longest.div_ceil(2) + spread))
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::Seed;

    use super::*;

    /// Scenario: a call with four tries and a backoff of 100 ms fails again and again.
    /// Guarantees: waits lie in the upper half of 100, 200 and 400 ms, and there is no fifth try.
    #[test]
    fn backoff_doubles_and_ends() {
        let mut retries = Retries::new(RetrySpec { tries_max: 4, backoff: Micros(100_000), budget_bp: None });
        let mut stream = Seed(1).stream("test/retries");
        for _ in 0..100 {
            for (tries, longest) in [(1, 100_000), (2, 200_000), (3, 400_000)] {
                let wait = retries.again(tries, &mut stream).unwrap().0;
                assert!((longest / 2..=longest).contains(&wait), "{tries}: {wait}");
            }
            assert_eq!(retries.again(4, &mut stream), None);
        }
    }

    /// Scenario: a thousand first tries, all of which fail, with a budget of a fifth.
    /// Guarantees: a fifth is tried again, and what was saved before on top, but for what there was no room to save.
    #[test]
    fn a_budget_limits_retries_to_its_share() {
        let mut retries = Retries::new(RetrySpec { tries_max: 3, backoff: Micros(1000), budget_bp: Some(2000) });
        let mut stream = Seed(1).stream("test/retries");
        let mut again = 0;
        for _ in 0..1000 {
            retries.tried();
            again += u32::from(retries.again(1, &mut stream).is_some());
        }
        assert_eq!(again, 200 + SAVED_MAX - 1);
    }
}
