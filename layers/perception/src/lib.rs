//! Perception: observations in, one frozen snapshot out.
//!
//! Answers what is known at an instant, how old each part is, and what is not known. Does not judge a value. Observations
//! are absorbed at any time and trigger nothing; a tick freezes what has been absorbed.

mod followed;
mod track;
mod witnesses;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use homeostat_core::{
    BasisPoints, CountsRing, Edge, Indicator, Millis, Observation, PerSignal, PerceptionSettings, Reading, ServiceName,
    Snapshot, Target, Timestamp,
};

use crate::followed::Followed;
use crate::track::Heard;

/// Edges of the service graph kept at once: four for each service that is followed by default.
const EDGES_MAX: usize = 65_536;

/// Everything that has been observed and not yet forgotten.
#[derive(Debug, Default)]
pub struct Perception {
    targets: BTreeMap<Target, Box<Followed>>,
    edges: BTreeMap<Edge, Timestamp>,
    /// The edges as the last snapshot has them; `None` when edges have come or gone since.
    frozen_edges: Option<Arc<BTreeSet<Edge>>>,
    overflow: u64,
    /// Before this nothing is too old, as long as `forget_after` is what it was then.
    forget_due: Timestamp,
    forget_after: Millis,
}

impl Perception {
    /// Continues with the request counts of an earlier process.
    pub fn recovered(counts: BTreeMap<ServiceName, CountsRing>) -> Perception {
        let followed = |(service, ring)| (Target::Service(service), Box::new(Followed::counted(ring)));
        Perception { targets: counts.into_iter().map(followed).collect(), ..Perception::default() }
    }

    /// Request counts over the long windows, to be kept across a restart.
    pub fn counts(&self) -> BTreeMap<ServiceName, CountsRing> {
        let rings = self.targets.iter().filter_map(|(target, followed)| match target {
            Target::Service(service) => Some((service.clone(), followed.counts()?.clone())),
            Target::Agent | Target::Operation(..) | Target::Instance(..) => None,
        });
        rings.collect()
    }

    /// Takes observations. Nothing is decided here. A source tells all signals of a target together, so each run of
    /// observations of one target costs one look-up.
    pub fn absorb(&mut self, now: Timestamp, observations: &[Observation], settings: &PerceptionSettings) {
        for run in observations.chunk_by(are_of_one_target) {
            match &run[0] {
                Observation::Measured { signal, .. } => self.absorb_run(now, &signal.target, run, settings),
                Observation::Called { caller, callee, at, .. } => {
                    let at = now.min(*at);
                    self.forget_due = self.forget_due.min(at + self.forget_after);
                    self.absorb_call(Edge { caller: caller.clone(), callee: callee.clone() }, at);
                }
            }
        }
    }

    /// Freezes everything known at `now`.
    pub fn freeze(&mut self, now: Timestamp, settings: &PerceptionSettings) -> Snapshot {
        self.forget(now, settings);
        let (mut known, mut fresh, mut counts) = (0, 0, Vec::with_capacity(self.targets.len()));
        let mut operations = BTreeMap::new();
        let frozen = self.targets.iter_mut().filter_map(|(target, followed)| {
            let readings = Box::new(followed.read(now, settings));
            // Instances come and go; that one is silent says nothing of the agent's eyes.
            let told = readings.iter().filter(|_| !matches!(target, Target::Instance(..)));
            for (_, reading) in told {
                known += 1;
                fresh += u64::from(matches!(reading, Reading::Fresh { .. }));
            }
            // What was counted by an earlier process is told once the service is heard again.
            match (target, readings.get(Indicator::RequestsTotal)) {
                (Target::Service(service), Some(_)) => {
                    counts.extend(followed.freeze_counts(now).map(|counts| (service.clone(), counts)));
                }
                (Target::Operation(service, operation), Some(_)) => {
                    let key = || (service.clone(), operation.clone());
                    operations.extend(followed.freeze_counts(now).map(|counts| (key(), counts)));
                }
                _ => {}
            }
            (!readings.is_empty()).then(|| (target.clone(), readings))
        });
        let signals: PerSignal<Reading> = frozen.collect();
        Snapshot {
            at: now,
            blindness: BasisPoints::from_ratio(known - fresh, known),
            signals,
            counts: counts.into_iter().collect(),
            operations,
            edges: self.freeze_edges(),
            overflow: self.overflow,
        }
    }

