//! A map that forgets.
//!
//! Answers what was said about a key lately, in bounded memory. Does not know the age of a single entry: entries live in a
//! young and an old generation, and turning throws the old one away. That costs nothing per entry, where a queue of
//! expiries or an LRU list would cost more than the entry itself.

use std::collections::HashMap;
use std::hash::Hash;

use homeostat_core::{Millis, Timestamp};

/// Entries live for one to two lifetimes, fewer when more than `capacity` of them arrive.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
    lifetime: Millis,
    turned: Timestamp,
}

impl<K: Eq + Hash, V> Generations<K, V> {
    /// At most `capacity` entries.
    pub(crate) fn new(capacity: usize, lifetime: Millis) -> Self {
        let (young, old) = (HashMap::new(), HashMap::new());
        Generations { young, old, half: (capacity / 2).max(1), lifetime, turned: Timestamp(0) }
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
        if self.young.len() < self.half && now.since(self.turned) < self.lifetime {
            return;
        }
        self.turned = now;
        self.old = std::mem::take(&mut self.young);
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
}
