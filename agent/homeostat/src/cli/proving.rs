//! The command line of the proving grounds.
//!
//! Answers what can be typed after `bench verdicts`, `bench evaluation` and `bench learner`.

use std::path::PathBuf;

use clap::Args;

pub(crate) const VERDICTS_HELP: &str = "\
Examples:
  homeostat bench verdicts
  homeostat bench verdicts --seeds 400 --json verdicts.json

In each case one action is judged while the load stays, falls or grows. The truth is the same seed without the action. `before
and after` is what a comparison with the value before the action would say.";

pub(crate) const EVALUATION_HELP: &str = "\
Examples:
  homeostat bench evaluation                   some minutes on two cores
  homeostat bench evaluation --runs 100 --worlds 10
  homeostat bench evaluation --json found.json

Each run writes a journal in worlds of ten services with a policy that tosses, evaluates two others from it, and runs those in
the same worlds. Their mean over all runs is the truth. Exit code 1 if the intervals that judge hold it in fewer than 93 or
more than 97 of 100 runs, by more than chance explains where there are fewer than 400.";

pub(crate) const LEARNER_HELP: &str = "\
Examples:
  homeostat bench learner --seeds 50
  homeostat bench learner --seeds 10 --json learner.json

Both run on the same seeds for an hour and a half. Some services wait for a database that is at its limit, so that adding to
them is waste; others are helped by it. Exit code 1 if the learner ends behind the rule.";

/// Arguments of `bench verdicts` and `bench learner`.
#[derive(Debug, Args)]
pub(crate) struct VerdictsArgs {
    /// How many seeds; verdicts are judged with each of them in each case.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: u32,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write everything that was found as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// Arguments of `bench evaluation`.
#[derive(Debug, Args)]
pub(crate) struct EvaluationArgs {
    /// Experiments.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(crate) runs: u32,
    /// Worlds in each, of ten services.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) worlds: u32,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write everything that was found as JSON; - is stdout.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}
