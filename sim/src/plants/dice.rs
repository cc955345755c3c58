//! Draws.
//!
//! Answers one random question at a time, from named streams, so that a new draw for one purpose does not disturb another.

use homeostat_core::{Seed, Stream};
use rand::Rng;

/// The plant's streams, one per purpose.
pub(crate) struct Dice {
    pub(crate) arrivals: Stream,
    pub(crate) service: Stream,
    pub(crate) errors: Stream,
    pub(crate) calls: Stream,
    pub(crate) sampling: Stream,
    pub(crate) routing: Stream,
    pub(crate) retries: Stream,
    pub(crate) cache: Stream,
    pub(crate) warm_up: Stream,
}

impl Dice {
    pub(crate) fn new(seed: Seed) -> Dice {
        Dice {
            arrivals: seed.stream("plant/arrivals"),
            service: seed.stream("plant/service_time"),
            errors: seed.stream("plant/errors"),
            calls: seed.stream("plant/calls"),
            sampling: seed.stream("plant/sampling"),
            routing: seed.stream("plant/routing"),
            retries: seed.stream("plant/retries"),
            cache: seed.stream("plant/cache"),
            warm_up: seed.stream("plant/warm_up"),
        }
    }
}

/// True with a probability of `ppm` parts per million. Draws nothing when the answer is certain.
pub(crate) fn chance_ppm(stream: &mut Stream, ppm: u32) -> bool {
    match ppm {
        0 => false,
        1_000_000.. => true,
        _ => (u64::from(stream.next_u32()) * 1_000_000) >> 32 < u64::from(ppm),
    }
}

/// True with a probability of `bp` basis points.
pub(crate) fn chance_bp(stream: &mut Stream, bp: u32) -> bool {
    chance_ppm(stream, bp.saturating_mul(100))
}

/// An exponentially distributed gap with this mean, in microseconds; at least one.
pub(crate) fn exponential_us(stream: &mut Stream, mean_us: f64) -> u64 {
    // 53 random bits give a uniform in (0, 1]; the logarithm of zero cannot occur.
    let uniform = ((stream.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    ((-uniform.ln() * mean_us) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a hundred thousand draws at 1 %, and draws whose answer is certain.
    /// Guarantees: the share is right within five standard errors; certainty is exact and consumes no randomness.
    #[test]
    fn chances_come_true_in_their_share() {
        let mut stream = Seed(1).stream("test/chance");
        let hits = (0..100_000).filter(|_| chance_ppm(&mut stream, 10_000)).count();
        assert!((840..=1160).contains(&hits), "{hits}");
        let (mut stream, mut untouched) = (Seed(2).stream("test/chance"), Seed(2).stream("test/chance"));
        assert!(!chance_ppm(&mut stream, 0));
        assert!(chance_ppm(&mut stream, 1_000_000));
        assert_eq!(stream.next_u64(), untouched.next_u64());
    }

    /// Scenario: a hundred thousand gaps of 20 ms.
    /// Guarantees: the mean is right within 2 %.
    #[test]
    fn gaps_have_their_mean() {
        let mut stream = Seed(1).stream("test/gaps");
        let sum: u64 = (0..100_000).map(|_| exponential_us(&mut stream, 20_000.0)).sum();
        assert!((19_600..20_400).contains(&(sum / 100_000)));
    }
}
