//! Each checker against a loop that misbehaves in exactly its way.
//!
//! A checker that never complains proves nothing, so every promise is broken here once, and the same script without the
//! breach must pass in silence.

use std::collections::BTreeSet;
use std::sync::Arc;

use homeostat_core::actions::{self, Action, Measure};
use homeostat_core::{
    ActionId, ActionRequest, Actuation, Assessment, BasisPoints, Effect, Generation, Indicator, Observation,
    OperatorCommand, Outcome, Plan, Reading, Regime, Replicas, ServiceName, Signal, Snapshot, Target, TickNumber,
    TickRecord, Trial, TrialChange, TrialStage, TrialState, Verdict,
};

use crate::checkers::Checkers;
use crate::plants::{Readings, ServiceReadings};
use crate::queue::SimTime;
use crate::scenario::shipped;

/// A script's stage: the checkers of a scenario without faults, whose calm begins after its grace time.
struct Stage(Checkers);

fn stage() -> Stage {
    let mut stage = Stage(Checkers::new(&shipped("steady_state").unwrap()));
    stage.see(0);
    stage
}

fn scale(id: u64, at_s: u64, from: u32, to: u32) -> ActionRequest {
    let service = ServiceName::from("catalog");
    let signal = Signal::new(Target::Service(service.clone()), Indicator::Utilization);
    ActionRequest {
        id: ActionId(id),
        decided: SimTime::from_secs(at_s).wall(),
        policy: "test".into(),
        incident: None,
        action: actions::scale_out(&service, Replicas(from), Replicas(to), Measure::Reading(signal)),
        baseline: None,
        forecast: None,
        why: String::new(),
        propensity: BasisPoints::ONE,
        alternatives: Vec::new(),
        passed: Vec::new(),
    }
}

fn apply(request: &ActionRequest) -> Effect {
    Effect::Apply { id: request.id, actuation: request.action.actuation.clone() }
}

fn record(at_s: u64, requests: Vec<ActionRequest>, effects: Vec<Effect>) -> TickRecord {
    TickRecord {
        tick: TickNumber(at_s),
        at: SimTime::from_secs(at_s).wall(),
        regime: Regime::Engaged,
        snapshot: Arc::new(Snapshot::default()),
        assessment: Arc::new(Assessment::default()),
        plan: Arc::new(Plan { requests, ..Plan::default() }),
        effects,
        trials: Vec::new(),
        outcomes: Vec::new(),
        operator: Vec::new(),
        knowledge: Generation::default(),
    }
}

impl Stage {
    /// A reading of the catalogue's utilization reaches the loop.
    fn see(&mut self, at_s: u64) {
        let target = Target::Service(ServiceName::from("catalog"));
        let at = SimTime::from_secs(at_s).wall();
        self.0.observed(&[Observation::new(target, Indicator::Utilization, 5000, at)]);
    }

    /// One answer of the loop: a record, then effects.
    fn answer(&mut self, at_s: u64, record: TickRecord, effects: Vec<Effect>) {
        self.0.batch_begins(SimTime::from_secs(at_s));
        self.0.record(&record);
        effects.iter().for_each(|effect| self.0.effect(effect));
        self.0.batch_ends();
    }

    /// The loop decides and sends one request, properly recorded.
    fn act(&mut self, at_s: u64, request: ActionRequest) {
        let effect = apply(&request);
        self.answer(at_s, record(at_s, vec![request], vec![effect.clone()]), vec![effect]);
    }

    /// The checkers that complained, without repetition.
    fn complaints(self) -> Vec<&'static str> {
        let names: BTreeSet<&str> = self.0.complaints.iter().map(|complaint| complaint.checker).collect();
        names.into_iter().collect()
    }
}

/// Scenario: a proper change, and a second one long after it.
/// Guarantees: nobody complains.
#[test]
fn a_well_behaved_loop_is_left_in_peace() {
    let mut stage = stage();
    stage.act(1, scale(1, 1, 2, 4));
    stage.see(60);
    stage.act(60, scale(2, 60, 4, 8));
    assert_eq!(stage.complaints(), [""; 0]);
}

