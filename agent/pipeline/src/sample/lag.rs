//! How long to wait for a trace.
//!
//! Answers how long after a trace's top span has come its last span comes, for each operation at the top. Does not decide
//! traces. Learned from a sample of traces that are watched for half a minute whatever was decided about them, because
//! what arrives after a decision is what tells that it was too early. Nobody is asked for a `decision_wait`: it differs
//! from operation to operation and changes with the senders.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use hashbrown::HashMap;
use homeostat_core::{Millis, Timestamp};

use super::group::{Anchor, Standing};
use crate::generations::Generations;

/// Upper ends of the intervals of lag that are told apart; the first: everything came in one request.
const LAGS: [Millis; 11] = [
    Millis(0),
    Millis(100),
    Millis(200),
    Millis(400),
    Millis(800),
    Millis(1600),
    Millis(3200),
    Millis(6400),
    Millis(12_800),
    Millis(25_600),
    Millis(51_200),
];
/// So many traces must have been watched before their lag counts as known.
const WATCHED_MIN: u32 = 32;
/// The share of traces that may be decided before their last span: one in a hundred.
const EARLY_ONE_IN: u32 = 100;
/// Beyond so many watched traces, half are forgotten: senders change.
const WATCHED_MAX: u32 = 4096;
/// Operations and services whose lag is known apart; others wait as long as unknown ones.
const KEYS_MAX: usize = 8192;
/// Traces of one shard that are watched at once: a dozen a second for half a minute, in sixteen shards.
const WATCH_MAX: usize = 2048;
/// How long a trace is watched at least.
const WATCH: Millis = Millis::from_secs(15);
/// A trace without news for so long counts as complete until news arrives.
const MATURE: Millis = Millis::from_secs(2);

/// A watched trace's lag: where it was counted before, and where it belongs now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lesson {
    keys: [u64; 2],
    before: Option<usize>,
    now: usize,
}

#[derive(Debug)]
struct Watched {
    keys: [u64; 2],
    standing: Standing,
    since: Timestamp,
    interval: usize,
    counted: bool,
}

/// The watched traces of one shard.
#[derive(Debug)]
pub(super) struct Watch {
    traces: Generations<u64, Watched>,
    maturing: VecDeque<(Timestamp, u64)>,
    lessons: Vec<Lesson>,
}

impl Watch {
    pub(super) fn new() -> Watch {
        let traces = Generations::new(WATCH_MAX, WATCH);
        Watch { traces, maturing: VecDeque::new(), lessons: Vec::new() }
    }

    /// Notes that spans of a trace have come, hanging on `anchor` as far as this request knows.
    pub(super) fn note(&mut self, now: Timestamp, hash: u64, anchor: Anchor) {
        // Other bits than those that choose the shard.
        if !self.traces.admits(hash >> 40) {
            return;
        }
        let Some(watched) = self.traces.get_mut(&hash) else {
            self.traces.insert(now, hash, Watched::new(now, anchor));
            return self.expect(now, hash);
        };
        let interval = interval(now.since(watched.since)).max(1);
        if interval > watched.interval {
            if watched.counted {
                self.lessons.push(Lesson { keys: watched.keys, before: Some(watched.interval), now: interval });
            }
            watched.interval = interval;
        }
        if anchor.standing > watched.standing {
            if !watched.counted {
                self.lessons.push(Lesson { keys: watched.keys, before: None, now: watched.interval });
            }
            *watched = Watched::new(now, anchor);
            self.expect(now, hash);
        }
    }

    fn expect(&mut self, now: Timestamp, hash: u64) {
        // As many as there are traces watched, and those of a generation that was just forgotten.
        if self.maturing.len() < 2 * WATCH_MAX {
            self.maturing.push_back((now, hash));
        }
    }

    /// Counts traces that had no news for a while; hands over what was learned.
    pub(super) fn mature(&mut self, now: Timestamp, lessons: &mut Vec<Lesson>) {
        while let Some((since, hash)) = self.maturing.front().copied()
            && now.since(since) >= MATURE
        {
            self.maturing.pop_front();
            let watched = self.traces.get_mut(&hash).filter(|watched| watched.since == since && !watched.counted);
            if let Some(watched) = watched {
                watched.counted = true;
                self.lessons.push(Lesson { keys: watched.keys, before: None, now: watched.interval });
            }
        }
        self.traces.turn(now);
        lessons.append(&mut self.lessons);
    }
}

impl Watched {
    fn new(now: Timestamp, anchor: Anchor) -> Watched {
        Watched { keys: keys(&anchor), standing: anchor.standing, since: now, interval: 0, counted: false }
    }
}

/// What a lag is learned for: the operation and the service, each at this distance from the top.
fn keys(anchor: &Anchor) -> [u64; 2] {
    [anchor.operation, anchor.service].map(|key| key.rotate_left(8) ^ anchor.standing as u64)
}

/// The interval that holds `lag`.
fn interval(lag: Millis) -> usize {
    LAGS.iter().position(|upper| lag <= *upper).unwrap_or(LAGS.len() - 1)
}

/// How often the last span of a trace came in each interval.
#[derive(Clone, Copy, Debug, Default)]
struct Histogram([u32; LAGS.len()]);

impl Histogram {
    fn learn(&mut self, before: Option<usize>, now: usize) {
        if let Some(before) = before {
            self.0[before] = self.0[before].saturating_sub(1);
        }
        self.0[now] += 1;
        if self.0.iter().sum::<u32>() > WATCHED_MAX {
            self.0.iter_mut().for_each(|count| *count = count.div_ceil(2));
        }
    }

