//! A map that forgets, and thins itself out.
//!
//! Answers what was said about a key lately, in bounded memory. Does not know the age of a single entry: entries live in a
//! young and an old generation, and turning throws the old one away. That costs nothing per entry, where a queue of
//! expiries or an LRU list would cost more than the entry itself.
//!
//! When more keys come than can be remembered for their time, only every second, fourth, … key is admitted, chosen by its
//! hash: a fair sample of keys remembered long enough answers better than all keys remembered too briefly.

use std::hash::Hash;

use hashbrown::HashMap;
use homeostat_core::{Millis, Timestamp};

/// Thinned out to one key in four billion, a map is as good as closed; keeps the shift in range.
const LEVEL_MAX: u32 = 32;
/// A generation less full than one in so many admits twice as many keys next time.
const SPARSE: usize = 4;

/// Entries live for one to two lifetimes.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
    lifetime: Millis,
    turned: Timestamp,
    level: u32,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    /// At most `capacity` entries.
    pub(crate) fn new(capacity: usize, lifetime: Millis) -> Self {
        let (young, old) = (HashMap::new(), HashMap::new());
        Generations { young, old, half: (capacity / 2).max(1), lifetime, turned: Timestamp(0), level: 0 }
    }

    /// Whether keys with this hash are among those remembered at present.
    pub(crate) fn admits(&self, hash: u64) -> bool {
        hash & ((1 << self.level) - 1) == 0
    }

    /// One key in `2^level` is admitted.
    pub(crate) fn level(&self) -> u32 {
        self.level
    }

    /// What is known of `key`.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self.young.get_mut(key) {
            Some(value) => Some(value),
            None => self.old.get_mut(key),
        }
    }

    /// Remembers `value`.
    pub(crate) fn insert(&mut self, now: Timestamp, key: K, value: V) {
        self.turn(now);
        self.young.insert(key, value);
    }

    /// Forgets what is too old.
    pub(crate) fn turn(&mut self, now: Timestamp) {
        let age = now.since(self.turned);
        let aged = age >= self.lifetime;
        if self.young.len() >= self.half && !aged {
            // At once as far as this generation says; doubling step by step would forget several generations on the way.
            let times = self.lifetime.0 / age.0.max(1);
            self.level = (self.level + times.max(2).ilog2()).min(LEVEL_MAX);
        } else if aged && self.young.len() < self.half / SPARSE {
            self.level = self.level.saturating_sub(1);
        } else if !aged {
            return;
        }
        self.turned = now;
        std::mem::swap(&mut self.young, &mut self.old);
        self.young.clear();
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: more entries than fit arrive at once; later, time passes.
    /// Guarantees: the bound holds, the newest are known, and everything is forgotten after two lifetimes.
    #[test]
    fn it_is_bounded_and_forgets() {
        let mut map = Generations::new(10, Millis(100));
        (0..1000).for_each(|key| map.insert(Timestamp(1000), key, key));
        assert!(map.len() <= 10);
        assert!(map.get_mut(&999).is_some() && map.get_mut(&0).is_none());
        map.turn(Timestamp(1100));
        assert!(map.get_mut(&999).is_some());
        map.turn(Timestamp(1200));
        assert!(map.get_mut(&999).is_none());
    }

    /// Scenario: a flood of keys that respects what is admitted, then a trickle.
    /// Guarantees: in the flood fewer keys are admitted until they live their time; in the trickle all are again.
    #[test]
    fn a_flood_is_thinned_out() {
        let mut map = Generations::new(200, Millis(1000));
        let mut hash = 0_u64;
        let mut run = |map: &mut Generations<u64, ()>, from: u64, to: u64, per_milli: u64| {
            for at in from..to {
                for _ in 0..per_milli {
                    hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    let mixed = hash ^ hash >> 31;
                    if map.admits(mixed) {
                        map.insert(Timestamp(at), mixed, ());
                    }
                }
                map.turn(Timestamp(at));
            }
        };
        run(&mut map, 10_000, 20_000, 10);
        assert!((5..=9).contains(&map.level()), "{}", map.level());
        assert!(map.len() <= 200);
        for second in 20..60 {
            run(&mut map, second * 1000, second * 1000 + 1, 1);
        }
        assert_eq!(map.level(), 0);
    }
}
