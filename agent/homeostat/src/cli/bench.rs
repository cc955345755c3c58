//! The command line of `bench`.
//!
//! Answers what can be measured, and with which data.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::proving;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// What the sampler keeps of traffic at a budget, how good the estimates are, and what deciding costs.
    #[command(after_help = "\
Examples:
  homeostat bench sampling --budget 0.05 --runs 400
  homeostat bench sampling --profile errors --budget 1% --seed 7
  homeostat bench sampling --traces spans.csv --budget 0.05 --json report.json

FILE is text with a header and one span a line, in any order:
  trace_id,span_id,parent_id,service,operation,start_ns,end_ns,status
An empty parent_id is a root. status is ok, error, unset or an HTTP status. Traces are decided as they complete. Failures
count against the budget, and are kept even if they exceed it. Two traces have the same shape if the same operations call
each other (edge set), or, more strictly, if their trees are the same but for the order of siblings (tree).")]
    Sampling(SamplingBenchArgs),
    /// How often verdicts on actions are right, in simulated plants where the truth is known.
    #[command(after_help = proving::VERDICTS_HELP)]
    Verdicts(proving::VerdictsArgs),
    /// How often the intervals of `homeostat evaluate` hold the truth, in simulated worlds where it is known.
    #[command(after_help = proving::EVALUATION_HELP)]
    Evaluation(proving::EvaluationArgs),
    /// What the learner earns beside the rule, in simulated worlds in which the rule is sometimes wrong.
    #[command(after_help = proving::LEARNER_HELP)]
    Learner(proving::VerdictsArgs),
}

/// Arguments of `bench sampling`.
#[derive(Debug, Args)]
pub(crate) struct SamplingBenchArgs {
    /// The spans to sample; without them, traffic is generated.
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["generate", "profile", "count"])]
    pub(crate) traces: Option<PathBuf>,
    /// Generate traffic; the default when no file is given.
    #[arg(long)]
    pub(crate) generate: bool,
    /// What the generated traffic exaggerates.
    #[arg(long, default_value = "ordinary", value_parser = clap::builder::PossibleValuesParser::new(
        homeostat_pipeline::evaluate::Profile::ALL.map(|(_, name)| name)
    ))]
    pub(crate) profile: String,
    /// How many traces are generated.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=2_000_000))]
    pub(crate) count: u32,
    /// The share of traces and spans that may be kept, such as 0.05 or 5%.
    #[arg(long, default_value = "0.05", value_parser = parse_share)]
    pub(crate) budget: f64,
    /// Repeat sampling so often with other dice, and report how often 95 % intervals contain the truth.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) runs: u32,
    /// The seed of dice and generated traffic.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write everything that was found as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Reads `0.05` or `5%`.
pub(crate) fn parse_share(text: &str) -> Result<f64, String> {
    let (digits, scale) = match text.strip_suffix('%') {
        Some(percent) => (percent, 0.01),
        None => (text, 1.0),
    };
    let share = digits.trim().parse::<f64>().ok().map(|number| number * scale);
    share
        .filter(|share| (1e-6..=1.0).contains(share))
        .ok_or_else(|| "expected a share above 0 and up to 1, such as 0.05 or 5%".to_owned())
}
