//! What the adversary cannot talk the guards out of.
//!
//! Answers, for the guards that look further than one action, whether their law holds in every window of every run. The laws
//! are worked out here from what was applied, not from what guards remember.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_control::{CheckpointScope, ControlLoop};
use homeostat_core::actions::{self, ActionClass};
use homeostat_core::{
    ActionRequest, Actuation, BasisPoints, Command, Effect, Event, Indicator, Label, Millis, Observation,
    OperatorCommand, Policy, PolicyView, Proposal, Report, ReportKind, SamplingProbability, ServiceName,
    ServiceSampling, Settings, Target, TickRecord, Timestamp, TrialStage, Verdict,
};
use proptest::prelude::*;

use crate::adversary::settings;
use crate::{Run, cases};

/// From and to of a change of replicas.
fn scaled(request: &ActionRequest) -> Option<(&ServiceName, u32, u32)> {
    match (&request.action.way_back, &request.action.actuation) {
        (Some(Actuation::SetReplicas { replicas: from, .. }), Actuation::SetReplicas { service, replicas }) => {
            Some((service, from.0, replicas.0))
        }
        _ => None,
    }
}

/// Requests that changed replicas within `window` up to and including `last`.
fn within<'a>(run: &'a Run, last: &ActionRequest, window: Millis) -> Vec<(&'a ServiceName, u32, u32)> {
    let inside = |at: Timestamp| at <= last.decided && last.decided.since(at) < window;
    run.requests().filter(|request| inside(request.decided)).filter_map(scaled).collect()
}