/// Scenario: an effect that no record announced, and an announced one that is not sent.
/// Guarantees: both are noticed.
#[test]
fn an_unrecorded_effect_is_noticed() {
    let mut unrecorded = stage();
    let request = scale(1, 1, 2, 3);
    let effect = apply(&request);
    unrecorded.answer(1, record(1, vec![request.clone()], Vec::new()), vec![effect.clone()]);
    assert_eq!(unrecorded.complaints(), ["record_first"]);
    let mut unsent = stage();
    unsent.answer(1, record(1, vec![request], vec![effect]), Vec::new());
    assert_eq!(unsent.complaints(), ["record_first"]);
}

/// Scenario: a change in a blind tick; a change after the kill switch by a loop that missed it.
/// Guarantees: both are noticed.
#[test]
fn a_change_through_a_closed_gate_is_noticed() {
    let request = scale(1, 1, 2, 3);
    let mut blind = stage();
    let effect = apply(&request);
    let seen = TickRecord { regime: Regime::Blind, ..record(1, vec![request.clone()], vec![effect.clone()]) };
    blind.answer(1, seen, vec![effect]);
    assert_eq!(blind.complaints(), ["gates"]);
    let mut held = stage();
    held.0.operator(&OperatorCommand::Hold);
    held.act(1, request);
    assert_eq!(held.complaints(), ["gates"]);
}

/// Scenario: one id for two different changes; the same change sent twice.
/// Guarantees: only the first is noticed.
#[test]
fn an_id_with_two_meanings_is_noticed() {
    let mut two = stage();
    two.act(1, scale(1, 1, 2, 3));
    two.see(60);
    two.act(60, scale(1, 60, 3, 4));
    assert_eq!(two.complaints(), ["unique_ids"]);
    let mut again = stage();
    again.act(1, scale(1, 1, 2, 3));
    again.act(2, scale(1, 1, 2, 3));
    assert_eq!(again.complaints(), [""; 0]);
}

/// Scenario: a change without a way back, and an undo that goes elsewhere.
/// Guarantees: both are noticed.
#[test]
fn a_change_without_a_way_back_is_noticed() {
    let mut stuck = stage();
    let request = scale(1, 1, 2, 3);
    let action = Action { way_back: None, ..request.action.clone() };
    stuck.act(1, ActionRequest { action, ..request.clone() });
    assert_eq!(stuck.complaints(), ["way_back"]);
    let mut astray = stage();
    astray.act(1, request);
    let actuation = Actuation::SetReplicas { service: ServiceName::from("catalog"), replicas: Replicas(5) };
    let undo = Effect::Undo { id: ActionId(1), actuation };
    astray.answer(9, record(9, Vec::new(), vec![undo.clone()]), vec![undo]);
    assert_eq!(astray.complaints(), ["way_back"]);
}

/// Scenario: a restart that nobody permitted; permitted ones of a service with two instances, and of its last one.
/// Guarantees: all but the one beside another instance are noticed.
#[test]
fn a_restart_without_permission_or_company_is_noticed() {
    let restart = |scenario: &str, serving: Option<u32>| {
        let mut stage = Stage(Checkers::new(&shipped(scenario).unwrap()));
        stage.see(0);
        if let Some(replicas) = serving {
            let cart = ServiceReadings { replicas, ..ServiceReadings::default() };
            let services = vec![ServiceReadings::default(), cart];
            stage.0.second(SimTime::from_secs(1), &Readings { services, ..Readings::default() });
        }
        let action = actions::restart_instance(&"cart".into(), &"cart-0".into());
        stage.act(2, ActionRequest { action, ..scale(1, 2, 2, 3) });
        stage.complaints()
    };
    assert_eq!(restart("steady_state", None), ["carries_on", "way_back"]);
    assert_eq!(restart("wedged_instance", Some(2)), [""; 0]);
    assert_eq!(restart("wedged_instance", Some(1)), ["carries_on", "way_back"]);
}

