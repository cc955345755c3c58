//! The track of one signal.
//!
//! Answers what a signal reads now, given what was observed of it. Counters become rates over ten seconds, because SDKs
//! export in bursts and a rate over one second would see nothing, then everything.

use std::collections::VecDeque;

use homeostat_core::{
    Direction, Indicator, IndicatorKind, Millis, MissingReason, PerceptionSettings, Reading, Timestamp, Witness,
};

use crate::witnesses::Witnesses;

/// The time over which a counter's rate is taken.
const RATE_OVER: Millis = Millis::from_secs(10);

/// The time over which an averaged gauge is read: long enough to calm a queue's jumps, short enough to see a fault at once.
const MEAN_OVER: Millis = Millis::from_secs(5);

/// Readings kept per counter or averaged gauge: one a second over either time, and room. A source that reports faster is
/// read over a shorter time.
const RECENT_MAX: usize = 20;

/// One observation of a signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// The total or the value.
    pub(crate) value: u64,
    /// When it was true at the source.
    pub(crate) at: Timestamp,
    /// Who says so.
    pub(crate) witness: Witness,
}

/// What an observation did to a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absorbed {
    /// A counter grew.
    Grew {
        /// By this much since the last observation.
        by: u64,
    },
    /// A gauge was read, or there was nothing new.
    Read,
}

/// Everything remembered of one signal.
#[derive(Debug)]
pub(crate) struct Track {
    value: u64,
    at: Timestamp,
    /// The fastest rise seen, in units per second.
    rise_max: u64,
    /// Oldest first. Of a counter: recent totals, with resets removed. Of an averaged gauge: recent values.
    recent: VecDeque<(Timestamp, u64)>,
    /// What `recent` says, worked out when it changes: a tick reads every track, and the readings lie elsewhere in memory.
    said: Option<u64>,
    witness: Witness,
    /// Of a gauge that two sources tell.
    witnesses: Option<Box<Witnesses>>,
}

impl Track {
    pub(crate) fn first(indicator: Indicator, heard: Heard) -> Track {
        let Heard { value, at, witness } = heard;
        let first = match indicator.kind() {
            IndicatorKind::Counter => Some(0),
            IndicatorKind::Averaged => Some(value),
            IndicatorKind::Gauge => None,
        };
        let recent = first.map(|first| (at, first)).into_iter().collect();
        let mut track = Track { value, at, rise_max: 0, recent, said: None, witness, witnesses: None };
        track.say(indicator);
        track
    }

    pub(crate) const fn last_at(&self) -> Timestamp {
        self.at
    }

    pub(crate) fn absorb(&mut self, indicator: Indicator, heard: Heard) -> Absorbed {
        let Heard { value, at, witness } = heard;
        // Totals of two sources count different things; the first one is kept.
        if at < self.at || (witness != self.witness && indicator.kind() == IndicatorKind::Counter) {
            return Absorbed::Read;
        }
        match &mut self.witnesses {
            Some(witnesses) => witnesses.hear(heard),
            None if witness != self.witness => {
                let before = Heard { value: self.value, at: self.at, witness: self.witness };
                self.witnesses = Some(Box::new(Witnesses::of(before, heard)));
            }
            None => {}
        }
        if self.contradicts(indicator, value, at) {
            return Absorbed::Read;
        }
        let absorbed = match indicator.kind() {
            IndicatorKind::Counter => self.absorb_total(value, at),
            IndicatorKind::Gauge | IndicatorKind::Averaged => self.absorb_gauge(indicator, value, at),
        };
        (self.value, self.at) = (value, at);
        self.say(indicator);
        absorbed
    }

    /// Whether `value` disagrees with what a gauge said of the same instant, and is not to be believed. The worse of the two
    /// is believed, and where neither is worse the first, so that it does not depend on who speaks last.
    fn contradicts(&mut self, indicator: Indicator, value: u64, at: Timestamp) -> bool {
        if indicator.kind() == IndicatorKind::Counter || self.at < at {
            return false;
        }
        let is_worse = indicator.direction() == Direction::HigherIsWorse && self.value < value;
        if is_worse {
            self.recent.pop_back();
        }
        !is_worse
    }

    pub(crate) fn read(&self, indicator: Indicator, now: Timestamp, settings: &PerceptionSettings) -> Reading {
        let age = now.since(self.at);
        match self.said {
            None => Reading::Missing { why: MissingReason::OneTotalOnly },
            Some(_) if self.witnesses.as_ref().is_some_and(|both| both.contradict(now, settings)) => {
                Reading::Missing { why: MissingReason::Contradictory }
            }
            Some(value) if age <= settings.stale_after => Reading::Fresh { value },
            Some(last) => Reading::Stale { last, worst: self.worst(indicator, last, age), age },
        }
    }

    fn say(&mut self, indicator: Indicator) {
        self.said = match indicator.kind() {
            IndicatorKind::Gauge => Some(self.value),
            IndicatorKind::Averaged => self.mean(),
            IndicatorKind::Counter => self.rate_milli_per_second(),
        };
    }

    fn absorb_gauge(&mut self, indicator: Indicator, value: u64, at: Timestamp) -> Absorbed {
        let (rise, span_ms) = (value.saturating_sub(self.value), at.since(self.at).0);
        let rise_per_second = rise.saturating_mul(1000).checked_div(span_ms).unwrap_or(0);
        self.rise_max = self.rise_max.max(rise_per_second);
        if indicator.kind() == IndicatorKind::Averaged {
            self.recent.push_back((at, value));
            let too_old = |first: Option<&(Timestamp, u64)>| first.is_some_and(|first| MEAN_OVER <= at.since(first.0));
            while RECENT_MAX < self.recent.len() || too_old(self.recent.front()) {
                self.recent.pop_front();
            }
        }
        Absorbed::Read
    }

    /// A total below the last one means that the source started again: everything it has counted since is new.
    fn absorb_total(&mut self, total: u64, at: Timestamp) -> Absorbed {
        let by = if self.value <= total { total - self.value } else { total };
        let (last_at, sum) = self.recent.back().copied().unwrap_or((at, 0));
        if last_at == at {
            self.recent.pop_back();
        }
        self.recent.push_back((at, sum + by));
        while RECENT_MAX < self.recent.len() || self.second_is_old_enough(at) {
            self.recent.pop_front();
        }
        Absorbed::Grew { by }
    }

    fn second_is_old_enough(&self, at: Timestamp) -> bool {
        self.recent.get(1).is_some_and(|(second, _)| RATE_OVER <= at.since(*second))
    }

    fn rate_milli_per_second(&self) -> Option<u64> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let span_ms = last.0.since(first.0).0;
        (0 < span_ms).then(|| (last.1 - first.1).saturating_mul(1_000_000) / span_ms)
    }

    fn mean(&self) -> Option<u64> {
        let sum: u64 = self.recent.iter().map(|(_, value)| value).sum();
        sum.checked_div(self.recent.len() as u64)
    }

    fn worst(&self, indicator: Indicator, last: u64, age: Millis) -> u64 {
        match indicator.direction() {
            Direction::HigherIsWorse => last.saturating_add(self.rise_max.saturating_mul(age.0) / 1000),
            Direction::Neutral => last,
        }
    }
}
