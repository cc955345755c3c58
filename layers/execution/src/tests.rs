//! Tests of a trial's life.
//!
//! Answers how a trial moves from `requested` to `judged` under reports that are good, bad, late, lost and doubled.

use homeostat_core::actions::{self, Action, Measure};
use homeostat_core::{
    BasisPoints, Indicator, Label, Reading, Replicas, RestartPermission, ServiceName, ServicePermissions, Settings,
    Signal, Target,
};

use super::*;

fn utilization() -> Signal {
    Signal::new(Target::Service("cart".into()), Indicator::Utilization)
}

fn request() -> ActionRequest {
    let measure = Measure::Reading(utilization());
    ActionRequest {
        id: ActionId(1),
        decided: Timestamp(0),
        policy: Label::new("test"),
        incident: None,
        action: actions::scale_in(&ServiceName::from("cart"), Replicas(4), Replicas(2), measure, 7000),
        baseline: Some(5000),
        forecast: None,
        why: String::new(),
        propensity: BasisPoints::ONE,
        alternatives: Vec::new(),
        passed: Vec::new(),
    }
}

fn snapshot(utilization_bp: u64) -> Snapshot {
    Snapshot { signals: [(utilization(), Reading::Fresh { value: utilization_bp })].into(), ..Snapshot::default() }
}

/// Drives one trial: `(second, report, utilisation then)`; returns stages entered and effects sent.
struct Life {
    execution: Execution,
    gate: Gate,
    step: Step,
}

impl Life {
    fn begun(autonomy: Autonomy) -> Life {
        let mut settings = Settings::default();
        settings.autonomy.scaling = autonomy;
        let mut life = Life { execution: Execution::default(), gate: Gate::Open, step: Step::default() };
        let plan = Plan { requests: vec![request()], ..Plan::default() };
        life.execution.start(Timestamp(0), Gate::Open, &plan, &settings, &mut life.step);
        life
    }

    fn report(&mut self, second: u64, kind: ReportKind) {
        let report = Report { id: ActionId(1), kind };
        self.execution.take_reports(Timestamp(second * 1000), vec![report], &mut self.step);
    }

    fn at(&mut self, second: u64, utilization_bp: u64) {
        self.execution.advance(Timestamp(second * 1000), self.gate, &snapshot(utilization_bp), &mut self.step);
    }

    fn stages(&self) -> Vec<TrialStage> {
        self.step.changes.iter().map(|change| change.to).collect()
    }

    fn undos(&self) -> usize {
        self.step.effects.iter().filter(|effect| matches!(effect, Effect::Undo { .. })).count()
    }
}

/// Scenario: applied, given time, and better.
/// Guarantees: requested, settling, kept; the outcome carries both values; nothing is taken back.
#[test]
fn a_kept_promise_stays() {
    let mut life = Life::begun(Autonomy::Act);
    life.report(1, ReportKind::Applied);
    life.at(20, 4000);
    assert_eq!(life.stages(), [TrialStage::Requested, TrialStage::Settling], "judged before its time");
    life.at(21, 4000);
    assert_eq!(life.stages().last(), Some(&TrialStage::Judged(Verdict::Kept)));
    assert_eq!((life.step.outcomes[0].before, life.step.outcomes[0].after), (Some(5000), Some(4000)));
    assert_eq!((life.undos(), life.execution.trials().len()), (0, 0));
}

/// Scenario: applied, given time, and worse.
/// Guarantees: the way back is sent, and only its confirmation ends the trial.
#[test]
fn a_harmful_action_is_taken_back() {
    let mut life = Life::begun(Autonomy::Act);
    life.report(1, ReportKind::Applied);
    life.at(21, 11_000);
    assert_eq!((life.stages().last(), life.undos()), (Some(&TrialStage::Undoing), 1));
    life.report(22, ReportKind::Undone);
    assert_eq!(life.stages().last(), Some(&TrialStage::Judged(Verdict::Undone)));
}

