//! The cap.
//!
//! Answers which of the kept traces may leave, so that no more spans and bytes leave a second than is allowed. Does not
//! decide who is kept. Kept traces wait a fraction of a second; then a threshold rises until what is left fits, by each
//! trace's own die relative to its probability. A token bucket would let through whoever comes first, and nobody could say
//! with which probability. The first trace that does not fit sets the threshold and leaves with nobody behind it getting in,
//! which is what keeps weights unbiased: Duffield, Lund and Thorup, "Priority Sampling for Estimation of Arbitrary Subset
//! Sums", 2007.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use homeostat_core::{Millis, Timestamp};

use super::threshold::{Randomness, Threshold};
use crate::stats::Rule;

/// How long kept traces wait for each other: long enough to compare them, short beside any lag of theirs.
const WINDOW: Millis = Millis(200);
/// A window in which nothing fits stays open for so long, and is then given up.
const WINDOW_MAX: Millis = Millis(500);
/// Seconds of allowance that may be saved …
const SAVED_MAX_S: f64 = 0.1;
/// … and borrowed. Together with a window they are the most by which any ten seconds can exceed the cap: 4.5 %.
const BORROWED_MAX_S: f64 = 0.15;
/// Borrowed however low the cap is, or no whole trace would ever fit.
const BORROWED_MIN: [f64; 2] = [32.0, 32.0 * 1024.0];
/// What a trace of each rule may be thinned less than ordinary ones. Finite, because whoever has no chance has
/// no weight; low, because whoever has little chance makes estimates uncertain.
const PRECEDENCE: [(Rule, f64); 5] =
    [(Rule::Error, 64.0), (Rule::Slow, 16.0), (Rule::Importance, 16.0), (Rule::Rare, 16.0), (Rule::Probability, 1.0)];
/// Stands for "as much as you like"; finite, so that sums stay numbers.
const UNLIMITED: f64 = 1e15;

/// How much may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapConfig {
    /// `None`: as many as are kept.
    pub spans_per_second: Option<u64>,
    /// `None`: as many as are kept.
    pub bytes_per_second: Option<u64>,
}

impl CapConfig {
    /// Whether there is anything to hold.
    pub fn is_set(&self) -> bool {
        self.spans_per_second.is_some() || self.bytes_per_second.is_some()
    }
}

/// A kept trace on its way out.
#[derive(Debug)]
pub(crate) struct Candidate<T> {
    pub(crate) rule: Rule,
    /// Its threshold so far.
    pub(crate) threshold: Threshold,
    pub(crate) randomness: Randomness,
    pub(crate) spans: u32,
    pub(crate) bytes: u32,
    pub(crate) payload: T,
}

/// What became of the candidates.
#[derive(Debug)]
pub(crate) struct Settled<T> {
    /// May leave, at a threshold that is at least the one they came with.
    pub(crate) released: Vec<(T, Rule, Threshold)>,
    pub(crate) dropped: Vec<T>,
}

impl<T> Default for Settled<T> {
    fn default() -> Self {
        Settled { released: Vec::new(), dropped: Vec::new() }
    }
}

/// Holds the cap.
#[derive(Debug)]
pub(crate) struct Cap<T> {
    /// A second's spans and bytes.
    rates: [f64; 2],
    /// What may still leave; negative: borrowed.
    balance: [f64; 2],
    opened: Option<Timestamp>,
    held: BinaryHeap<Held<T>>,
    held_size: [f64; 2],
    /// The lowest key of those that had no chance any more.
    turned_away: f64,
    dropped: Vec<T>,
}

#[derive(Debug)]
struct Held<T> {
    /// The level at which it would just be kept: its die over its probability and precedence. Low ones leave first.
    key: f64,
    size: [f64; 2],
    candidate: Candidate<T>,
}

impl<T> Cap<T> {
    pub(crate) fn new(config: CapConfig) -> Cap<T> {
        let rate = |limit: Option<u64>| limit.map_or(UNLIMITED, |limit| limit as f64);
        Cap {
            rates: [rate(config.spans_per_second), rate(config.bytes_per_second)],
            balance: [0.0; 2],
            opened: None,
            held: BinaryHeap::new(),
            held_size: [0.0; 2],
            turned_away: f64::INFINITY,
            dropped: Vec::new(),
        }
    }

    /// Takes a kept trace. Holds no more than could leave at once, however many come.
    pub(crate) fn offer(&mut self, now: Timestamp, candidate: Candidate<T>) {
        self.opened.get_or_insert(now);
        let size = [f64::from(candidate.spans), f64::from(candidate.bytes)];
        if !fits(size, self.most(WINDOW, [SAVED_MAX_S; 2].map(Some))) {
            // Too large for any window: waiting would only keep others from leaving.
            return self.dropped.push(candidate.payload);
        }
        let probability = candidate.threshold.probability() * precedence(candidate.rule);
        let key = candidate.randomness.probability() / probability;
        self.held_size = plus(self.held_size, size);
        self.held.push(Held { key, size, candidate });
        let most = self.most(WINDOW_MAX, [None; 2]);
        while !fits(self.held_size, most)
            && let Some(last) = self.held.pop()
        {
            self.held_size = minus(self.held_size, last.size);
            self.turned_away = self.turned_away.min(last.key);
            self.dropped.push(last.candidate.payload);
        }
    }

