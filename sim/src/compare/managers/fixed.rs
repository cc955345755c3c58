//! A number that never changes.

use crate::compare::managers::Manager;
use crate::plants::Readings;
use crate::queue::SimTime;

/// Holds one number from the beginning.
pub(crate) struct Fixed(pub(crate) u32);

impl Manager for Fixed {
    fn start(&self) -> Option<u32> {
        Some(self.0)
    }

    fn second(&mut self, _: SimTime, _: &Readings) -> Option<u32> {
        None
    }
}
