//! Decisions that were taken.
//!
//! Answers what was decided about a trace, for its late spans. Does not keep ids: a slot holds a keyed hash, so a stranger is
//! taken for a decided trace about once in a billion. A table of fixed size with small sets is used because at full speed
//! several hundred thousand decisions a second come in, and a map with a queue of expiries would cost more than deciding.
//! A full set forgets its oldest drop first: the late span of a dropped trace is decided alike by its trace's randomness,
//! that of a trace kept by rule would be lost.

use homeostat_core::{Millis, Timestamp};

use super::Decision;
use super::threshold::Threshold;
use crate::stats::{Reason, Rule};

/// Slots that share a set; four fill a cache line.
const WAYS: usize = 4;
/// How long a decision is believed: the longest that a sender retries a batch by default, and more than traces last.
const REMEMBERED: Millis = Millis::from_secs(120);
/// Times are kept in tenths of a second.
const TENTH: u64 = 100;
/// Where the rule begins in a packed decision; a threshold has 57 bits.
const RULE_SHIFT: u32 = 57;

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Half of the hash; the other half chose the set.
    tag: u32,
    /// In tenths of a second, wrapping; [`EMPTY`]: never used.
    at: u32,
    /// Zero: dropped. Else the rule's number plus one, and the threshold.
    packed: u64,
}

/// The time of a slot that was never used.
const EMPTY: u32 = u32::MAX;

/// A bounded memory of decisions.
#[derive(Debug)]
pub(super) struct Decided {
    /// None until there is something to remember: an idle agent holds no memory for it.
    sets: Vec<[Slot; WAYS]>,
    size: usize,
}

impl Decided {
    /// Remembers about `capacity` decisions.
    pub(super) fn new(capacity: usize) -> Decided {
        Decided { sets: Vec::new(), size: (capacity / WAYS).max(1).next_power_of_two() }
    }

    /// What was decided about the trace with this hash.
    pub(super) fn get(&self, now: Timestamp, hash: u64) -> Option<Decision> {
        let live = |slot: &&Slot| slot.tag == tag(hash) && age(now, slot) <= REMEMBERED.0 / TENTH;
        let slot = self.sets.get(self.set(hash))?.iter().find(live)?;
        Some(unpack(slot.packed))
    }

    /// Remembers a decision.
    pub(super) fn insert(&mut self, now: Timestamp, hash: u64, decision: Decision) {
        let index = self.set(hash);
        if self.sets.is_empty() {
            self.sets = vec![[Slot { tag: 0, at: EMPTY, packed: 0 }; WAYS]; self.size];
        }
        let set = &mut self.sets[index];
        let known = set.iter().position(|slot| slot.tag == tag(hash));
        let slot = known.unwrap_or_else(|| {
            let worthless = |slot: &Slot| (age(now, slot) > REMEMBERED.0 / TENTH, slot.packed == 0, age(now, slot));
            (0..WAYS).max_by_key(|way| worthless(&set[*way])).expect("a set has slots")
        });
        set[slot] = Slot { tag: tag(hash), at: tenths(now), packed: pack(decision) };
    }

    fn set(&self, hash: u64) -> usize {
        // The lowest bits choose the shard.
        (hash >> 4) as usize & (self.size - 1)
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

fn tenths(now: Timestamp) -> u32 {
    (now.0 / TENTH) as u32 % EMPTY
}

fn age(now: Timestamp, slot: &Slot) -> u64 {
    if slot.at == EMPTY { u64::MAX } else { tenths(now).wrapping_sub(slot.at).into() }
}

fn pack(decision: Decision) -> u64 {
    match decision {
        Decision::Drop => 0,
        Decision::Keep { rule, threshold } => (rule.index() as u64 + 1) << RULE_SHIFT | threshold.bits(),
    }
}

fn unpack(packed: u64) -> Decision {
    let rule = (packed >> RULE_SHIFT) as usize;
    match Rule::ALL.get(rule.wrapping_sub(1)) {
        Some((rule, _)) => {
            Decision::Keep { rule: *rule, threshold: Threshold::from_bits(packed & ((1 << RULE_SHIFT) - 1)) }
        }
        None => Decision::Drop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(rule: Rule, text: &str) -> Decision {
        Decision::Keep { rule, threshold: Threshold::parse(text).unwrap() }
    }

    /// Scenario: decisions of every kind are remembered and asked for again, at once and much later.
    /// Guarantees: each comes back as it was, until its time is over; a newer one replaces it.
    #[test]
    fn decisions_come_back_as_they_were() {
        let mut decided = Decided::new(1000);
        let all = [Decision::Drop, kept(Rule::Error, "0"), kept(Rule::Probability, "fd70a")];
        for (number, decision) in (1_u64..).zip(all) {
            decided.insert(Timestamp(1000), number << 40, decision);
            assert_eq!(decided.get(Timestamp(1000), number << 40), Some(decision));
            assert_eq!(decided.get(Timestamp(120_900), number << 40), Some(decision));
            assert_eq!(decided.get(Timestamp(121_200), number << 40), None);
        }
        decided.insert(Timestamp(2000), 1 << 40, kept(Rule::Slow, "0"));
        assert_eq!(decided.get(Timestamp(2000), 1 << 40), Some(kept(Rule::Slow, "0")));
        assert_eq!(decided.get(Timestamp(2000), 77 << 40), None);
    }

    /// Scenario: one set gets a kept trace and then ever more dropped ones.
    /// Guarantees: the kept one is still known, and so is the newest drop.
    #[test]
    fn drops_are_forgotten_before_keeps() {
        let mut decided = Decided::new(WAYS);
        decided.insert(Timestamp(1), 1 << 32, kept(Rule::Error, "0"));
        (2..50).for_each(|hash| decided.insert(Timestamp(hash * 1000), hash << 32, Decision::Drop));
        assert!(decided.get(Timestamp(50_000), 1 << 32).is_some());
        assert!(
            decided.get(Timestamp(50_000), 49 << 32).is_some() && decided.get(Timestamp(50_000), 2 << 32).is_none()
        );
    }
}
