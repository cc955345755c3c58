//! The exemplar's first rule.
//!
//! Answers to what has just happened: too slow, and it adds a server or dims; fast, and it brightens or removes one, but
//! only if more than a whole server is to spare. Does not look ahead, and holds no memory.

use crate::plants::{Orders, Period, Scale, SwimConfig};
use crate::swim::Manager;
use crate::swim::score::LATE_ABOVE_S;

/// The rule.
#[derive(Clone, Debug)]
pub struct Reactive {
    config: SwimConfig,
}

impl Reactive {
    /// For a site of this size.
    pub fn new(config: SwimConfig) -> Reactive {
        Reactive { config }
    }
}

impl Manager for Reactive {
    fn decide(&mut self, seen: &Period) -> Orders {
        let spare = seen.active as f64 - seen.utilization;
        react(seen, &self.config, 1.0 < spare)
    }
}

/// What both of the exemplar's rules do; they differ in when there is something to give away.
pub(super) fn react(seen: &Period, config: &SwimConfig, has_spare: bool) -> Orders {
    let step = config.dimmer_step();
    let Some(response) = seen.response_s else { return Orders::default() };
    let scale = |scale| Orders { scale: Some(scale), dimmer: None };
    let dim = |dimmer: f64| Orders { scale: None, dimmer: Some(dimmer) };
    if LATE_ABOVE_S < response {
        match () {
            () if !seen.booting && seen.servers < config.max_servers => scale(Scale::Add),
            () if 0.0 < seen.dimmer => dim(seen.dimmer - step),
            () => Orders::default(),
        }
    } else if response < LATE_ABOVE_S && has_spare {
        match () {
            () if seen.dimmer < 1.0 => dim(seen.dimmer + step),
            () if !seen.booting && 1 < seen.servers => scale(Scale::Remove),
            () => Orders::default(),
        }
    } else {
        Orders::default()
    }
}
