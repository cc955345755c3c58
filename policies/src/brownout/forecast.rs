//! How many requests will come.
//!
//! Answers with a mean and a doubt for each of the next minutes. Small forecasts compete on the minutes that are remembered,
//! each horizon for itself: fixed ones, and one that learns how changes go on. The doubt is the winner's own error.
//! Nothing seasonal: an hour and a half of minutes does not show a day.

use std::collections::VecDeque;

/// Minutes that are remembered.
pub(super) const HISTORY_MAX: usize = 90;

/// A minute's weight in judging the forecasts, relative to the minute after it.
const FADING: f64 = 0.96;

/// Errors that must have been seen before a forecast is trusted with its own error.
const ERRORS_MIN: usize = 6;

/// The least doubt, relative to the mean.
const DOUBT_MIN: f64 = 0.04;

/// The doubt while too little has been seen, relative to the mean, for each square root of a minute ahead.
const DOUBT_FIRST: f64 = 0.12;

/// Minutes that the doubt at first counts as.
const PRIOR_MINUTES: f64 = 4.0;

/// A trend loses this share of its strength with each minute ahead (Gardner and McKenzie, "Forecasting trends in time
/// series", 1985, who damp by 0.8 to 0.98).
const DAMPING: f64 = 0.8;

/// One way of forecasting: the past, oldest first, and how many minutes ahead.
type Method = fn(&[f64], usize) -> f64;

/// The competitors.
const METHODS: [Method; 4] = [last, mean, trend, smooth];

/// Minutes that the methods need.
const NEEDED: usize = 5;

/// Forecasts from one past.
pub(super) struct Forecast {
    past: Vec<f64>,
}

impl Forecast {
    pub(super) fn new(rates: &VecDeque<f64>) -> Forecast {
        Forecast { past: rates.iter().copied().collect() }
    }

    /// Mean and standard error of the requests per second `ahead` minutes from now.
    pub(super) fn at(&self, ahead: usize) -> (f64, f64) {
        let newest = self.past.last().copied().unwrap_or(0.0);
        if self.past.len() < NEEDED + ahead + ERRORS_MIN {
            return (newest, (DOUBT_FIRST * newest * (ahead as f64).sqrt()).max(noise(newest)));
        }
        let fixed = METHODS.iter().map(|method| (self.error(*method, ahead), method(&self.past, ahead)));
        let best = fixed.chain([self.learned(ahead)]).min_by(|a, b| a.0.total_cmp(&b.0));
        let (error, mean) = best.expect("there is always a method");
        let mean = mean.max(0.0);
        (mean, error.max(DOUBT_MIN * mean).max(noise(mean)))
    }

    /// The root of the mean square error of `method`, had it been asked at each minute that is remembered.
    fn error(&self, method: Method, ahead: usize) -> f64 {
        let (mut squares, mut weights) = (0.0, 0.0);
        for origin in NEEDED..=self.past.len() - ahead {
            let error = self.past[origin + ahead - 1] - method(&self.past[..origin], ahead).max(0.0);
            squares = squares * FADING + error * error;
            weights = weights * FADING + 1.0;
        }
        self.with_prior(squares, weights, ahead)
    }

    /// A short past has not shown yet how wrong a forecast can be; it is taken together with what is assumed at first.
    fn with_prior(&self, squares: f64, weights: f64, ahead: usize) -> f64 {
        let mean = self.past.iter().sum::<f64>() / self.past.len() as f64;
        let assumed = DOUBT_FIRST * mean * (ahead as f64).sqrt();
        ((squares + PRIOR_MINUTES * assumed * assumed) / (weights + PRIOR_MINUTES)).sqrt()
    }

    /// The error and the forecast of a regression of the change to come on the last changes. Each of its errors is made
    /// with what was known at that minute; judged on what it was fitted to, it would always win.
    fn learned(&self, ahead: usize) -> (f64, f64) {
        let mut changes = Changes::default();
        let (mut squares, mut weights) = (0.0, 0.0);
        let first = CHANGES + 1;
        for origin in first..=self.past.len() - ahead {
            if first + ahead <= origin {
                let then = origin - ahead;
                changes.learn(&self.past[..then], self.past[origin - 1] - self.past[then - 1]);
            }
            let forecast = (self.past[origin - 1] + changes.change(&self.past[..origin])).max(0.0);
            let error = self.past[origin + ahead - 1] - forecast;
            squares = squares * FADING + error * error;
            weights = weights * FADING + 1.0;
        }
        for origin in self.past.len() - ahead + 1..=self.past.len() {
            if first + ahead <= origin {
                let then = origin - ahead;
                changes.learn(&self.past[..then], self.past[origin - 1] - self.past[then - 1]);
            }
        }
        (self.with_prior(squares, weights, ahead), last(&self.past, ahead) + changes.change(&self.past))
    }
}

/// Changes from minute to minute that a regression looks at.
const CHANGES: usize = 4;

/// What holds the regression back while it has seen little, in squared requests per second.
const RIDGE: f64 = 20.0;