    /// The shortest wait that nearly all traces are complete after, if enough were seen.
    fn wait(&self) -> Option<Millis> {
        let all: u32 = self.0.iter().sum();
        if all < WATCHED_MIN {
            return None;
        }
        let mut later = all;
        for (count, upper) in self.0.iter().zip(LAGS) {
            later -= count;
            if later * EARLY_ONE_IN <= all {
                return Some(upper);
            }
        }
        None
    }
}

/// Waits that are known, by operation and by service.
type Waits = HashMap<u64, Millis>;

/// What was learned from all shards.
#[derive(Debug)]
pub(super) struct Lags {
    unknown: Millis,
    longest: Millis,
    histograms: Mutex<HashMap<u64, Histogram>>,
    waits: ArcSwap<Waits>,
}

impl Lags {
    /// Where nothing is known, a trace waits `unknown` for its other spans after its root, and `longest` without one.
    pub(super) fn new(unknown: Millis, longest: Millis) -> Lags {
        let histograms = Mutex::new(HashMap::new());
        Lags { unknown, longest, histograms, waits: ArcSwap::from_pointee(Waits::new()) }
    }

    /// What is known at present.
    pub(super) fn known(&self) -> Known {
        Known { unknown: self.unknown, longest: self.longest, waits: self.waits.load_full() }
    }

    /// Learns, and lets it be known.
    pub(super) fn learn(&self, lessons: &[Lesson]) {
        if lessons.is_empty() {
            return;
        }
        let mut histograms = self.histograms.lock().unwrap_or_else(PoisonError::into_inner);
        for lesson in lessons {
            for key in lesson.keys {
                if histograms.len() < KEYS_MAX || histograms.contains_key(&key) {
                    histograms.entry(key).or_default().learn(lesson.before, lesson.now);
                }
            }
        }
        let known = histograms.iter().filter_map(|(key, histogram)| Some((*key, histogram.wait()?)));
        self.waits.store(Arc::new(known.collect()));
    }
}

/// Waits as they were known at one moment.
#[derive(Clone, Debug)]
pub(super) struct Known {
    unknown: Millis,
    longest: Millis,
    waits: Arc<Waits>,
}

impl Known {
    /// How long to wait for the other spans of a trace after `anchor` has come.
    pub(super) fn wait(&self, anchor: &Anchor) -> Millis {
        let known = keys(anchor).iter().find_map(|key| self.waits.get(key));
        let unknown = if anchor.standing == Standing::Root { self.unknown } else { self.longest };
        known.copied().unwrap_or(unknown).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchor(standing: Standing, operation: u64) -> Anchor {
        Anchor { standing, start_unix_nano: 0, operation, service: 1, duration_nanos: 0 }
    }

    fn settle(watch: &mut Watch, lags: &Lags, at: u64) {
        let mut lessons = Vec::new();
        watch.mature(Timestamp(at), &mut lessons);
        lags.learn(&lessons);
    }

    fn wait(lags: &Lags, standing: Standing, operation: u64) -> Millis {
        lags.known().wait(&anchor(standing, operation))
    }

    /// Scenario: one operation's traces come whole, another's last span comes 700 ms after the root; a third is new.
    /// Guarantees: the first waits for nothing, the second long enough, the third as its service does.
    #[test]
    fn each_operation_learns_its_own_lag() {
        let (mut watch, lags) = (Watch::new(), Lags::new(Millis(2000), Millis(30_000)));
        assert_eq!(wait(&lags, Standing::Root, 10), Millis(2000));
        assert_eq!(wait(&lags, Standing::Entry, 10), Millis(30_000));
        for hash in 0..100 {
            watch.note(Timestamp(1000 + hash), hash, anchor(Standing::Root, 10 + hash % 2));
        }
        for hash in (1..100).step_by(2) {
            watch.note(Timestamp(1700 + hash), hash, anchor(Standing::Inner, 5));
        }
        settle(&mut watch, &lags, 4000);
        assert_eq!(wait(&lags, Standing::Root, 10), Millis(0));
        assert_eq!(wait(&lags, Standing::Root, 11), Millis(800));
        assert_eq!(wait(&lags, Standing::Root, 12), Millis(800), "the service's");
        assert_eq!(wait(&lags, Standing::Entry, 10), Millis(30_000), "nothing is known of entries");
    }

    /// Scenario: traces counted as complete get another span after ten seconds.
    /// Guarantees: the wait grows to hold it: what came after the decision is what is learned from.
    #[test]
    fn news_after_the_decision_lengthens_the_wait() {
        let (mut watch, lags) = (Watch::new(), Lags::new(Millis(2000), Millis(30_000)));
        (0..50).for_each(|hash| watch.note(Timestamp(1000), hash, anchor(Standing::Root, 10)));
        settle(&mut watch, &lags, 3000);
        assert_eq!(wait(&lags, Standing::Root, 10), Millis(0));
        (0..5).for_each(|hash| watch.note(Timestamp(11_000), hash, anchor(Standing::Inner, 5)));
        settle(&mut watch, &lags, 11_000);
        assert_eq!(wait(&lags, Standing::Root, 10), Millis(12_800));
    }

    /// Scenario: spans of a service come first, the root comes three seconds later.
    /// Guarantees: the entry's lag is learned from when the root came.
    #[test]
    fn a_later_root_is_news_for_the_entry() {
        let (mut watch, lags) = (Watch::new(), Lags::new(Millis(2000), Millis(30_000)));
        (0..50).for_each(|hash| watch.note(Timestamp(1000), hash, anchor(Standing::Entry, 10)));
        (0..50).for_each(|hash| watch.note(Timestamp(4000), hash, anchor(Standing::Root, 20)));
        settle(&mut watch, &lags, 6000);
        assert_eq!(wait(&lags, Standing::Entry, 10), Millis(3200));
        assert_eq!(wait(&lags, Standing::Root, 20), Millis(0));
    }
}
