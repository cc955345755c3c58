//! One day in the life of the loop, told again.
//!
//! Answers whether a story that is known by heart still goes the same way: a service starves, its callers suffer, the loop
//! scales it and looks closer while it matters. The golden text is what a person would tell of it, in whole numbers, so a
//! change of behaviour is read as a change of the story. The same story is told with a crash between any two of its ticks.

mod story;

use std::collections::BTreeMap;

use homeostat_control::{CheckpointScope, ControlLoop};
use homeostat_core::{ActionId, Actuation, Command, Effect, Event, Timestamp};

use crate::story::{SECONDS, World, settings, tell};

/// Plays the story; the agent dies after the tick of second `crash` and comes back two seconds later.
fn play(crash: Option<u64>) -> (World, Vec<homeostat_core::TickRecord>, Vec<Event>) {
    let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
    let (mut world, mut records, mut events) = (World::default(), Vec::new(), Vec::new());
    let mut told = vec![Event::Reconfigured(Box::new(settings()))];
    for second in 1..=SECONDS {
        let now = Timestamp(second * 1000);
        told.extend(world.pass(now));
        if crash.is_some_and(|crash| (crash..crash + 2).contains(&(second - 1))) {
            // Dead: nobody listens, and what was reported is lost.
            let checkpoint = control.checkpoint(CheckpointScope::StateAndBulk);
            told = vec![Event::Recovered(Box::new(checkpoint))];
            continue;
        }
        if matches!(told.first(), Some(Event::Recovered(_))) {
            control = ControlLoop::new(homeostat_policies::CATALOGUE);
        }
        told.push(Event::Tick);
        for event in told.drain(..) {
            events.push(event.clone());
            for command in control.handle(now, event) {
                match command {
                    Command::Record(record) => records.push(*record),
                    Command::Effect(effect) => world.take(effect),
                }
            }
        }
    }
    (world, records, events)
}

/// Scenario: payments need four times as long from second 60 on; two workers starve.
/// Guarantees: the story below: noticed within seconds, the right suspect, people told, replicas doubled twice at most, the
/// promise kept, the incident closed, and the loop at rest at the end.
#[test]
fn the_story_goes_as_it_always_went() {
    let (_, records, _) = play(None);
    insta::assert_snapshot!("starved_payments", tell(&records));
}

/// Scenario: the agent dies after any of the ticks in which something is under way, and comes back two seconds later.
/// Guarantees: no action is carried out twice and the service is well at the end, whenever the crash came.
#[test]
fn a_crash_between_any_two_ticks_repeats_nothing() {
    for crash in 55..130 {
        let (world, _, _) = play(Some(crash));
        let mut times: BTreeMap<ActionId, usize> = BTreeMap::new();
        for effect in &world.taken {
            if let Effect::Apply { id, actuation: Actuation::SetReplicas { .. } } = effect {
                *times.entry(*id).or_default() += 1;
            }
        }
        assert!(times.values().all(|times| *times == 1), "crash after {crash} s: {times:?}");
        assert!(world.is_well(), "crash after {crash} s: {world:?}");
    }
}

/// Scenario: the events of the story, as recorded, are told to a fresh loop without any world around it.
/// Guarantees: the same records, in the serialised form, byte for byte.
#[test]
fn recorded_events_give_the_same_bytes() {
    let (_, records, events) = play(None);
    let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
    let (mut now, mut again) = (Timestamp(1000), Vec::new());
    for event in events {
        let was_tick = event == Event::Tick;
        for command in control.handle(now, event) {
            if let Command::Record(record) = command {
                again.push(*record);
            }
        }
        if was_tick {
            now = Timestamp(now.as_millis() + 1000);
        }
    }
    let bytes = |records: &[_]| serde_json::to_vec(records).expect("records can be written");
    assert!(bytes(&records) == bytes(&again), "the records differ");
}