    /// Takes note of spans that leave without being asked, because they belong to a trace that left.
    pub(crate) fn charge(&mut self, spans: u32, bytes: u32) {
        self.balance = minus(self.balance, [f64::from(spans), f64::from(bytes)]);
    }

    /// Lets go of what may leave, if it is time.
    pub(crate) fn due(&mut self, now: Timestamp) -> Settled<T> {
        let Some(opened) = self.opened else { return Settled::default() };
        let waited = now.since(opened);
        if waited < WINDOW {
            return Settled::default();
        }
        let allowed = self.most(waited, [None; 2]);
        let hopeless =
            self.held.iter().min_by(|left, right| left.cmp(right)).is_some_and(|first| !fits(first.size, allowed));
        if hopeless && waited < WINDOW_MAX {
            return Settled::default();
        }
        self.close(now, waited)
    }

    /// Ends the window at once, for the end.
    pub(crate) fn drain(&mut self, now: Timestamp) -> Settled<T> {
        self.close(now, WINDOW)
    }

    fn close(&mut self, now: Timestamp, waited: Millis) -> Settled<T> {
        self.opened = Some(now);
        let allowed = self.most(waited, [None; 2]);
        let mut used = [0.0; 2];
        let settled = self.settle(allowed, &mut used);
        for (balance, (rate, used)) in self.balance.iter_mut().zip(self.rates.into_iter().zip(used)) {
            *balance = (*balance + rate * seconds(waited) - used).min(rate * SAVED_MAX_S);
        }
        settled
    }

    /// What can leave at the end of a window of this length, with what is saved now or as if so much were.
    fn most(&self, window: Millis, saved_s: [Option<f64>; 2]) -> [f64; 2] {
        let of = |unit: usize| {
            let rate = self.rates[unit];
            let saved = saved_s[unit].map_or(self.balance[unit], |saved| saved * rate);
            saved + rate * seconds(window) + (rate * BORROWED_MAX_S).max(BORROWED_MIN[unit])
        };
        [of(0), of(1)]
    }

    fn settle(&mut self, allowed: [f64; 2], used: &mut [f64; 2]) -> Settled<T> {
        let mut settled = Settled { released: Vec::new(), dropped: std::mem::take(&mut self.dropped) };
        let mut queue = std::mem::take(&mut self.held).into_sorted_vec().into_iter().peekable();
        let mut leaving = Vec::new();
        let mut sum = [0.0; 2];
        while let Some(next) = queue.next_if(|next| fits(plus(sum, next.size), allowed)) {
            sum = plus(sum, next.size);
            leaving.push(next);
        }
        let level = queue.peek().map_or(self.turned_away, |first| first.key);
        settled.dropped.extend(queue.map(|held| held.candidate.payload));
        for Held { size, candidate, .. } in leaving {
            let Candidate { rule, threshold, randomness, payload, .. } = candidate;
            let raised = raised(threshold, level * precedence(rule));
            // A raised threshold is rounded up, and may just pass over a trace.
            if raised.keeps(randomness) {
                *used = plus(*used, size);
                settled.released.push((payload, rule, raised));
            } else {
                settled.dropped.push(payload);
            }
        }
        self.held_size = [0.0; 2];
        self.turned_away = f64::INFINITY;
        settled
    }
}

/// The threshold at `part` of the probability of `threshold`.
fn raised(threshold: Threshold, part: f64) -> Threshold {
    if 1.0 <= part { threshold } else { Threshold::at_most(threshold.probability() * part) }
}

fn precedence(rule: Rule) -> f64 {
    PRECEDENCE.iter().find(|(of, _)| *of == rule).map_or(1.0, |(_, precedence)| *precedence)
}

fn seconds(time: Millis) -> f64 {
    time.0 as f64 / 1e3
}

fn fits(size: [f64; 2], most: [f64; 2]) -> bool {
    size[0] <= most[0] && size[1] <= most[1]
}

fn plus(left: [f64; 2], right: [f64; 2]) -> [f64; 2] {
    [left[0] + right[0], left[1] + right[1]]
}

fn minus(left: [f64; 2], right: [f64; 2]) -> [f64; 2] {
    [left[0] - right[0], left[1] - right[1]]
}

impl<T> Ord for Held<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (own, others) = (&self.candidate, &other.candidate);
        self.key.total_cmp(&other.key).then(own.randomness.cmp(&others.randomness)).then(own.spans.cmp(&others.spans))
    }
}

impl<T> PartialOrd for Held<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Held<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Held<T> {}

#[cfg(test)]
#[path = "cap_tests.rs"]
mod tests;
