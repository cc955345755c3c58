//! Arguments of `sim compare`.
//!
//! Answers who is to be compared and on what.

use std::path::PathBuf;

use clap::Args;
use homeostat_core::Seed;
use homeostat_sim::compare::{Contender, Family};

/// What `sim compare --help` teaches.
pub(crate) const EXAMPLES: &str = "\
Examples:
  homeostat sim compare --workload requests.csv --workload views.csv --seeds 5 --report compare.html
  homeostat sim compare agent hpa hpa:60 oracle --synthetic bursts --synthetic steps:7
  homeostat sim compare agent hpa --synthetic diurnal --beats hpa --json

Managers: agent (the loop with its policies and guards, at autonomy Act), hpa (Kubernetes' HPA with its defaults, CPU at 80 %;
hpa:60 for another target), threshold (one more above 80 %, one fewer below 30 %), static (the best number to hold, found with
the workload in hand), peak (what the busiest minute needs, held), oracle (knows every arrival; always plays, as the yardstick).

Workloads: a CSV of requests (a time stamp first, other columns beside it), a CSV of counts (a stamp and a number; each row is
played in --row seconds, with a straight line to the next; logarithms if the file's name says log), or one gap in seconds a line.
Each is brought to a size that needs about two to twenty replicas of 45 s start delay; requests keep their instants.

Utility = good requests - penalty x bad requests - price x capacity x replica-seconds, as a share of the oracle's. A request is
good if it succeeds within five times the mean work. The price is that of a replica-second as a share of what a replica earns
when never idle; the last columns show half and twice of it. The objective is broken in a second in which more than 1 % of what
was answered was bad.";

/// Arguments of `sim compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Who is compared; without it, all of them.
    #[arg(value_name = "MANAGER")]
    pub(crate) managers: Vec<Contender>,
    /// Recorded arrivals; repeatable.
    #[arg(long = "workload", value_name = "FILE")]
    pub(crate) workloads: Vec<PathBuf>,
    /// A synthetic workload, and its seed if not 1: bursts, flash, diurnal, steps, ramps or sawtooth; repeatable. All of them,
    /// if nothing else is named.
    #[arg(long = "synthetic", value_name = "FAMILY[:SEED]", value_parser = parse_synthetic)]
    pub(crate) synthetic: Vec<(Family, Seed)>,
    /// A shipped scenario's name or a scenario file with one service that may be scaled; repeatable.
    #[arg(long = "scenario", value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<String>,
    /// How many seeds.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Hours of a recording that are played at most.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=168))]
    pub(crate) hours: u32,
    /// Seconds in which one row of a recording of counts is played.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(10..=86_400))]
    pub(crate) row: u32,
    /// Minutes of a synthetic workload.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(5..=1440))]
    pub(crate) minutes: u32,
    /// What a replica-second costs, as a share of what a replica earns when it is never idle.
    #[arg(long, default_value_t = 0.05, value_parser = parse_weight)]
    pub(crate) price: f64,
    /// What a bad request costs, where a good one earns one.
    #[arg(long, default_value_t = 1.0, value_parser = parse_weight)]
    pub(crate) penalty: f64,
    /// Exit code 1 unless the first manager earns at least as much as this one on every workload; repeatable.
    #[arg(long, value_name = "MANAGER")]
    pub(crate) beats: Vec<Contender>,
    /// Write a page with plots.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

fn parse_synthetic(text: &str) -> Result<(Family, Seed), String> {
    let (name, seed) = text.split_once(':').unwrap_or((text, "1"));
    let known = || Family::ALL.map(|(name, _)| name).join(", ");
    let family =
        Family::named(name).ok_or_else(|| format!("there is no family called {name}; there are {}", known()))?;
    let seed = seed.parse().map_err(|_| format!("expected a seed after {name}:, found {seed}"))?;
    Ok((family, Seed(seed)))
}

fn parse_weight(text: &str) -> Result<f64, String> {
    let weight = text.parse::<f64>().ok().filter(|weight| (0.0..=1000.0).contains(weight));
    weight.ok_or_else(|| "expected a number from 0 to 1000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: synthetic workloads and weights as people write them, rightly and wrongly.
    /// Guarantees: a seed is optional, and what is not understood is refused with what is.
    #[test]
    fn families_and_weights_are_read_as_people_write_them() {
        assert_eq!(parse_synthetic("steps"), Ok((Family::Steps, Seed(1))));
        assert_eq!(parse_synthetic("bursts:7"), Ok((Family::Bursts, Seed(7))));
        assert!(parse_synthetic("floods").unwrap_err().contains("bursts, flash"));
        assert!(parse_synthetic("steps:x").is_err());
        assert_eq!(parse_weight("0.05"), Ok(0.05));
        for wrong in ["-1", "NaN", "a lot"] {
            assert!(parse_weight(wrong).is_err(), "{wrong}");
        }
    }
}