/// Scenario: more replicas than allowed, asked for in small steps; more in the plant than allowed.
/// Guarantees: both are noticed.
#[test]
fn leaving_the_envelope_is_noticed() {
    let mut asked = stage();
    asked.act(1, scale(1, 1, 10, 11));
    assert_eq!(asked.complaints(), ["envelope"]);
    let mut there = stage();
    let grown = ServiceReadings { replicas_wanted: 99, ..ServiceReadings::default() };
    there.0.second(SimTime::from_secs(1), &Readings { services: vec![grown], ..Readings::default() });
    assert_eq!(there.complaints(), ["envelope"]);
}

/// Scenario: from two replicas to five in one step.
/// Guarantees: it is noticed, although five are allowed.
#[test]
fn a_leap_is_noticed() {
    let mut stage = stage();
    stage.act(1, scale(1, 1, 2, 5));
    assert_eq!(stage.complaints(), ["step"]);
}

/// Scenario: a second change of the same kind on the same target after ten seconds.
/// Guarantees: it is noticed.
#[test]
fn impatience_is_noticed() {
    let mut stage = stage();
    stage.act(1, scale(1, 1, 2, 3));
    stage.act(11, scale(2, 11, 3, 4));
    assert_eq!(stage.complaints(), ["cooldown"]);
}

/// Scenario: seven scaling actions in six seconds.
/// Guarantees: the scaling budget of six a minute is noticed to be exceeded, besides the impatience.
#[test]
fn a_flurry_is_noticed() {
    let mut stage = stage();
    (1..=7).for_each(|at_s| stage.act(at_s, scale(at_s, at_s, 2, 3)));
    assert_eq!(stage.complaints(), ["cooldown", "rate_budget"]);
}

/// Scenario: a trial begins while another of its kind is open on the target; one after the other.
/// Guarantees: only the first is noticed.
#[test]
fn a_second_open_trial_is_noticed() {
    let change = |id, from, to| TrialChange {
        id: ActionId(id),
        kind: "scale_replicas".into(),
        target: Target::Service(ServiceName::from("catalog")),
        from,
        to,
    };
    let begin = |id| change(id, None, TrialStage::Requested);
    let end = |id| change(id, Some(TrialStage::Requested), TrialStage::Judged(Verdict::Kept));
    let tell = |trials| {
        let mut stage = stage();
        stage.answer(1, TickRecord { trials, ..record(1, Vec::new(), Vec::new()) }, Vec::new());
        stage.complaints()
    };
    assert_eq!(tell(vec![begin(1), begin(2)]), ["one_trial"]);
    assert_eq!(tell(vec![begin(1), end(1), begin(2)]), [""; 0]);
    assert_eq!(tell(vec![end(3)]), ["one_trial"]);
}

/// Scenario: a change that rests on a reading of a minute ago.
/// Guarantees: it is noticed, whatever the loop's snapshot says.
#[test]
fn stale_evidence_is_noticed() {
    let mut stage = stage();
    stage.act(60, scale(1, 60, 2, 3));
    assert_eq!(stage.complaints(), ["fresh_evidence"]);
}

/// Scenario: in the last minute one request in ten is slow; one in a thousand.
/// Guarantees: only the first is noticed.
#[test]
fn a_missed_objective_is_noticed() {
    let last_minute = |slow_per_second| {
        let mut stage = stage();
        let mut service = ServiceReadings::default();
        for at_s in 200..=300 {
            service.totals.requests += 1000;
            service.totals.slow += slow_per_second;
            stage.0.second(SimTime::from_secs(at_s), &Readings { services: vec![service], ..Readings::default() });
        }
        stage.0.end(SimTime::from_secs(300), &[]);
        stage.complaints()
    };
    assert_eq!(last_minute(100), ["objective_met"]);
    assert_eq!(last_minute(1), [""; 0]);
}

/// Scenario: at the end, a trial still waits for an answer that was due a minute ago.
/// Guarantees: it is noticed.
#[test]
fn a_forgotten_trial_is_noticed() {
    let mut stage = stage();
    stage.act(240, scale(1, 0, 2, 3));
    let state = TrialState::AwaitingApproval { expires: SimTime::from_secs(240).wall() };
    stage.0.end(SimTime::from_secs(300), &[Trial { request: scale(1, 0, 2, 3), state }]);
    assert_eq!(stage.complaints(), ["deadlines"]);
}

