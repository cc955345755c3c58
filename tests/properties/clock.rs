//! Clocks that jump.
//!
//! Answers whether time that goes backwards, leaps, stands still, or is stamped in the future can make the loop act more
//! often or on older evidence than it may. Windows are held in the loop's own time, which never goes back.

use homeostat_control::ControlLoop;
use homeostat_core::{Command, Event, Indicator, Observation, Reading, Seed, Target, TickRecord, Timestamp};
use proptest::prelude::*;
use rand::Rng;

use crate::adversary::{self, World, settings};
use crate::cases;

/// Runs the adversary on a clock that is drawn: mostly a second on, at times back, still, or hours ahead.
fn run(seed: u64) -> Vec<TickRecord> {
    let mut draws = Seed(seed).stream("clock/steps");
    let mut control = ControlLoop::new(adversary::POLICIES);
    let (mut world, mut records, mut now_ms) = (World::new(seed), Vec::new(), 10_000_000_u64);
    control.handle(Timestamp(now_ms), Event::Reconfigured(Box::new(settings())));
    for _ in 0..300 {
        now_ms = match draws.next_u64() % 20 {
            0 => now_ms.saturating_sub(draws.next_u64() % 7_200_000),
            1 => now_ms,
            2 => now_ms + draws.next_u64() % 7_200_000,
            _ => now_ms + 1000,
        };
        let now = Timestamp(now_ms);
        for event in world.events(now) {
            control.handle(now, event);
        }
        for command in control.handle(now, Event::Tick) {
            match command {
                Command::Record(record) => records.push(*record),
                Command::Effect(effect) => world.take(&effect),
            }
        }
    }
    records
}

proptest! {
    #![proptest_config(cases())]

    /// Scenario: a clock that jumps an hour or two in both directions, and stands still.
    /// Guarantees: records never go back in time, budgets hold in every window of the loop's own time, cooldowns too.
    #[test]
    fn a_clock_that_jumps_spends_no_budget_twice(seed in any::<u64>()) {
        let records = run(seed);
        prop_assert!(records.is_sorted_by_key(|record| record.at));
        let guards = settings().guards;
        let decided: Vec<_> = records.iter().flat_map(|record| &record.plan.requests).collect();
        prop_assert!(!decided.is_empty());
        for last in &decided {
            let kind = homeostat_core::actions::kind(last.action.kind.as_str()).expect("in the catalogue");
            let before = |window: homeostat_core::Millis| {
                let earlier = decided.iter().filter(|one| one.decided <= last.decided);
                earlier.filter(move |one| last.decided.since(one.decided) < window)
            };
            let of_class = guards.budget(last.action.class);
            let spent = before(of_class.window).filter(|one| one.action.class == last.action.class).count();
            prop_assert!(spent <= of_class.actions_max as usize);
            let same = |one: &&&homeostat_core::ActionRequest| {
                one.id != last.id && one.action.kind == last.action.kind && one.action.target == last.action.target
            };
            prop_assert!(before(kind.cooldown).find(same).is_none(), "{} came too soon", last.id);
        }
    }

    /// Scenario: a reading is stamped hours in the future; then nothing more comes.
    /// Guarantees: it is taken as of now and becomes stale like any other.
    #[test]
    fn a_stamp_in_the_future_keeps_nothing_fresh(ahead_ms in 1_u64..100_000_000) {
        let mut control = ControlLoop::new(&[]);
        let target = Target::Service("cart".into());
        let stamped = Observation::new(target.clone(), Indicator::Utilization, 5, Timestamp(1000 + ahead_ms));
        control.handle(Timestamp(1000), Event::Observed(vec![stamped]));
        let mut read = |now| {
            let commands = control.handle(Timestamp(now), Event::Tick);
            let Some(Command::Record(record)) = commands.into_iter().next() else { panic!("a tick leaves a record") };
            record.snapshot.reading(&target, Indicator::Utilization)
        };
        prop_assert_eq!(read(2000), Reading::Fresh { value: 5 });
        prop_assert!(matches!(read(40_000), Reading::Stale { .. }), "still fresh after 39 s");
    }
}