    fn absorb_run(&mut self, now: Timestamp, target: &Target, run: &[Observation], settings: &PerceptionSettings) {
        let has_room = self.targets.len() < settings.targets_max as usize;
        let followed = match has_room {
            true => Some(self.targets.entry(target.clone()).or_default()),
            false => self.targets.get_mut(target),
        };
        let Some(followed) = followed else {
            self.overflow += run.len() as u64;
            return;
        };
        for observation in run {
            if let Observation::Measured { signal, value, at, witness } = observation {
                let at = now.min(*at);
                self.forget_due = self.forget_due.min(at + self.forget_after);
                followed.absorb(target, signal.indicator, Heard { value: *value, at, witness: *witness });
            }
        }
    }

    fn absorb_call(&mut self, edge: Edge, at: Timestamp) {
        if let Some(last) = self.edges.get_mut(&edge) {
            *last = at.max(*last);
        } else if self.edges.len() < EDGES_MAX {
            self.edges.insert(edge, at);
            self.frozen_edges = None;
        } else {
            self.overflow += 1;
        }
    }

    fn freeze_edges(&mut self) -> Arc<BTreeSet<Edge>> {
        let edges = &self.edges;
        self.frozen_edges.get_or_insert_with(|| Arc::new(edges.keys().cloned().collect())).clone()
    }

    /// Forgets what is too old. Looks at everything only when something may be: each look says when the next is due, and
    /// what is observed later can only bring that nearer.
    fn forget(&mut self, now: Timestamp, settings: &PerceptionSettings) {
        if now < self.forget_due && settings.forget_after == self.forget_after {
            return;
        }
        self.targets.retain(|_, followed| followed.forget(now, settings));
        let edges_before = self.edges.len();
        self.edges.retain(|_, at| now.since(*at) < settings.forget_after);
        if self.edges.len() != edges_before {
            self.frozen_edges = None;
        }
        self.forget_after = settings.forget_after;
        let targets = self.targets.values().map(|followed| followed.forget_due(settings));
        let edges = self.edges.values().map(|at| *at + settings.forget_after);
        self.forget_due = targets.chain(edges).min().unwrap_or(Timestamp(u64::MAX));
    }
}

