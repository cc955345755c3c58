//! Moving a scenario about.
//!
//! Answers how the same day could have been a little different: rates, service times, delays, when faults come, whether they
//! come at all, and whether one more thing goes wrong with the agent's eyes or hands. Bounded so that a correct loop must
//! still keep every promise; leaving features out at random finds what a fixed mixture hides (swarm testing, Groce et al.,
//! ISSTA 2012).

use homeostat_core::{Micros, Seed, Stream};
use rand::Rng;

use crate::faults::{
    AnyFault, CachedSensor, ClockSkew, DuplicateReports, LateCommands, LateReports, LostObservations, LostReports,
    ScheduledFault,
};
use crate::scenario::Scenario;

/// The scenario as `seed` would have it.
pub(crate) fn perturb(scenario: &Scenario, seed: Seed) -> Scenario {
    let mut stream = seed.stream("swarm/perturb");
    let mut moved = scenario.clone();
    for workload in &mut moved.workloads {
        workload.scale_bp = workload.scale_bp * between(&mut stream, 8500, 11_000) / 10_000;
    }
    for service in &mut moved.plant.services {
        service.service_time = service.service_time.stretched(between(&mut stream, 9000, 10_800));
        service.start_delay = scaled(service.start_delay, between(&mut stream, 5000, 14_000));
    }
    moved.actuator_delay = scaled(moved.actuator_delay, between(&mut stream, 5000, 30_000));
    let latest_end_s = moved.calm_from_s();
    move_faults(&mut moved.faults, latest_end_s, &mut stream);
    if between(&mut stream, 0, 2) == 0 {
        add_nuisance(&mut moved.faults, latest_end_s, &mut stream);
    }
    moved
}

/// Moves every fault by up to half a minute either way, never past the end of the last one: the time in which the loop must
/// put things right stays as long as it was written. One in eight does not come at all.
fn move_faults(faults: &mut Vec<ScheduledFault>, latest_end_s: u64, stream: &mut Stream) {
    faults.retain_mut(|fault| {
        let length = fault.to_s - fault.from_s;
        let shifted = (fault.from_s + between(stream, 0, 60)).saturating_sub(30).max(1);
        fault.from_s = shifted.min(latest_end_s.saturating_sub(length).max(1));
        fault.to_s = (fault.from_s + length).min(latest_end_s);
        fault.from_s < fault.to_s && between(stream, 0, 7) != 0
    });
}

/// Something that makes the loop's life harder without making its objectives unreachable: an eye or a hand that works only
/// most of the time.
fn add_nuisance(faults: &mut Vec<ScheduledFault>, latest_end_s: u64, stream: &mut Stream) {
    /// Too short to matter, and there would be no room to choose a start.
    const ROOM_S_MIN: u64 = 60;
    if latest_end_s < ROOM_S_MIN {
        return;
    }
    let from_s = between(stream, 1, latest_end_s - ROOM_S_MIN / 2);
    let to_s = between(stream, from_s + 1, latest_end_s);
    let share_bp = between(stream, 500, 5000) as u32;
    let fault = match between(stream, 0, 6) {
        0 => AnyFault::LostReports(LostReports { share_bp }),
        1 => AnyFault::LateReports(LateReports { delay_ms: between(stream, 100, 20_000) }),
        2 => AnyFault::LateCommands(LateCommands { service: None, delay_ms: between(stream, 100, 20_000) }),
        3 => AnyFault::DuplicateReports(DuplicateReports { copies: between(stream, 2, 5) as u32 }),
        4 => AnyFault::ClockSkew(ClockSkew { service: None, ahead_ms: between(stream, 0, 4000) as i64 - 2000 }),
        5 => AnyFault::CachedSensor(CachedSensor { service: None, refresh_s: between(stream, 2, 5) }),
        _ => AnyFault::LostObservations(LostObservations { service: None, share_bp }),
    };
    faults.push(ScheduledFault { from_s, to_s, fault });
}

fn scaled(span: Micros, factor_bp: u64) -> Micros {
    Micros(span.0 * factor_bp / 10_000)
}

/// A number from `least` to `most`, both included.
fn between(stream: &mut Stream, least: u64, most: u64) -> u64 {
    least + stream.next_u64() % (most - least + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::shipped;

    /// Scenario: a hundred seeds move a scenario with faults about.
    /// Guarantees: the same seed gives the same day, days differ, and no fault outlasts the last one that was written.
    #[test]
    fn a_moved_scenario_stays_within_its_bounds() {
        let original = shipped("lost_reports").unwrap();
        let days: Vec<Scenario> = (0..100).map(|seed| perturb(&original, Seed(seed))).collect();
        assert_eq!(days[7], perturb(&original, Seed(7)));
        assert_ne!(days[7], days[8]);
        for day in &days {
            assert!(day.calm_from_s() <= original.calm_from_s());
            assert!(day.faults.iter().all(|fault| 0 < fault.from_s && fault.from_s < fault.to_s));
        }
        assert!(days.iter().any(|day| day.faults.len() < original.faults.len()));
        assert!(days.iter().any(|day| original.faults.len() < day.faults.len()));
    }
}
