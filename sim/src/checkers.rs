//! Checkers.
//!
//! Answers whether the loop kept its promises. Safety is demanded in every second, whatever faults are active; liveness is
//! demanded once they are over and a grace time has passed. A checker sees what the loop said and did, and the truth of the
//! plant; it never sees the inside of the loop, so it cannot share its mistakes.

mod blast_radius;
mod carries_on;
mod cooldown;
mod deadlines;
mod envelope;
mod fresh_evidence;
mod gates;
mod goal_known;
mod objective_met;
mod one_trial;
mod other_hand;
mod rate_budget;
mod record_first;
mod rest;
mod reversal;
mod step;
mod storm;
mod taken_back;
mod unique_ids;
mod way_back;
mod worst_case;
mod zero;

use std::collections::BTreeMap;
use std::fmt;

use homeostat_core::{
    ActionId, ActionRequest, Effect, Indicator, Observation, OperatorCommand, Regime, ServiceName, Settings,
    TickNumber, TickRecord, Timestamp, Trial,
};

use crate::plants::{PlantSpec, Readings};
use crate::queue::SimTime;
use crate::scenario::{Liveness, Scenario};

/// The catalogue: every checker, in the order in which they look.
const CATALOGUE: &[(&str, Make)] = &[
    ("record_first", || Box::new(record_first::RecordFirst::default())),
    ("gates", || Box::new(gates::Gates)),
    ("unique_ids", || Box::new(unique_ids::UniqueIds::default())),
    ("way_back", || Box::new(way_back::WayBack::default())),
    ("envelope", || Box::new(envelope::Envelope)),
    ("step", || Box::new(step::Step)),
    ("zero", || Box::new(zero::Zero)),
    ("reversal", || Box::new(reversal::Reversal::default())),
    ("worst_case", || Box::new(worst_case::WorstCase::default())),
    ("blast_radius", || Box::new(blast_radius::BlastRadius::default())),
    ("carries_on", || Box::new(carries_on::CarriesOn::default())),
    ("storm", || Box::new(storm::Storm::default())),
    ("taken_back", || Box::new(taken_back::TakenBack::default())),
    ("other_hand", || Box::new(other_hand::OtherHand)),
    ("rate_budget", || Box::new(rate_budget::RateBudgets::default())),
    ("cooldown", || Box::new(cooldown::Cooldown::default())),
    ("one_trial", || Box::new(one_trial::OneTrial::default())),
    ("fresh_evidence", || Box::new(fresh_evidence::FreshEvidence)),
    ("goal_known", || Box::new(goal_known::GoalKnown::default())),
    ("objective_met", || Box::new(objective_met::ObjectiveMet::default())),
    ("deadlines", || Box::new(deadlines::Deadlines)),
    ("rest", || Box::new(rest::Rest::default())),
];

/// The name under which a failed assertion of the loop itself is complained about.
const ASSERTION: &str = "assertion";

type Make = fn() -> Box<dyn Checker + Send>;

/// The names of all checkers.
pub fn names() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().map(|(name, _)| *name)
}

