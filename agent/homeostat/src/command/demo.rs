//! `demo`: the whole loop on a small shop.
//!
//! Answers with the exit code whether the agent repaired the fault. The log is not set up: the demo's screen tells the story,
//! and a log between its lines would tell it twice.

use super::{Answer, CommandError};
use crate::demo::{self, DemoError, Repair};

/// Runs the demo.
pub(super) fn demo() -> Result<Answer, CommandError> {
    match demo::run() {
        Ok(Repair::Done) => Ok(Answer::Yes),
        Ok(Repair::NotDone) => Ok(Answer::No),
        Err(DemoError::Screen(demo::ScreenError::Write(error))) => Err(CommandError::Print(error)),
        Err(error) => Err(CommandError::Demo(error)),
    }
}
