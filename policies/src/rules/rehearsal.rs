//! Rules, tried out on paper.
//!
//! Answers what a set of rules would propose if the readings were as given, tick by tick: the unit test of a rule. The
//! evaluation and the proposals are the live ones; only what is known is given rather than observed. No guard is asked,
//! because a rule's test is about the rule and not about the budgets of one evening.

use std::collections::BTreeMap;

use homeostat_core::actions;
use homeostat_core::{
    ActionId, Assessment, InForce, Indicator, Knowledge, Ledger, LedgerEntry, Millis, PerSignal, PolicyView, Proposal,
    Reading, Replicas, SamplingProbability, ServiceName, ServiceSampling, ServiceScaling, Settings, Signal, Snapshot,
    Standing, Target, Timestamp, Value, Variable,
};

use super::evaluate::Worth;
use super::facts::{self, Fact, Told};

/// Ticks of one rehearsal: more than a day at one a second.
pub const TICKS_MAX: u64 = 100_000;

/// What is given, and when the rules are asked.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// With the rules to be tried.
    pub settings: Settings,
    /// From tick to tick.
    pub every: Millis,
    /// What is given, in order of time. It holds until something else is given.
    pub scenes: Vec<Scene>,
    /// When to answer, in order; taken at the first tick that is not before.
    pub asked: Vec<Millis>,
}

/// From one time on, something is so.
#[derive(Clone, Debug)]
pub struct Scene {
    /// From when on, counted from the first tick.
    pub at: Millis,
    /// Of which service.
    pub service: ServiceName,
    /// What is so.
    pub given: Vec<(Variable, Given)>,
}

/// What is given of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// It is known.
    Fresh(Value),
    /// It was known once, and would be this at its worst.
    Stale(Value),
    /// It is not known.
    Missing,
}

/// What the rules say at one time they were asked.
#[derive(Clone, Debug)]
pub struct Answer {
    /// When.
    pub at: Millis,
    /// What they propose.
    pub proposals: Vec<Proposal>,
    /// How they stand.
    pub standing: Standing,
}

/// What was given last of each service.
type Known<'a> = BTreeMap<&'a ServiceName, BTreeMap<Variable, Fact<'a>>>;

/// Plays it through. Ends early at [`TICKS_MAX`].
pub fn rehearse(rehearsal: &Rehearsal) -> Vec<Answer> {
    let mut answers: Vec<Answer> = Vec::new();
    let mut known = Known::new();
    let (mut standing, mut ledger) = (Standing::default(), Ledger::default());
    let mut scenes = rehearsal.scenes.iter().peekable();
    let mut asked = rehearsal.asked.iter().peekable();
    for tick in 0..TICKS_MAX {
        let at = Millis(tick.saturating_mul(rehearsal.every.0.max(1)));
        while let Some(scene) = scenes.next_if(|scene| scene.at <= at) {
            let given = scene.given.iter().map(|(variable, given)| (*variable, given.fact()));
            known.entry(&scene.service).or_default().extend(given);
        }
        let (next, proposals) = play(at, &known, &rehearsal.settings, &standing, &ledger);
        standing = next;
        tell(at, &proposals, &mut ledger);
        while asked.next_if(|asked| **asked <= at).is_some() {
            answers.push(Answer { at, proposals: proposals.clone(), standing: standing.clone() });
        }
        if asked.peek().is_none() {
            break;
        }
    }
    answers
}

impl Given {
    fn fact(&self) -> Fact<'_> {
        match self {
            Given::Fresh(value) => Fact::Fresh(Worth::of(value)),
            Given::Stale(value) => Fact::Stale(Worth::of(value)),
            Given::Missing => Fact::Missing,
        }
    }
}

/// One tick.
fn play(
    at: Millis,
    known: &Known<'_>,
    settings: &Settings,
    before: &Standing,
    ledger: &Ledger,
) -> (Standing, Vec<Proposal>) {
    let (mut settings, mut in_force) = (settings.clone(), InForce::default());
    for (service, given) in known {
        arrange(service, given, &mut settings, &mut in_force);
    }
    let snapshot = Snapshot { at: Timestamp(at.0), signals: signals(known), ..Snapshot::default() };
    let (assessment, knowledge) = (Assessment::default(), Knowledge::default());
    let view = PolicyView {
        snapshot: &snapshot,
        assessment: &assessment,
        knowledge: &knowledge,
        settings: &settings,
        in_force: &in_force,
        trials: &[],
        ledger,
        standing: before,
    };
    let told = Told::of(&view);
    let services: Vec<_> = facts::of_services(&view, &told)
        .into_iter()
        .map(|facts| match known.get(facts.service) {
            Some(given) => facts.told(given),
            None => facts,
        })
        .collect();
    let (mut standing, mut proposals) = (Standing::default(), Vec::new());
    super::watch_of(&services, &view, &mut standing);
    super::propose_of(&services, &PolicyView { standing: &standing, ..view }, &mut proposals);
    (standing, proposals)
}

/// What is given as a variable and read elsewhere as a setting or as what is in force.
fn arrange(
    service: &ServiceName,
    given: &BTreeMap<Variable, Fact<'_>>,
    settings: &mut Settings,
    in_force: &mut InForce,
) {
    let replicas = |variable| match given.get(&variable) {
        Some(Fact::Fresh(Worth::Whole(number))) => u32::try_from(*number).ok().map(Replicas),
        _ => None,
    };
    if let Some(max) = replicas(Variable::ReplicasMax) {
        let min = replicas(Variable::ReplicasMin).unwrap_or(Replicas(1));
        settings.scaling.services.insert(service.clone(), ServiceScaling { min, max });
    }
    if let Some(Fact::Fresh(Worth::Millionths(ppm))) = given.get(&Variable::Sampling) {
        let tail = SamplingProbability::from_ppm_saturating(u64::try_from(*ppm).unwrap_or(0));
        in_force.sampling.insert(service.clone(), ServiceSampling { head: SamplingProbability::ALWAYS, tail });
    }
}

/// Every service is known to report requests; and its replicas are what is given, for rules that change them.
fn signals(known: &Known<'_>) -> PerSignal<Reading> {
    let mut signals = Vec::new();
    for (service, given) in known {
        let mut reads = |indicator, value| {
            signals.push((Signal::new(Target::Service((*service).clone()), indicator), Reading::Fresh { value }));
        };
        reads(Indicator::RequestsTotal, 0);
        if let Some(Fact::Fresh(Worth::Whole(replicas))) = given.get(&Variable::Replicas) {
            reads(Indicator::ReplicasReady, u64::try_from(*replicas).unwrap_or(0));
        }
    }
    signals.into_iter().collect()
}

/// Who was told is not told again while the condition holds; so it is remembered here as the live ledger does.
fn tell(at: Millis, proposals: &[Proposal], ledger: &mut Ledger) {
    for proposal in proposals.iter().filter(|proposal| proposal.action.kind == actions::NOTIFY.name) {
        ledger.enter(LedgerEntry {
            id: ActionId(0),
            kind: proposal.action.kind.clone(),
            class: proposal.action.class,
            target: proposal.action.target.clone(),
            at: Timestamp(at.0),
            policy: proposal.policy.clone(),
            turns: Vec::new(),
        });
    }
}
