//! The exemplar's second rule.
//!
//! Answers like the first, but gives away whenever replies are fast, however little is to spare. Kept because published
//! tables have it; the difference shows what that one condition is worth.

use crate::plants::{Orders, Period, SwimConfig};
use crate::swim::Manager;
use crate::swim::managers::reactive::react;

/// The rule.
#[derive(Clone, Debug)]
pub struct Reactive2 {
    config: SwimConfig,
}

impl Reactive2 {
    /// For a site of this size.
    pub fn new(config: SwimConfig) -> Reactive2 {
        Reactive2 { config }
    }
}

impl Manager for Reactive2 {
    fn decide(&mut self, seen: &Period) -> Orders {
        react(seen, &self.config, true)
    }
}
