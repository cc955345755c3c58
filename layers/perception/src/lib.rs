//! Perception: observations in, one frozen snapshot out.
//!
//! Answers what is known at an instant, how old each part is, and what is not known. Does not judge a value. Observations
//! are absorbed at any time and trigger nothing; a tick freezes what has been absorbed.

mod track;

use std::collections::BTreeMap;

use homeostat_core::{
    BasisPoints, Counts, CountsRing, Edge, Indicator, Observation, PerceptionSettings, Reading, ServiceName, Signal,
    Snapshot, Target, Timestamp, Window,
};

use crate::track::{Absorbed, Track};

/// Signals followed at once: a thousand services with a dozen signals each, and room. Beyond it, new signals are refused and
/// counted, so that hostile names cannot fill the memory.
const SIGNALS_MAX: usize = 16_384;

/// Services whose request counts are kept over the long windows. Each costs about 30 KiB.
const SERVICES_MAX: usize = 1024;

/// Edges of the service graph kept at once.
const EDGES_MAX: usize = 8192;

/// Everything that has been observed and not yet forgotten.
#[derive(Debug, Default)]
pub struct Perception {
    tracks: BTreeMap<Signal, Track>,
    counts: BTreeMap<ServiceName, CountsRing>,
    edges: BTreeMap<Edge, Timestamp>,
    overflow: u64,
}

impl Perception {
    /// Continues with the request counts of an earlier process.
    pub fn recovered(counts: BTreeMap<ServiceName, CountsRing>) -> Perception {
        Perception { counts, ..Perception::default() }
    }

    /// Request counts over the long windows, to be kept across a restart.
    pub fn counts(&self) -> &BTreeMap<ServiceName, CountsRing> {
        &self.counts
    }

    /// Takes one observation. Nothing is decided here.
    pub fn absorb(&mut self, now: Timestamp, observation: Observation) {
        match observation {
            Observation::Measured { signal, value, at } => self.absorb_measurement(signal, value, at.min(now)),
            Observation::Called { caller, callee, at, .. } => self.absorb_call(Edge { caller, callee }, at.min(now)),
        }
    }

    /// Freezes everything known at `now`.
    pub fn freeze(&mut self, now: Timestamp, settings: &PerceptionSettings) -> Snapshot {
        self.forget(now, settings);
        let signals: BTreeMap<Signal, Reading> = self
            .tracks
            .iter()
            .map(|(signal, track)| (signal.clone(), track.read(signal.indicator, now, settings)))
            .collect();
        let blind = signals.values().filter(|reading| !matches!(reading, Reading::Fresh { .. })).count();
        let followed = |service: &ServiceName| {
            self.tracks.contains_key(&Signal::new(Target::Service(service.clone()), Indicator::RequestsTotal))
        };
        let counts = self
            .counts
            .iter_mut()
            .filter(|(service, _)| followed(service))
            .map(|(service, ring)| (service.clone(), ring.freeze(now)))
            .collect();
        Snapshot {
            at: now,
            blindness: BasisPoints::from_ratio(blind as u64, signals.len() as u64),
            signals,
            counts,
            edges: self.edges.keys().cloned().collect(),
            overflow: self.overflow,
        }
    }

    fn absorb_measurement(&mut self, signal: Signal, value: u64, at: Timestamp) {
        if !self.tracks.contains_key(&signal) {
            if SIGNALS_MAX <= self.tracks.len() {
                self.overflow += 1;
                return;
            }
            let track = Track::first(signal.indicator, value, at);
            self.tracks.insert(signal, track);
            return;
        }
        let track = self.tracks.get_mut(&signal).expect("looked up above");
        if let Absorbed::Grew { by } = track.absorb(signal.indicator, value, at) {
            self.count(&signal, by, at);
        }
    }

    fn count(&mut self, signal: &Signal, by: u64, at: Timestamp) {
        let Target::Service(service) = &signal.target else { return };
        let counts = match signal.indicator {
            Indicator::RequestsTotal => Counts { requests: by, ..Counts::default() },
            Indicator::ErrorsTotal => Counts { errors: by, ..Counts::default() },
            Indicator::SlowTotal => Counts { slow: by, ..Counts::default() },
            _ => return,
        };
        if !self.counts.contains_key(service) {
            if SERVICES_MAX <= self.counts.len() {
                self.overflow += 1;
                return;
            }
            self.counts.insert(service.clone(), CountsRing::default());
        }
        self.counts.get_mut(service).expect("inserted above").push(at, counts);
    }

    fn absorb_call(&mut self, edge: Edge, at: Timestamp) {
        if EDGES_MAX <= self.edges.len() && !self.edges.contains_key(&edge) {
            self.overflow += 1;
            return;
        }
        let last = self.edges.entry(edge).or_insert(at);
        *last = at.max(*last);
    }

    fn forget(&mut self, now: Timestamp, settings: &PerceptionSettings) {
        self.tracks.retain(|_, track| now.since(track.last_at()) < settings.forget_after);
        self.edges.retain(|_, at| now.since(*at) < settings.forget_after);
        self.counts.retain(|_, ring| now.since(ring.last_at()) < Window::ThreeDays.length());
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Millis, MissingReason};

