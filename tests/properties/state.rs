//! State that cannot be trusted.
//!
//! Answers what becomes of a checkpoint that was damaged, poisoned or written by somebody else. What cannot be read is refused
//! before the loop sees it; what can be read may say anything, and the loop must neither fail nor leave its envelope.

use homeostat_control::{CheckpointScope, ControlLoop};
use homeostat_core::{Actuation, Checkpoint, Command, Effect, Event, Seed, Stream, Timestamp};
use proptest::prelude::*;
use rand::Rng;
use serde_json::Value;

use crate::adversary::{self, World, settings};
use crate::cases;

/// A checkpoint after a minute of the adversary, as the journal holds it.
fn stored(seed: u64) -> Value {
    let (mut control, mut world) = (ControlLoop::new(adversary::POLICIES), World::new(seed));
    control.handle(Timestamp(0), Event::Reconfigured(Box::new(settings())));
    for second in 1..=60 {
        let now = Timestamp(second * 1000);
        world.events(now).into_iter().for_each(|event| drop(control.handle(now, event)));
        for command in control.handle(now, Event::Tick) {
            if let Command::Effect(effect) = command {
                world.take(&effect);
            }
        }
    }
    serde_json::to_value(control.checkpoint(CheckpointScope::StateAndBulk)).expect("plain data")
}

/// Changes one value in some depth: a number, a text, a list or an object becomes something else, or goes.
fn damage(value: &mut Value, draws: &mut Stream) {
    let mut below = |bound: usize| (draws.next_u64() % bound.max(1) as u64) as usize;
    let goes_on = below(8) != 0;
    match value {
        Value::Array(list) if goes_on && !list.is_empty() => {
            let place = below(list.len());
            if below(10) == 0 { drop(list.remove(place)) } else { damage(&mut list[place], draws) }
        }
        Value::Object(fields) if goes_on && !fields.is_empty() => {
            let place = below(fields.len());
            let found = fields.values_mut().nth(place);
            damage(found.expect("a place within"), draws);
        }
        Value::Number(_) => {
            *value = [0.into(), 1.into(), u64::MAX.into(), u32::MAX.into(), Value::from(-1), Value::from(1e300)]
                [below(6)]
            .clone();
        }
        Value::String(text) => *text = ["", "scale_replicas", "nobody", "s03", "engaged"][below(5)].to_owned(),
        Value::Bool(flag) => *flag = !*flag,
        _ => *value = [Value::Null, Value::Array(Vec::new()), Value::from(7)][below(3)].clone(),
    }
}

/// Goes on from `checkpoint` under the manifest's settings for two minutes; gives what was applied.
fn go_on(checkpoint: Checkpoint, seed: u64) -> Vec<Actuation> {
    let policies = if seed.is_multiple_of(2) { adversary::POLICIES } else { homeostat_policies::CATALOGUE };
    let (mut control, mut world) = (ControlLoop::new(policies), World::new(seed));
    let mut applied = Vec::new();
    control.handle(Timestamp(61_000), Event::Recovered(Box::new(checkpoint)));
    control.handle(Timestamp(61_000), Event::Reconfigured(Box::new(settings())));
    for second in 62..182 {
        let now = Timestamp(second * 1000);
        world.events(now).into_iter().for_each(|event| drop(control.handle(now, event)));
        for command in control.handle(now, Event::Tick) {
            let Command::Effect(effect) = command else { continue };
            world.take(&effect);
            if let Effect::Apply { actuation, .. } = effect {
                applied.push(actuation);
            }
        }
    }
    applied
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..cases() })]

    /// Scenario: up to five values anywhere in a checkpoint are replaced or removed.
    /// Guarantees: it is refused, or the loop goes on without failing, and nothing it applies leaves the envelope.
    #[test]
    fn a_damaged_checkpoint_does_no_harm(seed in any::<u64>(), times in 1_usize..=5) {
        let mut draws = Seed(seed).stream("state/damage");
        let mut value = stored(seed % 4);
        (0..times).for_each(|_| damage(&mut value, &mut draws));
        let Ok(checkpoint) = serde_json::from_value::<Checkpoint>(value) else { return Ok(()) };
        let settings = settings();
        for actuation in go_on(checkpoint, seed) {
            match actuation {
                Actuation::SetReplicas { service, replicas } => {
                    let allowed = settings.scaling.services.get(&service);
                    prop_assert!(allowed.is_some_and(|allowed| allowed.min <= replicas && replicas <= allowed.max));
                }
                Actuation::SetSampling { sampling, .. } => {
                    prop_assert!(settings.sampling.floor <= sampling.tail && settings.sampling.floor <= sampling.head);
                }
                Actuation::SetParameter { service, parameter, value } => {
                    let allowed = settings.permissions.of(&service).range(parameter);
                    prop_assert!(allowed.is_some_and(|allowed| allowed.min <= value && value <= allowed.max));
                }
                Actuation::Restart { service, .. } => {
                    prop_assert!(settings.permissions.of(&service).restart.is_some());
                }
                Actuation::Profile { service, .. } => prop_assert!(settings.permissions.of(&service).profile),
                Actuation::Notify { .. } => {}
            }
        }
    }
}
