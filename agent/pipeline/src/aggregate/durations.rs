//! How long spans took.
//!
//! Answers counts by duration, from which any quantile follows within two percent, and which add up. Does not know whose
//! durations they are. The buckets are those of an OpenTelemetry exponential histogram, so that what is exported is what
//! was counted. A sketch library is not used because it takes a logarithm and a search per span, ten times as much as
//! reading the bucket off the bits of the number.

use std::sync::LazyLock;

use homeostat_core::Micros;

/// Thirty-two buckets for each doubling: the exponential histogram's scale 5. A bucket's middle is within 1.1 % of what
/// is in it, which is finer than any latency objective is written.
pub(crate) const SCALE: i32 = 5;
/// Buckets for each doubling.
const PER_DOUBLING: usize = 1 << SCALE;
/// Bits of a mantissa that are looked at before one comparison settles the bucket.
const LOOKED_AT: u32 = 7;
/// The bits of an `f64`'s mantissa.
const MANTISSA: u32 = 52;
/// The lowest bucket begins below a nanosecond; nothing shorter can be said in OTLP.
const LOWEST: i32 = -30 * PER_DOUBLING as i32;
/// The highest ends at three days; longer spans count as three days.
const HIGHEST: i32 = 18 * PER_DOUBLING as i32 - 1;

/// For each doubling alike: where buckets begin, as mantissas, and which bucket to try first.
struct Table {
    begins: [u64; PER_DOUBLING + 1],
    first: [u8; 1 << LOOKED_AT],
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut begins = [1 << MANTISSA; PER_DOUBLING + 1];
    for (bucket, begin) in begins.iter_mut().take(PER_DOUBLING).enumerate() {
        *begin = (bucket as f64 / PER_DOUBLING as f64).exp2().to_bits() & ((1 << MANTISSA) - 1);
    }
    let bucket = |prefix: usize| {
        let lowest = (prefix as u64) << (MANTISSA - LOOKED_AT);
        (0..PER_DOUBLING).rev().find(|bucket| begins[*bucket] <= lowest).unwrap_or_default() as u8
    };
    Table { begins, first: std::array::from_fn(bucket) }
});

/// Counts by duration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations {
    count: u64,
    zeros: u64,
    sum_nanos: u128,
    max_nanos: u64,
    /// The number of the first of `buckets`.
    offset: i32,
    buckets: Vec<u64>,
}

impl Durations {
    /// Counts one.
    pub(crate) fn add(&mut self, nanos: u64) {
        self.count += 1;
        self.sum_nanos += u128::from(nanos);
        self.max_nanos = self.max_nanos.max(nanos);
        match nanos {
            0 => self.zeros += 1,
            _ => *self.bucket(bucket_of(nanos)) += 1,
        }
    }

    /// Adds what another counted.
    pub(crate) fn merge(&mut self, other: &Durations) {
        self.count += other.count;
        self.zeros += other.zeros;
        self.sum_nanos += other.sum_nanos;
        self.max_nanos = self.max_nanos.max(other.max_nanos);
        for (number, count) in (other.offset..).zip(&other.buckets) {
            *self.bucket(number) += count;
        }
    }

