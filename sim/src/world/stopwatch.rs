//! Where the time of a run goes.
//!
//! Answers how long the loop, the checkers and everything else took. It reads no clock by itself: whoever wants to know
//! hands one in, and a run is the same with and without.

use std::time::Duration;

use crate::world::ClockReading;

/// How long a run took, and on what. All zero unless a clock was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// From start to end.
    pub total: Duration,
    /// Inside the loop.
    pub agent: Duration,
    /// Checking, telling the story and digesting.
    pub checkers: Duration,
    /// Requests simulated, over all services.
    pub visits: u64,
}

impl Timing {
    /// Everything that is neither loop nor checkers: arrivals, queues, workers, sensors.
    pub fn plant(&self) -> Duration {
        self.total.saturating_sub(self.agent).saturating_sub(self.checkers)
    }
}

pub(crate) struct Stopwatch {
    clock: Option<ClockReading>,
    started: Duration,
    mark: Duration,
    timing: Timing,
}

impl Stopwatch {
    pub(crate) fn new(clock: Option<ClockReading>) -> Stopwatch {
        let started = clock.map_or(Duration::ZERO, |clock| clock());
        Stopwatch { clock, started, mark: started, timing: Timing::default() }
    }

    pub(crate) fn loop_begins(&mut self) {
        if let Some(clock) = self.clock {
            self.mark = clock();
        }
    }

    pub(crate) fn loop_ends(&mut self) {
        if let Some(clock) = self.clock {
            let now = clock();
            self.timing.agent += now - self.mark;
            self.mark = now;
        }
    }

    /// What has passed since the loop ended was checking.
    pub(crate) fn checkers_end(&mut self) {
        if let Some(clock) = self.clock {
            self.timing.checkers += clock() - self.mark;
        }
    }

    pub(crate) fn stop(mut self, visits: u64) -> Timing {
        self.timing.visits = visits;
        if let Some(clock) = self.clock {
            self.timing.total = clock() - self.started;
        }
        self.timing
    }
}
