//! Consistent probability.
//!
//! Answers whether a trace is kept at a probability, so that every agent that sees it answers alike. Does not choose the
//! probability. A trace's own randomness is used instead of a die because independent dice tear traces apart. Source of
//! the formulae: OpenTelemetry specification, "TraceState: Probability Sampling".

use homeostat_core::SamplingProbability;

/// Hexadecimal digits of randomness and of a threshold.
const DIGITS: u32 = 14;
/// One more than the largest randomness: the threshold that nothing reaches.
const RANGE: u64 = 1 << 56;
/// Digits kept after the leading `f`s. Four leave a relative error of the probability below 1/4096 and short headers.
const PRECISION: u32 = 4;

/// A rejection threshold: a trace is kept when its randomness is at least this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(u64);

/// 56 random bits that all spans of a trace share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Randomness(u64);

impl Threshold {
    /// Everything is kept.
    pub const ALWAYS: Threshold = Threshold(0);

    /// The threshold of a probability, cut to a usual precision; what is then in force is [`Self::adjusted_count`].
    pub fn of(probability: SamplingProbability) -> Threshold {
        let rejected = u128::from(1_000_000 - probability.ppm());
        let exact = (rejected * u128::from(RANGE) / 1_000_000) as u64;
        if exact == RANGE {
            return Threshold(RANGE);
        }
        let leading = (exact << 8).leading_ones() / 4;
        let cut = 4 * DIGITS.saturating_sub(leading + PRECISION);
        Threshold(exact >> cut << cut)
    }

    /// The threshold of a probability, rounded so that no more than `probability` is kept. For levels that come out of a
    /// calculation; what is in force is again [`Self::adjusted_count`]. Never "never": what has a chance can be weighed.
    pub(crate) fn at_most(probability: f64) -> Threshold {
        let kept = (probability.clamp(0.0, 1.0) * RANGE as f64) as u64;
        let exact = RANGE - kept.clamp(1, RANGE);
        let leading = (exact << 8).leading_ones() / 4;
        let cut = 4 * DIGITS.saturating_sub(leading + PRECISION);
        let up = (exact >> cut << cut) + (u64::from(exact >> cut << cut != exact) << cut);
        // Rounding up may carry into "never"; then the exact threshold is kept.
        Threshold(if up < RANGE { up } else { exact })
    }

    /// The share of traces that are kept.
    pub(crate) fn probability(self) -> f64 {
        (RANGE - self.0) as f64 / RANGE as f64
    }

    /// Reads the value of `th`: 1 to 14 lower-case hexadecimal digits, trailing zeros left out.
    pub fn parse(text: &str) -> Option<Threshold> {
        let digits = u32::try_from(text.len()).ok().filter(|digits| (1..=DIGITS).contains(digits))?;
        Some(Threshold(hex(text)? << (4 * (DIGITS - digits))))
    }

    /// Writes the value of `th`. `None` for the threshold that nothing reaches: it cannot be written.
    pub fn render(self) -> Option<String> {
        if self.0 >= RANGE {
            return None;
        }
        let digits = format!("{:014x}", self.0);
        let short = digits.trim_end_matches('0');
        Some(if short.is_empty() { "0".to_owned() } else { short.to_owned() })
    }

    /// For those who pack it; see [`Self::from_bits`].
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// What [`Self::bits`] was.
    pub(super) fn from_bits(bits: u64) -> Threshold {
        Threshold(bits)
    }

    /// Whether a trace of this randomness is kept.
    pub fn keeps(self, randomness: Randomness) -> bool {
        randomness.0 >= self.0
    }

    /// For how many spans one kept span stands; zero for the threshold that nothing reaches.
    pub fn adjusted_count(self) -> f64 {
        if self.0 >= RANGE { 0.0 } else { RANGE as f64 / (RANGE - self.0) as f64 }
    }
}

impl Randomness {
    /// The low 56 bits of a trace id.
    pub fn of(trace_id: &[u8; 16]) -> Randomness {
        let mut low = [0; 8];
        low[1..].copy_from_slice(&trace_id[9..]);
        Randomness(u64::from_be_bytes(low))
    }

    /// The smallest probability at which the trace is kept, above zero and up to one.
    pub(crate) fn probability(self) -> f64 {
        (RANGE - self.0) as f64 / RANGE as f64
    }

    /// Reads the value of `rv`: exactly 14 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Randomness> {
        if text.len() == DIGITS as usize { hex(text).map(Randomness) } else { None }
    }
}

fn hex(text: &str) -> Option<u64> {
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if lower { u64::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(ppm: u32) -> Threshold {
        Threshold::of(SamplingProbability::from_ppm(ppm).unwrap())
    }

    /// Scenario: round probabilities, a tiny one, none at all.
    /// Guarantees: thresholds are written as the specification's examples are; "never" cannot be written and keeps nothing.
    #[test]
    fn probabilities_become_thresholds() {
        let check = |ppm, text: Option<&str>| assert_eq!(of(ppm).render().as_deref(), text, "{ppm} ppm");
        check(1_000_000, Some("0"));
        check(500_000, Some("8"));
        check(250_000, Some("c"));
        check(100_000, Some("e666"));
        check(10_000, Some("fd70a"));
        check(100, Some("fff9724"));
        check(0, None);
        assert!(!of(0).keeps(Randomness(RANGE - 1)));
        assert!(of(1_000_000).keeps(Randomness(0)));
    }

    /// Scenario: `th` and `rv` as they are sent, and as they must not be.
    /// Guarantees: short thresholds are padded on the right; anything else is no value.
    #[test]
    fn values_are_read_strictly() {
        assert_eq!(Threshold::parse("8"), Some(Threshold(1 << 55)));
        assert_eq!(Threshold::parse("0"), Some(Threshold::ALWAYS));
        for bad in ["", "8G", "F", "+8", "123456789abcdef"] {
            assert_eq!(Threshold::parse(bad), None, "{bad}");
        }
        assert_eq!(Randomness::parse("00000000000010"), Some(Randomness(16)));
        assert_eq!(Randomness::parse("10"), None);
        assert_eq!(Randomness::of(&[0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 2]), Randomness(2));
    }

    proptest! {
        /// Scenario: any probability, down to nothing.
        /// Guarantees: the threshold keeps no more than it, at most 1/2048 less, and never keeps nothing.
        #[test]
        fn a_calculated_threshold_never_keeps_more(exponent in 0.0_f64..40.0) {
            let probability = (-exponent).exp();
            let kept = Threshold::at_most(probability).probability();
            prop_assert!(0.0 < kept && kept <= probability.max(1.5e-17), "{} {}", probability, kept);
            prop_assert!(probability * (1.0 - 1.0 / 2048.0) <= kept + 1.5e-17, "{} {}", probability, kept);
        }

        /// Scenario: any probability.
        /// Guarantees: what is written is read again; the effective probability is within 1/4096 of the wanted one, and
        /// never below it.
        #[test]
        fn cutting_is_exact_enough(ppm in 1_u32..=1_000_000) {
            let threshold = of(ppm);
            prop_assert_eq!(Threshold::parse(&threshold.render().unwrap()), Some(threshold));
            let ratio = 1e6 / threshold.adjusted_count() / f64::from(ppm);
            prop_assert!((1.0 - 1e-9..1.0 + 1.0 / 4096.0).contains(&ratio), "{}", ratio);
        }
    }
}