proptest! {
    #![proptest_config(cases())]

    /// Scenario: the adversary asks for everything everywhere; four targets may be changed within a minute.
    /// Guarantees: no window changes more targets, takes something from more than half of the services, or takes more than half
    /// of one service's replicas (one of anything always may go); and the adversary is not simply silenced.
    #[test]
    fn no_window_touches_more_than_the_blast_radius(seed in any::<u64>()) {
        let mut settings = settings();
        settings.guards.blast_radius.targets_max = 4;
        settings.guards.blast_radius.window = Millis::from_secs(60);
        let run = Run::of(seed, &settings, |_| None);
        let radius = settings.guards.blast_radius;
        let mut scalings = 0;
        for last in run.requests().filter(|request| scaled(request).is_some()) {
            let changes = within(&run, last, radius.window);
            let targets: BTreeSet<_> = changes.iter().map(|(service, ..)| service).collect();
            prop_assert!(targets.len() <= 4, "{targets:?}");
            let reduced = changes.iter().filter(|(_, from, to)| to < from);
            let reduced: BTreeSet<_> = reduced.map(|(service, ..)| service).collect();
            prop_assert!(reduced.len() <= 6, "{reduced:?}");
            for service in reduced {
                let own = || changes.iter().filter(|(of, ..)| of == service);
                let taken: u32 = own().map(|(_, from, to)| from.saturating_sub(*to)).sum();
                let most = own().map(|(_, from, _)| *from).max().unwrap_or_default();
                prop_assert!(taken <= (most / 2).max(1), "{service}: {taken} of {most}");
            }
            scalings += 1;
        }
        prop_assert!(0 < scalings);
    }

    /// Scenario: the adversary proposes zero, and proposes from zero, where the envelope would let it.
    /// Guarantees: nothing goes to zero or comes from it.
    #[test]
    fn nothing_goes_to_zero_or_comes_from_it(seed in any::<u64>()) {
        let mut settings = settings();
        settings.sampling.floor = SamplingProbability::NEVER;
        settings.scaling.services.values_mut().for_each(|envelope| envelope.min.0 = 0);
        for request in Run::of(seed, &settings, |_| None).requests() {
            for actuation in request.action.way_back.iter().chain([&request.action.actuation]) {
                prop_assert!(actuation.levels().iter().all(|(_, level)| 0 < *level), "{actuation}");
            }
        }
    }

    /// Scenario: the adversary turns every knob up and down at random.
    /// Guarantees: no knob is turned the other way before its dwell time, which is longer than the cooldown.
    #[test]
    fn no_knob_is_turned_back_before_its_time(seed in any::<u64>()) {
        let settings = settings();
        let run = Run::of(seed, &settings, |_| None);
        let mut last = BTreeMap::new();
        for request in run.requests() {
            let kind = actions::kind(request.action.kind.as_str()).expect("in the catalogue");
            let dwell = settings.guards.dwell(kind);
            prop_assert!(kind.cooldown <= dwell);
            for turn in request.action.turns() {
                let Some(way) = turn.way() else { continue };
                let target = request.action.target.clone();
                let against = last.get(&(target.clone(), turn.knob, !matches!(way, homeostat_core::Way::Up)));
                if let Some(at) = against {
                    prop_assert!(dwell <= request.decided.since(*at), "{} on {target}", turn.knob);
                }
                last.insert((target, turn.knob, matches!(way, homeostat_core::Way::Up)), request.decided);
            }
        }
    }

    /// Scenario: utilisation wanders at random on one half of the services and is low on the other.
    /// Guarantees: a reduction never goes below what any reading of the waiting time called for, and some reduction is made.
    #[test]
    fn a_reduction_stays_above_the_worst_of_its_window(seed in any::<u64>()) {
        let settings = settings();
        let run = Run::of(seed, &settings, |_| None);
        let target = u64::from(settings.scaling.utilization_target.0);
        let needed = |record: &TickRecord, service: &ServiceName| {
            let used = record.snapshot.service_value(service, Indicator::Utilization)?;
            let ready = record.snapshot.service_value(service, Indicator::ReplicasReady)?;
            let tolerated = used.abs_diff(target) * 10_000 <= u64::from(settings.scaling.tolerance.0) * target;
            Some(if tolerated { ready } else { (ready * used).div_ceil(target) })
        };
        let mut reductions = 0;
        for request in run.requests() {
            let Some((service, from, to)) = scaled(request).filter(|(_, from, to)| to < from) else { continue };
            let window = settings.scaling.reduce_after;
            let inside = |at: Timestamp| at <= request.decided && request.decided.since(at) <= window;
            let window = run.records.iter().filter(|record| inside(record.at));
            let worst = window.filter_map(|record| needed(record, service)).max().unwrap_or(u64::MAX);
            prop_assert!(worst <= u64::from(to), "{service} from {from} to {to}, {worst} were needed");
            reductions += 1;
        }
        prop_assert!(0 < reductions);
    }

    /// Scenario: some of twelve services begin to fail all their requests.
    /// Guarantees: in a storm nothing is decided but one notification; it is found where most fail, and not where few do.
    #[test]
    fn a_storm_is_told_once_and_nothing_is_done(seed in any::<u64>(), failing in 0_usize..=12) {
        let run = failing_run(seed, failing);
        let stormy: Vec<_> = run.iter().filter(|record| record.assessment.storm.is_some()).collect();
        prop_assert_eq!(!stormy.is_empty(), 7 <= failing, "{} of 12", failing);
        let requests: Vec<_> = stormy.iter().flat_map(|record| &record.plan.requests).collect();
        prop_assert!(requests.iter().all(|request| request.action.class == ActionClass::Notification));
        prop_assert!(requests.len() <= 1, "{} notifications", requests.len());
    }

    /// Scenario: a policy that is proved wrong every time; the agent is killed before any tick and starts from its checkpoint.
    /// Guarantees: it is taken back three times and not tried a fourth, crash or no crash, until a person arms it.
    #[test]
    fn three_undos_disarm_across_a_restart(crash in 1_u64..200, arm in 200_u64..230) {
        let undone = stubborn_run(crash, arm);
        prop_assert_eq!(undone.iter().filter(|second| **second < arm).count(), 3, "{:?}", undone);
        prop_assert!(undone.iter().any(|second| arm <= *second), "{:?}", undone);
    }
}

