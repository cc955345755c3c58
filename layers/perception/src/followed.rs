//! One target that is followed.
//!
//! Answers what is known of all signals of a target, and how many requests it had. They lie together because they are
//! observed, read and forgotten together.

use homeostat_core::{
    Counts, CountsRing, Indicator, PerIndicator, PerceptionSettings, Reading, Target, Timestamp, Window, WindowCounts,
};

use crate::track::{Absorbed, Heard, Track};

/// Everything remembered of one target.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    tracks: PerIndicator<Track>,
    /// Only of a service or an operation that has served requests.
    counts: Option<Box<CountsRing>>,
}

impl Followed {
    /// A service of which only `ring` is known.
    pub(crate) fn counted(ring: CountsRing) -> Followed {
        Followed { tracks: PerIndicator::default(), counts: Some(Box::new(ring)) }
    }

    pub(crate) fn counts(&self) -> Option<&CountsRing> {
        self.counts.as_deref()
    }

    pub(crate) fn absorb(&mut self, target: &Target, indicator: Indicator, heard: Heard) {
        let Some(track) = self.tracks.get_mut(indicator) else {
            self.tracks.insert(indicator, Track::first(indicator, heard));
            return;
        };
        let counted = matches!(target, Target::Service(_) | Target::Operation(..));
        if let (Absorbed::Grew { by }, true) = (track.absorb(indicator, heard), counted) {
            self.count(indicator, by, heard.at);
        }
    }

    pub(crate) fn read(&self, now: Timestamp, settings: &PerceptionSettings) -> PerIndicator<Reading> {
        self.tracks.filter_map(|indicator, track| Some(track.read(indicator, now, settings)))
    }

    pub(crate) fn freeze_counts(&mut self, now: Timestamp) -> Option<WindowCounts> {
        self.counts.as_mut().map(|ring| ring.freeze(now))
    }

    /// Forgets what is too old; returns whether anything is left.
    pub(crate) fn forget(&mut self, now: Timestamp, settings: &PerceptionSettings) -> bool {
        for indicator in Indicator::ALL {
            let is_old = |track: &Track| settings.forget_after <= now.since(track.last_at());
            if self.tracks.get(indicator).is_some_and(is_old) {
                self.tracks.remove(indicator);
            }
        }
        let longest = Window::ThreeDays.length();
        self.counts.take_if(|ring| longest <= now.since(ring.last_at()));
        self.counts.is_some() || !self.tracks.is_empty()
    }

    /// When the first thing of it will be too old, if nothing more is observed.
    pub(crate) fn forget_due(&self, settings: &PerceptionSettings) -> Timestamp {
        let tracks = self.tracks.iter().map(|(_, track)| track.last_at() + settings.forget_after);
        let counts = self.counts.iter().map(|ring| ring.last_at() + Window::ThreeDays.length());
        tracks.chain(counts).min().unwrap_or(Timestamp(u64::MAX))
    }

    fn count(&mut self, indicator: Indicator, by: u64, at: Timestamp) {
        let counts = match indicator {
            Indicator::RequestsTotal => Counts { requests: by, ..Counts::default() },
            Indicator::ErrorsTotal => Counts { errors: by, ..Counts::default() },
            Indicator::SlowTotal => Counts { slow: by, ..Counts::default() },
            _ => return,
        };
        self.counts.get_or_insert_default().push(at, counts);
    }
}
