//! Tests of rules as a policy: what is evaluated, remembered and proposed.

use homeostat_core::{
    Arithmetic, Comparison, Indicator, Label, Millis, Replicas, Rule, RuleAction, RuleSettings, SamplingProbability,
    ScaleOut, Search, Selector, Step, Urgency, Value, Variable,
};
use proptest::prelude::*;

use super::rehearsal::{Given, Rehearsal, Scene, rehearse};
use super::*;
use crate::testing::World;

fn rule(when: &str, then: RuleAction) -> Rule {
    Rule {
        name: "r".to_owned(),
        version: "v1".to_owned(),
        description: String::new(),
        selector: Selector { services: vec!["*".to_owned()] },
        when: language::read(when).unwrap_or_else(|flaws| panic!("{when}: {flaws:?}")),
        holds_for: Millis(0),
        then,
        dry_run: false,
        priority: 0,
    }
}

fn one_more() -> RuleAction {
    RuleAction::ScaleOut(ScaleOut::By(Replicas(1)))
}

/// What a condition comes to of a service of which `given` is known.
fn stands(when: &str, given: Vec<(Variable, Given)>) -> RuleStanding {
    let settings =
        homeostat_core::Settings { rules: RuleSettings::new(vec![rule(when, one_more())]), ..Default::default() };
    let scenes = vec![Scene { at: Millis(0), service: "cart".into(), given }];
    let answers = rehearse(&Rehearsal { settings, every: Millis(1000), scenes, asked: vec![Millis(0)] });
    let nothing = RuleStanding { policy: Label::new(""), holds: BTreeMap::new(), unknown: 0, problem: None };
    answers[0].standing.0.first().cloned().unwrap_or(nothing)
}

/// Scenario: conditions on values that are fresh, stale and missing, alone and beside others.
/// Guarantees: missing is never zero: what is not known neither holds nor fails to hold, unless the rest decides; has(),
/// stale(), worst() and orValue() tell the three apart.
#[test]
fn missing_is_never_zero_in_a_rule() {
    let fresh = |share| vec![(Variable::Utilization, Given::Fresh(Value::Millionths(share)))];
    let stale = || vec![(Variable::Utilization, Given::Stale(Value::Millionths(900_000)))];
    let check = |when: &str, given: Vec<(Variable, Given)>, expected: &str| {
        let standing = stands(when, given);
        let found = match (standing.holds.len(), standing.unknown, &standing.problem) {
            (1, 0, None) => "holds",
            (0, 1, None) => "unknown",
            (0, 0, None) => "not",
            _ => "problem",
        };
        assert_eq!(found, expected, "{when}");
    };
    check("service.utilization > 0.8", fresh(900_000), "holds");
    check("service.utilization > 0.8", fresh(800_000), "not");
    for when in ["service.utilization < 0.1", "service.utilization >= 0.0", "service.utilization == 0.0"] {
        check(when, vec![], "unknown");
        check(when, stale(), "unknown");
    }
    check("has(service.utilization)", fresh(0), "holds");
    check("has(service.utilization)", stale(), "not");
    check("stale(service.utilization)", stale(), "holds");
    check("stale(service.utilization)", vec![], "not");
    check("worst(service.utilization) > 0.8", stale(), "holds");
    check("worst(service.utilization) > 0.8", vec![], "unknown");
    check("service.?utilization.orValue(1.0) > 0.8", vec![], "holds");
    check("has(service.utilization) && service.utilization < 0.1", vec![], "not");
    check("!has(service.utilization) || service.utilization > 0.8", vec![], "holds");
    check("service.utilization > 0.8 && false", vec![], "not");
    check("service.utilization > 0.8 || true", vec![], "holds");
    check("has(incident.kind)", vec![], "not");
    check("1 / 0 > 1", vec![], "problem");
    check("9223372036854775807 + 1 > 1", vec![], "problem");
    check("false && 1 / 0 > 1", vec![], "not");
    check("service.utilization > 0.5 && 1 / 0 > 1", vec![], "unknown");
    check("service.name == 'cart' && 0.1 + 0.2 == 0.3", vec![], "holds");
    check("2.5 * 2.0 == 5 && 1.0 / 4.0 == 0.25 && 7 % 4 == 3", vec![], "holds");
}