/// A ridge regression (Hoerl and Kennard, 1970) without a constant, held as sums.
#[derive(Default)]
struct Changes {
    products: [[f64; CHANGES]; CHANGES],
    targets: [f64; CHANGES],
}

impl Changes {
    /// The last changes, newest first.
    fn of(past: &[f64]) -> [f64; CHANGES] {
        std::array::from_fn(|back| past[past.len() - 1 - back] - past[past.len() - 2 - back])
    }

    fn learn(&mut self, past: &[f64], change: f64) {
        let seen = Changes::of(past);
        for (row, one) in seen.iter().enumerate() {
            for (column, other) in seen.iter().enumerate() {
                self.products[row][column] += one * other;
            }
            self.targets[row] += one * change;
        }
    }

    /// The change that is to be expected after `past`.
    fn change(&self, past: &[f64]) -> f64 {
        Changes::of(past).iter().zip(self.solve()).map(|(seen, weight)| seen * weight).sum()
    }

    /// Gauss-Jordan elimination without pivoting, which a positive definite matrix does not need.
    fn solve(&self) -> [f64; CHANGES] {
        let (mut products, mut targets) = (self.products, self.targets);
        (0..CHANGES).for_each(|row| products[row][row] += RIDGE);
        for pivot in 0..CHANGES {
            let row = products[pivot];
            for other in (0..CHANGES).filter(|other| *other != pivot) {
                let share = products[other][pivot] / row[pivot];
                (0..CHANGES).for_each(|column| products[other][column] -= share * row[column]);
                targets[other] -= share * targets[pivot];
            }
        }
        std::array::from_fn(|row| targets[row] / products[row][row])
    }
}

/// What a minute of independent arrivals varies by on its own: the root of the count.
fn noise(per_s: f64) -> f64 {
    (per_s.max(1.0) / 60.0).sqrt()
}

/// The chance that a logistic variable is above `limit`. Logistic rather than normal, because arrivals surprise more often
/// than a normal distribution admits; the same mean and deviation, s = σ √3 / π.
pub(super) fn chance_above(limit: f64, mean: f64, deviation: f64) -> f64 {
    let scale = (deviation * 3.0_f64.sqrt() / std::f64::consts::PI).max(1e-9);
    1.0 / (1.0 + ((limit - mean) / scale).clamp(-500.0, 500.0).exp())
}

fn last(past: &[f64], _: usize) -> f64 {
    past[past.len() - 1]
}

fn mean(past: &[f64], _: usize) -> f64 {
    past[past.len() - 3..].iter().sum::<f64>() / 3.0
}

/// A straight line through the last four minutes, continued with less and less slope.
fn trend(past: &[f64], ahead: usize) -> f64 {
    let four = &past[past.len() - 4..];
    // Least squares over x = -1.5, -0.5, 0.5, 1.5.
    let slope = (1.5 * (four[3] - four[0]) + 0.5 * (four[2] - four[1])) / 5.0;
    let end = four.iter().sum::<f64>() / 4.0 + 1.5 * slope;
    let steps: f64 = (1..=ahead).map(|minute| DAMPING.powi(minute as i32)).sum();
    end + slope * steps
}

/// Exponential smoothing over what is remembered.
fn smooth(past: &[f64], _: usize) -> f64 {
    past.iter().skip(1).fold(past[0], |level, rate| 0.7 * level + 0.3 * rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(rates: impl Iterator<Item = f64>, ahead: usize) -> (f64, f64) {
        Forecast::new(&rates.collect()).at(ahead)
    }

    /// Scenario: constant arrivals, then arrivals that rise by one a minute, an hour long.
    /// Guarantees: the first are forecast exactly with little doubt; the second are followed, if with less slope.
    #[test]
    fn what_is_regular_is_forecast() {
        let (mean, doubt) = at(std::iter::repeat_n(20.0, 60), 3);
        assert!((mean - 20.0).abs() < 1e-9 && doubt < 2.0, "{mean} {doubt}");
        let (mean, doubt) = at((0..60).map(f64::from), 3);
        assert!((60.0..=62.0).contains(&mean) && doubt < 4.0, "{mean} {doubt}");
    }

    /// Scenario: arrivals that jump between 10 and 40.
    /// Guarantees: the doubt says so.
    #[test]
    fn what_is_irregular_is_doubted() {
        let (_, doubt) = at((0..60).map(|minute| if minute % 7 < 3 { 10.0 } else { 40.0 }), 2);
        assert!(10.0 < doubt, "{doubt}");
    }

    /// Scenario: a mean of 20 with a deviation of 5, and limits far below, at and far above it.
    /// Guarantees: chances are 1, a half and nearly none.
    #[test]
    fn chances_fall_with_the_limit() {
        assert!(0.999 < chance_above(0.0, 20.0, 5.0));
        assert!((chance_above(20.0, 20.0, 5.0) - 0.5).abs() < 1e-9);
        assert!(chance_above(40.0, 20.0, 5.0) < 0.001);
    }
}
