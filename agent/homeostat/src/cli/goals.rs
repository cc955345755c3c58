//! Arguments of `goals`.
//!
//! Answers whom the goals are asked of: the running agent, or a manifest with traffic that is assumed.

use std::path::PathBuf;

use clap::Args;

use super::ApiArgs;

/// Arguments of `goals`.
#[derive(Debug, Args)]
pub(crate) struct GoalsArgs {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Ask nobody: derive from this manifest.
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Assume that so many journeys of each kind begin per second; 10 unless told.
    #[arg(long, value_name = "N", requires = "manifest", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) journeys_per_second: Option<u32>,
    /// Assume that a journey has so many spans; 10 unless told.
    #[arg(long, value_name = "N", requires = "manifest", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) spans_per_journey: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
