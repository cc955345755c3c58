//! Latencies, counted.
//!
//! Answers quantiles of many durations in bounded memory, within one percent. Does not keep the durations: at a few hundred
//! thousand requests a second they would crowd out what is measured.

use std::time::Duration;

/// Parts of each power of two: a bucket is at most 1/64 of its value wide, so its middle is within one percent.
const PARTS: u64 = 64;

/// Buckets: the first powers of two are exact, the largest is beyond an hour in microseconds.
const BUCKETS: usize = 40 * PARTS as usize;

/// A histogram of microseconds.
#[derive(Clone)]
pub(crate) struct Latencies {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }
}

impl Latencies {
    pub(crate) fn add(&mut self, latency: Duration) {
        let micros = latency.as_micros() as u64;
        self.counts[bucket(micros).min(BUCKETS - 1)] += 1;
        self.total += 1;
        self.max = self.max.max(micros);
    }

    pub(crate) fn merge(&mut self, other: &Latencies) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(mine, theirs)| *mine += theirs);
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// In milliseconds; zero if there is none.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        let rank = (self.total as f64 * quantile).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if rank <= seen {
                return middle(index as u64).min(self.max as f64) / 1000.0;
            }
        }
        0.0
    }

    pub(crate) fn max_ms(&self) -> f64 {
        self.max as f64 / 1000.0
    }
}

fn bucket(micros: u64) -> usize {
    let shift = (64 - micros.leading_zeros()).saturating_sub(PARTS.ilog2() + 1);
    (u64::from(shift) * PARTS + (micros >> shift)) as usize
}

fn middle(index: u64) -> f64 {
    let shift = (index / PARTS).saturating_sub(1);
    let low = (index - shift * PARTS) << shift;
    low as f64 + ((1_u64 << shift) - 1) as f64 / 2.0
}
