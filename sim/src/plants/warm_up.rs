//! Warming up.
//!
//! Answers how much slower an instance is that has just started: its code is not compiled, its memory not touched, its
//! connections not open. It is slowest at first and as fast as the others at the end. Requests are spread over all instances
//! alike, so the slow ones are met in proportion to their number.

use std::collections::VecDeque;

use homeostat_core::{Micros, Stream};
use rand::Rng;

use crate::queue::SimTime;

/// How instances of a service begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUpSpec {
    /// How long it lasts.
    pub lasts: Micros,
    /// The first request takes this many ten-thousandths of its usual time.
    pub factor_bp: u64,
}

/// The instances of one service that are not warm yet.
#[derive(Clone, Debug)]
pub(crate) struct WarmUp {
    spec: WarmUpSpec,
    /// When each will be warm, in order. Bounded by the instances of the service.
    ends: VecDeque<SimTime>,
}

impl WarmUp {
    pub(crate) fn new(spec: WarmUpSpec) -> WarmUp {
        WarmUp { spec, ends: VecDeque::new() }
    }

    /// An instance starts to serve.
    pub(crate) fn begin(&mut self, now: SimTime) {
        self.ends.push_back(now.after(self.spec.lasts));
    }

    /// Only this many instances are left; the last ones to start are the first to go.
    pub(crate) fn keep(&mut self, instances: u32) {
        self.ends.truncate(instances as usize);
    }

    /// The multiple of its usual time that a request takes at one of `instances`, in ten-thousandths.
    pub(crate) fn factor_bp(&mut self, now: SimTime, instances: u32, stream: &mut Stream) -> u64 {
        while self.ends.front().is_some_and(|end| *end <= now) {
            self.ends.pop_front();
        }
        if self.ends.is_empty() {
            return 10_000;
        }
        let met = (u64::from(stream.next_u32()) * u64::from(instances.max(1))) >> 32;
        let Some(end) = self.ends.get(met as usize) else { return 10_000 };
        let more_bp = self.spec.factor_bp.saturating_sub(10_000);
        10_000 + more_bp * (end.0 - now.0) / self.spec.lasts.0.max(1)
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::Seed;

    use super::*;

    /// Scenario: one of four instances has started a moment ago, and takes five times as long for ten seconds.
    /// Guarantees: a quarter of the requests meet it; they take five times as long at first, three times halfway, and no
    /// longer at the end.
    #[test]
    fn one_cold_instance_is_met_by_its_share() {
        let mut warm_up = WarmUp::new(WarmUpSpec { lasts: Micros::from_millis(10_000), factor_bp: 50_000 });
        let mut stream = Seed(1).stream("test/warm_up");
        warm_up.begin(SimTime(0));
        let mut slow = |at_s, expected| {
            let all: Vec<u64> =
                (0..1000).map(|_| warm_up.factor_bp(SimTime::from_secs(at_s), 4, &mut stream)).collect();
            let slow = all.iter().filter(|factor| **factor != 10_000).count();
            assert_eq!(all.into_iter().max(), Some(expected));
            slow
        };
        assert!((200..300).contains(&slow(0, 50_000)));
        assert!((200..300).contains(&slow(5, 30_000)));
        assert_eq!(slow(10, 10_000), 0);
    }

    /// Scenario: two instances start and one is taken away again.
    /// Guarantees: one is left that is not warm.
    #[test]
    fn what_is_taken_away_is_not_met() {
        let mut warm_up = WarmUp::new(WarmUpSpec { lasts: Micros(1000), factor_bp: 20_000 });
        warm_up.begin(SimTime(0));
        warm_up.begin(SimTime(500));
        warm_up.keep(1);
        assert_eq!(warm_up.ends, [SimTime(1000)]);
    }
}