/// Twelve services with a hundred requests a second each, of which the first `failing` fail all from second 60 on.
fn failing_run(seed: u64, failing: usize) -> Vec<TickRecord> {
    let mut control = ControlLoop::new(crate::adversary::POLICIES);
    let mut records = Vec::new();
    control.handle(Timestamp(0), Event::Reconfigured(Box::new(settings())));
    for second in 1..=180 {
        let now = Timestamp(second * 1000);
        let mut seen = Vec::new();
        for (number, service) in crate::adversary::services().enumerate() {
            let target = Target::Service(service);
            let errors = if number < failing { second.saturating_sub(60) * 100 } else { 0 };
            let values = [
                (Indicator::RequestsTotal, second * 100),
                (Indicator::ErrorsTotal, errors),
                (Indicator::Utilization, 1000 + seed % 1000),
                (Indicator::ReplicasReady, 4),
            ];
            seen.extend(values.map(|(indicator, value)| Observation::new(target.clone(), indicator, value, now)));
        }
        control.handle(now, Event::Observed(seen));
        records.extend(control.handle(now, Event::Tick).into_iter().filter_map(|command| match command {
            Command::Record(record) => Some(*record),
            Command::Effect(_) => None,
        }));
    }
    records
}

/// Keeps five times as much whenever it may, though nothing may be kept.
struct Stubborn;

impl Policy for Stubborn {
    fn name(&self) -> &'static str {
        "stubborn"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        let service = ServiceName::from("cart");
        let last = view.ledger.last(&actions::ADJUST_SAMPLING.name, &Target::Service(service.clone()));
        // What was kept before the last try must have left the rate by which the next one is judged.
        if last.is_some_and(|last| view.snapshot.at.since(last.at) < Millis::from_secs(40)) {
            return;
        }
        let from = view.in_force.sampling.get(&service).copied().unwrap_or(view.settings.sampling.initial);
        let tail = SamplingProbability::from_ppm_saturating(u64::from(from.tail.ppm()) * 5);
        let action = actions::adjust_sampling(&service, from, ServiceSampling { tail, ..from }, 0);
        proposals.push(Proposal { policy: Label::new("stubborn"), incident: None, action, why: "more".to_owned() });
    }
}

/// At which seconds something was taken back. What is kept follows what is set; the agent is killed before second `crash`.
fn stubborn_run(crash: u64, arm: u64) -> Vec<u64> {
    const POLICIES: &[&dyn Policy] = &[&Stubborn];
    let mut settings = Settings::default();
    settings.perception.blind_above = BasisPoints(9900);
    settings.sampling.initial.tail = SamplingProbability::from_ppm_saturating(10_000);
    let mut control = ControlLoop::new(POLICIES);
    control.handle(Timestamp(0), Event::Reconfigured(Box::new(settings.clone())));
    let (mut tail, mut kept, mut undone, mut reports) = (10_000_u64, 0, Vec::new(), Vec::new());
    for second in 1..=330 {
        let now = Timestamp(second * 1000);
        if second == crash {
            let stored = serde_json::to_string(&control.checkpoint(CheckpointScope::StateAndBulk)).expect("plain data");
            control = ControlLoop::new(POLICIES);
            let read = serde_json::from_str(&stored).expect("what was written is read");
            control.handle(now, Event::Recovered(read));
        }
        if second == arm {
            let target = Some(Target::Service("cart".into()));
            control.handle(now, Event::Operator(OperatorCommand::Arm { kind: "adjust_sampling".into(), target }));
        }
        kept += tail / 100;
        let agent = |indicator, value| Observation::new(Target::Agent, indicator, value, now);
        let seen = vec![
            agent(Indicator::SpansKeptTotal, kept),
            agent(Indicator::SpansKeptByRuleTotal, 0),
            Observation::new(Target::Service("cart".into()), Indicator::RequestsTotal, second * 10, now),
        ];
        control.handle(now, Event::Observed(seen));
        std::mem::take(&mut reports).into_iter().for_each(|report| drop(control.handle(now, Event::Reported(report))));
        for command in control.handle(now, Event::Tick) {
            match command {
                Command::Record(record) => {
                    let ended =
                        |change: &&homeostat_core::TrialChange| change.to == TrialStage::Judged(Verdict::Undone);
                    undone.extend(record.trials.iter().filter(ended).map(|_| second));
                }
                Command::Effect(effect) => {
                    let (id, kind, set) = match effect {
                        Effect::Apply { id, actuation } => (id, ReportKind::Applied, Some(actuation)),
                        Effect::Undo { id, actuation } => (id, ReportKind::Undone, Some(actuation)),
                        Effect::ReadBack { id, actuation } => {
                            (id, ReportKind::ReadBack { actual: Some(actuation) }, None)
                        }
                    };
                    if let Some(Actuation::SetSampling { sampling, .. }) = set {
                        tail = sampling.tail.ppm().into();
                    }
                    reports.push(Report { id, kind });
                }
            }
        }
    }
    undone
}

