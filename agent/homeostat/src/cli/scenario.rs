//! Arguments of `sim run`.
//!
//! Answers which scenario is run and how. Apart from the other arguments, so that the table of commands stays one screen's
//! worth; a plant on a trace brings its own along.

use std::path::PathBuf;

use clap::Args;

use crate::cli::swim;

/// Arguments of `sim run`.
#[derive(Debug, Args)]
pub(crate) struct SimRunArgs {
    /// A shipped scenario's name (see `homeostat sim list`) or a scenario file.
    #[arg(required_unless_present = "plant")]
    pub(crate) scenario: Option<String>,
    /// The seed that decides the run.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Let the seed also move rates, delays and faults within bounds, as the swarm does.
    #[arg(long)]
    pub(crate) perturbed: bool,
    /// Run it twice, and say at which record two runs of the same seed part. A run that fails is always run twice.
    #[arg(long)]
    pub(crate) twice: bool,
    /// Write a report with plots.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) swim: swim::SwimArgs,
}