/// Scenario: once calm, the loop goes up and down four times, at a leisurely pace, without having watched what is needed.
/// Guarantees: the oscillation is noticed, and so is that nobody watched and that too much is taken away.
#[test]
fn an_oscillation_is_noticed() {
    let mut stage = stage();
    for turn in 0..4 {
        let at_s = 200 + turn * 70;
        stage.see(at_s);
        let (from, to) = if turn % 2 == 0 { (2, 3) } else { (3, 2) };
        stage.act(at_s, scale(turn, at_s, from, to));
    }
    stage.0.end(SimTime::from_secs(900), &[]);
    assert_eq!(stage.complaints(), ["blast_radius", "rest", "worst_case"]);
}

/// A snapshot of the catalogue: how busy, and how many replicas.
fn seen(at_s: u64, used_bp: u64, ready: u64) -> Arc<Snapshot> {
    let signal = |indicator| Signal::new(Target::Service(ServiceName::from("catalog")), indicator);
    let signals = [(Indicator::Utilization, used_bp), (Indicator::ReplicasReady, ready)];
    let signals = signals.map(|(indicator, value)| (signal(indicator), Reading::Fresh { value }));
    Arc::new(Snapshot { at: SimTime::from_secs(at_s).wall(), signals: signals.into(), ..Snapshot::default() })
}

/// Scenario: to zero, and from zero.
/// Guarantees: both are noticed, besides what else is wrong with them.
#[test]
fn zero_is_noticed() {
    let zero = |from, to| {
        let mut stage = stage();
        stage.act(1, scale(1, 1, from, to));
        stage.complaints().contains(&"zero")
    };
    assert!(zero(1, 0) && zero(0, 1) && !zero(1, 2));
}

/// Scenario: up at 1 s, down at 60 s, where two and a half cooldowns are 62.5 s; and down at 64 s.
/// Guarantees: only the first is noticed as turning round.
#[test]
fn turning_round_is_noticed() {
    let down_at = |at_s| {
        let mut stage = stage();
        stage.act(1, scale(1, 1, 2, 3));
        stage.see(at_s);
        stage.act(at_s, scale(2, at_s, 3, 2));
        stage.complaints().contains(&"reversal")
    };
    assert!(down_at(60) && !down_at(64));
}

/// Scenario: five minutes of a service with four replicas that needs all of them in one second; then down to three.
/// Guarantees: it is noticed; where that second is longer ago than the waiting time, it is not.
#[test]
fn a_reduction_below_what_was_needed_is_noticed() {
    let busy_at = |busy_s| {
        let mut stage = stage();
        for at_s in 0..400 {
            let used_bp = if at_s == busy_s { 6000 } else { 3000 };
            let record = TickRecord { snapshot: seen(at_s, used_bp, 4), ..record(at_s, Vec::new(), Vec::new()) };
            stage.answer(at_s, record, Vec::new());
        }
        stage.see(400);
        stage.act(400, scale(1, 400, 4, 3));
        stage.complaints()
    };
    assert_eq!(busy_at(350), ["worst_case"]);
    assert_eq!(busy_at(50), [""; 0]);
}

/// Scenario: of eight replicas two are taken away, and three more within the same five minutes.
/// Guarantees: that more than half is gone is noticed.
#[test]
fn too_large_a_blast_is_noticed() {
    let then = |to| {
        let mut stage = stage();
        stage.act(1, scale(1, 1, 8, 6));
        stage.see(100);
        stage.act(100, scale(2, 100, 6, to));
        stage.complaints().contains(&"blast_radius")
    };
    assert!(then(3) && !then(4));
}

