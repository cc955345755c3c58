//! What may be kept, and who gets it.
//!
//! Answers with which probability an ordinary trace is kept, and how much the rules may still take. Does not know
//! structures or scores: only counts, and keys to count by. The share of traffic that may be kept is an income; what is
//! kept is spent in expectation, not as it falls, so that no probability depends on the die it is for. Rare keys are given
//! all they ask for and frequent ones share the rest: a water level. It is solved once a tick rather than per trace.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use homeostat_core::{Millis, Timestamp};

use super::keys::{Keys, Place, Real};

/// What errors and slow traces cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certain {
    /// Nothing: they are kept on top of the share of ordinary traffic, which whoever sets the share has allowed for.
    #[default]
    Beside,
    /// The share is all there is: what they take is missing for the others.
    Within,
}

/// Traces over which demand is remembered at least.
const HORIZON_TRACES: f64 = 16_384.0;
/// And for how long at least.
const HORIZON: Millis = Millis::from_secs(120);
/// However few traces there are, demand is forgotten after about so long.
const HORIZON_MAX: Millis = Millis::from_secs(3600);
/// Levels are calculated so often at most …
const TURN_MIN: Millis = Millis(100);
/// … if there were so many traces; otherwise less often …
const TURN_TRACES: u64 = 256;
/// … but at least so often.
const TURN_MAX: Millis = Millis(1000);

/// Of what is left for ordinary traffic: what structures not kept before may take at most. High, because most of the time
/// there are few of them; together with the others' least it stays below one, so that the share holds whatever comes.
const NOVEL_PART: f64 = 0.75;
/// What the model may take at most.
const IMPORTANT_PART: f64 = 0.07;
/// What is spread evenly over root operations.
const ROOTS_PART: f64 = 0.1;
/// What is spread evenly over coarse shapes. More, because there are more of them.
const SHAPES_PART: f64 = 0.25;
/// What slow traces may take at most beside the share, of all traces: when everything is slow, being slow says little.
const SLOW_PART_MIN: f64 = 0.05;
/// The same within the share, of what errors leave.
const SLOW_PART_WITHIN: f64 = 0.3;
/// However much the others take, ordinary traffic keeps this part of its share: what is kept of it then stands for seven
/// times as many as usual, and with much less, few traces would outweigh all others in every estimate.
const BASE_MIN: f64 = 0.15;
/// And however much errors take, this part of the share is left for the purses and levels.
const REST_MIN: f64 = 0.1;

/// Tokens a purse holds at most and at first: new structures of the first minutes are kept on credit.
const PURSE_MAX: f64 = 512.0;
const PURSE_AT_FIRST: f64 = 128.0;

const MICRO: f64 = 1e6;

/// Traces and spans share a counter; it is emptied every second, when neither can have come near its end.
const SPANS_BITS: u32 = 40;

/// Independent counters, so that threads do not wait for each other's.
const LEDGERS: usize = 16;

/// How a trace's key is best spread over ledgers: by bits of its shape.
pub(crate) type Ledger = usize;

/// One trace's costs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) spans: u32,
    /// The share of ordinary traffic that may be kept.
    pub(crate) share: f64,
    /// The probability with which it is kept.
    pub(crate) probability: f64,
    pub(crate) kind: Kind,
}

/// Out of what a trace is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Error or slow.
    Certain,
    /// A purse's.
    Purse,
    /// The base and the levels.
    Ordinary,
}

/// Sums over traces, in traces and in spans.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    all: [f64; 2],
    income: [f64; 2],
    certain: [f64; 2],
    purse: [f64; 2],
    ordinary: [f64; 2],
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Counters {
    /// Spans, and traces above [`SPANS_BITS`].
    all: AtomicU64,
    income: [AtomicU64; 2],
    certain: [AtomicU64; 2],
    purse: [AtomicU64; 2],
    ordinary: [AtomicU64; 2],
}

