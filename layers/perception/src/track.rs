//! The track of one signal.
//!
//! Answers what a signal reads now, given what was observed of it. Counters become rates over ten seconds, because SDKs
//! export in bursts and a rate over one second would see nothing, then everything.

use std::collections::VecDeque;

use homeostat_core::{
    Direction, Indicator, IndicatorKind, Millis, MissingReason, PerceptionSettings, Reading, Timestamp,
};

/// The time over which a counter's rate is taken.
const RATE_OVER: Millis = Millis::from_secs(10);

/// Totals kept per counter: one a second over [`RATE_OVER`], and room for sources that report faster. When full, the
/// rate is taken over a shorter time.
const TOTALS_MAX: usize = 16;

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
    /// Counters only: recent totals, oldest first, with resets removed.
    totals: VecDeque<(Timestamp, u64)>,
}

impl Track {
    pub(crate) fn first(value: u64, at: Timestamp) -> Track {
        Track { value, at, rise_max: 0, totals: VecDeque::from([(at, 0)]) }
    }

    pub(crate) const fn last_at(&self) -> Timestamp {
        self.at
    }

    pub(crate) fn absorb(&mut self, indicator: Indicator, value: u64, at: Timestamp) -> Absorbed {
        if at < self.at {
            return Absorbed::Read;
        }
        let absorbed = match indicator.kind() {
            IndicatorKind::Counter => self.absorb_total(value, at),
            IndicatorKind::Gauge => self.absorb_gauge(value, at),
        };
        (self.value, self.at) = (value, at);
        absorbed
    }

    pub(crate) fn read(&self, indicator: Indicator, now: Timestamp, settings: &PerceptionSettings) -> Reading {
        let value = match indicator.kind() {
            IndicatorKind::Gauge => Some(self.value),
            IndicatorKind::Counter => self.rate_milli_per_second(),
        };
        let age = now.since(self.at);
        match value {
            None => Reading::Missing { why: MissingReason::OneTotalOnly },
            Some(value) if age <= settings.stale_after => Reading::Fresh { value },
            Some(last) => Reading::Stale { last, worst: self.worst(indicator, last, age), age },
        }
    }

    fn absorb_gauge(&mut self, value: u64, at: Timestamp) -> Absorbed {
        let (rise, span_ms) = (value.saturating_sub(self.value), at.since(self.at).0);
        let rise_per_second = rise.saturating_mul(1000).checked_div(span_ms).unwrap_or(0);
        self.rise_max = self.rise_max.max(rise_per_second);
        Absorbed::Read
    }

    /// A total below the last one means that the source started again: everything it has counted since is new.
    fn absorb_total(&mut self, total: u64, at: Timestamp) -> Absorbed {
        let by = if self.value <= total { total - self.value } else { total };
        let (last_at, sum) = self.totals.back().copied().unwrap_or((at, 0));
        if last_at == at {
            self.totals.pop_back();
        }
        self.totals.push_back((at, sum + by));
        while TOTALS_MAX < self.totals.len() || self.second_is_old_enough(at) {
            self.totals.pop_front();
        }
        Absorbed::Grew { by }
    }

    fn second_is_old_enough(&self, at: Timestamp) -> bool {
        self.totals.get(1).is_some_and(|(second, _)| RATE_OVER <= at.since(*second))
    }

    fn rate_milli_per_second(&self) -> Option<u64> {
        let (first, last) = (self.totals.front()?, self.totals.back()?);
        let span_ms = last.0.since(first.0).0;
        (0 < span_ms).then(|| (last.1 - first.1).saturating_mul(1_000_000) / span_ms)
    }

    fn worst(&self, indicator: Indicator, last: u64, age: Millis) -> u64 {
        match indicator.direction() {
            Direction::HigherIsWorse => last.saturating_add(self.rise_max.saturating_mul(age.0) / 1000),
            Direction::Neutral => last,
        }
    }
}
