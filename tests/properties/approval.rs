//! Questions to people.
//!
//! Answers what becomes of an action that needs a yes: it is sent once, only after the yes, only if the guards still agree,
//! and not at all when the yes comes too late.

use homeostat_core::actions::ActionClass;
use homeostat_core::{ActionId, ActionRequest, Autonomy, Effect, Millis, OperatorCommand, Settings, Timestamp};

use crate::Run;
use crate::adversary;

/// The first thing the adversary asks for with this seed.
const ASKED: ActionId = ActionId(1);

fn asking() -> Settings {
    let mut settings = adversary::settings();
    settings.autonomy.sampling = Autonomy::Approve;
    settings.autonomy.scaling = Autonomy::Approve;
    settings.autonomy.notification = Autonomy::Approve;
    settings
}

fn applied(run: &Run) -> Vec<ActionId> {
    run.applied().map(|(_, id, _)| id).collect()
}

/// Scenario: a question is answered with yes, twice; and with no.
/// Guarantees: the yes sends it exactly once, the no never, and nothing else is sent.
#[test]
fn a_yes_sends_once_and_a_no_never() {
    let say = |words: fn(ActionId) -> OperatorCommand| {
        Run::of(7, &asking(), move |second| [20, 30].contains(&second).then(|| words(ASKED)))
    };
    assert_eq!(applied(&say(OperatorCommand::Approve)), [ASKED]);
    assert_eq!(applied(&say(OperatorCommand::Reject)), []);
}

/// Scenario: the yes comes after the question has expired.
/// Guarantees: nothing is sent; the question was withdrawn.
#[test]
fn a_late_yes_sends_nothing() {
    let mut settings = asking();
    settings.autonomy.approval_expires = Millis::from_secs(10);
    let run = Run::of(7, &settings, |second| (second == 60).then_some(OperatorCommand::Approve(ASKED)));
    assert_eq!(applied(&run), []);
}

/// Scenario: the yes comes while the agent is on hold, which has begun since the question was asked.
/// Guarantees: the guards are asked again and refuse; the refusal is in that tick's plan with its guard.
#[test]
fn a_yes_is_checked_against_the_world_as_it_is() {
    let run = Run::of(7, &asking(), |second| match second {
        15 => Some(OperatorCommand::Hold),
        20 => Some(OperatorCommand::Approve(ASKED)),
        _ => None,
    });
    assert_eq!(run.effects.iter().filter(|(_, effect)| matches!(effect, Effect::Apply { .. })).count(), 0);
    let asked = run.requests().find(|request| request.id == ASKED).expect("it was asked").action.clone();
    let tick = run.records.iter().find(|record| record.at.as_millis() == 20_000).expect("a record per tick");
    let refused = tick.plan.withheld.iter().find(|withheld| withheld.proposal.action == asked);
    assert_eq!(refused.expect("refused").guard.as_str(), "kill_switch");
}

/// Scenario: for two minutes a person answers nothing; then a yes a second, to every question about replicas.
/// Guarantees: what is sent keeps the scaling budget from the moment of the yes on, not of the question, and some is refused.
#[test]
fn a_yes_spends_the_budget_when_it_is_given() {
    let (settings, mut refused) = (asking(), 0);
    for seed in 1..=4 {
        let scales = |request: &&ActionRequest| request.action.class == ActionClass::Scaling;
        let asked: Vec<ActionId> = Run::of(seed, &settings, |_| None)
            .requests()
            .filter(scales)
            .filter(|request| request.decided < Timestamp(120_000))
            .map(|request| request.id)
            .collect();
        let yes = |second: u64| asked.get(second.checked_sub(120)? as usize).map(|id| OperatorCommand::Approve(*id));
        let run = Run::of(seed, &settings, yes);
        let sent: Vec<_> = run.applied().map(|(at, ..)| at).collect();
        let budget = settings.guards.scaling;
        for last in &sent {
            let within = sent.iter().filter(|at| *at <= last && last.since(**at) < budget.window).count();
            assert!(within <= budget.actions_max as usize, "{within} within {}", budget.window);
        }
        refused += asked.len().saturating_sub(sent.len());
    }
    assert!(0 < refused, "every yes was followed");
}