/// Tokens for traces of one kind: a token is an average trace.
#[derive(Debug)]
pub(crate) struct Purse(AtomicI64);

impl Purse {
    fn new() -> Purse {
        Purse(AtomicI64::new((PURSE_AT_FIRST * MICRO) as i64))
    }

    /// The probability at which something is kept of which a purse filled to `full` could pay any number, and one filled to
    /// `empty` none.
    pub(crate) fn probability(&self, empty: f64, full: f64) -> f64 {
        ((self.0.load(Relaxed) as f64 / MICRO - empty) / (full - empty)).clamp(0.0, 1.0)
    }

    pub(crate) fn pay(&self, tokens: f64) {
        self.0.fetch_sub((tokens * MICRO) as i64, Relaxed);
    }

    fn earn(&self, tokens: f64) {
        let now = self.0.load(Relaxed);
        let most = (PURSE_MAX * MICRO) as i64;
        self.0.store(now.saturating_add((tokens * MICRO) as i64).min(most), Relaxed);
    }
}

/// The water level over one family of keys.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) keys: Keys,
    level: Real,
}

impl Level {
    fn new() -> Level {
        Level { keys: Keys::new(), level: Real::default() }
    }

    /// What the level leaves a trace of this key.
    pub(crate) fn probability(&self, place: Place) -> f64 {
        f64::from(self.level.get() / self.keys.demand(place).max(1.0)).min(1.0)
    }

    fn turn(&self, factor: f64, budget: f64) {
        let mut water = Water::default();
        self.keys.turn(factor as f32, |demand| water.add(demand));
        self.level.set(water.level(budget) as f32);
    }
}

/// All levels and purses.
#[derive(Debug)]
pub(crate) struct Budget {
    certain: Certain,
    counters: Box<[Counters]>,
    pub(crate) roots: Level,
    pub(crate) shapes: Level,
    pub(crate) novel: Purse,
    pub(crate) important: Purse,
    pub(crate) slow: Purse,
    /// The part of its share at which ordinary traffic is kept at least.
    base: Real,
    /// Spans of an average trace.
    spans_mean: Real,
    /// Traces over the horizon.
    traces: Real,
    book: Mutex<Book>,
}

/// What is remembered from turn to turn.
#[derive(Debug, Default)]
struct Book {
    turned: Option<Timestamp>,
    /// Over the horizon.
    long: Sums,
    /// Over a few turns.
    recent: Sums,
    /// What was spent beyond the income, in traces and in spans.
    debt: [f64; 2],
}

/// How much of the recent sums survives a turn.
const RECENT_FACTOR: f64 = 0.8;
/// How strongly one turn corrects the base.
const BASE_GAIN: f64 = 0.3;
/// Debt is paid back over a horizon, or more slowly when it is more than this part of a horizon's income.
const REPAY_MAX: f64 = 0.5;
/// What was not spent may be spent later, up to this part of the horizon's income.
const SAVINGS_PART: f64 = 0.02;

impl Budget {
    pub(crate) fn new(certain: Certain) -> Budget {
        Budget {
            certain,
            counters: (0..LEDGERS).map(|_| Counters::default()).collect(),
            roots: Level::new(),
            shapes: Level::new(),
            novel: Purse::new(),
            important: Purse::new(),
            slow: Purse::new(),
            base: Real::new(1.0),
            spans_mean: Real::new(1.0),
            traces: Real::new(1.0),
            book: Mutex::new(Book::default()),
        }
    }

    /// The part of its share at which ordinary traffic is kept at least.
    pub(crate) fn base(&self) -> f64 {
        f64::from(self.base.get())
    }

    /// Traces over the horizon, at least one.
    pub(crate) fn traces(&self) -> f32 {
        self.traces.get()
    }

    /// What keeping a trace of `spans` costs a purse, in tokens.
    pub(crate) fn cost(&self, spans: u32) -> f64 {
        (f64::from(spans) / f64::from(self.spans_mean.get())).max(1.0)
    }

