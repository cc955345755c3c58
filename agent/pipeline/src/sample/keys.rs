//! What is learned of each key: how often it occurs, how long it takes, how large it is.
//!
//! Answers for up to 65 536 keys at once, from any thread, without a lock. Does not know what a key stands for. Keys lie in
//! buckets of one cache line each; a full bucket gives up its least frequent key or, if all are frequent, lets the newcomer
//! share the overflow key. A map behind a lock would make every thread wait for the few keys that all of them touch.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::shape::mix;

/// Keys kept apart. Beyond it, rare keys replace each other and frequent ones share the overflow key.
pub(crate) const KEYS_MAX: usize = 1 << 16;
/// Keys in a bucket: one cache line.
const WAYS: usize = 8;
/// A key that occurred no more than this lately may be replaced.
const REPLACEABLE_MAX: f32 = 1.0;
/// A key is forgotten when its demand has decayed below this.
const FORGOTTEN_BELOW: f32 = 0.02;
/// Spreads keys over buckets.
const SPREAD: u64 = 0x6b65_7973_6b65_7973;

/// The place of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(usize);

/// A number that threads share; the last writer wins.
#[derive(Debug, Default)]
pub(crate) struct Real(AtomicU32);

impl Real {
    pub(crate) fn new(value: f32) -> Real {
        Real(AtomicU32::new(value.to_bits()))
    }

    pub(crate) fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Relaxed))
    }

    pub(crate) fn set(&self, value: f32) {
        self.0.store(value.to_bits(), Relaxed);
    }
}

/// Mean and variance of a number that drifts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moments {
    pub(crate) mean: f32,
    pub(crate) variance: f32,
}

#[derive(Debug, Default)]
struct Entry {
    /// Occurrences over the horizon, older ones counting less.
    demand: Real,
    /// Occurrences since the last turn.
    fresh: AtomicU32,
    /// Of the logarithm of durations.
    durations: AtomicU64,
    /// Of the logarithm of span counts; the mean only.
    size: Real,
    /// Readings behind the moments, up to a bound.
    readings: AtomicU32,
}

/// Readings after which moments forget: old ones then count less and less.
pub(crate) const READINGS_MAX: u32 = 256;
/// Standard deviations at which a reading is cut before it enters the moments, so that one outlier does not hide the next.
const CUT_DEVIATIONS: f32 = 4.0;

/// Counters by key.
#[derive(Debug)]
pub(crate) struct Keys {
    keys: Box<[AtomicU64]>,
    /// A bit for each place in use, so that a turn need not look at the others.
    used: Box<[AtomicU64]>,
    /// One for each key, and the overflow's.
    entries: Box<[Entry]>,
}

impl Keys {
    pub(crate) fn new() -> Keys {
        Keys {
            keys: (0..KEYS_MAX).map(|_| AtomicU64::new(0)).collect(),
            used: (0..KEYS_MAX / 64).map(|_| AtomicU64::new(0)).collect(),
            entries: (0..=KEYS_MAX).map(|_| Entry::default()).collect(),
        }
    }

    /// The place of `key`, which is made if need be.
    pub(crate) fn place(&self, key: u64) -> Place {
        let key = key.max(1);
        let first = (mix(key, SPREAD) as usize % (KEYS_MAX / WAYS)) * WAYS;
        for at in first..first + WAYS {
            match self.keys[at].load(Relaxed) {
                found if found == key => return Place(at),
                0 => return self.claim(at, key),
                _ => {}
            }
        }
        let rarest = (first..first + WAYS).min_by(|left, right| {
            let demand = |at: usize| self.demand(Place(at));
            demand(*left).total_cmp(&demand(*right))
        });
        match rarest.filter(|at| self.demand(Place(*at)) <= REPLACEABLE_MAX) {
            Some(at) => self.claim(at, key),
            None => Place(KEYS_MAX),
        }
    }

    /// Two threads may claim one place at once; then one key's first count goes to the other, which does no harm.
    fn claim(&self, at: usize, key: u64) -> Place {
        self.entries[at].clear();
        self.keys[at].store(key, Relaxed);
        self.used[at / 64].fetch_or(1 << (at % 64), Relaxed);
        Place(at)
    }

    /// Counts one occurrence; says how many there were since the last turn.
    pub(crate) fn count(&self, place: Place) -> u32 {
        self.entries[place.0].fresh.fetch_add(1, Relaxed)
    }

    /// Occurrences over the horizon.
    pub(crate) fn demand(&self, Place(at): Place) -> f32 {
        let entry = &self.entries[at];
        entry.demand.get() + entry.fresh.load(Relaxed) as f32
    }

