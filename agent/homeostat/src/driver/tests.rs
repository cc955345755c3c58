//! Tests of the driver.
//!
//! Answers whether records come before effects, and what is done when a record cannot be written. Ticks are called one by
//! one; no clock is waited for.

use std::collections::BTreeMap;
use std::sync::Mutex;

use homeostat_adapters::{ActuatorConfig, Actuators, ScaleEndpoint};
use homeostat_control::ControlLoop;
use homeostat_core::{
    ActionId, Assessment, Autonomy, Checkpoint, Finding, FindingState, Generation, InForce, IncidentKind, Indicator,
    Replicas, ServiceScaling, Severity, Target, TrialState, Verdict,
};

use super::*;
use crate::view::EffectKind;

/// How many effects each record had that was to be written, in order.
type Story = Arc<Mutex<Vec<usize>>>;

/// By then the loop has decided to scale, or it never will.
const TICKS_MAX: usize = 10;

/// The driver of a loop that wants to scale an overloaded shop, with its line of reports. The disk is full, if it is, when
/// the first record with an effect is to be written.
fn driver(story: &Story, is_disk_full: bool) -> (Driver, mpsc::Receiver<Done>) {
    let mut settings = Settings::default();
    settings.autonomy.scaling = Autonomy::Act;
    settings.scaling.services.insert("shop".into(), ServiceScaling { min: Replicas(1), max: Replicas(8) });
    // Nobody listens on port 9 of loopback; a refused connection is an answer too.
    let endpoint = ScaleEndpoint::parse("http://127.0.0.1:9/").expect("a URL");
    let scale_endpoints = BTreeMap::from([("shop".into(), endpoint)]);
    let actuators = Actuators::new(ActuatorConfig { scale_endpoints, ..ActuatorConfig::default() });
    let told = story.clone();
    let book = Book::new(Box::new(move |page| {
        let effects = page.record.effects.len();
        told.lock().expect("not poisoned").push(effects);
        if is_disk_full && 0 < effects { Err("disk full".to_owned()) } else { Ok(()) }
    }));
    let (sender, done) = mpsc::channel(IN_FLIGHT_MAX);
    let plan = plan(&settings, &InForce::default(), Generation(1));
    let sampler = Sampler::new(plan, Box::new(|_| {}));
    let views = watch::Sender::new(Arc::new(LoopView::before_the_first_tick(&settings)));
    let outlook = Outlook { views, records: broadcast::Sender::new(8), spans: OwnSpans::default() };
    let mut driver = Driver::new(Parts {
        clock: SystemClock::new(None),
        mind: Mind::new(ControlLoop::new(homeostat_policies::CATALOGUE)),
        book,
        hands: Hands::new(sampler, actuators, sender, OwnSpans::default()),
        hold_file: HoldFile::of(std::path::Path::new("/nonexistent")),
        perceive: Box::new(overloaded_shop),
        outlook,
        dropped: Arc::default(),
    });
    driver.begin_with(Event::Recovered(Box::new(long_pressed())));
    driver.begin_with(Event::Reconfigured(Box::new(settings)));
    (driver, done)
}

/// An earlier life found the shop overloaded long ago, so the loop need not wait whether it lasts.
fn long_pressed() -> Checkpoint {
    let pressure = Finding {
        detector: "pressure".into(),
        service: "shop".into(),
        kind: IncidentKind::Pressure,
        severity: Severity::Ticket,
        since: Timestamp(0),
        state: FindingState::Pending,
        evidence: Vec::new(),
    };
    let assessment = Assessment { findings: vec![pressure], ..Assessment::default() };
    Checkpoint { assessment, next_action: ActionId(1), ..Checkpoint::default() }
}

fn overloaded_shop(now: Timestamp) -> Vec<Observation> {
    let shop = || Target::Service("shop".into());
    vec![
        Observation::new(shop(), Indicator::Utilization, 9500, now),
        Observation::new(shop(), Indicator::ReplicasReady, 2, now),
    ]
}

/// Ticks until a record with an effect was to be written; returns how many records there were.
fn tick_until_an_effect(driver: &mut Driver, story: &Story) -> usize {
    for _ in 0..TICKS_MAX {
        driver.tick();
        let story = story.lock().expect("not poisoned");
        if story.last() == Some(&1) {
            return story.len();
        }
    }
    panic!("the loop did not decide to scale: {:?}", driver.record.as_ref().map(|record| &record.plan));
}

fn effects(driver: &Driver) -> u64 {
    EffectKind::ALL.iter().map(|kind| driver.counts.effects[*kind as usize]).map(|each| each.done + each.failed).sum()
}

/// Scenario: a tick decides to scale; the scale endpoint refuses the connection.
/// Guarantees: the record with the effect is written first; the report reaches the loop, which sees the action failed.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_written_before_its_effect() {
    let story = Story::default();
    let (mut driver, mut done) = driver(&story, false);
    tick_until_an_effect(&mut driver, &story);
    assert_eq!(effects(&driver), 0, "nothing is over before its report");
    let report = done.recv().await.expect("the hands report");
    assert!(report.failed());
    driver.take_report(report);
    driver.tick();
    assert_eq!(effects(&driver), 1);
    let view = driver.outlook.views.borrow().clone();
    let standing = |trial: &homeostat_core::Trial| matches!(trial.state, TrialState::Undoing { .. });
    let is_known = view.trials.iter().any(standing) || view.decisions.iter().any(|one| one.outcome.is_some());
    assert!(is_known, "the loop does not know that it failed: {:?}", view.decisions);
}

/// Scenario: a tick decides to scale, and its record cannot be written.
/// Guarantees: nothing is sent, the loop learns that nothing was done and holds, and the view says why.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_record_nothing_is_done() {
    let story = Story::default();
    let (mut driver, mut done) = driver(&story, true);
    let written = tick_until_an_effect(&mut driver, &story);
    driver.tick();
    driver.tick();
    assert_eq!(effects(&driver), 0);
    assert!(done.try_recv().is_err(), "an effect was begun without a record");
    assert_eq!(story.lock().expect("not poisoned").len(), written, "a failed store was written to again");
    let view = driver.outlook.views.borrow().clone();
    assert_eq!(view.regime, Regime::Holding);
    assert_eq!(view.trouble, Some(Trouble::JournalNotWritable { why: "disk full".to_owned() }));
    assert_eq!((view.counts.commits as usize, view.counts.commit_errors), (written - 1, 3));
    assert_eq!(view.decisions[0].outcome.as_ref().map(|outcome| outcome.verdict), Some(Verdict::Failed));
}

/// Scenario: ticks fall due one second apart, then three were missed.
/// Guarantees: missed ticks are counted, not made up for.
#[test]
fn missed_ticks_are_counted() {
    let due = Instant::now();
    assert_eq!(skipped(None, due), 0);
    assert_eq!(skipped(Some(due), due + TICK_EVERY), 0);
    assert_eq!(skipped(Some(due), due + 4 * TICK_EVERY), 3);
}
