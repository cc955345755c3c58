//! A schedule that was written in advance.
//!
//! Answers what to order now so that the right number serves later. An order takes the start delay to have an effect, a
//! reduction has one at once, so the highest number between now and the end of the delay is asked for.

use std::sync::Arc;

use crate::compare::managers::Manager;
use crate::plants::Readings;
use crate::queue::SimTime;

/// Follows a plan, second by second.
pub(crate) struct Schedule {
    /// How many should serve in each second.
    pub(crate) serving: Arc<[u32]>,
    /// How far ahead an order must be given, in seconds.
    pub(crate) lead_s: usize,
    pub(crate) asked: u32,
}

impl Manager for Schedule {
    fn start(&self) -> Option<u32> {
        self.serving.get(..self.lead_s.min(self.serving.len())).and_then(|first| first.iter().copied().max())
    }

    fn second(&mut self, now: SimTime, _: &Readings) -> Option<u32> {
        let (from, end) = (now.as_secs() as usize, self.serving.len());
        let ahead = self.serving.get(from.min(end)..(from + self.lead_s + 1).min(end))?;
        let wanted = ahead.iter().copied().max()?;
        (wanted != std::mem::replace(&mut self.asked, wanted)).then_some(wanted)
    }
}