    /// Books a trace.
    pub(crate) fn book(&self, ledger: Ledger, entry: Entry) {
        let counters = &self.counters[ledger % LEDGERS];
        let spent = match entry.kind {
            Kind::Certain => &counters.certain,
            Kind::Purse => &counters.purse,
            Kind::Ordinary => &counters.ordinary,
        };
        counters.all.fetch_add(1 << SPANS_BITS | u64::from(entry.spans), Relaxed);
        for (unit, amount) in [1.0, f64::from(entry.spans)].into_iter().enumerate() {
            counters.income[unit].fetch_add((amount * entry.share * MICRO) as u64, Relaxed);
            spent[unit].fetch_add((amount * entry.probability * MICRO) as u64, Relaxed);
        }
    }

    /// Calculates the levels anew, if it is time.
    pub(crate) fn tick(&self, now: Timestamp) {
        // Whoever finds it locked has nothing to do: another thread is at it.
        let Ok(mut book) = self.book.try_lock() else { return };
        let since = book.turned.map_or(TURN_MIN, |turned| now.since(turned));
        let fresh: u64 = self.counters.iter().map(|counters| counters.all.load(Relaxed) >> SPANS_BITS).sum();
        let busy = TURN_MIN <= since && TURN_TRACES <= fresh;
        if 0 < fresh && (busy || TURN_MAX <= since || book.turned.is_none()) {
            book.turned = Some(now);
            self.turn(&mut book, since);
        }
    }

    fn turn(&self, book: &mut Book, since: Millis) {
        let fresh = self.collect();
        let factor = decay(fresh.all[0], since);
        book.long.decay_and_add(factor, &fresh);
        book.recent.decay_and_add(RECENT_FACTOR, &fresh);
        self.spans_mean.set((book.long.all[1] / book.long.all[0]).max(1.0) as f32);
        self.traces.set(book.long.all[0].max(1.0) as f32);
        for unit in 0..2 {
            let savings = SAVINGS_PART * book.long.income[unit];
            let spent = self.charged(&fresh, unit) + fresh.purse[unit] + fresh.ordinary[unit];
            book.debt[unit] = (book.debt[unit] + spent - fresh.income[unit]).max(-savings);
        }
        let rest = self.rest(&book.long);
        self.fill_purses(&fresh, rest);
        self.set_base(book);
        let left = (rest - book.long.purse[0] / book.long.income[0].max(1e-9)).max(REST_MIN * rest);
        let budget = left * book.long.income[0];
        self.roots.turn(factor, ROOTS_PART * budget);
        self.shapes.turn(factor, SHAPES_PART * budget);
    }

    /// What errors and slow traces take out of the share.
    fn charged(&self, sums: &Sums, unit: usize) -> f64 {
        match self.certain {
            Certain::Beside => 0.0,
            Certain::Within => sums.certain[unit],
        }
    }

    /// The part of the income that errors and slow traces leave: the mean of what they leave in traces and in spans, because
    /// failed traces are long and would otherwise leave nothing.
    fn rest(&self, sums: &Sums) -> f64 {
        let left = |unit: usize| 1.0 - self.charged(sums, unit) / sums.income[unit].max(1e-9);
        f64::midpoint(left(0), left(1)).clamp(REST_MIN, 1.0)
    }

    fn fill_purses(&self, fresh: &Sums, rest: f64) {
        self.novel.earn(NOVEL_PART * rest * fresh.income[0]);
        self.important.earn(IMPORTANT_PART * rest * fresh.income[0]);
        let slow = match self.certain {
            Certain::Beside => (SLOW_PART_MIN * fresh.all[0]).max(fresh.income[0]),
            Certain::Within => SLOW_PART_WITHIN * rest * fresh.income[0],
        };
        self.slow.earn(slow);
    }

