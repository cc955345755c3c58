//! Learners that mean harm.
//!
//! Answers whether anything that a learner says can make the loop break a promise of safety. The learners here answer at
//! random, always choose the largest step, or answer with nonsense; a reckless policy gives them more to choose from than any
//! policy would. Whether the system is well afterwards is not asked: with such learners it need not be.

use homeostat_control::evaluation::{Doubt, JournalLog, Judgement, Named};
use homeostat_control::{CheckpointScope, ControlLoop};
use homeostat_core::actions::{self, ActionClass, Measure};
use homeostat_core::{
    ActionRequest, BasisPoints, Checkpoint, Command, Event, Features, Indicator, Label, Learner, Policy, PolicyView,
    Proposal, Question, Replicas, Seed, Signal, Stream, Target, TickRecord,
};
use homeostat_learning::LINEAR_BANDIT;
use homeostat_sim::{Keep, Options, Perturbation, RunReport, run, shipped};
use rand::Rng;

/// The checkers that ask whether the system is well; all others ask whether it is safe.
const LIVENESS: &[&str] = &["objective_met", "rest"];

/// Everything that ships, after a policy that proposes steps of every size for every service.
const POLICIES: &[&dyn Policy] = &[&Reckless, homeostat_policies::CATALOGUE[0], homeostat_policies::CATALOGUE[1]];

struct Reckless;

impl Policy for Reckless {
    fn name(&self) -> &'static str {
        "reckless"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for service in view.snapshot.services() {
            let Some(ready) = view.snapshot.service_value(service, Indicator::ReplicasReady) else { continue };
            let from = Replicas(ready as u32);
            for to in [0, 1, from.0 + 1, from.0 * 2, from.0 * 10, u32::MAX] {
                let measure = Measure::Reading(Signal::new(Target::Service(service.clone()), Indicator::Utilization));
                let action = actions::scale_out(service, from, Replicas(to), measure);
                let (policy, why) = (Label::new(self.name()), "because it can".to_owned());
                proposals.push(Proposal { policy, incident: None, action, why });
            }
        }
    }
}

struct Random;

impl Learner for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn answer(&self, question: &Question<'_>, draws: &mut Stream) -> Result<Vec<f64>, Label> {
        Ok(question.options.iter().map(|_| f64::from(draws.next_u32())).collect())
    }
}

/// Always the largest step, whichever way.
struct Malicious;

impl Learner for Malicious {
    fn name(&self) -> &'static str {
        "malicious"
    }

    fn answer(&self, question: &Question<'_>, _: &mut Stream) -> Result<Vec<f64>, Label> {
        let step = |option: &Features| option.0[4].max(option.0[5]);
        let largest = question.options.iter().map(step).max().unwrap_or_default();
        Ok(question.options.iter().map(|option| if step(option) == largest { 1.0 } else { 0.0 }).collect())
    }
}

/// Another kind of nonsense each time.
struct Nonsense;

impl Learner for Nonsense {
    fn name(&self) -> &'static str {
        "nonsense"
    }

    fn answer(&self, question: &Question<'_>, draws: &mut Stream) -> Result<Vec<f64>, Label> {
        let options = question.options.len();
        Ok(match draws.next_u32() % 6 {
            0 => vec![f64::NAN; options],
            1 => vec![f64::INFINITY; options],
            2 => vec![-1.0; options],
            3 => vec![0.0; options],
            4 => vec![f64::MAX; options + 100],
            _ => Vec::new(),
        })
    }
}

