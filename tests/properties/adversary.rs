//! An adversary and its world.
//!
//! Answers what the worst policy could propose and the worst world could report. Both draw from a seed, so a run can be
//! repeated; neither knows anything of guards.

use homeostat_core::actions::{self, Measure};
use homeostat_core::{
    Actuation, Autonomy, Effect, Event, Indicator, Label, Millis, Observation, Policy, PolicyView, Proposal, Replicas,
    Report, ReportKind, SamplingProbability, Seed, ServiceName, ServiceSampling, ServiceScaling, Settings, Signal,
    Stream, Target, Timestamp,
};

pub(crate) const POLICIES: &[&dyn Policy] = &[&Adversary];

/// Proposals the adversary makes for each service at each tick.
pub(crate) const PROPOSALS_PER_SERVICE: usize = 4;

/// More services than the class budget of scaling lets through in its window.
const SERVICES: usize = 12;

pub(crate) fn services() -> impl Iterator<Item = ServiceName> {
    (0..SERVICES).map(|number| ServiceName::from(format!("s{number:02}").as_str()))
}

/// Everything may act, on every service but the last, which nobody named.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.autonomy.scaling = Autonomy::Act;
    settings.perception.blind_above = homeostat_core::BasisPoints(9900);
    // The adversary's replicas wander by themselves; were they left alone for long after that, nothing would be tried.
    settings.guards.yield_for = Millis(1);
    settings.scaling.reduce_after = Millis::from_secs(20);
    for service in services().take(SERVICES - 1) {
        settings.scaling.services.insert(service, ServiceScaling { min: Replicas(1), max: Replicas(20) });
    }
    settings
}

/// Proposes anything, drawn from the instant.
struct Adversary;

impl Policy for Adversary {
    fn name(&self) -> &'static str {
        "adversary"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        let mut draws = Draws(Seed(view.snapshot.at.as_millis()).stream("adversary/proposals"));
        for service in services() {
            for _ in 0..PROPOSALS_PER_SERVICE {
                let action = anything(&service, &mut draws);
                let why = "because it can".to_owned();
                proposals.push(Proposal { policy: Label::new(self.name()), incident: None, action, why });
            }
        }
    }
}

fn anything(service: &ServiceName, draws: &mut Draws) -> actions::Action {
    let measure = Measure::Reading(Signal::new(Target::Service(service.clone()), Indicator::Utilization));
    let replicas = |draws: &mut Draws| Replicas(draws.below(40) as u32);
    let sampling = |draws: &mut Draws| ServiceSampling {
        head: SamplingProbability::from_ppm_saturating(draws.below(1_100_000)),
        tail: SamplingProbability::from_ppm_saturating(draws.below(1_100_000)),
    };
    match draws.below(4) {
        0 => actions::scale_out(service, replicas(draws), replicas(draws), measure),
        1 => actions::scale_in(service, replicas(draws), replicas(draws), measure, draws.below(20_000)),
        2 => actions::adjust_sampling(service, sampling(draws), sampling(draws), draws.below(1_000_000)),
        _ => actions::notify(service, Default::default(), homeostat_core::Severity::Page, "!".to_owned()),
    }
}

/// A world whose gauges wander, and whose reports cannot be trusted.
pub(crate) struct World {
    draws: Draws,
    reports: Vec<Report>,
}

impl World {
    pub(crate) fn new(seed: u64) -> World {
        World { draws: Draws(Seed(seed).stream("adversary/world")), reports: Vec::new() }
    }

    pub(crate) fn events(&mut self, now: Timestamp) -> Vec<Event> {
        let mut observations = Vec::new();
        for (number, service) in services().enumerate() {
            for indicator in [Indicator::Utilization, Indicator::ReplicasReady, Indicator::RequestsTotal] {
                // One in five observations is lost.
                if self.draws.below(5) != 0 {
                    let value = match (indicator, number % 2) {
                        (Indicator::ReplicasReady, _) => self.draws.below(20),
                        // Every second service is idle, so that reductions are not all refused for one reason.
                        (Indicator::Utilization, 0) => self.draws.below(300),
                        _ => self.draws.below(12_000),
                    };
                    observations.push(Observation::new(Target::Service(service.clone()), indicator, value, now));
                }
            }
        }
        for indicator in [Indicator::SpansReceivedTotal, Indicator::SpansKeptTotal, Indicator::SpansKeptByRuleTotal] {
            observations.push(Observation::new(Target::Agent, indicator, self.draws.below(1_000_000), now));
        }
        let reports = std::mem::take(&mut self.reports);
        std::iter::once(Event::Observed(observations)).chain(reports.into_iter().map(Event::Reported)).collect()
    }

    pub(crate) fn take(&mut self, effect: &Effect) {
        let (id, good, actual) = match effect {
            Effect::Apply { id, .. } => (*id, ReportKind::Applied, None),
            Effect::Undo { id, .. } => (*id, ReportKind::Undone, None),
            Effect::ReadBack { id, actuation } => (*id, ReportKind::Applied, self.read_back(actuation)),
        };
        let kind = match (actual, self.draws.below(6)) {
            (_, 0) => return,
            (_, 1) => ReportKind::Failed { why: "out of order".to_owned() },
            (Some(actual), _) => ReportKind::ReadBack { actual },
            (None, _) => good,
        };
        let doubled = self.draws.below(4) == 0;
        self.reports.extend(std::iter::repeat_n(Report { id, kind }, 1 + usize::from(doubled)));
    }

    fn read_back(&mut self, wanted: &Actuation) -> Option<Option<Actuation>> {
        Some((self.draws.below(2) == 0).then(|| wanted.clone()))
    }
}

struct Draws(Stream);

impl Draws {
    fn below(&mut self, bound: u64) -> u64 {
        use rand::Rng;
        self.0.next_u64() % bound
    }
}
