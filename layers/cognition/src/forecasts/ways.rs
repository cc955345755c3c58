//! Ways to forecast.
//!
//! Answers what demand each of five simple ways expects: the mean of the last quarter of a minute, of one, four and sixteen
//! minutes, and a straight line through the last minute. Short means follow what stays, long ones what returns, the line what
//! goes on. None is good for everything, which is why none is chosen in advance.

use std::collections::VecDeque;

/// Steps of each mean.
const MEANS: [usize; 4] = [3, 12, 48, 192];

/// Steps that the line is laid through.
const LINE: usize = 13;

/// A line goes on for this share of the way: nothing grows for ever (a damped trend; Gardner and McKenzie 1985).
const GOES_ON_PERCENT: i128 = 80;

/// How many ways there are.
pub(super) const WAYS: usize = MEANS.len() + 1;

/// Their names.
pub(super) const NAMES: [&str; WAYS] = ["mean of 15 s", "mean of 1 min", "mean of 4 min", "mean of 16 min", "line"];

/// Demand as it was, newest last.
#[derive(Debug, Default)]
pub(super) struct Past(VecDeque<u64>);

impl Past {
    /// Takes in the demand of one step.
    pub(super) fn push(&mut self, demand: u64) {
        if self.0.len() == MEANS[MEANS.len() - 1] {
            self.0.pop_front();
        }
        self.0.push_back(demand);
    }

    /// What each way expects `steps` ahead. Nothing without a past.
    pub(super) fn expect(&self, steps: usize) -> [u64; WAYS] {
        let mut expected = [0; WAYS];
        for (expected, steps) in expected.iter_mut().zip(MEANS) {
            let steps = steps.min(self.0.len());
            let sum: u64 = self.0.iter().rev().take(steps).sum();
            *expected = sum.checked_div(steps as u64).unwrap_or(0);
        }
        expected[WAYS - 1] = self.line(steps).unwrap_or(expected[0]);
        expected
    }

    /// The least-squares line, `steps` ahead. Places are counted from the middle in half steps, so that all is whole numbers.
    fn line(&self, steps: usize) -> Option<u64> {
        let count = LINE.min(self.0.len());
        if count < 4 {
            return None;
        }
        let (mut sum, mut with_place, mut of_squares) = (0_i128, 0_i128, 0_i128);
        for (index, demand) in self.0.iter().rev().take(count).enumerate() {
            let place = count as i128 - 1 - 2 * index as i128;
            sum += i128::from(*demand);
            with_place += place * i128::from(*demand);
            of_squares += place * place;
        }
        let ahead = (count as i128 - 1) * 100 + 2 * steps as i128 * GOES_ON_PERCENT;
        let expected = sum / count as i128 + with_place * ahead / (of_squares * 100);
        Some(u64::try_from(expected.max(0)).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: demand stays at 4000 for twenty minutes, then grows by 100 a step for thirteen steps.
    /// Guarantees: means lag behind by half of their time; the line goes on for four fifths of ten steps.
    #[test]
    fn ways_expect_what_they_say() {
        let mut past = Past::default();
        (0..240).for_each(|_| past.push(4000));
        assert_eq!(past.expect(10), [4000; WAYS]);
        (1..=13).for_each(|step| past.push(4000 + 100 * step));
        let expected = past.expect(10);
        assert_eq!((expected[0], expected[1]), (5200, 4750));
        assert!(expected[3] < 4100);
        assert_eq!(expected[4], 5300 + 800);
    }

    /// Scenario: nothing was seen; one step was.
    /// Guarantees: nothing is expected of nothing, and one step is expected to stay.
    #[test]
    fn a_short_past_is_no_trend() {
        assert_eq!(Past::default().expect(10), [0; WAYS]);
        let mut past = Past::default();
        past.push(700);
        assert_eq!(past.expect(10), [700; WAYS]);
    }
}
