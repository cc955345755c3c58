//! The services that are observed.
//!
//! Answers what is observed of each service at a second: ten signals, and whom it calls. A tenth of the services are named in
//! the settings, with promises and envelopes of their own; a few fail or starve from some second on, so that there are
//! findings, incidents and decisions; what the loop decides comes true. Values follow from numbers alone, so every run is
//! the same.

use homeostat_core::{
    Actuation, Autonomy, BasisPoints, Effect, Indicator, Micros, Observation, Replicas, Report, ReportKind,
    ServiceName, ServiceObjectives, ServiceScaling, Settings, Target, Timestamp,
};

/// From this second on some services are in trouble; all are well before, so that what is normal can be learned.
const TROUBLE_FROM: u64 = 40;

/// One service in so many fails a fifth of its requests.
const FAILING_ONE_IN: usize = 250;

/// One service in so many needs more than it has.
const STARVED_ONE_IN: usize = 300;

/// One service in so many is named in the settings.
const NAMED_ONE_IN: usize = 10;

/// Spans of one request in one service.
const SPANS_PER_REQUEST: u64 = 6;

/// A prime larger than any fleet: services are heard in an order that is neither that of their names nor by chance.
const STRIDE: usize = 1_000_003;

pub(crate) struct Fleet {
    services: Vec<Service>,
    agent: [u64; 3],
}

struct Service {
    name: ServiceName,
    /// Requests a second.
    rate: u64,
    replicas: u64,
    tail_ppm: u64,
    /// Since the start: requests, errors, slow, spans kept.
    totals: [u64; 4],
}

impl Fleet {
    pub(crate) fn of(count: usize) -> Fleet {
        let service = |index: usize| Service {
            name: ServiceName::from(format!("team-{}.service-{index:06}", index % 97).as_str()),
            rate: 5 + noise(index, 0) % 96,
            replicas: 3,
            tail_ppm: 1_000_000,
            totals: [0; 4],
        };
        Fleet { services: (0..count).map(service).collect(), agent: [0; 3] }
    }

    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.autonomy.scaling = Autonomy::Act;
        for service in self.services.iter().step_by(NAMED_ONE_IN) {
            let promises = ServiceObjectives {
                availability: BasisPoints(9950),
                latency: BasisPoints(9900),
                latency_threshold: Micros::from_millis(250),
            };
            settings.objectives.services.insert(service.name.clone(), promises);
            let envelope = ServiceScaling { min: Replicas(1), max: Replicas(20) };
            settings.scaling.services.insert(service.name.clone(), envelope);
        }
        settings
    }

    /// Everything that is observed at `second`: all signals of one service together, the services in no particular order.
    pub(crate) fn observe(&mut self, second: u64) -> Vec<Observation> {
        let (count, at) = (self.services.len(), Timestamp(second * 1000));
        let mut seen = Vec::with_capacity(count * 11 + 3);
        for step in 0..count {
            let index = step * STRIDE % count;
            let readings = self.services[index].pass(index, second, &mut self.agent);
            let service = &self.services[index];
            let target = || Target::Service(service.name.clone());
            seen.extend(readings.map(|(indicator, value)| Observation::new(target(), indicator, value, at)));
            if 0 < index {
                let (caller, callee) = (self.services[index / 2].name.clone(), service.name.clone());
                seen.push(Observation::Called { caller, callee, total: second, at });
            }
        }
        let of_the_agent = [Indicator::SpansReceivedTotal, Indicator::SpansKeptTotal, Indicator::SpansKeptByRuleTotal];
        let totals = of_the_agent.into_iter().zip(self.agent);
        seen.extend(totals.map(|(indicator, value)| Observation::new(Target::Agent, indicator, value, at)));
        seen
    }

    /// Brings about what the loop wants, and says so.
    pub(crate) fn carry_out(&mut self, effect: &Effect) -> Report {
        let (id, actuation, kind) = match effect {
            Effect::Apply { id, actuation } => (*id, Some(actuation), ReportKind::Applied),
            Effect::Undo { id, actuation } => (*id, Some(actuation), ReportKind::Undone),
            Effect::ReadBack { id, .. } => (*id, None, ReportKind::ReadBack { actual: None }),
        };
        match actuation {
            Some(Actuation::SetReplicas { service, replicas }) => {
                self.of_name(service).replicas = u64::from(replicas.0);
            }
            Some(Actuation::SetSampling { service, sampling, .. }) => {
                self.of_name(service).tail_ppm = u64::from(sampling.tail.ppm());
            }
            Some(
                Actuation::SetParameter { .. }
                | Actuation::Restart { .. }
                | Actuation::Profile { .. }
                | Actuation::Notify { .. },
            )
            | None => {}
        }
        Report { id, kind }
    }

    fn of_name(&mut self, name: &ServiceName) -> &mut Service {
        let (_, number) = name.as_str().rsplit_once('-').expect("every name ends in its number");
        &mut self.services[number.parse::<usize>().expect("every name ends in its number")]
    }
}

impl Service {
    /// One second passes; returns what is read afterwards. `agent` sums spans received, kept, and kept by rule.
    fn pass(&mut self, index: usize, second: u64, agent: &mut [u64; 3]) -> [(Indicator, u64); 10] {
        let in_trouble = TROUBLE_FROM <= second;
        let is_failing = in_trouble && index % FAILING_ONE_IN == 3;
        let is_starved = in_trouble && index.is_multiple_of(STARVED_ONE_IN);
        let jitter = noise(index, second);
        let errors = if is_failing { self.rate / 5 } else { u64::from(jitter.is_multiple_of(20)) };
        let spans = self.rate * SPANS_PER_REQUEST;
        let by_rule = errors * SPANS_PER_REQUEST;
        let kept = by_rule + (spans - by_rule) * self.tail_ppm / 1_000_000;
        for (total, more) in self.totals.iter_mut().zip([self.rate, errors, u64::from(jitter % 30 == 1), kept]) {
            *total += more;
        }
        for (total, more) in agent.iter_mut().zip([spans, kept, by_rule]) {
            *total += more;
        }
        let demand = if is_starved { 28_000 } else { 9000 + jitter % 9000 };
        [
            (Indicator::RequestsTotal, self.totals[0]),
            (Indicator::ErrorsTotal, self.totals[1]),
            (Indicator::SlowTotal, self.totals[2]),
            (Indicator::LatencyP50, 2000 + jitter % 1000),
            (Indicator::LatencyP99, 20_000 + jitter % 9000),
            (Indicator::SpansReceivedTotal, self.totals[0] * SPANS_PER_REQUEST),
            (Indicator::SpansKeptTotal, self.totals[3]),
            (Indicator::SpansKeptByRuleTotal, self.totals[1] * SPANS_PER_REQUEST),
            (Indicator::Utilization, (demand / self.replicas).min(10_000)),
            (Indicator::ReplicasReady, self.replicas),
        ]
    }
}

/// A number that looks random (the finalizer of SplitMix64).
fn noise(index: usize, second: u64) -> u64 {
    let mut value =
        (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(second.wrapping_mul(0xD1B5_4A32_D192_ED03));
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}