    use super::*;

    fn service() -> Target {
        Target::Service(ServiceName::from("cart"))
    }

    fn observe(perception: &mut Perception, indicator: Indicator, value: u64, second: u64) {
        let at = Timestamp(second * 1000);
        perception.absorb(at, Observation::new(service(), indicator, value, at));
    }

    fn freeze(perception: &mut Perception, second: u64) -> Snapshot {
        perception.freeze(Timestamp(second * 1000), &PerceptionSettings::default())
    }

    /// Scenario: a gauge is read once and then never again.
    /// Guarantees: fresh, then stale with its age, then forgotten; never reused as if it were fresh, and never zero.
    #[test]
    fn silence_ages_into_absence() {
        let mut perception = Perception::default();
        observe(&mut perception, Indicator::Utilization, 4000, 100);
        let read = |perception: &mut Perception, second| {
            freeze(perception, second).reading(&service(), Indicator::Utilization)
        };
        assert_eq!(read(&mut perception, 101), Reading::Fresh { value: 4000 });
        assert!(matches!(read(&mut perception, 130), Reading::Stale { last: 4000, age: Millis(30_000), .. }));
        assert_eq!(read(&mut perception, 5000), Reading::Missing { why: MissingReason::NeverObserved });
    }

    /// Scenario: utilisation jumps between 40 % and 80 % from second to second, then stays at 80 %.
    /// Guarantees: it reads as its mean over five seconds, and follows once it stays.
    #[test]
    fn utilisation_is_read_as_its_mean() {
        let mut perception = Perception::default();
        for second in 100..130 {
            observe(&mut perception, Indicator::Utilization, 4000 + second % 2 * 4000, second);
        }
        let mean = freeze(&mut perception, 129).reading(&service(), Indicator::Utilization).fresh();
        assert!(mean.is_some_and(|mean| (5600..=6400).contains(&mean)), "{mean:?}");
        for second in 130..135 {
            observe(&mut perception, Indicator::Utilization, 8000, second);
        }
        assert_eq!(freeze(&mut perception, 134).reading(&service(), Indicator::Utilization).fresh(), Some(8000));
    }

    /// Scenario: latency rose by 500 µs a second, then the sensor fell silent for twenty seconds.
    /// Guarantees: the worst case assumes that it went on rising as fast as it ever did.
    #[test]
    fn a_stale_reading_is_projected_to_its_worst_case() {
        let mut perception = Perception::default();
        observe(&mut perception, Indicator::LatencyP99, 4000, 100);
        observe(&mut perception, Indicator::LatencyP99, 4500, 101);
        let reading = freeze(&mut perception, 121).reading(&service(), Indicator::LatencyP99);
        assert_eq!(reading.worst_case(), Some(4500 + 20 * 500));
    }

    /// Scenario: a counter grows by five a second, is reset by a restart of its source, and grows on.
    /// Guarantees: the rate is five a second, the counts are exact, and the reset counts nothing twice.
    #[test]
    fn counters_become_rates_and_counts() {
        let mut perception = Perception::default();
        for second in 100..120 {
            observe(&mut perception, Indicator::RequestsTotal, (second - 100) * 5, second);
        }
        let snapshot = freeze(&mut perception, 119);
        assert_eq!(snapshot.reading(&service(), Indicator::RequestsTotal), Reading::Fresh { value: 5000 });
        let counted = |snapshot: &Snapshot| snapshot.counts[&ServiceName::from("cart")].over(Window::Minute).requests;
        assert_eq!(counted(&snapshot), 95);
        observe(&mut perception, Indicator::RequestsTotal, 3, 121);
        assert_eq!(counted(&freeze(&mut perception, 121)), 98);
    }

    /// Scenario: an observation overtaken by a newer one arrives late.
    /// Guarantees: it changes nothing.
    #[test]
    fn an_overtaken_observation_is_ignored() {
        let mut perception = Perception::default();
        observe(&mut perception, Indicator::RequestsTotal, 10, 100);
        observe(&mut perception, Indicator::RequestsTotal, 20, 105);
        perception
            .absorb(Timestamp(106_000), Observation::new(service(), Indicator::RequestsTotal, 15, Timestamp(103_000)));
        assert_eq!(freeze(&mut perception, 106).counts[&ServiceName::from("cart")].over(Window::Minute).requests, 10);
    }

    /// Scenario: a hostile sender invents services without end.
    /// Guarantees: the number of signals is bounded, and the refused ones are counted.
    #[test]
    fn hostile_names_do_not_fill_the_memory() {
        let mut perception = Perception::default();
        for number in 0..SIGNALS_MAX + 10 {
            let target = Target::Service(ServiceName::from(format!("s{number}").as_str()));
            perception.absorb(Timestamp(1000), Observation::new(target, Indicator::Utilization, 1, Timestamp(1000)));
        }
        let snapshot = freeze(&mut perception, 1);
        assert_eq!((snapshot.signals.len(), snapshot.overflow), (SIGNALS_MAX, 10));
    }
}