/// Scenario: a condition that holds for nine seconds, breaks for one, and holds again; it must hold for five.
/// Guarantees: the time starts anew after the break, and a reading that goes missing is a break.
#[test]
fn a_condition_must_hold_without_a_break() {
    let rule = Rule { holds_for: Millis::from_secs(5), ..rule("service.utilization > 0.8", one_more()) };
    let settings = homeostat_core::Settings { rules: RuleSettings::new(vec![rule]), ..Default::default() };
    let scene = |second, given| Scene {
        at: Millis::from_secs(second),
        service: "cart".into(),
        given: vec![(Variable::Utilization, given), (Variable::Replicas, Given::Fresh(Value::Whole(2)))],
    };
    let busy = || Given::Fresh(Value::Millionths(900_000));
    let scenes = vec![scene(0, busy()), scene(9, Given::Missing), scene(10, busy())];
    let asked = [4, 5, 8, 9, 10, 14, 15].map(Millis::from_secs).to_vec();
    let answers = rehearse(&Rehearsal { settings, every: Millis::from_secs(1), scenes, asked });
    let proposals: Vec<usize> = answers.iter().map(|answer| answer.proposals.len()).collect();
    assert_eq!(proposals, [0, 1, 1, 0, 0, 0, 1]);
}

/// Scenario: a rule asks for ten replicas where a step may double two; for more than the envelope; for what is there already.
/// Guarantees: it walks in steps that the guards can let pass, and stops at what is allowed.
#[test]
fn a_rule_walks_in_steps() {
    let check = |then: RuleAction, replicas: u64, expected: Option<u32>| {
        let world = World::default().at(100).scalable("cart", 1, 8).gauge("cart", Indicator::ReplicasReady, replicas);
        let world = world.gauge("cart", Indicator::Utilization, 9000).with_rules(vec![rule("true", then)]);
        let found =
            world.standing_proposals(&OPERATOR_RULES).first().map(|proposal| match &proposal.action.actuation {
                homeostat_core::Actuation::SetReplicas { replicas, .. } => replicas.0,
                other => panic!("{other}"),
            });
        assert_eq!(found, expected);
    };
    let to = |number| RuleAction::ScaleOut(ScaleOut::To(Replicas(number)));
    check(to(10), 2, Some(4));
    check(to(10), 4, Some(8));
    check(to(10), 8, None);
    check(to(3), 2, Some(3));
    check(to(3), 5, None);
    check(one_more(), 2, Some(3));
    check(one_more(), 8, None);
}

/// Scenario: sampling at everything where one per mille is kept.
/// Guarantees: a probability is raised by no more than one action may raise it.
#[test]
fn sampling_is_raised_in_steps() {
    let then = RuleAction::Sample(SamplingProbability::ALWAYS);
    let world =
        World::default().at(100).gauge("cart", Indicator::RequestsTotal, 1000).with_rules(vec![rule("true", then)]);
    let proposals = world.sampled("cart", 1000).standing_proposals(&OPERATOR_RULES);
    let homeostat_core::Actuation::SetSampling { sampling, .. } = &proposals[0].action.actuation else {
        panic!("sampling was asked for")
    };
    assert_eq!(sampling.tail.ppm(), 10_000);
    assert!(proposals[0].why.contains("r has held of cart"), "{}", proposals[0].why);
    assert_eq!(proposals[0].policy, Label::new("rule/r@v1"));
}

/// Scenario: a notification is asked for while a condition holds for a minute.
/// Guarantees: people are told once.
#[test]
fn people_are_told_once() {
    let then = RuleAction::Notify { urgency: Urgency::Ticket, text: "look".to_owned() };
    let settings =
        homeostat_core::Settings { rules: RuleSettings::new(vec![rule("true", then)]), ..Default::default() };
    let scenes = vec![Scene { at: Millis(0), service: "cart".into(), given: Vec::new() }];
    let asked = (0..60).map(Millis::from_secs).collect();
    let answers = rehearse(&Rehearsal { settings, every: Millis::from_secs(1), scenes, asked });
    assert_eq!(answers.iter().map(|answer| answer.proposals.len()).sum::<usize>(), 1);
    assert_eq!(answers[0].proposals[0].action.actuation.to_string(), "notify: cart: look");
}

