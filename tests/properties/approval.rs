//! Questions to people.
//!
//! Answers what becomes of an action that needs a yes: it is sent once, only after the yes, only if the guards still agree,
//! and not at all when the yes comes too late.

use std::collections::BTreeSet;

use homeostat_core::{ActionId, Actuation, Autonomy, Effect, Millis, OperatorCommand, Settings};

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

/// Scenario: a person says yes to one question after another, every second, to all that were asked.
/// Guarantees: what is sent keeps the scaling budget and the blast radius from the moment of the yes on, not of the question;
/// what is refused names its guard.
#[test]
fn a_yes_spends_the_budget_when_it_is_given() {
    let mut settings = asking();
    settings.guards.blast_radius.targets_max = 4;
    let mut spent = 0;
    for seed in 1..=4 {
        let run = Run::of(seed, &settings, |second| {
            (20 <= second).then_some(OperatorCommand::Approve(ActionId(second - 19)))
        });
        let sent: Vec<_> = run
            .applied()
            .filter_map(|(at, _, actuation)| match actuation {
                Actuation::SetReplicas { service, .. } => Some((at, service)),
                _ => None,
            })
            .collect();
        for (last, _) in &sent {
            let within = |window: Millis| sent.iter().filter(move |(at, _)| at <= last && last.since(*at) < window);
            assert!(within(settings.guards.scaling.window).count() <= settings.guards.scaling.actions_max as usize);
            let touched: BTreeSet<_> =
                within(settings.guards.blast_radius.window).map(|(_, service)| service).collect();
            assert!(touched.len() <= 4, "{touched:?}");
        }
        let refused = run.records.iter().flat_map(|record| &record.plan.withheld);
        spent += refused.filter(|withheld| withheld.guard.as_str() == "blast_radius").count();
    }
    assert!(0 < spent, "nobody was refused");
}
