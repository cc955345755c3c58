//! Laws that hold whatever policies propose and whatever the world reports.
//!
//! Answers what nobody can talk the loop out of. The policy here is an adversary that proposes anything at all, drawn from
//! the instant it is asked at; the world's reports are drawn from a seed and may be missing, doubled or wrong. A failing
//! case is one number.

mod adversary;
mod approval;
mod clock;
mod explained;
mod guards;
mod sight;
mod state;
mod undo_first;

use std::collections::{BTreeMap, BTreeSet};

use homeostat_control::ControlLoop;
use homeostat_core::actions::{self, ActionClass};
use homeostat_core::{
    ActionId, Actuation, Autonomy, Command, Effect, Event, OperatorCommand, Regime, ServiceName, Settings, Target,
    TickRecord, Timestamp,
};
use proptest::prelude::*;

use crate::adversary::{World, settings};

/// Simulated seconds per case: longer than every cooldown and every rate budget's window.
const SECONDS: u64 = 300;

/// Everything one run emitted.
#[derive(Default)]
struct Run {
    records: Vec<TickRecord>,
    effects: Vec<(Timestamp, Effect)>,
}

impl Run {
    /// Runs the adversary under `settings`; `operator` may speak before each tick.
    fn of(seed: u64, settings: &Settings, operator: impl Fn(u64) -> Option<OperatorCommand>) -> Run {
        let mut control = ControlLoop::new(adversary::POLICIES);
        let mut world = World::new(seed);
        let mut run = Run::default();
        control.handle(Timestamp(0), Event::Reconfigured(Box::new(settings.clone())));
        for second in 1..=SECONDS {
            let now = Timestamp(second * 1000);
            for event in world.events(now).into_iter().chain(operator(second).map(Event::Operator)) {
                assert!(control.handle(now, event).is_empty(), "only a tick emits");
            }
            for command in control.handle(now, Event::Tick) {
                match command {
                    Command::Record(record) => run.records.push(*record),
                    Command::Effect(effect) => {
                        world.take(&effect);
                        run.effects.push((now, effect));
                    }
                }
            }
        }
        run
    }

    fn applied(&self) -> impl Iterator<Item = (Timestamp, ActionId, &Actuation)> {
        self.effects.iter().filter_map(|(at, effect)| match effect {
            Effect::Apply { id, actuation } => Some((*at, *id, actuation)),
            _ => None,
        })
    }

    fn requests(&self) -> impl Iterator<Item = &homeostat_core::ActionRequest> {
        self.records.iter().flat_map(|record| &record.plan.requests)
    }
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    /// Scenario: the adversary proposes replicas and probabilities of any size.
    /// Guarantees: nothing outside the envelope and no leap is ever applied; the adversary is not simply silenced.
    #[test]
    fn the_envelope_holds_whatever_is_proposed(seed in any::<u64>()) {
        let settings = settings();
        let run = Run::of(seed, &settings, |_| None);
        prop_assert!(0 < run.applied().count());
        for request in run.requests() {
            match (&request.action.way_back, &request.action.actuation) {
                (Some(Actuation::SetReplicas { replicas: from, .. }), Actuation::SetReplicas { service, replicas }) => {
                    let allowed = settings.scaling.services[service];
                    prop_assert!(allowed.min <= *replicas && *replicas <= allowed.max);
                    prop_assert!(replicas.0 <= (from.0 * 2).max(from.0 + 1), "{from} -> {replicas}");
                }
                (Some(_), Actuation::SetSampling { sampling, .. }) => {
                    prop_assert!(settings.sampling.floor <= sampling.tail);
                    prop_assert!(settings.sampling.floor <= sampling.head);
                }
                _ => {}
            }
        }
    }

    /// Scenario: the adversary proposes for every service at every tick.
    /// Guarantees: no window ever holds more decisions than its budget, for each target, each class and all together.
    #[test]
    fn no_window_holds_more_than_its_budget(seed in any::<u64>()) {
        let settings = settings();
        let run = Run::of(seed, &settings, |_| None);
        let decided: Vec<_> = run.requests().map(|r| (r.decided, r.action.class, &r.action.target)).collect();
        let guards = &settings.guards;
        for (last, class, target) in &decided {
            let count = |window, matches: &dyn Fn(ActionClass, &Target) -> bool| {
                let inside = |at: &Timestamp| at <= last && last.since(*at) < window;
                decided.iter().filter(|(at, c, t)| inside(at) && matches(*c, t)).count() as u32
            };
            let of_class = guards.budget(*class);
            prop_assert!(count(guards.global.window, &|_, _| true) <= guards.global.actions_max);
            prop_assert!(count(of_class.window, &|c, _| c == *class) <= of_class.actions_max);
            prop_assert!(count(guards.per_target.window, &|_, t| t == *target) <= guards.per_target.actions_max);
        }
    }

