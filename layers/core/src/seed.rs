//! Randomness.
//!
//! Answers where random numbers come from: named streams of one seed. A new draw in one room does not disturb another,
//! because each name has its own generator. `ChaCha8` is used because its output is specified; the generator called
//! "standard" may change between versions of the library.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// The generator behind every named stream.
pub type Stream = ChaCha8Rng;

/// The one number from which every draw of a run follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seed(pub u64);

impl Seed {
    /// The stream called `name`; names are written `room/purpose`.
    pub fn stream(self, name: &str) -> Stream {
        // FNV-1a, 64 bit: http://www.isthe.com/chongo/tech/comp/fnv/
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let mut key = [0_u8; 32];
        key[..8].copy_from_slice(&self.0.to_le_bytes());
        key[8..16].copy_from_slice(&hash.to_le_bytes());
        Stream::from_seed(key)
    }
}

#[cfg(test)]
mod tests {
    use rand::Rng;

    use super::*;

    /// Scenario: two streams of one seed, and the same stream of two seeds.
    /// Guarantees: equal only when seed and name are equal.
    #[test]
    fn a_stream_is_its_seed_and_its_name() {
        let first = |seed, name| Seed(seed).stream(name).next_u64();
        assert_eq!(first(1, "plant/noise"), first(1, "plant/noise"));
        assert_ne!(first(1, "plant/noise"), first(1, "plant/arrivals"));
        assert_ne!(first(1, "plant/noise"), first(2, "plant/noise"));
    }
}
