//! A rule that knows what will arrive.
//!
//! Answers how much can be earned by whoever foresees arrivals exactly, but not the dice of the service times: the fewest
//! servers that give every full reply on time, begun early enough to be up when they are needed. The measure of how much a
//! real forecast is worth. A rule rather than an optimal plan, so a manager may come out a little above it.

use std::sync::Arc;

use homeostat_core::Seed;

use crate::plants::{Orders, PERIOD_S, PERIODS, Period, Scale, Swim, SwimConfig};
use crate::swim::managers::Brief;
use crate::swim::score::LATE_ABOVE_S;
use crate::swim::{Manager, Trace, Utility};

/// A minute fits if its replies take at most this share of what would be late: the dice of the real run are others.
const FITS_WITHIN: f64 = 0.7;

/// Each minute is tried with so many dice.
const TRIES: u64 = 2;

/// The rule and what it foresees.
#[derive(Clone, Debug)]
pub struct PerfectForecast {
    foreseen: Arc<Foreseen>,
}

#[derive(Debug)]
struct Foreseen {
    config: SwimConfig,
    /// Servers that must take requests, by minute.
    wanted: Vec<usize>,
    /// Minutes until a server that is booted now takes requests.
    boot_minutes: usize,
    /// The highest position of the dimmer that fits, by minute and number of servers.
    dimmers: Vec<Vec<f64>>,
}

impl PerfectForecast {
    /// Foresees the whole trace.
    pub fn new(brief: &Brief<'_>) -> PerfectForecast {
        let Brief { config, trace, goal } = *brief;
        let boot_minutes = (config.boot_s / PERIOD_S).ceil() as usize;
        let minutes = minutes(trace);
        let dimmers: Vec<Vec<f64>> = minutes.iter().map(|minute| dimmers(config, minute)).collect();
        let mut wanted: Vec<usize> = match goal {
            Utility::Seams2017 => dimmers.iter().map(|dimmers| fewest_full(dimmers)).collect(),
            // Servers cost nothing: all of them.
            Utility::Icac2016 => vec![config.max_servers; PERIODS],
        };
        // One boots at a time, so that a rise by several must begin several boots ahead.
        for minute in (0..wanted.len().saturating_sub(boot_minutes.max(1))).rev() {
            let later = wanted[minute + boot_minutes.max(1)];
            wanted[minute] = wanted[minute].max(later.saturating_sub(1));
        }
        PerfectForecast { foreseen: Arc::new(Foreseen { config, wanted, boot_minutes, dimmers }) }
    }
}

impl Manager for PerfectForecast {
    fn decide(&mut self, seen: &Period) -> Orders {
        let Foreseen { config, wanted, boot_minutes, dimmers } = &*self.foreseen;
        let next = ((seen.ended_s / PERIOD_S).round() as usize).min(PERIODS - 1);
        let up_by = (next + boot_minutes).min(PERIODS - 1);
        let peak = wanted[next..=up_by].iter().max().copied().unwrap_or(config.max_servers);
        let scale = match () {
            () if seen.booting => None,
            () if seen.active < wanted[up_by] => Some(Scale::Add),
            () if peak < seen.active => Some(Scale::Remove),
            () => None,
        };
        let serving = match scale {
            Some(Scale::Add) if *boot_minutes == 0 => seen.active + 1,
            Some(Scale::Remove) => seen.active - 1,
            _ => seen.active,
        };
        Orders { scale, dimmer: Some(dimmers[next][serving - 1]) }
    }
}

/// The arrivals of each minute, counted from its beginning.
fn minutes(trace: &Trace) -> Vec<Arc<[f64]>> {
    let mut minutes = vec![Vec::new(); PERIODS];
    for at in trace.instants().iter() {
        let minute = ((at / PERIOD_S).ceil() as usize).clamp(1, PERIODS) - 1;
        minutes[minute].push(at - minute as f64 * PERIOD_S);
    }
    minutes.into_iter().map(Arc::from).collect()
}

/// The highest position of the dimmer at which a minute is on time, for each number of servers; the lowest if none is.
fn dimmers(config: SwimConfig, minute: &Arc<[f64]>) -> Vec<f64> {
    let mut full_from_here = false;
    let of_servers = |servers| {
        // More servers never make a minute late.
        if full_from_here {
            return 1.0;
        }
        let levels = (0..config.dimmer_levels).rev().map(|level| (f64::from(level) * config.dimmer_step()).min(1.0));
        let dimmer = levels.into_iter().find(|dimmer| fits(config, minute, servers, *dimmer)).unwrap_or(0.0);
        full_from_here = 1.0 <= dimmer;
        dimmer
    };
    (1..=config.max_servers).map(of_servers).collect()
}

fn fits(config: SwimConfig, minute: &Arc<[f64]>, servers: usize, dimmer: f64) -> bool {
    (0..TRIES).all(|dice| {
        let mut plant = Swim::warm(config, Arc::clone(minute), Seed(dice), servers, dimmer);
        let seen = plant.run_minute(PERIOD_S);
        seen.response_s.is_none_or(|response| response <= LATE_ABOVE_S * FITS_WITHIN)
    })
}

fn fewest_full(dimmers: &[f64]) -> usize {
    dimmers.iter().position(|dimmer| 1.0 <= *dimmer).map_or(dimmers.len(), |index| index + 1)
}
