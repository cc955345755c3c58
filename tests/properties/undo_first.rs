//! What cannot be taken back.
//!
//! Answers whether any policy can talk the loop into a restart that nobody permitted, or into one that leaves nothing that
//! carries on, and whether a knob can be turned further than people allowed. Readings wander, so instances seem stuck and
//! well in turns.

use std::collections::BTreeSet;

use homeostat_control::ControlLoop;
use homeostat_core::actions::{self, Action, Reversal};
use homeostat_core::{
    ActionId, Actuation, Autonomy, Command, Effect, Event, Indicator, InstanceId, Label, Millis, Observation, Policy,
    PolicyView, ProfileKind, Proposal, Range, Report, ReportKind, RestartPermission, Seed, ServiceName,
    ServicePermissions, Settings, Stream, Target, TickRecord, Timestamp,
};
use proptest::prelude::*;
use rand::Rng;

/// Seconds per case: longer than a restart takes to be judged, and than the window of its share.
const SECONDS: u64 = 900;

/// Services that may be restarted unasked, only when asked, and not at all.
const SERVICES: [&str; 3] = ["unasked", "asked", "never"];

/// Instances of each.
const INSTANCES: u64 = 4;

const POLICIES: &[&dyn Policy] = &[&Breaker];

/// Proposes restarts, limits, dimmers and profiles of anything, drawn from the instant.
struct Breaker;

impl Policy for Breaker {
    fn name(&self) -> &'static str {
        "breaker"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        let mut draws = Seed(view.snapshot.at.as_millis()).stream("breaker/proposals");
        for service in SERVICES.map(ServiceName::from) {
            for _ in 0..4 {
                let action = anything(&service, &mut draws);
                proposals.push(Proposal { policy: Label::new("breaker"), incident: None, action, why: String::new() });
            }
        }
    }
}

fn anything(service: &ServiceName, draws: &mut Stream) -> Action {
    let mut below = |bound: u64| draws.next_u64() % bound;
    let instance = instance(service, below(INSTANCES + 1));
    let (from, to) = (below(100), below(100));
    let action = match below(5) {
        0 | 1 => actions::restart_instance(service, &instance),
        2 => actions::lower_limit(service, from, to, 1000),
        3 => actions::raise_limit(service, from, to, 1000),
        _ => actions::profile_service(service, ProfileKind::Cpu, 1),
    };
    // One in four forgets its way back.
    if below(4) == 0 { Action { way_back: None, ..action } } else { action }
}

fn instance(service: &ServiceName, number: u64) -> InstanceId {
    InstanceId::from(format!("{service}-{number}").as_str())
}

fn settings() -> Settings {
    let mut settings = Settings::default();
    let autonomy = &mut settings.autonomy;
    (autonomy.remediation, autonomy.shedding, autonomy.profiling) = (Autonomy::Act, Autonomy::Act, Autonomy::Act);
    let limit = Some(Range { min: 8, max: 64 });
    for (service, restart) in
        SERVICES.into_iter().zip([Some(RestartPermission::Unasked), Some(RestartPermission::Asked), None])
    {
        let permitted = ServicePermissions { limit, restart, profile: true, ..Default::default() };
        settings.permissions.services.insert(service.into(), permitted);
    }
    settings
}

/// Everything one run emitted.
#[derive(Default)]
struct Run {
    records: Vec<TickRecord>,
    applied: Vec<(ActionId, Actuation)>,
}

