//! Workloads.
//!
//! Answers when the next request arrives from outside. Arrivals are a Poisson process whose rate is constant within each
//! second, which is exact to draw from and close enough to any shape a person would write down. Recorded requests come at
//! their own instants instead. Closed loops (users who
//! wait for an answer) are not modelled: an overload must be able to build up.

mod arrivals;
mod burst;
mod constant;
mod course;
mod diurnal;
mod levels;
mod ramp;
pub(crate) mod recorded;
mod replay;
mod stamps;
mod step;

use std::path::Path;

use homeostat_core::{Micros, OperationName};
use serde::Deserialize;

use crate::plants::{RetrySpec, ServiceIndex};
use crate::queue::SimTime;
use crate::scenario::Problems;
use crate::workloads::arrivals::Arrivals;

pub(crate) use course::Course;
pub use recorded::RecordedError;
pub(crate) use recorded::{Source, read as read_recording};

/// How the rate of a workload goes up and down.
pub(crate) trait Shape {
    /// Requests per second, in thousandths, in the second that begins at `at_s`.
    fn milli_per_second(&self, at_s: u64) -> u64;

    /// The instants at which requests come, and the scale at which they are played; none if they are drawn.
    fn arrivals(&self) -> Option<(&Arrivals, u64)> {
        None
    }

    /// From this second on the rate does not change abruptly.
    fn calm_from_s(&self) -> u64 {
        0
    }

    /// Says what is wrong with the parameters.
    fn check(&self, path: &str, problems: &mut Problems);
}

macro_rules! catalogue {
    ($($name:ident => $module:ident::$shape:ident;)*) => {
        /// A shape as it is written in a scenario: its name and its parameters.
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum AnyShape {
            $($name($module::$shape),)*
        }

        impl AnyShape {
            pub(crate) fn shape(&self) -> &dyn Shape {
                match self {
                    $(AnyShape::$name(shape) => shape,)*
                }
            }
        }
    };
}

catalogue! {
    Constant => constant::Constant;
    Step => step::Step;
    Ramp => ramp::Ramp;
    Diurnal => diurnal::Diurnal;
    Burst => burst::Burst;
    Levels => levels::Levels;
    Replay => replay::Replay;
    Course => course::Course;
}

impl AnyShape {
    /// Reads what the shape needs from files, which are looked for from `folder` on.
    pub(crate) fn load(&mut self, folder: &Path) -> Result<(), RecordedError> {
        match self {
            AnyShape::Replay(replay) => replay.load(folder),
            _ => Ok(()),
        }
    }
}

/// Requests that arrive at one service from outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Workload {
    pub(crate) service: ServiceIndex,
    /// What is asked, where it is told apart from the service's other requests.
    pub(crate) operation: Option<OperationName>,
    /// Slower than this is slow for the operation; than its service's threshold, if left out.
    pub(crate) slow_above: Option<Micros>,
    pub(crate) shape: AnyShape,
    /// Whether its clients ask again when they failed; none if not.
    pub(crate) retries: Option<RetrySpec>,
    /// Multiplies the shape's rate, in ten-thousandths.
    pub(crate) scale_bp: u64,
    /// No request arrives from here on.
    pub(crate) ends: SimTime,
}

impl Workload {
    /// Requests per second, in thousandths, in the second that begins at `at_s`.
    pub(crate) fn milli_per_second(&self, at_s: u64) -> u64 {
        self.shape.shape().milli_per_second(at_s) * self.scale_bp / 10_000
    }

    /// The next arrival after `now`; `gap` draws an exponential with the given mean in microseconds.
    ///
    /// A gap that leaves the current second is drawn again from the start of the next, with that second's rate; since the
    /// exponential has no memory, the result is exact. Ends because each turn advances to a later second.
    pub(crate) fn next_arrival(&self, now: SimTime, mut gap: impl FnMut(f64) -> u64) -> Option<SimTime> {
        if let Some((arrivals, scale_bp)) = self.shape.shape().arrivals() {
            return arrivals.next_after(now, scale_bp * self.scale_bp / 10_000).filter(|at| *at < self.ends);
        }
        let mut at = now;
        while at < self.ends {
            let second_ends = SimTime::from_secs(at.as_secs() + 1);
            let rate = self.milli_per_second(at.as_secs());
            if 0 < rate {
                let arrival = SimTime(at.0.saturating_add(gap(1e9 / rate as f64)));
                if arrival < second_ends {
                    return Some(arrival);
                }
            }
            at = second_ends;
        }
        None
    }
}

/// Requests that come at a steady rate, in thousandths per second, at the service of this position.
pub(crate) fn steady(service: usize, milli_per_second: u64, ends: SimTime) -> Workload {
    let shape = levels::Levels { every_s: ends.as_secs().max(1), milli_per_second: vec![milli_per_second] };
    Workload {
        service: service as ServiceIndex,
        operation: None,
        slow_above: None,
        shape: AnyShape::Levels(shape),
        retries: None,
        scale_bp: 10_000,
        ends,
    }
}

/// A thousand times the design load of the benchmark; above it a run is no longer faster than real time.
const PER_SECOND_MAX: u32 = 50_000;

/// Refuses a rate that would make a run endless.
fn check_rate(path: &str, key: &str, per_second: u32, problems: &mut Problems) {
    if PER_SECOND_MAX < per_second {
        problems.add(format!("{path}.{key}"), format!("is {per_second}; at most {PER_SECOND_MAX} can be simulated"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(shape: AnyShape, ends_s: u64) -> Vec<SimTime> {
        let workload = Workload {
            service: 0,
            operation: None,
            slow_above: None,
            shape,
            retries: None,
            scale_bp: 10_000,
            ends: SimTime::from_secs(ends_s),
        };
        // Gaps of exactly the mean make the arithmetic visible.
        let mut all = Vec::new();
        let mut at = SimTime(0);
        while let Some(next) = workload.next_arrival(at, |mean_us| mean_us as u64) {
            all.push(next);
            at = next;
        }
        all
    }

    /// Scenario: a step from two to twenty requests a second at second ten, for twenty seconds.
    /// Guarantees: arrivals follow the rate of their own second and stop at the end.
    #[test]
    fn arrivals_follow_the_shape() {
        let all = arrivals(AnyShape::Step(step::Step { from: 2, to: 20, at_s: 10 }), 20);
        let before = all.iter().filter(|at| at.as_secs() < 10).count();
        let after = all.len() - before;
        assert!((10..=20).contains(&before), "{before}");
        assert!((180..=200).contains(&after), "{after}");
        assert!(all.iter().all(|at| *at < SimTime::from_secs(20)));
    }

    /// Scenario: nobody asks for anything.
    /// Guarantees: there is no arrival, and finding that out ends.
    #[test]
    fn silence_has_no_arrivals() {
        assert_eq!(arrivals(AnyShape::Constant(constant::Constant { per_second: 0 }), 1000), []);
    }
}
