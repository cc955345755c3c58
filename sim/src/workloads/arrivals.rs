//! Recorded arrivals.
//!
//! Answers when the next of a recorded sequence of requests comes, played at a multiple of its rate. The sequence is taken as
//! a curve of how many have come by when, and requests are set evenly along it: at the recorded rate each comes at its own
//! instant, at twice the rate one more between any two, and bursts stay bursts. Drawing a Poisson process at the rate of
//! each second instead would lose what happens within a second.

use crate::queue::SimTime;

/// The unit of a scale: ten thousand is as recorded.
const WHOLE: u64 = 10_000;

/// Instants in strictly ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrivals(Box<[u64]>);

impl Arrivals {
    /// Puts `instants` (microseconds since the start) in order. Those that coincide are set a microsecond apart, so that
    /// each is still an instant of its own.
    pub(crate) fn new(mut instants: Vec<u64>) -> Arrivals {
        instants.sort_unstable();
        let mut earliest = 1;
        for instant in &mut instants {
            *instant = (*instant).max(earliest);
            earliest = *instant + 1;
        }
        Arrivals(instants.into())
    }

    /// The first request after `now`, at `scale_bp` ten-thousandths of the recorded rate.
    pub(crate) fn next_after(&self, now: SimTime, scale_bp: u64) -> Option<SimTime> {
        if scale_bp == 0 {
            return None;
        }
        let mut number = self.came_by(now.0, scale_bp) + 1;
        // Rounding may put a request at or before `now`; it is at most a few places off, and each turn goes one further.
        loop {
            let at = self.instant(number, scale_bp)?;
            if now.0 < at {
                return Some(SimTime(at));
            }
            number += 1;
        }
    }

    /// Requests in the second that begins at `at_s`.
    pub(crate) fn within_second(&self, at_s: u64, scale_bp: u64) -> u64 {
        let by = |secs| self.came_by(SimTime::from_secs(secs).0.saturating_sub(1), scale_bp);
        by(at_s + 1) - by(at_s)
    }

    /// The busiest second: its requests at the recorded rate.
    pub(crate) fn busiest(&self) -> u64 {
        let mut busiest = 0;
        let (mut second, mut count) = (0, 0);
        for instant in &self.0 {
            let of = SimTime(*instant).as_secs();
            count = if of == second { count + 1 } else { 1 };
            second = of;
            busiest = busiest.max(count);
        }
        busiest
    }

    /// The second in which the last one comes.
    pub(crate) fn last_s(&self) -> u64 {
        self.0.last().map_or(0, |last| SimTime(*last).as_secs())
    }

    /// How many requests have come by `at_us`, at `scale_bp`.
    fn came_by(&self, at_us: u64, scale_bp: u64) -> u64 {
        let whole = self.0.partition_point(|instant| *instant <= at_us);
        let before = whole.checked_sub(1).map_or(0, |last| self.0[last]);
        let part = match self.0.get(whole) {
            Some(next) => u128::from(at_us - before) * u128::from(scale_bp) / u128::from(next - before),
            None => 0,
        };
        ((whole as u128 * u128::from(scale_bp) + part) / u128::from(WHOLE)) as u64
    }

    /// When request `number`, counted from one, comes at `scale_bp`.
    fn instant(&self, number: u64, scale_bp: u64) -> Option<u64> {
        let place = u128::from(number) * u128::from(WHOLE);
        let (whole, rest) = ((place / u128::from(scale_bp)) as usize, place % u128::from(scale_bp));
        let before = whole.checked_sub(1).map_or(Some(0), |last| self.0.get(last).copied())?;
        if rest == 0 {
            return Some(before);
        }
        let next = self.0.get(whole)?;
        Some(before + (u128::from(next - before) * rest / u128::from(scale_bp)) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(arrivals: &Arrivals, scale_bp: u64) -> Vec<u64> {
        let mut at = SimTime(0);
        std::iter::from_fn(|| {
            at = arrivals.next_after(at, scale_bp)?;
            Some(at.0)
        })
        .collect()
    }

    /// Scenario: five arrivals out of order, two of them at once, played as recorded.
    /// Guarantees: each comes at its own instant, in order; of two at once the second comes a microsecond later.
    #[test]
    fn at_the_recorded_rate_each_comes_at_its_instant() {
        let arrivals = Arrivals::new(vec![500, 100, 100, 2_000_000, 900]);
        assert_eq!(played(&arrivals, 10_000), [100, 101, 500, 900, 2_000_000]);
        assert_eq!((arrivals.within_second(0, 10_000), arrivals.within_second(1, 10_000)), (4, 0));
        assert_eq!((arrivals.within_second(2, 10_000), arrivals.busiest(), arrivals.last_s()), (1, 4, 2));
    }

    /// Scenario: a thousand arrivals in one second and ten in the next, at double, half, and one and a half of the rate.
    /// Guarantees: the number follows the scale, in each second.
    #[test]
    fn a_scaled_recording_keeps_its_shape() {
        let busy = (0..1000).map(|number| 1000 * number + 7);
        let arrivals = Arrivals::new(busy.chain((0..10).map(|number| 1_000_000 + 100_000 * number)).collect());
        for (scale_bp, of_first, of_second) in [(20_000, 2000, 19), (5000, 500, 5), (15_000, 1500, 14)] {
            let all = played(&arrivals, scale_bp);
            let first = all.iter().filter(|at| **at < 1_000_000).count() as u64;
            assert!(first.abs_diff(of_first) <= 1, "{scale_bp}: {first}");
            assert!((all.len() as u64 - first).abs_diff(of_second) <= 1, "{scale_bp}");
            assert!(arrivals.within_second(0, scale_bp).abs_diff(first) <= 1);
        }
        assert!(played(&arrivals, 0).is_empty());
        assert!(played(&Arrivals::default(), 10_000).is_empty());
    }
}