    /// Starts anew and keeps the memory.
    pub(crate) fn clear(&mut self) {
        let mut buckets = std::mem::take(&mut self.buckets);
        buckets.fill(0);
        *self = Durations { offset: self.offset, buckets, ..Durations::default() };
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Of them, how many took no time at all.
    pub(crate) fn zeros(&self) -> u64 {
        self.zeros
    }

    /// Of them, how many took longer; exact to within the bucket that the threshold lies in.
    pub(crate) fn above(&self, threshold: Micros) -> u64 {
        let bucket = bucket_of(threshold.0.saturating_mul(1000).max(1));
        (self.offset..).zip(&self.buckets).filter(|(number, _)| bucket < *number).map(|(_, count)| count).sum()
    }

    /// Together, in seconds.
    pub(crate) fn sum_seconds(&self) -> f64 {
        self.sum_nanos as f64 * 1e-9
    }

    /// The longest, in nanoseconds.
    pub(crate) fn max_nanos(&self) -> u64 {
        self.max_nanos
    }

    /// The number of the first bucket, and the counts from there on, in seconds at [`SCALE`].
    pub(crate) fn buckets(&self) -> (i32, &[u64]) {
        (self.offset, &self.buckets)
    }

    /// The duration that a share of `q` does not exceed; zero if nothing was counted.
    pub(crate) fn quantile(&self, q: f64) -> Micros {
        let rank = (q * self.count.saturating_sub(1) as f64).round() as u64;
        let mut seen = self.zeros;
        if self.count == 0 || rank < seen {
            return Micros(0);
        }
        for (number, count) in (self.offset..).zip(&self.buckets) {
            seen += count;
            if rank < seen {
                let middle = ((f64::from(number) + 0.5) / PER_DOUBLING as f64).exp2() * 1e9;
                return micros(middle.min(self.max_nanos as f64));
            }
        }
        micros(self.max_nanos as f64)
    }

    fn bucket(&mut self, number: i32) -> &mut u64 {
        if self.buckets.is_empty() {
            self.offset = number;
        }
        if number < self.offset {
            let missing = number.abs_diff(self.offset) as usize;
            self.buckets.splice(0..0, std::iter::repeat_n(0, missing));
            self.offset = number;
        }
        let index = number.abs_diff(self.offset) as usize;
        if index >= self.buckets.len() {
            self.buckets.resize(index + 1, 0);
        }
        &mut self.buckets[index]
    }
}

/// The bucket of a duration: beyond 2^(n/32) seconds, up to and including 2^((n+1)/32). Source: OpenTelemetry metrics data
/// model, "ExponentialHistogram".
fn bucket_of(nanos: u64) -> i32 {
    let bits = (nanos as f64 * 1e-9).to_bits();
    let (exponent, mantissa) = ((bits >> MANTISSA) as i32 - 1023, bits & ((1 << MANTISSA) - 1));
    let table = &*TABLE;
    let first = usize::from(table.first[(mantissa >> (MANTISSA - LOOKED_AT)) as usize]);
    let within = first as i32 + i32::from(mantissa > table.begins[first + 1]);
    // What equals a boundary belongs below it.
    let number = exponent * PER_DOUBLING as i32 + within - i32::from(mantissa == table.begins[first]);
    number.clamp(LOWEST, HIGHEST)
}

fn micros(nanos: f64) -> Micros {
    Micros((nanos / 1000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Scenario: any duration from a nanosecond to a day.
        /// Guarantees: it lies within its bucket's bounds.
        #[test]
        fn a_duration_lies_in_its_bucket(exponent in 0_u32..46, low in any::<u64>()) {
            let nanos = (1_u64 << exponent) | (low & ((1 << exponent) - 1));
            let seconds = nanos as f64 * 1e-9;
            let bound = |number: i32| (f64::from(number) / PER_DOUBLING as f64).exp2();
            let number = bucket_of(nanos);
            let slack = 1.0 + 1e-12;
            prop_assert!(bound(number) <= seconds * slack && seconds <= bound(number + 1) * slack, "{nanos}: {number}");
        }

        /// Scenario: durations in any order, in one histogram or two that are merged.
        /// Guarantees: both say the same, and quantiles are within 1.2 percent of the truth.
        #[test]
        fn quantiles_are_close_and_parts_add_up(mut all in prop::collection::vec(1_000_u64..10_000_000_000, 1..200)) {
            let (mut whole, mut one, mut other) = (Durations::default(), Durations::default(), Durations::default());
            for (index, nanos) in all.iter().enumerate() {
                whole.add(*nanos);
                if index % 3 == 0 { one.add(*nanos) } else { other.add(*nanos) }
            }
            one.merge(&other);
            all.sort_unstable();
            for q in [0.0, 0.5, 0.9, 0.99, 1.0] {
                let truth = all[(q * (all.len() - 1) as f64).round() as usize] as f64 / 1000.0;
                let said = whole.quantile(q);
                prop_assert!((said.0 as f64 - truth).abs() <= truth * 0.012 + 0.5, "{q}: {said} for {truth}");
                prop_assert_eq!(said, one.quantile(q));
            }
            prop_assert_eq!((one.count(), one.max_nanos()), (whole.count(), whole.max_nanos()));
        }
    }

    /// Scenario: a hundred requests of 1 to 100 ms, and thresholds below, within and above.
    /// Guarantees: those slower are counted to within a bucket, two percent of the threshold.
    #[test]
    fn the_slower_ones_are_counted() {
        let mut durations = Durations::default();
        (1..=100).for_each(|millis| durations.add(millis * 1_000_000));
        let above = |millis| durations.above(Micros::from_millis(millis));
        assert_eq!((above(0), above(1000), Durations::default().above(Micros(1))), (100, 0, 0));
        assert!((49..=51).contains(&above(50)), "{}", above(50));
    }

    /// Scenario: no duration, a duration of zero, one beyond all bounds; then a new start.
    /// Guarantees: each has a place; after the new start nothing is left.
    #[test]
    fn the_ends_have_a_place() {
        let mut durations = Durations::default();
        assert_eq!(durations.quantile(0.5), Micros(0));
        durations.add(0);
        durations.add(u64::MAX);
        assert_eq!((durations.count(), durations.zeros(), durations.quantile(0.0)), (2, 1, Micros(0)));
        assert_eq!(durations.buckets().0, HIGHEST);
        durations.clear();
        assert_eq!((durations.count(), durations.sum_seconds(), durations.quantile(1.0)), (0, 0.0, Micros(0)));
        assert_eq!(bucket_of(1_000_000_000), -1, "a second is the end of a bucket, not the beginning");
    }
}