/// One promise.
pub(crate) trait Checker {
    /// Commands begin to arrive that the loop gave in one answer.
    fn batch_begins(&mut self, _scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {}

    /// The loop wrote a record.
    fn record(&mut self, _record: &TickRecord, _scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {}

    /// The loop had something done. `request` is what a record said about it before.
    fn effect(
        &mut self,
        _effect: &Effect,
        _request: Option<&ActionRequest>,
        _scene: &Scene<'_>,
        _complaints: &mut Vec<Complaint>,
    ) {
    }

    /// All commands of one answer have arrived.
    fn batch_ends(&mut self, _scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {}

    /// A second has passed; this is how the plant stands.
    fn second(&mut self, _truth: &Readings, _scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {}

    /// The run is over.
    fn end(&mut self, _trials: &[Trial], _scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {}
}

/// What every checker may know.
pub(crate) struct Scene<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) names: &'a [ServiceName],
    pub(crate) liveness: Liveness,
    pub(crate) now: SimTime,
    pub(crate) tick: TickNumber,
    /// The regime of the last record.
    pub(crate) regime: Regime,
    /// Whether a person holds the agent: the truth, not what the loop believes.
    pub(crate) held: bool,
    /// Whether the faults are over and the grace time has passed.
    pub(crate) calm: bool,
    /// The system, as it was built.
    pub(crate) plant: &'a PlantSpec,
    /// When somebody else last set the replicas of a service.
    pub(crate) other_hands: &'a BTreeMap<ServiceName, SimTime>,
    /// When the newest reading of each service that reached the loop was true.
    pub(crate) last_seen: &'a BTreeMap<(ServiceName, Indicator), Timestamp>,
}

impl Scene<'_> {
    /// A complaint of this moment.
    pub(crate) fn complain(&self, expected: impl Into<String>, found: impl Into<String>) -> Complaint {
        Complaint { checker: "", at: self.now, tick: self.tick, expected: expected.into(), found: found.into() }
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Whose promise.
    pub checker: &'static str,
    /// When, on the virtual clock.
    pub at: SimTime,
    /// In which tick.
    pub tick: TickNumber,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub found: String,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Complaint { checker, at, tick, expected, found } = self;
        write!(f, "{checker} at {} s ({tick}): expected {expected}, found {found}", at.as_secs())
    }
}

/// Complaints kept per run: the first ones tell why, the rest only how long.
const COMPLAINTS_MAX: usize = 100;

/// All checkers of one run, and what they share.
pub(crate) struct Checkers {
    all: Vec<(&'static str, Box<dyn Checker + Send>)>,
    settings: Settings,
    names: Vec<ServiceName>,
    liveness: Liveness,
    plant: PlantSpec,
    other_hands: BTreeMap<ServiceName, SimTime>,
    calm_from_s: u64,
    now: SimTime,
    tick: TickNumber,
    regime: Regime,
    held: bool,
    last_seen: BTreeMap<(ServiceName, Indicator), Timestamp>,
    /// Requests whose trials are not over, as the records told them.
    requests: BTreeMap<ActionId, ActionRequest>,
    /// Trials that ended in the last record; forgotten when the next one comes.
    ended: Vec<ActionId>,
    pub(crate) complaints: Vec<Complaint>,
    pub(crate) complaints_total: u64,
}

impl fmt::Debug for Checkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkers").field("complaints", &self.complaints).finish_non_exhaustive()
    }
}

impl Checkers {
    pub(crate) fn new(scenario: &Scenario) -> Checkers {
        let wanted = CATALOGUE.iter().filter(|(name, _)| !scenario.without.iter().any(|without| without == name));
        Checkers {
            all: wanted.map(|(name, make)| (*name, make())).collect(),
            settings: scenario.settings.clone(),
            names: scenario.names().to_vec(),
            liveness: scenario.liveness,
            plant: scenario.plant.clone(),
            other_hands: BTreeMap::new(),
            calm_from_s: scenario.calm_from_s() + scenario.liveness.grace_s,
            now: SimTime(0),
            tick: TickNumber(0),
            regime: Regime::Starting,
            held: false,
            last_seen: BTreeMap::new(),
            requests: BTreeMap::new(),
            ended: Vec::new(),
            complaints: Vec::new(),
            complaints_total: 0,
        }
    }

    /// Somebody else set the replicas of a service. The first time counts: what follows within the time that the loop must leave
    /// them alone is one fight.
    pub(crate) fn other_hand(&mut self, service: &ServiceName, now: SimTime) {
        let yields_for = self.settings.guards.yield_for;
        let first = self.other_hands.entry(service.clone()).or_insert(now);
        if yields_for <= now.wall().since(first.wall()) {
            *first = now;
        }
    }