    /// Scenario: the same, with reports that come late, twice, wrong or never.
    /// Guarantees: the same kind never touches the same target again within its cooldown, nor while a trial is open.
    #[test]
    fn a_target_is_left_alone_until_its_effect_can_be_seen(seed in any::<u64>()) {
        let run = Run::of(seed, &settings(), |_| None);
        let mut last: BTreeMap<(String, Target), Timestamp> = BTreeMap::new();
        for request in run.requests() {
            let kind = actions::kind(request.action.kind.as_str()).expect("in the catalogue");
            let key = (kind.name.to_string(), request.action.target.clone());
            if let Some(before) = last.insert(key, request.decided) {
                prop_assert!(kind.cooldown <= request.decided.since(before));
            }
        }
    }

    /// Scenario: every effect and every record of a run.
    /// Guarantees: the record that explains an effect is emitted with it, an id never means two things, and every change
    /// carries its way back.
    #[test]
    fn every_effect_is_explained_first(seed in any::<u64>()) {
        let run = Run::of(seed, &settings(), |_| None);
        let at_record = |r: &TickRecord| r.effects.iter().map(|effect| (r.at, effect.clone())).collect::<Vec<_>>();
        let explained: Vec<_> = run.records.iter().flat_map(at_record).collect();
        prop_assert_eq!(&explained, &run.effects);
        let mut meant: BTreeMap<ActionId, &Actuation> = BTreeMap::new();
        for (_, id, actuation) in run.applied() {
            prop_assert_eq!(*meant.entry(id).or_insert(actuation), actuation);
        }
        for request in run.requests() {
            let notifies = matches!(request.action.actuation, Actuation::Notify { .. });
            prop_assert!(notifies || request.action.way_back.is_some());
        }
    }

    /// Scenario: the kill switch is thrown at any second and never released.
    /// Guarantees: from that tick on nothing at all is sent to the outside, not even a way back.
    #[test]
    fn the_kill_switch_works_within_one_tick(seed in any::<u64>(), thrown in 1..SECONDS) {
        let run = Run::of(seed, &settings(), |second| (second == thrown).then_some(OperatorCommand::Hold));
        let after: Vec<_> = run.effects.iter().filter(|(at, _)| Timestamp(thrown * 1000) <= *at).collect();
        prop_assert!(after.is_empty(), "{:?}", after);
        prop_assert!(run.records.iter().all(|r| r.at < Timestamp(thrown * 1000) || r.regime == Regime::Holding));
    }

    /// Scenario: a reading counts as stale after one lost observation, and a few stale ones make the agent blind.
    /// Guarantees: it is blind at times, nothing is decided or sent at those, and it acts again when it sees.
    #[test]
    fn a_blind_agent_does_nothing(seed in any::<u64>()) {
        let mut settings = settings();
        settings.perception.stale_after = homeostat_core::Millis(900);
        settings.perception.blind_above = homeostat_core::BasisPoints(2000);
        let run = Run::of(seed, &settings, |_| None);
        let (blind, seeing): (Vec<_>, Vec<_>) = run.records.iter().partition(|record| record.regime == Regime::Blind);
        prop_assert!(!blind.is_empty());
        prop_assert!(blind.iter().all(|record| record.plan.requests.is_empty() && record.effects.is_empty()));
        prop_assert!(seeing.iter().any(|record| !record.effects.is_empty()));
    }

    /// Scenario: the same seed at every level of autonomy.
    /// Guarantees: `observe` and `approve` emit nothing by themselves, and what is first decided is the same at all levels.
    #[test]
    fn autonomy_gates_emission_and_nothing_else(seed in any::<u64>()) {
        let at = |autonomy| {
            let mut settings = settings();
            settings.autonomy.sampling = autonomy;
            settings.autonomy.scaling = autonomy;
            settings.autonomy.notification = autonomy;
            Run::of(seed, &settings, |_| None)
        };
        let (observing, asking, acting) = (at(Autonomy::Observe), at(Autonomy::Approve), at(Autonomy::Act));
        prop_assert_eq!(observing.effects.len() + asking.effects.len(), 0);
        let first = |run: &Run| run.records.iter().find(|r| !r.plan.requests.is_empty()).map(|r| r.plan.clone());
        prop_assert_eq!(first(&observing), first(&acting));
        prop_assert_eq!(first(&asking), first(&acting));
    }

    /// Scenario: the same events are told to two fresh loops.
    /// Guarantees: the records are the same, to the last field.
    #[test]
    fn the_same_events_give_the_same_records(seed in any::<u64>()) {
        let (one, other) = (Run::of(seed, &settings(), |_| None), Run::of(seed, &settings(), |_| None));
        prop_assert_eq!(one.records, other.records);
        prop_assert_eq!(one.effects, other.effects);
    }

    /// Scenario: everything the adversary proposed at every tick.
    /// Guarantees: each proposal ends in the plan, requested or withheld with a reason; none is lost.
    #[test]
    fn every_proposal_ends_in_the_plan(seed in any::<u64>()) {
        for record in Run::of(seed, &settings(), |_| None).records {
            let named: BTreeSet<ServiceName> = adversary::services().collect();
            let decided = record.plan.requests.len() + record.plan.withheld.len();
            prop_assert_eq!(decided, adversary::PROPOSALS_PER_SERVICE * named.len());
        }
    }
}