/// Scenario: the report of success is lost; asked, the outside says that the change is there.
/// Guarantees: nothing is sent twice and the trial goes on as if it had been reported.
#[test]
fn a_lost_report_is_asked_for() {
    let mut life = Life::begun(Autonomy::Act);
    life.at(60, 4000);
    assert!(matches!(life.step.effects.last(), Some(Effect::ReadBack { .. })));
    life.report(61, ReportKind::ReadBack { actual: Some(request().action.actuation) });
    life.at(81, 4000);
    assert_eq!(life.stages().last(), Some(&TrialStage::Judged(Verdict::Kept)));
    assert_eq!(life.step.effects.len(), 2);
}

/// Scenario: the outside never answers anything.
/// Guarantees: it is asked once, the way back is sent a bounded number of times, and the trial ends with a complaint.
#[test]
fn a_silent_outside_ends_in_a_complaint() {
    let mut life = Life::begun(Autonomy::Act);
    for second in 0..1000 {
        life.at(second, 4000);
    }
    assert_eq!(life.undos(), UNDO_ATTEMPTS_MAX as usize);
    assert_eq!(life.stages().last(), Some(&TrialStage::Judged(Verdict::Failed)));
    assert!(life.step.outcomes[0].complaint.is_some());
}

/// Scenario: a trial is due while the agent is held.
/// Guarantees: nothing is sent; it is judged once the hold ends.
#[test]
fn a_hold_stops_even_the_way_back() {
    let mut life = Life::begun(Autonomy::Act);
    life.report(1, ReportKind::Applied);
    life.gate = Gate::Closed;
    life.at(100, 11_000);
    assert_eq!(life.undos(), 0);
    life.gate = Gate::Open;
    life.at(101, 11_000);
    assert_eq!(life.undos(), 1);
}

/// Scenario: the same trial under `observe`, and under `approve` without an answer.
/// Guarantees: nothing is ever sent; the first is written down as not acted, the second is withdrawn in time.
#[test]
fn autonomy_gates_emission_alone() {
    let observed = Life::begun(Autonomy::Observe);
    assert_eq!((observed.stages(), observed.step.effects.len()), (vec![TrialStage::Judged(Verdict::NotActed)], 0));
    let mut asked = Life::begun(Autonomy::Approve);
    asked.at(899, 9500);
    asked.at(900, 9500);
    assert_eq!(asked.stages(), [TrialStage::AwaitingApproval, TrialStage::Judged(Verdict::Declined)]);
    assert_eq!(asked.step.effects.len(), 0);
}

/// Scenario: every report arrives twice, and once more after the end.
/// Guarantees: doubles change nothing.
#[test]
fn doubled_reports_change_nothing() {
    let mut life = Life::begun(Autonomy::Act);
    life.report(1, ReportKind::Applied);
    life.report(15, ReportKind::Applied);
    life.at(21, 4000);
    life.report(30, ReportKind::Applied);
    assert_eq!(life.stages().len(), 3);
}

/// Scenario: a restart is decided while its class may act, for a service that permits it unasked and for one that does not.
/// Guarantees: the first is sent, the second waits for a person; so is whatever else has no way back.
#[test]
fn what_cannot_be_undone_asks_first() {
    let stage_of = |action: Action, permission: Option<RestartPermission>| {
        let mut settings = Settings::default();
        (settings.autonomy.remediation, settings.autonomy.scaling) = (Autonomy::Act, Autonomy::Act);
        let permitted = ServicePermissions { restart: permission, ..Default::default() };
        settings.permissions.services.insert("cart".into(), permitted);
        let plan = Plan { requests: vec![ActionRequest { action, ..request() }], ..Plan::default() };
        let (mut execution, mut step) = (Execution::default(), Step::default());
        execution.start(Timestamp(0), Gate::Open, &plan, &settings, &mut step);
        step.changes[0].to
    };
    let restart = || actions::restart_instance(&"cart".into(), &"a".into());
    assert_eq!(stage_of(restart(), Some(RestartPermission::Unasked)), TrialStage::Requested);
    assert_eq!(stage_of(restart(), Some(RestartPermission::Asked)), TrialStage::AwaitingApproval);
    let scale = request().action;
    assert_eq!(stage_of(scale.clone(), None), TrialStage::Requested);
    assert_eq!(stage_of(Action { way_back: None, ..scale }, None), TrialStage::AwaitingApproval);
}
