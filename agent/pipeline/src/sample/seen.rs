//! Structures that were kept.
//!
//! Answers whether a structure has been kept lately. Does not know which traces had it. Fingerprints lie in buckets of one
//! cache line with the time of their last use, and the longest unused makes room: a set that remembers everything would
//! grow for as long as somebody sends new structures.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use homeostat_core::{Millis, Timestamp};

use super::shape::mix;

/// Structures remembered; the longest unused of a bucket makes room for a new one.
const SEEN_MAX: usize = 1 << 16;
/// Structures in a bucket: one cache line.
const WAYS: usize = 8;
/// How finely the time of the last use is known.
const EPOCH: Millis = Millis::from_secs(600);
/// A structure that has not been used for so many epochs is new again: a day.
const FORGOTTEN_AFTER: u64 = 144;
/// The low bits of an entry are the epoch, the others the fingerprint.
const EPOCH_BITS: u32 = 16;
const EPOCH_MASK: u64 = (1 << EPOCH_BITS) - 1;
/// Spreads keys over buckets.
const SPREAD: u64 = 0x7365_656e_7365_656e;

/// A bounded set of keys.
#[derive(Debug)]
pub(crate) struct Seen(Box<[AtomicU64]>);

impl Seen {
    pub(crate) fn new() -> Seen {
        Seen((0..SEEN_MAX).map(|_| AtomicU64::new(0)).collect())
    }

    /// Whether `key` was added and has been used since; asking is using.
    pub(crate) fn contains(&self, now: Timestamp, key: u64) -> bool {
        let (bucket, print) = self.bucket(key);
        let epoch = epoch(now);
        for entry in bucket {
            let found = entry.load(Relaxed);
            if found & !EPOCH_MASK == print {
                if age(found, epoch) != 0 {
                    entry.store(print | epoch, Relaxed);
                }
                return age(found, epoch) < FORGOTTEN_AFTER;
            }
        }
        false
    }

    /// Adds `key`.
    pub(crate) fn add(&self, now: Timestamp, key: u64) {
        let (bucket, print) = self.bucket(key);
        let epoch = epoch(now);
        let worth = |entry: &&AtomicU64| match entry.load(Relaxed) {
            found if found & !EPOCH_MASK == print => (0, 0),
            0 => (1, 0),
            found => (2, u64::MAX - age(found, epoch)),
        };
        if let Some(entry) = bucket.iter().min_by_key(worth) {
            entry.store(print | epoch, Relaxed);
        }
    }

    fn bucket(&self, key: u64) -> (&[AtomicU64], u64) {
        let hash = mix(key, SPREAD);
        let first = (hash as usize % (SEEN_MAX / WAYS)) * WAYS;
        // The lowest bit above the epoch is set, so that no entry is zero.
        (&self.0[first..first + WAYS], (hash & !EPOCH_MASK) | (EPOCH_MASK + 1))
    }
}

fn epoch(now: Timestamp) -> u64 {
    (now.0 / EPOCH.0) & EPOCH_MASK
}

fn age(entry: u64, epoch: u64) -> u64 {
    epoch.wrapping_sub(entry) & EPOCH_MASK
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a key is added and used every few hours, another is added and left alone.
    /// Guarantees: the first is known for as long as it is used, the second for a day.
    #[test]
    fn unused_keys_are_forgotten() {
        let seen = Seen::new();
        let hours = |count: u64| Timestamp(count * 3_600_000);
        assert!(!seen.contains(hours(0), 1));
        seen.add(hours(0), 1);
        seen.add(hours(0), 2);
        for hour in (0..100).step_by(5) {
            assert!(seen.contains(hours(hour), 1), "{hour}");
        }
        assert!(!seen.contains(hours(25), 2));
        let fresh = Seen::new();
        fresh.add(hours(0), 2);
        assert!(fresh.contains(hours(23), 2));
    }

    /// Scenario: ten times more keys than fit, among them one that is used all along.
    /// Guarantees: the newest are known, and the one in use stays.
    #[test]
    fn the_set_is_bounded() {
        let seen = Seen::new();
        let at = |key: u64| Timestamp(key * 100);
        seen.add(at(0), 7);
        for key in 1000..656_000 {
            assert!(seen.contains(at(key), 7) || 1000 == key, "{key}");
            seen.add(at(key), key);
        }
        let known = (655_000..656_000).filter(|key| seen.contains(at(656_000), *key)).count();
        assert!(990 <= known, "{known}");
    }
}