    /// Moments of the logarithm of durations, the mean logarithm of span counts, and the readings behind them.
    pub(crate) fn learned(&self, Place(at): Place) -> (Moments, f32, u32) {
        let entry = &self.entries[at];
        (unpack(entry.durations.load(Relaxed)), entry.size.get(), entry.readings.load(Relaxed))
    }

    /// Takes in one reading of both logarithms.
    pub(crate) fn learn(&self, Place(at): Place, duration: f32, size: f32) {
        let entry = &self.entries[at];
        let readings = entry.readings.load(Relaxed).min(READINGS_MAX - 1) + 1;
        entry.readings.store(readings, Relaxed);
        let weight = 1.0 / readings as f32;
        let Moments { mean, variance } = unpack(entry.durations.load(Relaxed));
        let far = if readings < 8 { f32::INFINITY } else { CUT_DEVIATIONS * variance.sqrt().max(0.05) };
        let step = (duration - mean).clamp(-far, far);
        let moments =
            Moments { mean: mean + weight * step, variance: (1.0 - weight) * (variance + weight * step * step) };
        entry.durations.store(pack(moments), Relaxed);
        entry.size.set(entry.size.get() + weight * (size - entry.size.get()));
    }

    /// Lets demand decay by `factor` and hands each key's to `visit`; keys that decayed to nothing are forgotten.
    pub(crate) fn turn(&self, factor: f32, mut visit: impl FnMut(f32)) {
        for (word, used) in self.used.iter().enumerate() {
            let mut bits = used.load(Relaxed);
            while bits != 0 {
                let at = 64 * word + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                let demand = self.entries[at].turn(factor);
                if demand < FORGOTTEN_BELOW {
                    self.keys[at].store(0, Relaxed);
                    used.fetch_and(!(1 << (at % 64)), Relaxed);
                } else {
                    visit(demand);
                }
            }
        }
        let overflow = self.entries[KEYS_MAX].turn(factor);
        if FORGOTTEN_BELOW <= overflow {
            visit(overflow);
        }
    }

    /// How many keys are known.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.keys.iter().filter(|key| key.load(Relaxed) != 0).count()
    }
}

impl Entry {
    fn turn(&self, factor: f32) -> f32 {
        let demand = self.demand.get() * factor + self.fresh.swap(0, Relaxed) as f32;
        self.demand.set(demand);
        demand
    }

    fn clear(&self) {
        self.demand.set(0.0);
        self.fresh.store(0, Relaxed);
        self.durations.store(0, Relaxed);
        self.size.set(0.0);
        self.readings.store(0, Relaxed);
    }
}

fn pack(moments: Moments) -> u64 {
    u64::from(moments.mean.to_bits()) << 32 | u64::from(moments.variance.to_bits())
}

fn unpack(bits: u64) -> Moments {
    Moments { mean: f32::from_bits((bits >> 32) as u32), variance: f32::from_bits(bits as u32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a thousand frequent keys, then a million that occur once.
    /// Guarantees: the bound holds and the frequent keys keep their counts.
    #[test]
    fn frequent_keys_survive_a_flood() {
        let keys = Keys::new();
        let frequent = |key: u64| mix(key, 1);
        for key in (0..1000).cycle().take(20_000) {
            keys.count(keys.place(frequent(key)));
        }
        for key in 0..1_000_000 {
            keys.count(keys.place(mix(key, 2)));
        }
        assert!(keys.len() <= KEYS_MAX);
        let kept = (0..1000).filter(|key| keys.demand(keys.place(frequent(*key))) == 20.0).count();
        assert_eq!(kept, 1000);
    }

    /// Scenario: a key occurs and then never again, while time passes.
    /// Guarantees: its demand decays and it is forgotten; until then it is handed out at each turn.
    #[test]
    fn keys_are_forgotten() {
        let keys = Keys::new();
        keys.count(keys.place(7));
        let turn = || {
            let mut seen = Vec::new();
            keys.turn(0.1, |demand| seen.push(demand));
            seen
        };
        assert_eq!(turn(), [1.0]);
        assert_eq!(turn(), [0.1]);
        assert!(turn().is_empty());
        assert_eq!(keys.len(), 0);
    }

    /// Scenario: durations around one value, then one that is far out.
    /// Guarantees: mean and variance are the sample's; the outlier moves them little.
    #[test]
    fn moments_are_learned_and_robust() {
        let keys = Keys::new();
        let place = keys.place(7);
        (0..2000).for_each(|at| keys.learn(place, 10.0 + (at % 3) as f32 - 1.0, 2.0));
        let (moments, size, readings) = keys.learned(place);
        assert!((moments.mean - 10.0).abs() < 0.05 && (moments.variance - 2.0 / 3.0).abs() < 0.05, "{moments:?}");
        assert_eq!((size, readings), (2.0, READINGS_MAX));
        keys.learn(place, 1000.0, 2.0);
        assert!(keys.learned(place).0.mean < 10.1);
    }
}
