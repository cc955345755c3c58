//! Counts over sliding windows.
//!
//! Answers how many requests, failures and slow ones the last minute, hour or three days had, in bounded memory. Does not
//! know objectives. Buckets are used rather than decaying averages because the burn rates of the Google SRE workbook are
//! defined on windows with an edge.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{BasisPoints, Millis, ObjectiveKind, Timestamp};

/// The windows every service's requests are counted over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The last 15 s: what is happening now; judges trials.
    Now,
    /// The last minute.
    Minute,
    /// The last five minutes.
    FiveMinutes,
    /// The last half hour.
    HalfHour,
    /// The last hour.
    Hour,
    /// The last six hours.
    SixHours,
    /// The last three days.
    ThreeDays,
}

impl Window {
    /// All windows, shortest first.
    pub const ALL: [Window; 7] = [
        Window::Now,
        Window::Minute,
        Window::FiveMinutes,
        Window::HalfHour,
        Window::Hour,
        Window::SixHours,
        Window::ThreeDays,
    ];

    /// The window's length.
    pub const fn length(self) -> Millis {
        match self {
            Window::Now => Millis::from_secs(15),
            Window::Minute => Millis::from_secs(60),
            Window::FiveMinutes => Millis::from_secs(300),
            Window::HalfHour => Millis::from_secs(1800),
            Window::Hour => Millis::from_secs(3600),
            Window::SixHours => Millis::from_secs(6 * 3600),
            Window::ThreeDays => Millis::from_secs(72 * 3600),
        }
    }
}

/// Requests and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Of these, failed.
    pub errors: u64,
    /// Of these, slower than the latency objective.
    pub slow: u64,
}

/// Counts of one bucket, and numbers of buckets, stay far below this; sums of all of them fit.
const COUNTED_MAX: u64 = 1 << 50;

/// No ring has as many buckets.
const BUCKETS_MAX: usize = 1024;

impl Counts {
    /// How many broke the promise of `kind`.
    pub const fn bad(self, kind: ObjectiveKind) -> u64 {
        match kind {
            ObjectiveKind::Availability => self.errors,
            ObjectiveKind::Latency => self.slow,
        }
    }

    /// The share that broke the promise of `kind`.
    pub fn bad_ratio(self, kind: ObjectiveKind) -> BasisPoints {
        BasisPoints::from_ratio(self.bad(kind), self.requests)
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Counts) -> Counts {
        self.add(other);
        self
    }

    fn is_counted(self) -> bool {
        [self.requests, self.errors, self.slow].iter().all(|count| *count < COUNTED_MAX)
    }

    fn is_nothing(self) -> bool {
        self == Counts::default()
    }

    fn add(&mut self, other: Counts) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.slow += other.slow;
    }

    fn remove(&mut self, other: Counts) {
        self.requests -= other.requests;
        self.errors -= other.errors;
        self.slow -= other.slow;
    }
}

/// The sums of one service over every [`Window`], at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowCounts {
    sums: [Counts; Window::ALL.len()],
}

impl WindowCounts {
    /// The sums over `window`.
    pub const fn over(&self, window: Window) -> Counts {
        self.sums[window as usize]
    }

    /// Both together.
    #[must_use]
    pub fn and(&self, other: &WindowCounts) -> WindowCounts {
        let mut both = *self;
        both.sums.iter_mut().zip(other.sums).for_each(|(sum, other)| sum.add(other));
        both
    }
}

/// Running sums over every [`Window`] of one service.
///
/// Five rings of growing bucket length hold at most 61 + 31 + 61 + 73 + 73 buckets, so a service costs at most 14 KiB
/// however long the agent runs. A window may therefore reach back up to one bucket further than its length: a sixtieth of it,
/// and a thirtieth for five minutes and half an hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountsRing {
    fine: Ring<1000>,
    middle: Ring<10_000>,
    #[serde(default)]
    minutes: Ring<60_000>,
    coarse: Ring<300_000>,
    #[serde(default)]
    hours: Ring<3_600_000>,
    /// What was counted in the second of `waits_since`, and is in no ring yet: requests, failed and slow ones are told one
    /// after the other, and go into the rings together.
    #[serde(default)]
    waiting: Counts,
    #[serde(default)]
    waits_since: Timestamp,
}

impl CountsRing {
    /// Adds what happened up to `at`.
    pub fn push(&mut self, at: Timestamp, counts: Counts) {
        if at.as_millis() / 1000 != self.waits_since.as_millis() / 1000 {
            self.settle();
        }
        self.waiting.add(counts);
        self.waits_since = at;
    }

    /// Puts what waits into the rings.
    fn settle(&mut self) {
        let (at, counts) = (self.waits_since, std::mem::take(&mut self.waiting));
        if counts.is_nothing() {
            return;
        }
        self.fine.push(at, counts);
        self.middle.push(at, counts);
        self.minutes.push(at, counts);
        self.coarse.push(at, counts);
        self.hours.push(at, counts);
    }

