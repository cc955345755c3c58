//! What a measure would be if nothing were done.
//!
//! Answers between which values a measure will lie, made from its history before an action and held against it afterwards.
//! The forecast starts at the value that was read, follows the trend that began before, and knows what the load has done
//! since: an action must be neither credited for load that fell nor blamed for load that grew. It cannot know of what begins
//! at the same moment and shows in no load. Everything is an integer, so a judgement is the same on every machine.
//!
//! Why not a fitted model of the series: what is acted upon has just jumped, and a level or a season fitted to its past
//! expects it to come back by itself.

use serde::{Deserialize, Serialize};

use crate::actions::{LoadEffect, Measure};
use crate::{BasisPoints, Millis, Timestamp, Unit};

/// A change of the load smaller than this share of it, or than its own noise, is none.
const LOAD_NOISE: BasisPoints = BasisPoints(1000);

/// From this share of its ceiling on, a measure hides how much more there would be.
const HIDDEN_FROM: BasisPoints = BasisPoints(9900);

/// The least a forecast is unsure of, as a share of the value: a smaller change is noise.
const NOISE: BasisPoints = BasisPoints(500);

/// What a measure would be if nothing were done, as it was seen when the action was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counterfactual {
    /// When it was made.
    pub at: Timestamp,
    /// The measure then.
    pub level: u64,
    /// By how much it changes by itself in one [`Counterfactual::STEP`], under the same load.
    pub drift: i64,
    /// How far a change over one step is from that drift, in 95 of 100 cases.
    pub spread: u64,
    /// What there was to do then; none if the measure has no load or it was not known.
    pub load: Option<Load>,
    /// How far a change of the load over one step is from none, in 95 of 100 cases.
    pub load_spread: u64,
}

/// How much there is to do. A rate is taken over a longer time than most measures, so that it lags behind them while it moves;
/// between what it reads and what it moves to lies what the measure was taken under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// What it reads.
    pub value: u64,
    /// What it moves to; the same while it stands.
    pub towards: u64,
}

impl Load {
    /// A load that stands.
    pub const fn steady(value: u64) -> Load {
        Load { value, towards: value }
    }

    /// The load of the last five seconds, from rates in thousandths over the last ten and the last fifteen: a step within those
    /// five is in the difference of both with a third of its weight. A difference that chance explains is none.
    pub fn moving(over_ten: u64, over_fifteen: u64) -> Load {
        let difference = i128::from(over_ten) - i128::from(over_fifteen);
        // The longer one is known to a thirtieth: counts are kept by the second.
        let moved = (difference.abs() - i128::from(over_fifteen) / 30).max(0) * difference.signum();
        // Of n requests a second, the rates differ by √(n/10 − n/15) of chance; three times that is a move.
        if moved.saturating_mul(moved).saturating_mul(30) <= 9 * 1000 * i128::from(over_ten.max(over_fifteen)) {
            return Load::steady(over_ten);
        }
        Load { value: over_ten, towards: bounded(i128::from(over_ten) + 3 * moved) }
    }

    fn low(self) -> u64 {
        self.value.min(self.towards)
    }

    fn high(self) -> u64 {
        self.value.max(self.towards)
    }
}

/// Between which values a measure would lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Not below this.
    pub low: u64,
    /// Not above this.
    pub high: u64,
}

impl Counterfactual {
    /// The time over which drift and spread are told: as long as an action usually takes to show.
    pub const STEP: Millis = Millis::from_secs(20);

    /// Where nothing of the past is known: no trend, and a tenth of doubt.
    pub fn without_past(at: Timestamp, level: u64, load: Option<Load>) -> Counterfactual {
        Counterfactual { at, level, drift: 0, spread: BasisPoints(1000).of(level), load, load_spread: 0 }
    }

    /// Between which values `measure` would lie at `now`, when the load has become `load`.
    pub fn expected(&self, measure: &Measure, now: Timestamp, load: Option<Load>) -> Expected {
        let (step, passed) = (i128::from(Self::STEP.0), i128::from(now.since(self.at).0));
        let middle = i128::from(self.level) + i128::from(self.drift).saturating_mul(passed) / step;
        // Doubt grows with time, and more slowly than time.
        let spread = self.spread.max(NOISE.of(self.level));
        let doubt = i128::from(spread).saturating_mul(step + (passed - step).max(0) / 2) / step;
        let still =
            Expected { low: bounded(middle.saturating_sub(doubt)), high: bounded(middle.saturating_add(doubt)) };
        let ceiling = if measure.unit() == Unit::BasisPoints { self.level.max(10_000) } else { u64::MAX };
        let moved = self.load.zip(load).map_or(still, |(then, now)| match measure.load_effect() {
            LoadEffect::None => still,
            LoadEffect::Proportional => self.in_proportion(still, [then, now], ceiling),
            LoadEffect::Growing => self.growing(still, [then, now], ceiling),
        });
        Expected { low: moved.low.min(ceiling), high: moved.high.min(ceiling) }
    }

