//! The recent past of a measure.
//!
//! Answers what a measure does by itself: by how much it usually changes over the time an action takes, and how far changes
//! stray from that. Kept as a short ring of readings; the reckoning is done when an action is decided, which is seldom.
//! Medians are used rather than a fitted line because one jump, such as the onset of what is acted upon, must not look like
//! a trend: it is in a few of the changes, and half of them must have moved before a median does.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::actions::{LoadEffect, Measure};
use crate::counterfactual::{Counterfactual, Load};
use crate::{Millis, Timestamp};

/// Readings kept: three minutes. A trend is one when it has lasted for half of that.
const SAMPLES_MAX: usize = 36;

/// The time between two readings that are kept. Utilisation is a mean over five seconds, so closer ones would say the same.
const SPACING: Millis = Millis::from_secs(5);

/// Changes from which on a median is believed: with fewer, one jump is a majority.
const CHANGES_MIN: usize = 9;

/// From the median distance to its 95 % range: 1.96 / 0.6745 of a normal distribution, rounded up.
const TO_95: u64 = 3;

/// One reading, and the load under which it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sample {
    at: Timestamp,
    value: u64,
    load: Option<u64>,
}

/// The readings of one measure over the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    samples: VecDeque<Sample>,
}

impl History {
    /// Takes a reading, unless the last one is still young; the oldest falls out. What claims to come from the future is forgotten.
    pub fn note(&mut self, at: Timestamp, value: u64, load: Option<u64>) {
        if self.samples.back().is_some_and(|last| at < last.at) {
            self.samples.clear();
        }
        if self.samples.back().is_some_and(|last| at.since(last.at) < SPACING) {
            return;
        }
        while SAMPLES_MAX <= self.samples.len() {
            self.samples.pop_front();
        }
        self.samples.push_back(Sample { at, value, load });
    }

    /// What `measure`, which is at `level` under `load` now, would do if nothing were done.
    pub fn forecast(&self, measure: &Measure, at: Timestamp, level: u64, load: Option<Load>) -> Counterfactual {
        let plain = Counterfactual::without_past(at, level, load);
        let present = load.map(|load| load.value);
        let value = |sample: &Sample| match measure.load_effect() {
            LoadEffect::Proportional => {
                i128::from(sample.value).saturating_mul(under_present(present, sample.load)) / 1_000_000
            }
            LoadEffect::None | LoadEffect::Growing => i128::from(sample.value),
        };
        let Some((drift, spread)) = self.middle_and_spread(value) else { return plain };
        // What is smaller than the usual noise is not a trend, and would only be carried forward as one.
        let drift = if drift.unsigned_abs() <= spread / TO_95 { 0 } else { drift };
        let of_load = self.middle_and_spread(|sample| sample.load.map_or(0, i128::from));
        Counterfactual { drift, spread, load_spread: of_load.map_or(0, |(_, spread)| spread), ..plain }
    }

    /// The median change over one step, and the 95 % range around it.
    fn middle_and_spread(&self, value: impl Fn(&Sample) -> i128) -> Option<(i64, u64)> {
        let mut changes: Vec<i64> = Vec::with_capacity(SAMPLES_MAX);
        for (place, later) in self.samples.iter().enumerate() {
            let is_before = |earlier: &&Sample| Counterfactual::STEP <= later.at.since(earlier.at);
            let Some(earlier) = self.samples.iter().take(place).rev().find(is_before) else { continue };
            let span = i128::from(later.at.since(earlier.at).0);
            // Over a gap nothing is known of the steps between.
            if span <= 2 * i128::from(Counterfactual::STEP.0) {
                let change =
                    value(later).saturating_sub(value(earlier)).saturating_mul(i128::from(Counterfactual::STEP.0))
                        / span;
                changes.push(i64::try_from(change).unwrap_or(if change < 0 { i64::MIN } else { i64::MAX }));
            }
        }
        if changes.len() < CHANGES_MIN {
            return None;
        }
        let middle = median(&mut changes);
        let mut distances: Vec<u64> = changes.iter().map(|change| change.abs_diff(middle)).collect();
        Some((middle, median(&mut distances).saturating_mul(TO_95)))
    }
}