    /// Whether it can have come about by counting: sums that are those of their buckets, in order, and of a size that counts have.
    pub fn is_sound(&self) -> bool {
        let rings = self.fine.is_sound() && self.middle.is_sound() && self.minutes.is_sound();
        rings && self.coarse.is_sound() && self.hours.is_sound() && self.waiting.is_counted()
    }

    /// When something was last added, to the second.
    pub fn last_at(&self) -> Timestamp {
        self.waits_since.max(Timestamp(self.fine.last * 1000))
    }

    /// The sums over every window that ends at `now`.
    pub fn freeze(&mut self, now: Timestamp) -> WindowCounts {
        self.settle();
        let mut frozen = WindowCounts::default();
        for window in Window::ALL {
            frozen.sums[window as usize] = match window {
                Window::Now => self.fine.sum(0, now, window.length()),
                Window::Minute => self.fine.sum(1, now, window.length()),
                Window::FiveMinutes => self.middle.sum(0, now, window.length()),
                Window::HalfHour => self.minutes.sum(0, now, window.length()),
                Window::Hour => self.minutes.sum(1, now, window.length()),
                Window::SixHours => self.coarse.sum(0, now, window.length()),
                Window::ThreeDays => self.hours.sum(0, now, window.length()),
            };
        }
        frozen
    }
}

/// Buckets of `BUCKET_MS`, with a running sum for each of up to three windows; the longest window drops buckets for good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ring<const BUCKET_MS: u64> {
    /// Bucket number and its counts, oldest first. `first` is the sequence number of the front.
    buckets: VecDeque<(u64, Counts)>,
    first: u64,
    /// The newest bucket number ever used.
    last: u64,
    /// For each window: the sequence number of the oldest bucket in its sum, and the sum.
    sums: [(u64, Counts); 3],
    /// For each window: the number of that bucket, 0 where it is not known. As long as it is inside the window nothing has to
    /// leave the sum, and the buckets, which lie elsewhere in memory, need not be looked at.
    #[serde(default)]
    begins: [u64; 3],
}

impl<const BUCKET_MS: u64> Ring<BUCKET_MS> {
    fn push(&mut self, at: Timestamp, counts: Counts) {
        let number = at.as_millis() / BUCKET_MS;
        self.last = self.last.max(number);
        match self.buckets.back_mut() {
            Some((last, sum)) if *last >= number => sum.add(counts),
            _ => self.buckets.push_back((number, counts)),
        }
        // A late count joins the newest bucket; a window that has left that bucket behind has nothing to do with it.
        let newest = self.first + self.buckets.len() as u64 - 1;
        for (_, sum) in self.sums.iter_mut().filter(|(start, _)| *start <= newest) {
            sum.add(counts);
        }
    }

    fn is_sound(&self) -> bool {
        let end = self.first.saturating_add(self.buckets.len() as u64);
        let sums_up = |&(start, sum): &(u64, Counts)| {
            let mut total = Counts::default();
            let skipped = usize::try_from(start.saturating_sub(self.first)).unwrap_or(usize::MAX);
            self.buckets.iter().skip(skipped).for_each(|(_, counts)| total.add(*counts));
            self.first <= start && start <= end && sum == total
        };
        let in_order = self.buckets.iter().is_sorted_by(|(one, _), (other, _)| one < other);
        // Counts first: only what is small can be added up.
        self.buckets.iter().all(|(number, counts)| *number < COUNTED_MAX && counts.is_counted())
            && self.buckets.len() < BUCKETS_MAX
            && self.first < COUNTED_MAX
            && self.last < COUNTED_MAX
            && in_order
            && self.sums[..self.slots()].iter().all(sums_up)
    }

    /// How many windows this ring sums up.
    const fn slots(&self) -> usize {
        match BUCKET_MS {
            1000 | 60_000 => 2,
            _ => 1,
        }
    }

    fn sum(&mut self, slot: usize, now: Timestamp, length: Millis) -> Counts {
        let oldest = (now.as_millis().saturating_sub(length.0)) / BUCKET_MS;
        if 0 < self.begins[slot] && oldest <= self.begins[slot] {
            return self.sums[slot].1;
        }
        let (start, sum) = &mut self.sums[slot];
        while let Some(&(number, counts)) = self.buckets.get((*start - self.first) as usize) {
            if number >= oldest {
                break;
            }
            sum.remove(counts);
            *start += 1;
        }
        let result = *sum;
        self.begins[slot] = self.buckets.get((*start - self.first) as usize).map_or(0, |(number, _)| *number);
        self.forget();
        result
    }