impl Run {
    fn of(seed: u64) -> Run {
        let (mut control, mut run) = (ControlLoop::new(POLICIES), Run::default());
        let mut world = Seed(seed).stream("breaker/world");
        control.handle(Timestamp(0), Event::Reconfigured(Box::new(settings())));
        // Counters of what each instance has finished.
        let mut finished = [[0_u64; INSTANCES as usize]; SERVICES.len()];
        for second in 1..=SECONDS {
            let now = Timestamp(second * 1000);
            control.handle(now, Event::Observed(observations(now, &mut finished, &mut world)));
            for command in control.handle(now, Event::Tick) {
                match command {
                    Command::Record(record) => run.records.push(*record),
                    Command::Effect(Effect::Apply { id, actuation }) => {
                        run.applied.push((id, actuation));
                        control.handle(now, Event::Reported(Report { id, kind: ReportKind::Applied }));
                    }
                    Command::Effect(Effect::Undo { id, .. }) => {
                        control.handle(now, Event::Reported(Report { id, kind: ReportKind::Undone }));
                    }
                    Command::Effect(Effect::ReadBack { .. }) => {}
                }
            }
        }
        run
    }

    fn record_of(&self, id: ActionId) -> &TickRecord {
        let decides = |record: &&TickRecord| record.plan.requests.iter().any(|request| request.id == id);
        self.records.iter().find(decides).expect("what is applied was decided")
    }
}

/// Each instance is well or stuck for half a minute at a time; each service reads as busy.
fn observations(now: Timestamp, finished: &mut [[u64; 4]; 3], world: &mut Stream) -> Vec<Observation> {
    let mut seen = Vec::new();
    let spell = now.as_millis() / 30_000;
    for (service, finished) in SERVICES.map(ServiceName::from).iter().zip(finished) {
        for (indicator, value) in [
            (Indicator::RequestsTotal, 10 * now.as_millis() / 1000),
            (Indicator::ErrorsTotal, world.next_u64() % 2),
            (Indicator::SlowTotal, 0),
            (Indicator::ConcurrencyLimit, 32),
        ] {
            seen.push(Observation::new(Target::Service(service.clone()), indicator, value, now));
        }
        for (number, finished) in (0..INSTANCES).zip(finished) {
            let is_stuck = Seed(spell).stream(&format!("{service}/{number}")).next_u64().is_multiple_of(3);
            *finished += if is_stuck { 0 } else { 5 };
            let target = Target::Instance(service.clone(), instance(service, number));
            seen.push(Observation::new(target.clone(), Indicator::RequestsInFlight, 3, now));
            seen.push(Observation::new(target, Indicator::CompletedTotal, *finished, now));
        }
    }
    seen
}

proptest! {
    #![proptest_config(crate::cases())]

    /// Scenario: a policy proposes restarts of anything, knobs turned to anything and profiles, a quarter without a way back,
    /// while every class may act.
    /// Guarantees: a restart is sent only where it was permitted unasked and beside an instance that made progress when it
    /// was decided, at most two of four within ten minutes; whatever has a way back brings it; no limit leaves its range.
    #[test]
    fn undo_comes_first(seed in any::<u64>()) {
        let run = Run::of(seed);
        let mut restarts: Vec<Timestamp> = Vec::new();
        let mut kinds = BTreeSet::new();
        for (id, actuation) in &run.applied {
            let record = run.record_of(*id);
            let action = &record.plan.requests.iter().find(|request| request.id == *id).expect("as above").action;
            kinds.insert(action.kind.clone());
            let reversal = actions::kind(action.kind.as_str()).expect("every kind is in the catalogue").reversal;
            prop_assert!(reversal != Reversal::WayBack || action.way_back.is_some());
            match actuation {
                Actuation::Restart { service, instance } => {
                    prop_assert_eq!(service.as_str(), "unasked");
                    let mut others = record.snapshot.instances(service).filter(|(other, _)| *other != instance);
                    prop_assert!(others.any(|(_, progress)| progress.makes_progress()));
                    restarts.push(record.at);
                }
                Actuation::SetParameter { value, .. } => prop_assert!((8..=64).contains(value)),
                _ => {}
            }
        }
        let crowded = restarts.windows(3).any(|three| three[2].since(three[0]) < Millis::from_secs(600));
        prop_assert!(!crowded, "{:?}", restarts);
        // The breaker is not simply silenced.
        prop_assert_eq!(kinds.len(), 3, "{:?}", kinds);
    }
}
