//! How long replies take.
//!
//! Answers how likely a minute is late on so many servers, with its dimmer and its arrivals. Servers that share their
//! processor take S · (1 + ρ / (1 - ρ)) for work S at utilisation ρ if arrivals are a Poisson process (Kleinrock, "Queueing
//! Systems" II, 1976, section 4.4); bursts multiply the part that is waiting. By how much, and how surely, is learned: a
//! Bayesian regression of the logarithm of that factor on utilisation, from every minute that shows it.

/// How near to a whole server a minute's utilisation must be before the minute's own length bounds the waiting. Half of it
/// is what replaces 1 - ρ at ρ = 1: after a minute there, a queue has waited about thirty times the work of one request.
const NEAR_FULL: f64 = 0.03;

/// Below this utilisation a minute shows nothing of waiting.
const RHO_TELLING: f64 = 0.3;

/// A minute at this utilisation or above counts fully.
const RHO_FULL_WEIGHT: f64 = 0.8;

/// A minute's weight relative to the minute after it.
const FADING: f64 = 0.985;

/// The factor that is assumed at first, its slope over utilisation and the minutes for which the two count; the deviation
/// of its logarithm, and the minutes for which that counts.
const FACTOR_FIRST: f64 = 0.8;
const LEVEL_MINUTES: f64 = 4.0;
const SLOPE_MINUTES: f64 = 0.4;
const DEVIATION_FIRST: f64 = 0.35;
const DEVIATION_MINUTES: f64 = 6.0;

/// Factors that are believed.
const FACTORS: (f64, f64) = (0.1, 30.0);

/// Waiting relative to work, for a Poisson process and a minute at utilisation `rho`. Twice the second term under the root is
/// what is left of 1 - ρ at ρ = 1, and beyond it the queue grows with the minute.
pub(super) fn waiting(rho: f64) -> f64 {
    let idle = 1.0 - rho;
    let felt = 0.5 * (idle + (idle * idle + 4.0 * NEAR_FULL * NEAR_FULL).sqrt());
    rho / felt
}

/// What is known of the factor.
#[derive(Clone, Debug)]
pub(super) struct Bursts {
    /// Sums of weight, weight · x, weight · x², weight · y, weight · x · y and weight · y², where x is utilisation above
    /// [`RHO_FULL_WEIGHT`] and y the logarithm of the factor.
    sums: [f64; 6],
}

/// The factor to be expected at some utilisation: the mean of its logarithm, and its deviation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Factor {
    pub(super) log_mean: f64,
    pub(super) log_deviation: f64,
}

impl Bursts {
    pub(super) fn new() -> Bursts {
        Bursts { sums: [0.0; 6] }
    }

    /// A minute at utilisation `rho` has waited `factor` times what a Poisson process had.
    pub(super) fn learn(&mut self, rho: f64, factor: f64) {
        if rho < RHO_TELLING {
            return;
        }
        let weight = (rho / RHO_FULL_WEIGHT).min(1.0).powi(2);
        let (x, y) = (rho.min(1.2) - RHO_FULL_WEIGHT, factor.clamp(FACTORS.0, FACTORS.1).ln());
        let seen = [1.0, x, x * x, y, x * y, y * y];
        for (sum, seen) in self.sums.iter_mut().zip(seen) {
            *sum = *sum * FADING + weight * seen;
        }
    }

    /// The regression, to be asked at many utilisations.
    pub(super) fn fit(&self) -> Fit {
        let [n, x, xx, y, xy, yy] = self.sums;
        let first = FACTOR_FIRST.ln();
        let (a, b, d) = (n + LEVEL_MINUTES, x, xx + SLOPE_MINUTES);
        let (p, q) = (y + LEVEL_MINUTES * first, xy);
        let determinant = a * d - b * b;
        let (level, slope) = ((d * p - b * q) / determinant, (a * q - b * p) / determinant);
        let squares =
            yy - 2.0 * level * y - 2.0 * slope * xy + level * level * n + 2.0 * level * slope * x + slope * slope * xx;
        let variance = (squares.max(0.0) + DEVIATION_MINUTES * DEVIATION_FIRST.powi(2)) / (n + DEVIATION_MINUTES);
        Fit { level, slope, variance, inverse: [d / determinant, -b / determinant, a / determinant] }
    }
}

/// A regression line and its doubt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    level: f64,
    slope: f64,
    variance: f64,
    inverse: [f64; 3],
}

impl Fit {
    pub(super) fn at(&self, rho: f64) -> Factor {
        let x = rho.clamp(RHO_TELLING, 1.2) - RHO_FULL_WEIGHT;
        let [a, b, d] = self.inverse;
        let spread = 1.0 + a + 2.0 * b * x + d * x * x;
        Factor { log_mean: self.level + self.slope * x, log_deviation: (self.variance * spread).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: servers busy for a half, four fifths and all of the time, and a tenth beyond.
    /// Guarantees: the first two wait as long as processor sharing says, ρ / (1 - ρ), within a fifteenth; at ρ = 1 waiting is the
    /// 33 times its work of a minute-long queue, and beyond it grows faster than ever.
    #[test]
    fn waiting_follows_processor_sharing() {
        assert!((waiting(0.5) - 1.0).abs() < 0.01);
        assert!((waiting(0.8) / 4.0 - 1.0).abs() < 1.0 / 15.0);
        assert!((waiting(1.0) - 1.0 / NEAR_FULL).abs() < 1e-9);
        assert!(60.0 < waiting(1.1) - waiting(1.0));
    }

    /// Scenario: nothing has been seen; then a hundred minutes waited three times as long at any utilisation; then more the
    /// busier they were; then one idle minute showed nonsense.
    /// Guarantees: the assumption holds until it is outweighed; a slope over utilisation is found; idle minutes say nothing.
    #[test]
    fn bursts_are_learned_from_waiting() {
        let mut bursts = Bursts::new();
        let first = bursts.fit().at(0.8);
        assert!((first.log_mean - FACTOR_FIRST.ln()).abs() < 1e-9 && first.log_deviation < 0.4);
        (0..100).for_each(|minute| bursts.learn(0.6 + 0.003 * f64::from(minute), 3.0));
        let even = bursts.fit();
        assert!((even.at(0.8).log_mean - 3.0_f64.ln()).abs() < 0.15, "{:?}", even.at(0.8));
        (0..200).for_each(|minute| bursts.learn(0.6 + 0.0015 * f64::from(minute), 1.0 + 0.02 * f64::from(minute)));
        let sloped = bursts.fit();
        assert!(sloped.at(0.6).log_mean + 0.5 < sloped.at(0.9).log_mean);
        bursts.learn(0.1, 30.0);
        assert!((bursts.fit().at(0.8).log_mean - sloped.at(0.8).log_mean).abs() < 1e-9);
    }
}
