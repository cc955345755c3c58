//! Forecasts of demand.
//!
//! Answers what demand each scalable service will meet when replicas that are asked for at once begin to serve, with an upper
//! bound that holds as often as is wanted, and how many replicas it takes. Several simple ways forecast side by side, every
//! five seconds; each bound is widened by how wrong its way was lately (split conformal prediction: Papadopoulos and others
//! 2002), and the way whose bound would have cost least so far is believed (the pinball loss of Koenker and Bassett 1978). No
//! model is fitted: what is needed is a bound that holds for load nobody has described, and its width says honestly how much
//! there is to know. It remembers from tick to tick and forgets in a restart; until it has seen enough again it says so.

mod believed;
mod demand;
mod staffing;
mod ways;

use std::collections::BTreeMap;

use homeostat_core::actions::SCALE_REPLICAS;
use homeostat_core::{Forecast, Millis, ServiceName, Settings, Snapshot, Starts, Timestamp};

use crate::forecasts::believed::Believed;
use crate::forecasts::demand::{Demand, STEP};
use crate::forecasts::staffing::Staffing;

/// The farthest that is looked ahead. What takes longer to start is forecast as if it took this long.
const AHEAD_MAX: Millis = Millis::from_secs(600);

/// Forecasts that must have come due before they are trusted: four minutes of them.
const SETTLED_MIN: u32 = 48;

/// A bound that is exceeded this much more often than wanted is not trusted, in basis points.
const UNCOVERED_MAX: u32 = 1500;

/// What is needed at so many steps in a row is no mere noise: a quarter of a minute, of more than one that is looked ahead.
const STEADY: usize = 3;

/// Steps for which needs are remembered: ten minutes.
const NEEDS_MAX: usize = 120;

/// The forecasts of every scalable service, carried from tick to tick.
#[derive(Debug, Default)]
pub struct Forecaster {
    tracks: BTreeMap<ServiceName, Track>,
}

impl Forecaster {
    /// Takes in `snapshot` and forecasts. `starts` says how long replicas take to serve.
    pub fn forecast(
        &mut self,
        snapshot: &Snapshot,
        starts: &BTreeMap<ServiceName, Starts>,
        settings: &Settings,
    ) -> Vec<Forecast> {
        let scaling = &settings.scaling;
        if !scaling.predictive.enabled {
            self.tracks.clear();
            return Vec::new();
        }
        self.tracks.retain(|service, _| scaling.services.contains_key(service));
        let of = |service: &ServiceName| {
            let start = starts.get(service).and_then(Starts::mean).unwrap_or(scaling.predictive.start_delay);
            let ahead = Millis((start.0 + SCALE_REPLICAS.cooldown.0).min(AHEAD_MAX.0));
            let track = self.tracks.entry(service.clone()).or_default();
            track.step(service, snapshot, ahead, settings)
        };
        scaling.services.keys().filter_map(of).collect()
    }
}

/// One service.
#[derive(Debug, Default)]
struct Track {
    demand: Demand,
    believed: Believed,
    staffing: Staffing,
    /// What was needed at each of the last steps, newest last.
    needs: std::collections::VecDeque<u64>,
    last: Option<Forecast>,
    stepped: Timestamp,
}

impl Track {
    fn step(
        &mut self,
        service: &ServiceName,
        snapshot: &Snapshot,
        ahead: Millis,
        settings: &Settings,
    ) -> Option<Forecast> {
        self.demand.see(service, snapshot, &mut self.staffing);
        if snapshot.at.since(self.stepped) < STEP {
            return self.last.clone();
        }
        self.stepped = snapshot.at;
        let promise = settings.objectives.of(service);
        let steps = (ahead.0.div_ceil(STEP.0)) as usize;
        let Some(now) = self.demand.step(promise.latency_threshold) else {
            self.believed.pass();
            self.last = None;
            return None;
        };
        let coverage = settings.scaling.predictive.coverage;
        let belief = self.believed.step(now, steps, coverage);
        let needed = |demand| self.staffing.replicas(demand, promise);
        let (needed_now, needed_ahead) = (needed(now), needed(belief.upper));
        if self.needs.len() == NEEDS_MAX {
            self.needs.pop_front();
        }
        self.needs.push_back(needed_now.max(needed_ahead));
        let waited = (settings.scaling.predictive.reduce_after.0 / STEP.0) as usize;
        let trusted = SETTLED_MIN <= belief.settled && coverage.0 <= belief.covered.0 + UNCOVERED_MAX;
        self.last = Some(Forecast {
            service: service.clone(),
            ahead,
            demand: now,
            expected: belief.expected,
            upper: belief.upper,
            method: belief.method,
            settled: belief.settled,
            covered: belief.covered,
            trusted,
            needed_now,
            needed_ahead,
            needed_steadily: self.needs.iter().rev().take(STEADY).copied().min().unwrap_or(0),
            needed_lately: self.needs.iter().rev().take(waited.max(1)).copied().max().unwrap_or(0),
        });
        self.last.clone()
    }
}

#[cfg(test)]
mod tests;