fn are_of_one_target(one: &Observation, other: &Observation) -> bool {
    match (one, other) {
        (Observation::Measured { signal: one, .. }, Observation::Measured { signal: other, .. }) => {
            one.target == other.target
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{MissingReason, Window, Witness};

    use super::*;

    fn service() -> Target {
        Target::Service(ServiceName::from("cart"))
    }

    fn observe(perception: &mut Perception, indicator: Indicator, value: u64, second: u64) {
        let at = Timestamp(second * 1000);
        let observation = Observation::new(service(), indicator, value, at);
        perception.absorb(at, &[observation], &PerceptionSettings::default());
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

    /// Scenario: of one instant there are two readings each, of utilisation and of instances, in either order.
    /// Guarantees: the higher utilisation is believed whoever speaks last, and of instances what was said first.
    #[test]
    fn of_two_readings_that_disagree_the_worse_is_believed() {
        for (first, second) in [(3000, 9000), (9000, 3000)] {
            let mut perception = Perception::default();
            for at_s in 100..110 {
                observe(&mut perception, Indicator::Utilization, first, at_s);
                observe(&mut perception, Indicator::Utilization, second, at_s);
                observe(&mut perception, Indicator::ReplicasReady, first, at_s);
                observe(&mut perception, Indicator::ReplicasReady, second, at_s);
            }
            let snapshot = freeze(&mut perception, 109);
            assert_eq!(snapshot.reading(&service(), Indicator::Utilization).fresh(), Some(9000));
            assert_eq!(snapshot.reading(&service(), Indicator::ReplicasReady).fresh(), Some(first));
        }
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

    /// Scenario: telemetry says a service is idle and its scale endpoint says that it is busy; then both say nearly the same;
    /// then one of them falls silent.
    /// Guarantees: while they contradict each other nothing is known; when they agree, or one is stale, the rest is believed.
    #[test]
    fn what_two_sources_say_differently_is_not_known() {
        let mut perception = Perception::default();
        let mut read = |second: u64, telemetry: Option<u64>, endpoint: u64| {
            let at = Timestamp(second * 1000);
            let said = |value| Observation::new(service(), Indicator::Utilization, value, at);
            let both = [telemetry.map(said), Some(said(endpoint).by(Witness::ScaleEndpoint))];
            let both: Vec<_> = both.into_iter().flatten().collect();
            perception.absorb(at, &both, &PerceptionSettings::default());
            freeze(&mut perception, second).reading(&service(), Indicator::Utilization)
        };
        let contradictory = Reading::Missing { why: MissingReason::Contradictory };
        assert_eq!((100..110).map(|second| read(second, Some(500), 9000)).find(|found| *found != contradictory), None);
        let agreed = (110..140).map(|second| read(second, Some(8000), 9000)).last();
        assert!(matches!(agreed, Some(Reading::Fresh { .. })), "{agreed:?}");
        let broken = (140..145).map(|second| read(second, Some(100), 9000)).last();
        assert_eq!(broken, Some(contradictory));
        let alone = (145..170).map(|second| read(second, None, 9000)).last();
        assert_eq!(alone, Some(Reading::Fresh { value: 9000 }));
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
        let late = Observation::new(service(), Indicator::RequestsTotal, 15, Timestamp(103_000));
        perception.absorb(Timestamp(106_000), &[late], &PerceptionSettings::default());
        assert_eq!(freeze(&mut perception, 106).counts[&ServiceName::from("cart")].over(Window::Minute).requests, 10);
    }

    /// Scenario: a hostile sender invents services without end, each with two signals.
    /// Guarantees: the number of targets is bounded, what is refused is counted, and those known before are still heard.
    #[test]
    fn hostile_names_do_not_fill_the_memory() {
        let settings = PerceptionSettings { targets_max: 100, ..PerceptionSettings::default() };
        let mut perception = Perception::default();
        let mut absorb = |number: usize, at| {
            let target = Target::Service(ServiceName::from(format!("s{number}").as_str()));
            let read = |indicator| Observation::new(target.clone(), indicator, 1, at);
            perception.absorb(at, &[Indicator::LatencyP50, Indicator::Utilization].map(read), &settings);
        };
        (0..110).for_each(|number| absorb(number, Timestamp(1000)));
        absorb(0, Timestamp(30_000));
        let snapshot = perception.freeze(Timestamp(30_000), &settings);
        assert_eq!((snapshot.signals.len(), snapshot.overflow), (200, 20));
        let reading = snapshot.reading(&Target::Service("s0".into()), Indicator::Utilization);
        assert_eq!(reading, Reading::Fresh { value: 1 });
    }

    /// Scenario: calls are seen every second, then one stops and is forgotten.
    /// Guarantees: snapshots share one set of edges while it stays the same, and tell the truth when it changes.
    #[test]
    fn edges_are_shared_until_they_change() {
        let settings = PerceptionSettings::default();
        let mut perception = Perception::default();
        let call = |callee: &str, second: u64| Observation::Called {
            caller: "web".into(),
            callee: callee.into(),
            total: 1,
            at: Timestamp(second * 1000),
        };
        perception.absorb(Timestamp(1000), &[call("cart", 1), call("pay", 1)], &settings);
        let first = freeze(&mut perception, 1);
        perception.absorb(Timestamp(500_000), &[call("cart", 500)], &settings);
        let second = freeze(&mut perception, 500);
        assert!(Arc::ptr_eq(&first.edges, &second.edges) && first.edges.len() == 2);
        let callees: Vec<_> = freeze(&mut perception, 700).edges.iter().map(|edge| edge.callee.clone()).collect();
        assert_eq!(callees, [ServiceName::from("cart")]);
    }
}
