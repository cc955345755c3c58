//! `sim`.

use std::io::Write;

use super::{Answer, CommandError};
use crate::cli::SimCommand;

/// Runs the harness.
pub(super) fn simulate(command: SimCommand, _out: &mut dyn Write) -> Result<Answer, CommandError> {
    Err(CommandError::Simulation(format!("{command:?}: not yet")))
}