/// Runs some scenarios with `learner` and the usual perturbations; gives every record.
fn records_without_complaint(learner: &'static dyn Learner) -> Vec<TickRecord> {
    let mut records = Vec::new();
    for name in ["starved_service", "burst_under_budget", "traffic_step"] {
        let mut scenario = shipped(name).unwrap_or_else(|error| panic!("{error}"));
        scenario.settings.learning.exploration = BasisPoints(500);
        for seed in [1, 2] {
            let perturbation = Perturbation::Bounded;
            let options = Options {
                policies: POLICIES,
                learner: Some(learner),
                perturbation,
                keep: Keep::Records,
                ..Options::default()
            };
            let report = run(&scenario, Seed(seed), &options);
            assert_eq!(report.complaints_total, report.complaints.len() as u64, "none may be left out");
            let unsafe_ones = report.complaints.iter().filter(|complaint| !LIVENESS.contains(&complaint.checker));
            let unsafe_ones: Vec<String> = unsafe_ones.map(ToString::to_string).collect();
            assert!(unsafe_ones.is_empty(), "{} {name} {seed}:\n{}", learner.name(), unsafe_ones.join("\n"));
            records.extend(report.records);
        }
    }
    records
}

/// Scenario: learners that answer at random, and that always take the largest step, over three scenarios each.
/// Guarantees: no safety checker fires; they were followed, every option had its floor, and the probabilities sum to one.
#[test]
fn a_harmful_learner_stays_within_the_envelope() {
    for learner in [&Random as &dyn Learner, &Malicious] {
        let records = records_without_complaint(learner);
        let choices: Vec<_> = records.iter().flat_map(|record| &record.plan.choices).collect();
        let asked = || choices.iter().filter(|choice| 1 < choice.options.len());
        assert!(asked().any(|choice| choice.request.is_some()) && asked().any(|choice| choice.watch.is_some()));
        for choice in asked() {
            assert_eq!(choice.options.iter().map(|option| option.probability.0).sum::<u32>(), 10_000);
            assert!(choice.options.iter().all(|option| 500 <= option.probability.0), "{choice:?}");
        }
    }
}

/// Scenario: a learner that answers with NaN, infinities, negative, no or too many numbers.
/// Guarantees: no safety checker fires; the rule is followed, and each record says that the learner was not.
#[test]
fn a_learner_without_reason_is_not_followed() {
    let records = records_without_complaint(&Nonsense);
    let mut asked = 0;
    for choice in records.iter().flat_map(|record| &record.plan.choices).filter(|choice| 1 < choice.options.len()) {
        assert!(choice.fell_back.is_some() && choice.options[choice.taken].probability == BasisPoints::ONE);
        asked += 1;
    }
    assert!(0 < asked, "it was asked");
}

/// Scenario: the same scenario and seed with the shipped learner exploring, twice; and with exploration off.
/// Guarantees: the same records byte for byte; where nobody asked for exploration, nothing is chosen by a learner.
#[test]
fn exploring_is_repeatable_and_off_by_default() {
    let records = |exploration| {
        let mut scenario = shipped("traffic_step").unwrap_or_else(|error| panic!("{error}"));
        scenario.settings.learning.exploration = BasisPoints(exploration);
        let options = Options { keep: Keep::Records, ..Options::default() };
        run(&scenario, Seed(1), &options).records
    };
    let bytes = |records: &[TickRecord]| serde_json::to_string(records).expect("records are plain data");
    let (one, two, off) = (records(500), records(500), records(0));
    assert_eq!(bytes(&one), bytes(&two));
    assert!(one.iter().any(|record| !record.plan.choices.is_empty()));
    assert!(off.iter().all(|record| record.plan.choices.is_empty()));
    assert!(off.iter().flat_map(|record| &record.plan.requests).all(|request| request.propensity == BasisPoints::ONE));
}

/// A run of a scenario in which the shipped learner explores, with its events.
fn explored(name: &str) -> RunReport {
    let mut scenario = shipped(name).unwrap_or_else(|error| panic!("{error}"));
    scenario.settings.learning.exploration = BasisPoints(2000);
    run(&scenario, Seed(1), &Options { keep: Keep::RecordsAndEvents, ..Options::default() })
}

