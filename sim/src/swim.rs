//! SWIM: a site with a dimmer, managed minute by minute.
//!
//! Answers what each way of managing the SEAMS exemplar earns on a recorded sequence of requests, with the two utilities
//! that were published for it. Does not know where a trace comes from. It has a door of its own rather than a scenario
//! because its decisions, instants and scores are those of the exemplar, so that results can be laid beside published ones.

mod managers;
mod recording;
mod score;
mod trace;

use std::sync::Arc;

use homeostat_core::Seed;

pub use crate::plants::{Orders, Period, Scale, SwimConfig};
pub use managers::{
    Agent, AnyManager, Brief, Constant, Manager, ManagerKind, PerfectForecast, Reactive, Reactive2, Setting,
    best_static,
};
pub use recording::{Recipe, Rows};
pub use score::{Score, Summary, Utility, is_late};
pub use trace::{Trace, TraceError};

use crate::plants::{PERIOD_S, PERIODS, Swim};

/// Managers are asked first at this instant: the probes have settled.
const FIRST_DECISION_S: f64 = 540.0;

/// What ended up to this instant is not scored: caches were cold.
pub(crate) const WARM_UP_S: f64 = 900.0;

/// One run: what every minute was like.
#[derive(Clone, Debug, PartialEq)]
pub struct SwimRun {
    /// The seed that decided it.
    pub seed: Seed,
    /// All minutes, the unscored ones included.
    pub periods: Vec<Period>,
    /// What they were worth.
    pub score: Score,
}

/// Runs the plant once under `manager`. The same arguments give the same run, byte for byte.
pub fn run(config: SwimConfig, trace: &Trace, seed: Seed, manager: &mut dyn Manager) -> SwimRun {
    let mut plant = Swim::new(config, Arc::clone(trace.instants()), seed);
    let mut periods = Vec::with_capacity(PERIODS);
    for number in 1..=PERIODS {
        let period = plant.run_minute(number as f64 * PERIOD_S);
        if FIRST_DECISION_S <= period.ended_s {
            plant.obey(manager.decide(&period));
        } else {
            manager.observe(&period);
        }
        periods.push(period);
    }
    let score = Score::of(&periods, config.max_servers);
    SwimRun { seed, periods, score }
}

#[cfg(test)]
mod tests;
