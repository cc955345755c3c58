//! The cases.
//!
//! Answers in which plants an action is judged, and what it is. One service is watched and another stands beside it: an
//! action on the other one does nothing to what is measured, whatever it promises. The seed moves the load about, so that no
//! figure rests on one number.

use homeostat_core::actions::{self, Action, Measure};
use homeostat_core::{
    Indicator, Label, Millis, ObjectiveKind, Policy, PolicyView, Proposal, Replicas, Seed, ServiceName, Signal, Target,
};
use rand::Rng;

use crate::queue::EPOCH;
use crate::scenario::Scenario;

/// When the action is proposed: after the three minutes that a forecast looks back.
const ACTS_AT: u64 = 240;

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// The policy that acts once.
    pub(crate) policies: &'static [&'static dyn Policy],
    /// Instances of the watched service.
    replicas: u32,
    /// Requests per second before, and after the load has changed.
    load: [u32; 2],
    /// From when to when it changes.
    change_s: [u64; 2],
    /// From this second on its work takes 1.7 times as long; never if zero.
    slow_from_s: u64,
}

const STEADY: [u64; 2] = [600, 601];
const AT_ONCE: [u64; 2] = [243, 244];
const LONG_BEFORE: [u64; 2] = [120, 360];

const fn case(
    name: &'static str,
    policies: &'static [&'static dyn Policy],
    replicas: u32,
    load: [u32; 2],
    change_s: [u64; 2],
) -> Case {
    Case { name, policies, replicas, load, change_s, slow_from_s: 0 }
}

const fn slow(case: Case) -> Case {
    Case { slow_from_s: 225, ..case }
}

const GROWS: &[&dyn Policy] = &[&Once { acts_on: WATCHED, change: Change::Double, promise: Promise::Usage }];
const GROWS_FELT: &[&dyn Policy] = &[&Once { acts_on: WATCHED, change: Change::Double, promise: Promise::Felt }];
const SHRINKS: &[&dyn Policy] = &[&Once { acts_on: WATCHED, change: Change::Halve, promise: Promise::Limit }];
const IDLES: &[&dyn Policy] = &[&Once { acts_on: OTHER, change: Change::Double, promise: Promise::Usage }];
const IDLES_FELT: &[&dyn Policy] = &[&Once { acts_on: OTHER, change: Change::Double, promise: Promise::Felt }];
const IDLES_LIMIT: &[&dyn Policy] = &[&Once { acts_on: OTHER, change: Change::Halve, promise: Promise::Limit }];

/// All of them.
pub(crate) const CASES: &[Case] = &[
    case("helps", GROWS, 2, [70, 70], STEADY),
    case("helps, load falls at once", GROWS, 2, [70, 45], AT_ONCE),
    case("helps, load grows at once", GROWS, 2, [55, 100], AT_ONCE),
    case("helps, load was growing", GROWS, 2, [30, 90], LONG_BEFORE),
    slow(case("helps against an outage", GROWS_FELT, 2, [70, 70], STEADY)),
    case("does nothing", IDLES, 2, [65, 65], STEADY),
    case("does nothing, load falls at once", IDLES, 2, [70, 40], AT_ONCE),
    case("does nothing, load was falling", IDLES, 2, [75, 20], LONG_BEFORE),
    case("does nothing, load grows at once", IDLES, 2, [45, 75], AT_ONCE),
    slow(case("does nothing in an outage", IDLES_FELT, 2, [70, 70], STEADY)),
    slow(case("does nothing, outage ends with the load", IDLES_FELT, 2, [70, 20], AT_ONCE)),
    case("harms", SHRINKS, 4, [80, 80], STEADY),
    case("harms, load grows at once", SHRINKS, 4, [65, 85], AT_ONCE),
    case("harms, load was falling", SHRINKS, 4, [120, 60], LONG_BEFORE),
    case("does no harm", SHRINKS, 4, [30, 30], STEADY),
    case("is not to blame, load grows at once", IDLES_LIMIT, 2, [50, 80], AT_ONCE),
    case("is not to blame, load was growing", IDLES_LIMIT, 2, [30, 110], LONG_BEFORE),
];

impl Case {
    pub(crate) fn scenario(&self, seed: u64) -> Scenario {
        let mut draws = Seed(seed).stream("sim/proving/verdicts");
        // From 95 to 105 hundredths.
        let percent = 95 + draws.next_u32() % 11;
        let [from, to] = self.load.map(|load| load * percent / 100);
        let (replicas, [from_s, to_s]) = (self.replicas, self.change_s);
        let faults = match self.slow_from_s {
            0 => "[]".to_owned(),
            from => {
                format!("[{{ from_s: {from}, fault: {{ slow_service: {{ service: watched, factor_bp: 17000 }} }} }}]")
            }
        };
        let text = format!(
            "about: one action is judged
duration_s: 300
services:
  - name: watched
    replicas: {replicas}
    workers_per_replica: 2
    service_time: {{ lognormal: {{ median_us: 40000, p99_us: 120000 }} }}
  - {{ name: other, replicas: 2, workers_per_replica: 2, service_time: {{ exponential: {{ mean_us: 20000 }} }} }}
workloads:
  - {{ service: watched, shape: {{ ramp: {{ from: {from}, to: {to}, from_s: {from_s}, to_s: {to_s} }} }} }}
  - {{ service: other, shape: {{ constant: {{ per_second: 20 }} }} }}
settings:
  scaling: {{ services: {{ watched: {{ min: 1, max: 8 }}, other: {{ min: 1, max: 8 }} }} }}
faults: {faults}
"
        );
        Scenario::parse("verdicts", &text).expect("the text is a scenario whatever the seed")
    }
}

const WATCHED: &str = "watched";
const OTHER: &str = "other";

/// What is done.
enum Change {
    Double,
    Halve,
}

/// What is promised, always of the watched service.
enum Promise {
    Usage,
    Felt,
    Limit,
}

/// Acts once.
struct Once {
    acts_on: &'static str,
    change: Change,
    promise: Promise,
}

impl Policy for Once {
    fn name(&self) -> &'static str {
        "once"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        let service = ServiceName::from(self.acts_on);
        let is_time = view.snapshot.at.since(EPOCH) == Millis::from_secs(ACTS_AT);
        let ready = view.snapshot.service_value(&service, Indicator::ReplicasReady);
        if let Some(from) = ready.filter(|_| is_time) {
            let action = self.action(&service, from as u32);
            let (policy, why) = (Label::new(self.name()), "it is time".to_owned());
            proposals.push(Proposal { policy, incident: None, action, why });
        }
    }
}

impl Once {
    fn action(&self, service: &ServiceName, from: u32) -> Action {
        let to = match self.change {
            Change::Double => Replicas(from * 2),
            Change::Halve => Replicas(from / 2),
        };
        let used = Measure::Reading(Signal::new(Target::Service(WATCHED.into()), Indicator::Utilization));
        match self.promise {
            Promise::Usage => actions::scale_out(service, Replicas(from), to, used),
            Promise::Felt => {
                let felt = Measure::BadRatio { service: WATCHED.into(), kind: ObjectiveKind::Latency };
                actions::scale_out(service, Replicas(from), to, felt)
            }
            Promise::Limit => actions::scale_in(service, Replicas(from), to, used, 7600),
        }
    }
}