/// Scenario: the events of a run are fed to a loop that also plans every tick under the same wishes, and to one that plans
/// under wishes that allow no scaling.
/// Guarantees: both write the records of the run byte for byte; the first plans what was planned, the second scales nothing.
#[test]
fn planning_beside_changes_nothing() {
    let report = explored("traffic_step");
    let settings = &report.scenario.settings;
    let mut forbids = settings.clone();
    forbids.scaling.services.clear();
    for (wishes, is_same) in [(settings.clone(), true), (forbids, false)] {
        let mut control = ControlLoop::new(homeostat_policies::CATALOGUE).beside(wishes);
        let (mut records, mut scaled) = (report.records.iter(), 0);
        for (at, event) in &report.events {
            for command in control.handle(*at, event.clone()) {
                let Command::Record(record) = command else { continue };
                assert_eq!(Some(&*record), records.next());
                let beside = control.planned_beside().expect("it was asked for");
                assert!(!is_same || beside.requests == record.plan.requests && beside.choices == record.plan.choices);
                let scales = |request: &&ActionRequest| request.action.class == ActionClass::Scaling;
                scaled += beside.requests.iter().filter(scales).count();
            }
        }
        assert_eq!(records.next(), None);
        assert_eq!(0 < scaled, is_same, "{scaled} times");
    }
}

/// Scenario: a loop that has explored is written down, read again and continued by a fresh one.
/// Guarantees: what was learned is the same to the last bit, so the same question is answered alike.
#[test]
fn what_was_learned_survives_a_checkpoint() {
    let report = explored("traffic_step");
    let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
    for (at, event) in &report.events {
        control.handle(*at, event.clone());
    }
    assert!(0 < control.knowledge().choices.sums.made, "something was chosen");
    let written = serde_json::to_string(&control.checkpoint(CheckpointScope::StateAndBulk)).expect("plain data");
    let read: Checkpoint = serde_json::from_str(&written).expect("it was written");
    let mut fresh = ControlLoop::new(homeostat_policies::CATALOGUE);
    fresh.handle(report.events[report.events.len() - 1].0, Event::Recovered(Box::new(read)));
    assert_eq!(fresh.knowledge(), control.knowledge());
    let mut options = [Features::default(); 2];
    (options[0].0[1], options[0].0[2]) = (10_000, 10_000);
    let answer = |control: &ControlLoop| {
        let question = Question { options: &options, rule: 0, knowledge: control.knowledge() };
        LINEAR_BANDIT.answer(&question, &mut Seed(1).stream("tests/checkpoint"))
    };
    assert_eq!(answer(&fresh), answer(&control));
}

/// Scenario: a random learner over reckless proposals, and its records read as a journal; then a journal without exploration.
/// Guarantees: every decision has a reward and a propensity of at least the floor, a policy that takes everything alike
/// is supported, of one that never did as the log in its long episodes nothing is told, nor of a journal that explored nothing.
#[test]
fn a_journal_can_be_evaluated() {
    let read = |records: &[TickRecord], mut policy: Named| {
        let mut journal = JournalLog::default();
        records.iter().for_each(|record| journal.read(record, &mut policy));
        journal
    };
    let records = records_without_complaint(&Random);
    let journal = read(&records, Named::Uniform);
    assert!(journal.decisions().0.iter().all(|decision| 0.05 <= decision.propensity));
    let found = journal.evaluate().expect("the journal is sound");
    assert!(20 < found.decisions, "{}", found.decisions);
    assert!(0.0 < found.effective && found.unsupported == 0.0, "{found:?}");
    let rule = read(&records, Named::Rule).evaluate().expect("the journal is sound");
    assert!(matches!(rule.judgement, Judgement::CannotTell(Doubt::TooFewEffective { .. })), "{}", rule.judgement);
    let nothing = read(&[], Named::Rule).evaluate().expect("nothing is sound");
    assert_eq!(nothing.judgement, Judgement::CannotTell(Doubt::NothingLogged));
}
