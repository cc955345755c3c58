//! How many requests will come.
//!
//! Answers with a distribution for each of the next minutes. Small forecasts compete, each horizon for itself, and are mixed
//! by how well they have done. The doubt is not assumed: it is the mix's own errors, relative to what it had said, as they
//! were. Nothing seasonal: an hour and a half of minutes does not show a day.

use std::collections::VecDeque;

/// Errors of the mix that are remembered, for each horizon.
const ERRORS_MAX: usize = 60;

/// A minute's weight in judging forecasts, relative to the minute after it.
const FADING: f64 = 0.96;

/// How sharply better forecasts are preferred: weights fall with this power of the mean square error.
const SHARPNESS: f64 = 4.0;

/// The doubt before anything has been seen, relative to the mean, for each square root of a minute ahead.
const DOUBT_FIRST: f64 = 0.12;

/// Minutes that the doubt at first counts as.
const PRIOR_MINUTES: f64 = 4.0;

/// Requests per second that are added to a forecast before an error is divided by it: relative errors of nearly nothing mean
/// nothing.
const FLOOR_PER_S: f64 = 2.0;

/// Shares of the outcomes by which a distribution is told, lowest first; fine at the top, where minutes are late.
const SHARES: [f64; 9] = [0.1, 0.15, 0.2, 0.2, 0.15, 0.1, 0.05, 0.03, 0.02];

/// What is assumed of errors at first, in standard deviations: the middles of nine outcomes of a normal distribution, but
/// for the highest, because crowds come suddenly and go slowly.
const NORMAL: [f64; 9] = [-1.6, -0.97, -0.59, -0.28, 0.0, 0.28, 0.59, 0.97, 2.0];

/// One outcome: what an error is relative to the forecast, and how likely it is.
pub(super) type Outcome = (f64, f64);

/// One way of following a rate: level and trend by exponential smoothing, the trend damped with each minute ahead
/// (Gardner and McKenzie, "Forecasting trends in time series", 1985).
#[derive(Clone, Copy, Debug)]
struct Smoother {
    level_gain: f64,
    trend_gain: f64,
    damping: f64,
    level: f64,
    trend: f64,
}

impl Smoother {
    const fn new(level_gain: f64, trend_gain: f64, damping: f64) -> Smoother {
        Smoother { level_gain, trend_gain, damping, level: 0.0, trend: 0.0 }
    }

    fn start(&mut self, rate: f64) {
        self.level = rate;
    }

    fn observe(&mut self, rate: f64) {
        let expected = self.level + self.damping * self.trend;
        let error = rate - expected;
        self.level = expected + self.level_gain * error;
        self.trend = self.damping * self.trend + self.trend_gain * error;
    }

    fn at(&self, ahead: usize) -> f64 {
        let steps: f64 = (1..=ahead).map(|minute| self.damping.powi(minute as i32)).sum();
        (self.level + steps * self.trend).max(0.0)
    }
}

/// The competitors: the last minute, three without a trend, three with one, and the mean of all.
const COMPETITORS: [Smoother; 8] = [
    Smoother::new(1.0, 0.0, 0.0),
    Smoother::new(0.7, 0.0, 0.0),
    Smoother::new(0.5, 0.0, 0.0),
    Smoother::new(0.3, 0.0, 0.0),
    Smoother::new(0.1, 0.0, 0.0),
    Smoother::new(0.5, 0.1, 0.8),
    Smoother::new(0.7, 0.3, 0.8),
    Smoother::new(0.8, 0.4, 0.7),
];

/// What is known of one horizon.
#[derive(Clone, Debug)]
struct Horizon {
    /// Forecasts whose minute is still to come, oldest first: of each competitor, and of the mix.
    open: VecDeque<([f64; COMPETITORS.len()], f64)>,
    /// Fading sums of squared relative errors, by competitor.
    squares: [f64; COMPETITORS.len()],
    weight: f64,
    /// Relative errors of the mix, oldest first.
    errors: VecDeque<f64>,
}

impl Horizon {
    fn new() -> Horizon {
        Horizon { open: VecDeque::new(), squares: [0.0; COMPETITORS.len()], weight: 0.0, errors: VecDeque::new() }
    }

    /// The minute that was forecast `ahead` minutes ago had this `rate`.
    fn learn(&mut self, ahead: usize, rate: f64) {
        if self.open.len() < ahead {
            return;
        }
        let Some((forecasts, mix)) = self.open.pop_front() else { return };
        for (squares, forecast) in self.squares.iter_mut().zip(forecasts) {
            *squares = *squares * FADING + relative(rate, forecast).powi(2);
        }
        self.weight = self.weight * FADING + 1.0;
        self.errors.push_back(relative(rate, mix));
        if ERRORS_MAX < self.errors.len() {
            self.errors.pop_front();
        }
    }

    fn mix(&self, ahead: usize, forecasts: &[f64; COMPETITORS.len()]) -> f64 {
        let assumed = PRIOR_MINUTES * DOUBT_FIRST * DOUBT_FIRST * ahead as f64;
        let weights =
            self.squares.map(|squares| ((squares + assumed) / (self.weight + PRIOR_MINUTES)).powf(-SHARPNESS));
        let sum: f64 = weights.iter().sum();
        weights.iter().zip(forecasts).map(|(weight, forecast)| weight * forecast).sum::<f64>() / sum
    }