    /// Moves the base towards the point where as much is spent as earned. Both units count; the scarcer decides. What the
    /// rules take is averaged over the horizon, so that a burst of errors is paid for slowly.
    fn set_base(&self, book: &Book) {
        let missing = |unit: usize| {
            let (long, recent) = (&book.long, &book.recent);
            let income = long.income[unit].max(1e-9);
            let rules = (self.charged(long, unit) + long.purse[unit]) / income;
            let ordinary = recent.ordinary[unit] / recent.income[unit].max(1e-9);
            1.0 - rules - ordinary - (book.debt[unit] / income).clamp(-REPAY_MAX, REPAY_MAX)
        };
        let step = BASE_GAIN * missing(0).min(missing(1));
        self.base.set((self.base() + step).clamp(BASE_MIN, 1.0) as f32);
    }

    fn collect(&self) -> Sums {
        let mut sums = Sums::default();
        for counters in &self.counters {
            let all = counters.all.swap(0, Relaxed);
            sums.all[0] += (all >> SPANS_BITS) as f64;
            sums.all[1] += (all & ((1 << SPANS_BITS) - 1)) as f64;
            for unit in 0..2 {
                let take = |counter: &[AtomicU64; 2]| counter[unit].swap(0, Relaxed) as f64;
                sums.income[unit] += take(&counters.income) / MICRO;
                sums.certain[unit] += take(&counters.certain) / MICRO;
                sums.purse[unit] += take(&counters.purse) / MICRO;
                sums.ordinary[unit] += take(&counters.ordinary) / MICRO;
            }
        }
        sums
    }
}

impl Sums {
    fn decay_and_add(&mut self, factor: f64, fresh: &Sums) {
        let pairs = [
            (&mut self.all, &fresh.all),
            (&mut self.income, &fresh.income),
            (&mut self.certain, &fresh.certain),
            (&mut self.purse, &fresh.purse),
            (&mut self.ordinary, &fresh.ordinary),
        ];
        for (sum, fresh) in pairs {
            for unit in 0..2 {
                sum[unit] = sum[unit] * factor + fresh[unit];
            }
        }
    }
}

/// How much of the past survives: it is forgotten by traces or by time, whichever is slower, and by a longest time.
fn decay(traces: f64, since: Millis) -> f64 {
    let (by_traces, by_time) = (traces / HORIZON_TRACES, since.0 as f64 / HORIZON.0 as f64);
    (-by_traces.min(by_time).max(since.0 as f64 / HORIZON_MAX.0 as f64)).exp()
}

/// Steps per doubling in which demands are told apart: neighbours differ by a ninth.
const STEPS: u32 = 8;
/// Demands from a 64th to 2²⁶.
const BANDS: usize = 32 * STEPS as usize;

/// Demands, sorted into bands.
struct Water {
    counts: [u32; BANDS],
    sums: [f64; BANDS],
}

impl Default for Water {
    fn default() -> Self {
        Water { counts: [0; BANDS], sums: [0.0; BANDS] }
    }
}

impl Water {
    fn add(&mut self, demand: f32) {
        let band = ((demand.max(1e-9).log2() + 6.0) * STEPS as f32).clamp(0.0, (BANDS - 1) as f32) as usize;
        self.counts[band] += 1;
        self.sums[band] += f64::from(demand);
    }

    /// The level at which the sum of what is below it is `budget`: what a frequent key gets.
    fn level(&self, budget: f64) -> f64 {
        let mut keys: f64 = self.counts.iter().map(|count| f64::from(*count)).sum();
        let mut left = budget;
        for (count, sum) in self.counts.iter().zip(&self.sums).filter(|(count, _)| 0 < **count) {
            let mean = sum / f64::from(*count);
            if left <= mean * keys {
                return left / keys;
            }
            left -= sum;
            keys -= f64::from(*count);
        }
        // Everybody can have all they ask for.
        f64::from(f32::MAX)
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