    /// An assertion of the loop failed, and it acts no more. That is how it should end, and it should not come to that.
    pub(crate) fn assertion(&mut self, now: SimTime, what: String) {
        self.now = now;
        let (at, tick, expected) = (self.now, self.tick, "every assertion of the loop to hold".to_owned());
        self.complaints_total += 1;
        if self.complaints.len() < COMPLAINTS_MAX {
            self.complaints.push(Complaint { checker: ASSERTION, at, tick, expected, found: what });
        }
    }

    /// A person spoke.
    pub(crate) fn operator(&mut self, command: &OperatorCommand) {
        match command {
            OperatorCommand::Hold => self.held = true,
            OperatorCommand::Resume => self.held = false,
            OperatorCommand::Approve(_) | OperatorCommand::Reject(_) | OperatorCommand::Arm { .. } => {}
        }
    }

    /// Readings reached the loop. Only the few that actions can rest on are remembered.
    pub(crate) fn observed(&mut self, batch: &[Observation]) {
        for observation in batch {
            let Observation::Measured { signal, at, .. } = observation else { continue };
            let Some(service) = signal.target.service().filter(|_| fresh_evidence::watches(signal.indicator)) else {
                continue;
            };
            let newest = self.last_seen.entry((service.clone(), signal.indicator)).or_insert(*at);
            *newest = (*newest).max(*at);
        }
    }

    pub(crate) fn batch_begins(&mut self, now: SimTime) {
        self.now = now;
        self.each(|checker, scene, complaints| checker.batch_begins(scene, complaints));
    }

    pub(crate) fn record(&mut self, record: &TickRecord) {
        self.tick = record.tick;
        self.regime = record.regime;
        for id in self.ended.drain(..) {
            self.requests.remove(&id);
        }
        self.requests.extend(record.plan.requests.iter().map(|request| (request.id, request.clone())));
        self.each(|checker, scene, complaints| checker.record(record, scene, complaints));
        self.ended.extend(record.outcomes.iter().map(|outcome| outcome.id));
    }

    pub(crate) fn effect(&mut self, effect: &Effect) {
        let (Effect::Apply { id, .. } | Effect::Undo { id, .. } | Effect::ReadBack { id, .. }) = effect;
        let request = self.requests.remove(id);
        self.each(|checker, scene, complaints| checker.effect(effect, request.as_ref(), scene, complaints));
        if let Some(request) = request {
            self.requests.insert(*id, request);
        }
    }

    pub(crate) fn batch_ends(&mut self) {
        self.each(|checker, scene, complaints| checker.batch_ends(scene, complaints));
    }

    pub(crate) fn second(&mut self, now: SimTime, truth: &Readings) {
        self.now = now;
        self.each(|checker, scene, complaints| checker.second(truth, scene, complaints));
    }

    pub(crate) fn end(&mut self, now: SimTime, trials: &[Trial]) {
        self.now = now;
        self.each(|checker, scene, complaints| checker.end(trials, scene, complaints));
    }

    fn each(&mut self, mut ask: impl FnMut(&mut dyn Checker, &Scene<'_>, &mut Vec<Complaint>)) {
        let scene = Scene {
            settings: &self.settings,
            names: &self.names,
            liveness: self.liveness,
            plant: &self.plant,
            other_hands: &self.other_hands,
            now: self.now,
            tick: self.tick,
            regime: self.regime,
            held: self.held,
            calm: self.calm_from_s <= self.now.as_secs(),
            last_seen: &self.last_seen,
        };
        let mut fresh = Vec::new();
        for (name, checker) in &mut self.all {
            let before = fresh.len();
            ask(checker.as_mut(), &scene, &mut fresh);
            fresh[before..].iter_mut().for_each(|complaint: &mut Complaint| complaint.checker = name);
        }
        self.complaints_total += fresh.len() as u64;
        let room = COMPLAINTS_MAX.saturating_sub(self.complaints.len());
        self.complaints.extend(fresh.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests;