    /// The errors to be expected: those of the past, and while these are few, what is assumed.
    fn outcomes(&self, ahead: usize) -> Vec<Outcome> {
        let newest = self.errors.len();
        let seen = self.errors.iter().enumerate();
        let mut errors: Vec<Outcome> = seen.map(|(at, error)| (*error, FADING.powi((newest - at) as i32))).collect();
        let doubt = DOUBT_FIRST * (ahead as f64).sqrt();
        errors.extend(NORMAL.map(|deviations| (deviations * doubt, PRIOR_MINUTES / NORMAL.len() as f64)));
        told(errors)
    }
}

fn relative(rate: f64, forecast: f64) -> f64 {
    (rate - forecast) / (forecast + FLOOR_PER_S)
}

/// A few outcomes that stand for many: the means of consecutive shares.
fn told(mut errors: Vec<Outcome>) -> Vec<Outcome> {
    errors.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = errors.iter().map(|(_, weight)| weight).sum();
    let mut rest = errors.into_iter();
    let mut current = rest.next().unwrap_or((0.0, 1.0));
    let mut outcomes = Vec::with_capacity(SHARES.len());
    for share in SHARES {
        let (mut wanted, mut sum) = (share * total, 0.0);
        loop {
            let taken = wanted.min(current.1);
            sum += taken * current.0;
            wanted -= taken;
            current.1 -= taken;
            if wanted <= 1e-12 * total {
                break;
            }
            let Some(next) = rest.next() else {
                sum += wanted * current.0;
                break;
            };
            current = next;
        }
        outcomes.push((sum / (share * total), share));
    }
    outcomes
}

/// Follows one rate.
#[derive(Clone, Debug)]
pub(super) struct Forecast {
    competitors: [Smoother; COMPETITORS.len()],
    horizons: Vec<Horizon>,
    has_seen: bool,
}

impl Forecast {
    /// Will be asked up to `ahead` minutes ahead.
    pub(super) fn new(ahead: usize) -> Forecast {
        Forecast { competitors: COMPETITORS, horizons: vec![Horizon::new(); ahead], has_seen: false }
    }

    /// A minute has passed with so many requests per second.
    pub(super) fn observe(&mut self, rate: f64) {
        for (index, horizon) in self.horizons.iter_mut().enumerate() {
            horizon.learn(index + 1, rate);
        }
        for competitor in &mut self.competitors {
            if self.has_seen { competitor.observe(rate) } else { competitor.start(rate) }
        }
        self.has_seen = true;
        for (index, horizon) in self.horizons.iter_mut().enumerate() {
            let forecasts = self.competitors.map(|competitor| competitor.at(index + 1));
            let mix = horizon.mix(index + 1, &forecasts);
            horizon.open.push_back((forecasts, mix));
        }
    }

    /// Requests per second `ahead` minutes from now, and the outcomes of its relative error.
    pub(super) fn at(&self, ahead: usize) -> (f64, Vec<Outcome>) {
        let horizon = &self.horizons[ahead - 1];
        let mean = horizon.open.back().map_or(0.0, |(_, mix)| *mix);
        (mean, horizon.outcomes(ahead))
    }
}

/// The rate if a forecast errs by this.
pub(super) fn rate_of(forecast: f64, error: f64) -> f64 {
    (forecast + error * (forecast + FLOOR_PER_S)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rates: impl Iterator<Item = f64>, ahead: usize) -> (f64, f64) {
        let mut forecast = Forecast::new(ahead);
        rates.for_each(|rate| forecast.observe(rate));
        let (mean, outcomes) = forecast.at(ahead);
        let square = |(error, weight): &Outcome| weight * (rate_of(mean, *error) - mean).powi(2);
        (mean, outcomes.iter().map(square).sum::<f64>().sqrt())
    }

    /// Scenario: constant arrivals, then arrivals that rise by one a minute, an hour long.
    /// Guarantees: the first are forecast exactly with little doubt; the second are followed, if with less slope.
    #[test]
    fn what_is_regular_is_forecast() {
        let (mean, doubt) = at(std::iter::repeat_n(20.0, 60), 3);
        assert!((mean - 20.0).abs() < 1e-9 && doubt < 2.0, "{mean} {doubt}");
        let (mean, doubt) = at((0..60).map(f64::from), 3);
        assert!((59.0..=62.0).contains(&mean) && doubt < 12.0, "{mean} {doubt}");
    }

    /// Scenario: arrivals that jump between 10 and 40.
    /// Guarantees: the doubt says so.
    #[test]
    fn what_is_irregular_is_doubted() {
        let (_, doubt) = at((0..60).map(|minute| if minute % 7 < 3 { 10.0 } else { 40.0 }), 2);
        assert!(8.0 < doubt, "{doubt}");
    }

    /// Scenario: a hundred errors from 0 to 99, alike.
    /// Guarantees: their outcomes keep the mean, add up to one, rise, and the last is the mean of the highest two.
    #[test]
    fn outcomes_stand_for_all() {
        let outcomes = told((0..100).map(|error| (f64::from(error), 1.0)).collect());
        assert!((outcomes.iter().map(|(error, weight)| error * weight).sum::<f64>() - 49.5).abs() < 1e-9);
        assert!((outcomes.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-9);
        assert!(outcomes.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!((outcomes[8].0 - 98.5).abs() < 1e-9);
    }
}