    /// Drops the buckets that every window has left behind. Unused slots follow the slowest used one.
    fn forget(&mut self) {
        let keep = self.sums[..self.slots()].iter().map(|(start, _)| *start).min().unwrap_or(self.first);
        while self.first < keep {
            self.buckets.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_a_second(ring: &mut CountsRing, from_s: u64, to_s: u64, errors: u64) {
        for second in from_s..to_s {
            ring.push(Timestamp(second * 1000), Counts { requests: 1, errors, slow: 0 });
        }
    }

    /// Scenario: one request a second for two hours, all failing in the last ten minutes.
    /// Guarantees: each window holds its own share, and the hour never counts what the hour before it saw.
    #[test]
    fn each_window_sees_its_own_past() {
        let mut ring = CountsRing::default();
        one_a_second(&mut ring, 0, 6600, 0);
        ring.freeze(Timestamp(6_600_000));
        one_a_second(&mut ring, 6600, 7200, 1);
        let frozen = ring.freeze(Timestamp(7_200_000));
        assert_eq!(frozen.over(Window::Now), Counts { requests: 15, errors: 15, slow: 0 });
        assert_eq!(frozen.over(Window::Minute).errors, 60);
        assert_eq!(frozen.over(Window::FiveMinutes), Counts { requests: 300, errors: 300, slow: 0 });
        assert_eq!(frozen.over(Window::Hour), Counts { requests: 3600, errors: 600, slow: 0 });
        assert_eq!(frozen.over(Window::SixHours).requests, 7200);
    }

    /// Scenario: rings as they are after two hours with failures, and the same with a sum, a start or an order that is wrong.
    /// Guarantees: what was counted is sound, whatever else is not.
    #[test]
    fn what_was_counted_is_sound() {
        let mut ring = CountsRing::default();
        assert!(ring.is_sound());
        // A tick freezes once a second; ten minutes without one are still believed.
        for round in 0..18 {
            one_a_second(&mut ring, round * 600, (round + 1) * 600, round);
            assert!(ring.is_sound());
            ring.freeze(Timestamp((round + 1) * 600_000));
            assert!(ring.is_sound());
        }
        let broken = |change: fn(&mut CountsRing)| {
            let mut ring = ring.clone();
            change(&mut ring);
            !ring.is_sound()
        };
        assert!(broken(|ring| ring.fine.sums[0].1.requests += 1));
        assert!(broken(|ring| ring.minutes.sums[1].0 = 0));
        assert!(broken(|ring| ring.coarse.buckets.swap(0, 1)));
        assert!(broken(|ring| ring.hours.buckets[0].1.slow = u64::MAX));
    }

    /// Scenario: ten days of traffic.
    /// Guarantees: memory stays within the bound the type promises.
    #[test]
    fn memory_is_bounded() {
        let mut ring = CountsRing::default();
        for minute in 0..14_400 {
            ring.push(Timestamp(minute * 60_000), Counts { requests: 60, errors: 0, slow: 0 });
            ring.freeze(Timestamp(minute * 60_000));
        }
        let buckets = [
            (ring.fine.buckets.len(), 61),
            (ring.middle.buckets.len(), 31),
            (ring.minutes.buckets.len(), 61),
            (ring.coarse.buckets.len(), 73),
            (ring.hours.buckets.len(), 73),
        ];
        assert!(buckets.iter().all(|(found, most)| found <= most), "{buckets:?}");
    }

    /// Scenario: half a minute of silence after the last requests; then a failure of that last second is told.
    /// Guarantees: it counts in the windows that still hold that second, and in no other, now and later.
    #[test]
    fn a_late_count_stays_in_no_window_for_good() {
        let mut ring = CountsRing::default();
        one_a_second(&mut ring, 0, 10, 0);
        ring.freeze(Timestamp(40_000));
        ring.push(Timestamp(9000), Counts { requests: 0, errors: 1, slow: 0 });
        let errors =
            |ring: &mut CountsRing, second: u64, window| ring.freeze(Timestamp(second * 1000)).over(window).errors;
        assert_eq!((errors(&mut ring, 41, Window::Now), errors(&mut ring, 41, Window::Minute)), (0, 1));
        one_a_second(&mut ring, 100, 101, 0);
        assert!(Window::ALL[..2].iter().all(|window| errors(&mut ring, 200, *window) == 0));
    }

    /// Scenario: a source reports late, for a second that has already been counted.
    /// Guarantees: the requests are counted in the newest bucket rather than lost.
    #[test]
    fn late_counts_are_not_lost() {
        let mut ring = CountsRing::default();
        one_a_second(&mut ring, 0, 10, 0);
        ring.push(Timestamp(3000), Counts { requests: 5, errors: 0, slow: 0 });
        assert_eq!(ring.freeze(Timestamp(10_000)).over(Window::Minute).requests, 15);
    }
}
