//! Units.
//!
//! Answers how quantities are written so that they compare, hash and have no NaN. Does not know what is measured. Integers
//! are used instead of floats because a decision that crosses a threshold must be the same on every machine.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An instant, in milliseconds since the Unix epoch; never goes backwards within a run.
///
/// The driver derives it from one wall-clock reading at start plus monotonic time, so a clock step does not move it. One
/// millisecond is fine enough for a loop that ticks once a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time elapsed since `earlier`; zero if `earlier` is later.
    pub const fn since(self, earlier: Timestamp) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Millis> for Timestamp {
    type Output = Timestamp;
    fn add(self, span: Millis) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Timestamp;
    fn sub(self, span: Millis) -> Timestamp {
        Timestamp(self.0.saturating_sub(span.0))
    }
}

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Millis(pub u64);

impl Millis {
    /// A span of whole seconds.
    pub const fn from_secs(secs: u64) -> Millis {
        Millis(secs * 1000)
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms < 1000 => write!(f, "{ms} ms"),
            ms if ms % 1000 == 0 => write!(f, "{} s", ms / 1000),
            ms => write!(f, "{}.{} s", ms / 1000, ms % 1000 / 100),
        }
    }
}

/// A latency in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Micros(pub u64);

impl Micros {
    /// A latency of whole milliseconds.
    pub const fn from_millis(ms: u64) -> Micros {
        Micros(ms * 1000)
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            us if us < 1000 => write!(f, "{us} µs"),
            us if us < 10_000 => write!(f, "{}.{} ms", us / 1000, us % 1000 / 100),
            us => write!(f, "{} ms", us / 1000),
        }
    }
}

/// A ratio in hundredths of a percent: 10 000 is one.
///
/// May exceed one where the quantity may: utilisation of a queueing service, relative change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BasisPoints(pub u32);

impl BasisPoints {
    /// The ratio one.
    pub const ONE: BasisPoints = BasisPoints(10_000);

    /// `part / whole`, rounded down; zero when `whole` is zero.
    pub fn from_ratio(part: u64, whole: u64) -> BasisPoints {
        if whole == 0 {
            return BasisPoints(0);
        }
        let bp = u128::from(part) * 10_000 / u128::from(whole);
        BasisPoints(u32::try_from(bp).unwrap_or(u32::MAX))
    }

    /// What is missing to one; zero above one.
    pub const fn complement(self) -> BasisPoints {
        BasisPoints(10_000_u32.saturating_sub(self.0))
    }

    /// In whole percent, for sentences.
    pub fn rounded(self) -> String {
        format!("{} %", (self.0 + 50) / 100)
    }

    /// This share of `whole`, rounded down.
    pub fn of(self, whole: u64) -> u64 {
        u64::try_from(u128::from(whole) * u128::from(self.0) / 10_000).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for BasisPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} %", self.0 / 100, self.0 % 100)
    }
}

/// A number of interchangeable instances, workers or Pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Replicas(pub u32);

impl fmt::Display for Replicas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A sampling probability in parts per million, from 0 (keep nothing) to 1 000 000 (keep all).
///
/// Basis points would be too coarse: at 10⁶ spans/s a useful probability is far below one in ten thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct SamplingProbability(u32);

impl SamplingProbability {
    /// Keep everything.
    pub const ALWAYS: SamplingProbability = SamplingProbability(1_000_000);
    /// Keep nothing.
    pub const NEVER: SamplingProbability = SamplingProbability(0);

    /// From parts per million; `None` above one million.
    pub const fn from_ppm(ppm: u32) -> Option<SamplingProbability> {
        if ppm <= 1_000_000 { Some(SamplingProbability(ppm)) } else { None }
    }

    /// From parts per million, with everything above one million read as [`Self::ALWAYS`].
    pub const fn from_ppm_saturating(ppm: u64) -> SamplingProbability {
        if ppm >= 1_000_000 { Self::ALWAYS } else { SamplingProbability(ppm as u32) }
    }

    /// Parts per million.
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// As a fraction in `0.0..=1.0`; for the wire and for people only.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl TryFrom<u32> for SamplingProbability {
    type Error = String;
    fn try_from(ppm: u32) -> Result<Self, String> {
        Self::from_ppm(ppm).ok_or_else(|| format!("sampling probability {ppm} ppm exceeds one million"))
    }
}

impl From<SamplingProbability> for u32 {
    fn from(p: SamplingProbability) -> u32 {
        p.0
    }
}

impl fmt::Display for SamplingProbability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        match (whole, rest) {
            (whole, 0) => write!(f, "{whole} %"),
            (0, rest) => write!(f, "0.{rest:04} %"),
            (whole, rest) => write!(f, "{whole}.{} %", rest / 1000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: ratios at the edges: nothing of nothing, more than the whole.
    /// Guarantees: no division by zero, no overflow, and ratios above one are kept as such.
    #[test]
    fn ratios_are_total_functions() {
        let check = |part, whole, bp| assert_eq!(BasisPoints::from_ratio(part, whole), BasisPoints(bp));
        check(0, 0, 0);
        check(1, 3, 3333);
        check(30, 10, 30_000);
        check(u64::MAX, 1, u32::MAX);
    }

    /// Scenario: a probability of more than one is constructed, plainly and from serialised text.
    /// Guarantees: it is refused; only the saturating constructor reads it as "always".
    #[test]
    fn a_probability_above_one_does_not_exist() {
        assert_eq!(SamplingProbability::from_ppm(1_000_001), None);
        assert!(SamplingProbability::try_from(2_000_000).is_err());
        assert_eq!(SamplingProbability::from_ppm_saturating(5_000_000), SamplingProbability::ALWAYS);
    }
}
