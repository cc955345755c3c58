//! Service times.
//!
//! Answers how long one piece of work takes. The distribution is tabulated at 4 096 quantiles when the plant is built and
//! drawn from by interpolation, because an exact logarithm per request would cost more than the rest of the request.

use std::f64::consts::PI;

use homeostat_core::{Micros, Stream};
use rand::Rng;

/// The distribution of a service's own work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ServiceTime {
    /// Skewed like most real latencies: given by its middle and its tail.
    Lognormal {
        /// Half of the requests are faster.
        median: Micros,
        /// 99 of 100 requests are faster.
        p99: Micros,
    },
    /// Memoryless: what textbook queues assume.
    Exponential {
        /// The average.
        mean: Micros,
    },
}

impl ServiceTime {
    /// The same shape, stretched by `factor_bp` ten-thousandths.
    #[must_use]
    pub fn stretched(self, factor_bp: u64) -> ServiceTime {
        let stretch = |span: Micros| Micros((span.0 * factor_bp / 10_000).max(1));
        match self {
            ServiceTime::Lognormal { median, p99 } => {
                ServiceTime::Lognormal { median: stretch(median), p99: stretch(p99) }
            }
            ServiceTime::Exponential { mean } => ServiceTime::Exponential { mean: stretch(mean) },
        }
    }
}

/// Cells of the table. The two ends are cut at one in 16 384, beyond any percentile that is looked at.
const CELLS: usize = 4096;

/// The probability left out at each end of the table.
const CUT: f64 = 1.0 / 16_384.0;

/// The 99th percentile of the standard normal distribution.
const NORMAL_P99: f64 = 2.326_347_87;

/// A tabulated distribution.
#[derive(Clone, Debug)]
pub(crate) struct Quantiles(Box<[u32]>);

impl Quantiles {
    pub(crate) fn of(time: ServiceTime, normal: &NormalTable) -> Quantiles {
        let cell = |i: usize| match time {
            ServiceTime::Lognormal { median, p99 } => {
                // ln X is normal with mean ln(median) and deviation ln(p99 / median) / z(0.99).
                let sigma = (p99.0.max(1) as f64 / median.0.max(1) as f64).ln() / NORMAL_P99;
                median.0 as f64 * (sigma * normal.0[i]).exp()
            }
            ServiceTime::Exponential { mean } => -(1.0 - probability(i)).ln() * mean.0 as f64,
        };
        // A float that does not fit is clamped by the cast: the longest work is 71 minutes.
        Quantiles((0..=CELLS).map(|i| cell(i).max(1.0) as u32).collect())
    }

    /// One draw, in microseconds.
    pub(crate) fn draw(&self, stream: &mut Stream) -> u64 {
        let bits = stream.next_u32();
        let cell = (bits >> 20) as usize;
        let (low, high) = (u64::from(self.0[cell]), u64::from(self.0[cell + 1]));
        low + (((high - low) * u64::from(bits & 0x000f_ffff)) >> 20)
    }
}

/// The quantiles of the standard normal distribution at the table's edges. Built once per plant.
pub(crate) struct NormalTable(Box<[f64]>);

impl NormalTable {
    /// Integrates the density over ±5 and inverts by walking, which needs no approximation formula.
    pub(crate) fn new() -> NormalTable {
        const STEP: f64 = 1.0 / 512.0;
        let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
        let (mut z, mut below) = (-5.0, 0.0);
        let table = (0..=CELLS).map(|i| {
            let wanted = probability(i);
            while below < wanted && z < 5.0 {
                below += STEP * density(z + STEP / 2.0);
                z += STEP;
            }
            z - (below - wanted) / density(z)
        });
        NormalTable(table.collect())
    }
}

/// The probability at edge `i` of the table.
fn probability(i: usize) -> f64 {
    (i as f64 / CELLS as f64).clamp(CUT, 1.0 - CUT)
}

#[cfg(test)]
mod tests {
    use homeostat_core::Seed;

    use super::*;

    fn draws(time: ServiceTime) -> Vec<u64> {
        let quantiles = Quantiles::of(time, &NormalTable::new());
        let mut stream = Seed(7).stream("test/service_time");
        let mut all: Vec<u64> = (0..100_000).map(|_| quantiles.draw(&mut stream)).collect();
        all.sort_unstable();
        all
    }

    fn within_3_percent(found: u64, expected: u64) -> bool {
        found.abs_diff(expected) * 100 <= expected * 3
    }

    /// Scenario: a hundred thousand draws of a lognormal with a median of 5 ms and a 99th percentile of 40 ms.
    /// Guarantees: both are found again within 3 %.
    #[test]
    fn a_lognormal_has_its_median_and_its_tail() {
        let all = draws(ServiceTime::Lognormal { median: Micros(5000), p99: Micros(40_000) });
        assert!(within_3_percent(all[50_000], 5000), "{}", all[50_000]);
        assert!(within_3_percent(all[99_000], 40_000), "{}", all[99_000]);
    }

    /// Scenario: a hundred thousand draws of an exponential with a mean of 8 ms.
    /// Guarantees: the mean and the median (mean · ln 2) are found again within 3 %.
    #[test]
    fn an_exponential_has_its_mean() {
        let all = draws(ServiceTime::Exponential { mean: Micros(8000) });
        assert!(within_3_percent(all.iter().sum::<u64>() / 100_000, 8000));
        assert!(within_3_percent(all[50_000], 5545));
    }
}