/// Scenario: from second 10 on every service but the frontend fails all its requests; the loop scales one at 30 s and at 60 s.
/// Guarantees: the second change is noticed, once the loop has had time to see the storm; one failing service is none.
#[test]
fn acting_in_a_storm_is_noticed() {
    let failing = |from: usize| {
        let mut stage = stage();
        let mut services = vec![ServiceReadings::default(); 5];
        for at_s in 0..=60 {
            for (index, service) in services.iter_mut().enumerate() {
                service.totals.requests += 100;
                service.totals.errors += if from <= index && 10 <= at_s { 100 } else { 0 };
            }
            let truth = Readings { services: services.clone(), ..Readings::default() };
            stage.0.second(SimTime::from_secs(at_s), &truth);
            if [30, 60].contains(&at_s) {
                stage.see(at_s);
                stage.act(at_s, scale(at_s, at_s, 2, 3));
            }
        }
        stage.0.complaints.iter().filter(|complaint| complaint.checker == "storm").count()
    };
    assert_eq!((failing(1), failing(4)), (1, 0));
}

/// Scenario: a change is taken back three times, and made a fourth time; the same after a person armed it.
/// Guarantees: only the first is noticed.
#[test]
fn a_fourth_try_is_noticed() {
    let tell = |said: Vec<OperatorCommand>| {
        let mut stage = stage();
        for round in 0..3 {
            let at_s = 1 + round * 60;
            stage.see(at_s);
            stage.act(at_s, scale(round, at_s, 2, 3));
            let outcome = Outcome {
                id: ActionId(round),
                kind: "scale_replicas".into(),
                target: Target::Service(ServiceName::from("catalog")),
                incident: None,
                verdict: Verdict::Undone,
                before: None,
                after: None,
                expected: None,
                complaint: None,
            };
            let record = TickRecord { outcomes: vec![outcome], ..record(at_s + 30, Vec::new(), Vec::new()) };
            stage.answer(at_s + 30, record, Vec::new());
        }
        stage.answer(190, TickRecord { operator: said, ..record(190, Vec::new(), Vec::new()) }, Vec::new());
        stage.see(200);
        stage.act(200, scale(9, 200, 2, 3));
        stage.complaints()
    };
    let target = Some(Target::Service(ServiceName::from("catalog")));
    assert_eq!(tell(Vec::new()), ["taken_back"]);
    assert_eq!(tell(vec![OperatorCommand::Arm { kind: "scale_replicas".into(), target }]), [""; 0]);
    assert_eq!(tell(vec![OperatorCommand::Resume]), [""; 0]);
}

/// Scenario: of three instances one is restarted, and another two minutes later.
/// Guarantees: the second is noticed; a restart of the only instance is noticed at once.
#[test]
fn too_many_restarts_are_noticed() {
    let restarts = |instances, times: u64| {
        let mut stage = stage();
        let service = ServiceReadings { replicas: instances, ..ServiceReadings::default() };
        stage.0.second(SimTime::from_secs(1), &Readings { services: vec![service; 5], ..Readings::default() });
        for number in 0..times {
            let action = actions::restart_instance(&ServiceName::from("catalog"), &"catalog-1".into());
            stage.act(2 + number * 120, ActionRequest { action, ..scale(number, 2 + number * 120, 2, 3) });
        }
        stage.complaints().contains(&"carries_on")
    };
    assert!(restarts(3, 2) && restarts(1, 1) && !restarts(3, 1));
}

/// Scenario: somebody else sets the replicas of a service; the loop changes them within, and after, the time it leaves them.
/// Guarantees: only the first is noticed, and not before the loop could have seen it.
#[test]
fn fighting_is_noticed() {
    let acts_at = |at_s| {
        let mut stage = stage();
        stage.0.other_hand(&ServiceName::from("catalog"), SimTime::from_secs(100));
        stage.see(at_s);
        stage.act(at_s, scale(1, at_s, 2, 3));
        stage.complaints().contains(&"other_hand")
    };
    assert!(acts_at(200) && !acts_at(120) && !acts_at(701));
}

/// Scenario: an assertion of the loop fails.
/// Guarantees: it is complained of with its text.
#[test]
fn a_failed_assertion_is_told() {
    let mut stage = stage();
    stage.0.assertion(SimTime::from_secs(3), "one and one".to_owned());
    assert_eq!(stage.0.complaints[0].found, "one and one");
    assert_eq!(stage.complaints(), ["assertion"]);
}