/// By how many millionths a reading under `then` is multiplied to be one under `now`.
fn under_present(now: Option<u64>, then: Option<u64>) -> i128 {
    let known = now.zip(then).filter(|(_, then)| 0 < *then);
    known.map_or(1_000_000, |(now, then)| i128::from(now) * 1_000_000 / i128::from(then))
}

/// The middle one; of an even number the higher of both.
fn median<T: Ord + Copy>(values: &mut [T]) -> T {
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Indicator, ObjectiveKind, Signal, Target};

    fn utilization() -> Measure {
        Measure::Reading(Signal::new(Target::Service("cart".into()), Indicator::Utilization))
    }

    fn slow_share() -> Measure {
        Measure::BadRatio { service: "cart".into(), kind: ObjectiveKind::Latency }
    }

    /// The forecast after three minutes of `value` and `load`, each given the second.
    fn after(measure: &Measure, value: impl Fn(u64) -> u64, load: impl Fn(u64) -> u64) -> Counterfactual {
        let mut history = History::default();
        for second in 0..=180 {
            history.note(Timestamp(second * 1000), value(second), Some(load(second)));
        }
        history.forecast(measure, Timestamp(180_000), value(180), Some(Load::steady(load(180))))
    }

    /// Scenario: a share of slow requests that rises by ten points in 20 s; that jumped ten seconds ago, and a minute ago;
    /// that wavers.
    /// Guarantees: only what has lasted is a trend; a jump is the new level, and wavering is doubt.
    #[test]
    fn a_jump_is_not_a_trend() {
        let found = |value: fn(u64) -> u64| {
            let forecast = after(&slow_share(), value, |_| 100);
            (forecast.level, forecast.drift, forecast.spread)
        };
        assert_eq!(found(|second| second * 50), (9000, 1000, 0));
        assert_eq!(found(|second| if second < 170 { 100 } else { 6000 }), (6000, 0, 0));
        assert_eq!(found(|second| if second < 120 { 100 } else { 6000 }), (6000, 0, 0));
        assert_eq!(found(|second| if second / 5 % 3 == 0 { 1000 } else { 1300 }).1, 0);
        assert_eq!(found(|second| if second / 5 % 3 == 0 { 1000 } else { 1300 }).2, 900);
    }

    /// Scenario: load grows steadily and utilisation with it; utilisation grows although the load does not.
    /// Guarantees: what grows with the load is no trend of its own, and goes on only if the load does.
    #[test]
    fn what_grows_with_the_load_is_no_trend() {
        assert_eq!(after(&utilization(), |second| 2000 + 20 * second, |second| 1000 + 10 * second).drift, 0);
        assert_eq!(after(&utilization(), |second| 2000 + 20 * second, |_| 1000).drift, 400);
    }

    /// Scenario: nothing noted; forty seconds noted; and three minutes noted, then an hour of silence and one reading.
    /// Guarantees: without enough past there is no trend and a tenth of doubt; a gap is not bridged.
    #[test]
    fn without_a_past_nothing_is_claimed() {
        let mut history = History::default();
        let plain = Counterfactual::without_past(Timestamp(9), 5000, Some(Load::steady(100)));
        let load = Some(Load::steady(100));
        assert_eq!(history.forecast(&utilization(), Timestamp(9), 5000, load), plain);
        (0..40).for_each(|second| history.note(Timestamp(second * 1000), second * 100, Some(100)));
        assert_eq!(history.forecast(&utilization(), Timestamp(9), 5000, load), plain);
        let mut gap = History::default();
        (0..180).for_each(|second| gap.note(Timestamp(second * 1000), 100, None));
        gap.note(Timestamp(3_600_000), 9000, None);
        assert_eq!(gap.forecast(&slow_share(), Timestamp(3_600_000), 9000, None).drift, 0);
    }

    /// Scenario: an hour of readings, one a second.
    /// Guarantees: as many are kept as the bound says.
    #[test]
    fn a_history_is_bounded() {
        let mut history = History::default();
        (0..3600).for_each(|second| history.note(Timestamp(second * 1000), second, None));
        assert_eq!(history.samples.len(), SAMPLES_MAX);
    }
}