    /// Half of the load needs half of the capacity. What stood at its ceiling may stay there under less load: how much more
    /// there was to do could not be seen.
    fn in_proportion(&self, still: Expected, [then, now]: [Load; 2], ceiling: u64) -> Expected {
        let scaled = |value: u64, now: u64, then: u64| {
            u64::try_from(u128::from(value) * u128::from(now) / u128::from(then.max(1))).unwrap_or(u64::MAX)
        };
        let hidden = ceiling != u64::MAX && HIDDEN_FROM.of(ceiling) <= self.level;
        let high = if hidden { ceiling } else { scaled(still.high, now.high(), then.low()) };
        Expected { low: scaled(still.low, now.low(), then.high()), high }
    }

    /// More load makes it no better and less load no worse; by how much is not known. These measures look back for longer than
    /// the load does, so where the load moves to is not asked.
    fn growing(&self, still: Expected, [then, now]: [Load; 2], ceiling: u64) -> Expected {
        let noise = self.load_spread.max(LOAD_NOISE.of(then.value));
        let high = if then.value.saturating_add(noise) < now.value { ceiling } else { still.high };
        let low = if now.value < then.value.saturating_sub(noise) { 0 } else { still.low };
        Expected { low, high }
    }
}

fn bounded(value: i128) -> u64 {
    u64::try_from(value.max(0)).unwrap_or(u64::MAX)
}

impl Expected {
    /// The value in the middle.
    pub const fn middle(&self) -> u64 {
        self.low.midpoint(self.high)
    }

    /// By how much `after` is surely below what was expected, relative to that, in basis points; negative if it is surely above,
    /// and nothing where neither can be shown.
    pub fn shown_improvement_bp(&self, after: u64) -> i64 {
        let relative = |bound: u64| (i128::from(bound) - i128::from(after)) * 10_000 / i128::from(bound.max(1));
        let shown = match after {
            after if after < self.low => relative(self.low),
            after if self.high < after => relative(self.high),
            _ => 0,
        };
        i64::try_from(shown).unwrap_or(i64::MIN)
    }
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

    fn forecast(level: u64, drift: i64, load: u64) -> Counterfactual {
        let load = Some(Load::steady(load));
        Counterfactual { at: Timestamp(0), level, drift, spread: 500, load, load_spread: 0 }
    }

    fn check(forecast: Counterfactual, measure: &Measure, (second, load): (u64, u64), (low, high): (u64, u64)) {
        let found = forecast.expected(measure, Timestamp(second * 1000), Some(Load::steady(load)));
        assert_eq!(found, Expected { low, high }, "{measure} after {second} s at {load}");
    }

    /// Scenario: utilisation of 60 % under a load of 100 that stays, halves, grows by half and doubles; of 60 % and rising by
    /// ten points in 20 s; of all there is, under half of the load.
    /// Guarantees: it follows the load and the trend, never exceeds its ceiling, and what was hidden by the ceiling stays
    /// possible.
    #[test]
    fn utilization_follows_load_and_trend() {
        check(forecast(6000, 0, 100), &utilization(), (20, 100), (5500, 6500));
        check(forecast(6000, 0, 100), &utilization(), (20, 50), (2750, 3250));
        check(forecast(6000, 0, 100), &utilization(), (20, 150), (8250, 9750));
        check(forecast(6000, 0, 100), &utilization(), (20, 200), (10_000, 10_000));
        check(forecast(6000, 1000, 100), &utilization(), (40, 100), (7250, 8750));
        check(forecast(10_000, 0, 100), &utilization(), (20, 50), (4750, 10_000));
    }

    /// Scenario: a fifth of the requests are slow under a load of 100 that stays, wavers, falls and grows.
    /// Guarantees: a load that fell explains any improvement, one that grew any deterioration, and neither the other.
    #[test]
    fn a_share_of_bad_requests_is_bounded_by_the_load() {
        check(forecast(2000, 0, 100), &slow_share(), (20, 95), (1500, 2500));
        check(forecast(2000, 0, 100), &slow_share(), (20, 80), (0, 2500));
        check(forecast(2000, 0, 100), &slow_share(), (20, 120), (1500, 10_000));
    }

    /// Scenario: rates of 17.6 and 18.4, of 14 and 18, and of 20.5 and 20 requests a second over ten and fifteen seconds; then
    /// utilisation of 60 % whose load is on its way down when it is judged.
    /// Guarantees: where a rate moves to is found, in which chance and rounding are no move; and what was measured may lie
    /// anywhere between.
    #[test]
    fn a_load_that_moves_is_known_between_two_values() {
        assert_eq!(Load::moving(17_600, 18_400), Load::steady(17_600));
        assert_eq!(Load::moving(14_000, 18_000), Load { value: 14_000, towards: 3800 });
        assert_eq!(Load::moving(20_500, 20_000), Load::steady(20_500));
        let forecast = forecast(6000, 0, 20_000);
        let falling = Some(Load::moving(14_000, 18_000));
        let found = forecast.expected(&utilization(), Timestamp(20_000), falling);
        assert_eq!(found, Expected { low: 1045, high: 4550 });
    }

    /// Scenario: 40 to 60 were expected; 20, 50 and 90 came.
    /// Guarantees: a half better, neither, and a half worse: what cannot be shown counts as nothing.
    #[test]
    fn only_what_is_shown_counts() {
        let expected = Expected { low: 40, high: 60 };
        assert_eq!([20, 50, 90].map(|after| expected.shown_improvement_bp(after)), [5000, 0, -5000]);
        assert_eq!(Expected { low: 0, high: 0 }.shown_improvement_bp(u64::MAX), i64::MIN);
    }
}
