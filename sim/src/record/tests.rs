//! Incidents that are simulated, recorded and simulated again.

use homeostat_core::Seed;

use super::*;
use crate::scenario::{Options, RunReport, Scenario, run, shipped};
use crate::world::Keep;

fn simulated(name: &str) -> RunReport {
    let options = Options { keep: Keep::RecordsAndEvents, ..Options::default() };
    run(&shipped(name).unwrap(), Seed(1), &options)
}

fn again(name: &str) -> (RunReport, RunReport, String) {
    let before = simulated(name);
    let recording = record(&before.events).unwrap();
    let scenario =
        Scenario::parse("recorded", &recording.text).unwrap_or_else(|error| panic!("{error}\n{}", recording.text));
    let after = run(&scenario, Seed(7), &Options::default());
    (before, after, recording.text)
}

fn is_near(found: u64, expected: u64, by: u64) -> bool {
    found.abs_diff(expected) <= by
}

/// Scenario: the starved catalogue, recorded from its event log and run with another seed.
/// Guarantees: the same kind of incident opens within twenty seconds of the first one, with the same suspect, the fault
/// is found with its factor and times, the loop repairs it the same way, and everything stays in its envelopes.
#[test]
fn a_starved_service_is_starved_again() {
    let (before, after, text) = again("starved_service");
    let (was, is) = (&before.incidents[0], &after.incidents[0]);
    assert_eq!((was.kind, &was.suspect), (is.kind, &is.suspect), "{text}");
    assert!(is_near(is.opened_s, was.opened_s, 20), "{} {}", is.opened_s, was.opened_s);
    let fault = after.faults.iter().find(|fault| fault.what.contains("catalog")).expect("a fault of the catalogue");
    assert!(is_near(fault.from_s, 120, 15) && is_near(fault.to_s, 540, 15), "{fault:?}");
    let scaled = |report: &RunReport| report.series.of(1).map(|sample| sample.replicas).max();
    assert!(scaled(&after).unwrap().abs_diff(scaled(&before).unwrap()) <= 4, "{text}");
    let misses: Vec<String> = after.misses().map(ToString::to_string).collect();
    assert!(misses.is_empty(), "{misses:?}\n{text}");
}

/// Scenario: payments that fail by themselves, recorded.
/// Guarantees: they fail again by themselves, as much and at the same time, and the incident is the same.
#[test]
fn failures_are_told_from_slowness() {
    let (before, after, text) = again("failing_dependency");
    let (was, is) = (&before.incidents[0], &after.incidents[0]);
    assert_eq!((was.kind, &was.suspect), (is.kind, &is.suspect), "{text}");
    assert!(is_near(is.opened_s, was.opened_s, 20), "{} {}", is.opened_s, was.opened_s);
    assert_eq!(after.faults.len(), 1, "{text}");
    assert!(is_near(after.faults[0].from_s, 120, 10), "{text}");
    let share = text.split("share_bp: ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u64>().ok());
    assert!(share.is_some_and(|share| is_near(share, 3000, 400)), "{text}");
}

/// Scenario: an ordinary quarter of an hour, recorded.
/// Guarantees: no fault and no incident is invented, and load, latency and use of workers are those that were seen.
#[test]
fn a_quiet_day_is_recorded_as_one() {
    let (before, after, text) = again("steady_state");
    assert!(after.faults.is_empty() && after.incidents.is_empty(), "{text}");
    assert!(after.is_good(), "{text}");
    // A log tells of services by name, the plant in the order of its file.
    for (service, name) in after.series.services.iter().enumerate() {
        let place = before.series.services.iter().position(|known| known == name).unwrap();
        for of in [
            |sample: &crate::Sample| sample.requests,
            |sample: &crate::Sample| sample.p50_us,
            |sample: &crate::Sample| sample.utilization_bp,
        ] {
            let mean = |report: &RunReport, service| report.series.of(service).map(|s| u64::from(of(s))).sum::<u64>();
            let (is, was) = (mean(&after, service), mean(&before, place));
            assert!(is_near(is, was, was / 8), "{name}: {is} {was}\n{text}");
        }
    }
}

/// Scenario: lost readings, a hold, a crash, instances that go by themselves, and actuators that do not answer.
/// Guarantees: each is found near its time.
#[test]
fn what_happened_to_the_agent_is_found_too() {
    let check = |name: &str, expected: &str, from_s: u64| {
        let (_, after, text) = again(name);
        let found = after.faults.iter().any(|fault| is_near(fault.from_s, from_s, 40) && fault.what.contains(expected));
        let said = text.contains(expected);
        assert!(found || said, "{name}: {expected}\n{text}");
    };
    check("blind_sensors", "readings lost", 100);
    check("kill_switch", "says: hold", 125);
    check("crash_in_trial", "agent down", 140);
    check("replica_loss", "loses 1", 120);
    check("lost_reports", "reports lost", 120);
}

/// Scenario: no event, and a minute without a service.
/// Guarantees: it is said what is missing.
#[test]
fn too_little_makes_no_scenario() {
    assert_eq!(record(&[]).unwrap_err(), RecordError::Short { found_s: 0 });
    let at = |second: u64| (Timestamp(1000 + second * 1000), Event::Tick);
    let mut events = vec![(Timestamp(1000), Event::Reconfigured(Box::default()))];
    events.extend((1..100).map(at));
    assert_eq!(record(&events).unwrap_err(), RecordError::Empty);
}