/// Scenario: the shipped policies see utilisation as white noise around the target, as a sawtooth over it, and as a step; one
/// service, half an hour each, capacity follows the replicas.
/// Guarantees: scaling goes down and up again at most once in each patience of a reduction, and never after the step.
#[test]
fn noise_sawtooth_and_step_do_not_make_it_oscillate() {
    let patience_s = Settings::default().scaling.reduce_after.0 / 1000;
    let bound = 2 * (HALF_AN_HOUR_S / patience_s) as usize;
    let noise = |second: u64| 12_000 + (second * 7919) % 9601 - 4800;
    assert!(reversals(noise).1 <= bound);
    let (sawtooth, step) =
        (reversals(|second| 4000 + (second % 600) * 40), reversals(|second| if second < 300 { 9000 } else { 30_000 }));
    assert!(0 < sawtooth.0 && sawtooth.1 <= bound, "{sawtooth:?}");
    assert!(0 < step.0 && step.1 == 0, "{step:?}");
}

const HALF_AN_HOUR_S: u64 = 1800;

/// How often it was scaled, and how often that turned round. `load` is what all replicas together have to do, in basis points
/// of one replica.
fn reversals(load: impl Fn(u64) -> u64) -> (usize, usize) {
    let mut settings = Settings::default();
    settings.autonomy.scaling = homeostat_core::Autonomy::Act;
    let envelope =
        homeostat_core::ServiceScaling { min: homeostat_core::Replicas(1), max: homeostat_core::Replicas(20) };
    settings.scaling.services.insert("cart".into(), envelope);
    let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
    control.handle(Timestamp(0), Event::Reconfigured(Box::new(settings)));
    let (mut replicas, mut reports, mut ways) = (2_u32, Vec::new(), Vec::new());
    for second in 1..=HALF_AN_HOUR_S {
        let now = Timestamp(second * 1000);
        let read = |indicator, value| Observation::new(Target::Service("cart".into()), indicator, value, now);
        let used = (load(second) / u64::from(replicas)).min(10_000);
        let seen = vec![read(Indicator::Utilization, used), read(Indicator::ReplicasReady, u64::from(replicas))];
        control.handle(now, Event::Observed(seen));
        std::mem::take(&mut reports).into_iter().for_each(|report| drop(control.handle(now, Event::Reported(report))));
        for command in control.handle(now, Event::Tick) {
            let Command::Effect(Effect::Apply { id, actuation }) = command else { continue };
            if let Actuation::SetReplicas { replicas: to, .. } = actuation {
                ways.push(replicas < to.0);
                replicas = to.0;
            }
            reports.push(Report { id, kind: ReportKind::Applied });
        }
    }
    (ways.len(), ways.windows(2).filter(|pair| pair[0] != pair[1]).count())
}
