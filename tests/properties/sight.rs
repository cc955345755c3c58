//! Eyes that fail.
//!
//! Answers whether anything is done on a signal that is cut, frozen, late or contradicted, at whatever second that begins, and
//! whether an agent that lost most of its sight says so within one staleness bound.

use homeostat_control::ControlLoop;
use homeostat_core::{
    Autonomy, Command, Event, Indicator, Observation, Regime, Replicas, ServiceScaling, Settings, Target, TickRecord,
    Timestamp, Witness,
};
use proptest::prelude::*;

use crate::cases;

/// How a signal fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// Nothing comes any more.
    Cut,
    /// The last reading is repeated, with its stamp.
    Frozen,
    /// Everything comes a minute late.
    Late,
    /// Another source says something else.
    Contradicted,
}

const FAILURES: [Failure; 4] = [Failure::Cut, Failure::Frozen, Failure::Late, Failure::Contradicted];

/// The signals that scaling rests on.
const SIGNALS: [Indicator; 2] = [Indicator::Utilization, Indicator::ReplicasReady];

/// Seconds of a run.
const SECONDS: u64 = 120;

/// A busy service whose signals fail from second `from` on; the shipped policies would scale it all the time.
fn run(failure: Failure, signals: &[Indicator], from: u64) -> Vec<TickRecord> {
    let mut settings = Settings::default();
    settings.autonomy.scaling = Autonomy::Act;
    settings.scaling.services.insert("cart".into(), ServiceScaling { min: Replicas(1), max: Replicas(90) });
    let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
    let mut records = Vec::new();
    control.handle(Timestamp(0), Event::Reconfigured(Box::new(settings)));
    for second in 1..=SECONDS {
        let now = Timestamp(second * 1000);
        let mut seen = Vec::new();
        for indicator in [Indicator::Utilization, Indicator::ReplicasReady] {
            let value = if indicator == Indicator::Utilization { 9000 } else { 2 };
            let at =
                |at_s: u64| Observation::new(Target::Service("cart".into()), indicator, value, Timestamp(at_s * 1000));
            let fails = signals.contains(&indicator) && from <= second;
            match failure {
                _ if !fails => seen.push(at(second)),
                Failure::Cut => {}
                Failure::Frozen => seen.push(at(from - 1)),
                Failure::Late => seen.extend((60 <= second - from).then(|| at(second - 60))),
                Failure::Contradicted => {
                    let other = Observation::new(Target::Service("cart".into()), indicator, value * 9, now);
                    seen.extend([at(second), other.by(Witness::ScaleEndpoint)]);
                }
            }
        }
        control.handle(now, Event::Observed(seen));
        let commands = control.handle(now, Event::Tick);
        records.extend(commands.into_iter().filter_map(|command| match command {
            Command::Record(record) => Some(*record),
            Command::Effect(_) => None,
        }));
    }
    records
}

proptest! {
    #![proptest_config(cases())]

    /// Scenario: each signal that scaling rests on fails in each way from any second on.
    /// Guarantees: once the staleness bound has passed nothing is decided on it; without a failure there would have been.
    #[test]
    fn nothing_is_done_on_a_signal_that_failed(from in 2_u64..SECONDS) {
        let stale_after_s = Settings::default().perception.stale_after.0 / 1000;
        let scales = |records: &[TickRecord], since: u64| {
            let late = records.iter().filter(|record| Timestamp(since * 1000) < record.at);
            late.flat_map(|record| &record.plan.requests).filter(|r| r.action.kind.as_str() == "scale_replicas").count()
        };
        for signal in SIGNALS {
            for failure in FAILURES {
                let records = run(failure, &[signal], from);
                prop_assert_eq!(scales(&records, from + stale_after_s), 0, "{:?} {:?}", signal, failure);
            }
        }
        prop_assert!(0 < scales(&run(Failure::Cut, &[], from), 0));
    }

    /// Scenario: all signals fail at once, in each way, at any second.
    /// Guarantees: the agent is blind within one staleness bound and a tick, and stays so.
    #[test]
    fn blindness_is_said_within_one_bound(from in 2_u64..SECONDS) {
        let stale_after_s = Settings::default().perception.stale_after.0 / 1000;
        for failure in FAILURES {
            let records = run(failure, &SIGNALS, from);
            let late = records.iter().filter(|record| Timestamp((from + stale_after_s) * 1000) < record.at);
            prop_assert!(late.into_iter().all(|record| record.regime == Regime::Blind), "{:?}", failure);
        }
    }
}