/// Scenario: a rule for everybody holds of more services than are remembered.
/// Guarantees: the bound holds, and the rule's problem says so.
#[test]
fn what_is_remembered_is_bounded() {
    let world = (0..Standing::HOLDS_MAX + 10).fold(World::default().at(100), |world, number| {
        world.gauge(&format!("service-{number:05}"), Indicator::RequestsTotal, 1000)
    });
    let standing = world.with_rules(vec![rule("true", one_more())]).standing(&OPERATOR_RULES);
    assert_eq!(standing.0[0].holds.len(), Standing::HOLDS_MAX);
    assert_eq!(standing.0[0].problem.as_ref().map(|problem| problem.services), Some(10));
}

/// Scenario: an incident whose findings name a suspect, on a Friday at half past eight.
/// Guarantees: the incident is told of the suspect and of whom it touches, and the time is the tick's.
#[test]
fn incidents_and_time_are_read() {
    // 2026-11-27T08:30:00Z
    let world = World::default().at(1_795_768_200).gauge("cart", Indicator::RequestsTotal, 1000);
    let world = world.gauge("pay", Indicator::RequestsTotal, 1000).suspecting("pay", "cart");
    let holds = |when: &str| {
        let standing = world.clone().with_rules(vec![rule(when, one_more())]).standing(&OPERATOR_RULES);
        let services = standing.0.first().map(|standing| standing.holds.keys().map(ToString::to_string).collect());
        services.unwrap_or_else(Vec::new)
    };
    assert_eq!(holds("incident.kind == 'latency_burn'"), ["cart", "pay"]);
    assert_eq!(holds("incident.is_suspect"), ["pay"]);
    assert_eq!(holds("incident.suspect == 'pay' && incident.severity == 'page'"), ["cart", "pay"]);
    assert_eq!(holds("incident.age == duration('10s') && service.name == 'pay'"), ["pay"]);
    assert_eq!(holds("time.hour == 8 && time.minute == 30 && time.day_of_week == 5"), ["cart", "pay"]);
    assert_eq!(holds("time.hour == 9"), [""; 0]);
}

fn step() -> impl Strategy<Value = Step> {
    let constant = prop_oneof![
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Whole),
        any::<i64>().prop_map(Value::Millionths),
        any::<i64>().prop_map(Value::SpanUs),
        "\\PC{0,4}".prop_map(Value::Text),
    ];
    let variable = || proptest::sample::select(Variable::ALL.to_vec());
    let arithmetic =
        [Arithmetic::Add, Arithmetic::Subtract, Arithmetic::Multiply, Arithmetic::Divide, Arithmetic::Remainder];
    let others = [
        Step::OrElse,
        Step::Not,
        Step::And,
        Step::Or,
        Step::Choose,
        Step::Negate,
        Step::ToDecimal,
        Step::ToWhole,
        Step::Search(Search::Contains),
        Step::Compare(Comparison::Less),
        Step::Compare(Comparison::Equal),
    ];
    prop_oneof![
        4 => constant.prop_map(Step::Constant),
        2 => variable().prop_map(Step::Read),
        1 => variable().prop_map(Step::IsFresh),
        1 => variable().prop_map(Step::WorstCase),
        2 => proptest::sample::select(arithmetic.to_vec()).prop_map(Step::Calculate),
        4 => proptest::sample::select(others.to_vec()),
        1 => any::<u16>().prop_map(Step::IsIn),
        1 => (0_u16..4).prop_map(Step::IsIn),
    ]
}

proptest! {
    /// Scenario: arbitrary steps, as a damaged journal may hold them, over arbitrary values.
    /// Guarantees: evaluating them never panics and ends with true, false, unknown or a problem.
    #[test]
    fn no_steps_do_harm(steps in proptest::collection::vec(step(), 0..40)) {
        let damaged = Rule { when: Condition { text: String::new(), steps }, ..rule("true", one_more()) };
        let world = World::default().at(100).gauge("cart", Indicator::Utilization, 9000).with_rules(vec![damaged]);
        let standing = world.standing(&OPERATOR_RULES);
        for standing in standing.0 {
            let (unknown, problem) = (standing.unknown as usize, usize::from(standing.problem.is_some()));
            prop_assert!(standing.holds.len() + unknown + problem == 1);
        }
    }
}
