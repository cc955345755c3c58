//! Arguments of `sim run --plant swim`.
//!
//! Answers what can be asked of the exemplar SWIM: a trace, the size of the site, who manages it. Apart from the other
//! arguments, because none of them means anything for a scenario, and clap says so to whoever mixes them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use homeostat_sim::swim::{ManagerKind, Recipe, Rows, Setting, SwimConfig, Utility};

/// Plants that run on a trace rather than in a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plant {
    /// The SEAMS exemplar SWIM: a site of servers with a dimmer.
    Swim,
}

/// The size of the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Size {
    /// At most 3 servers, 5 positions of the dimmer; boots in 60 s unless said otherwise.
    Small,
    /// At most 12 servers, 10 positions of the dimmer; boots in 180 s unless said otherwise.
    Large,
}

/// Who manages the site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Who {
    /// Nobody: three servers, the dimmer at 0.9.
    Nothing,
    /// The setting given by --servers and --dimmer.
    Static,
    /// The best setting that can be held, found by search.
    BestStatic,
    /// The exemplar's first rule.
    Reactive,
    /// The exemplar's second rule.
    Reactive2,
    /// A rule that knows what will arrive.
    PerfectForecast,
    /// The agent's planner for sites with a dimmer; the loop and its guards are not in between.
    Agent,
}

impl Who {
    /// Who is compared when nobody is named.
    pub(crate) const COMPARED: [Who; 6] =
        [Who::Nothing, Who::Reactive, Who::Reactive2, Who::BestStatic, Who::PerfectForecast, Who::Agent];
}

/// What it is to earn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    /// SEAMS 2017: servers cost.
    Seams2017,
    /// ICAC 2016: servers cost nothing.
    Icac2016,
}

impl From<Goal> for Utility {
    fn from(goal: Goal) -> Utility {
        match goal {
            Goal::Seams2017 => Utility::Seams2017,
            Goal::Icac2016 => Utility::Icac2016,
        }
    }
}

/// Arguments of the plant.
#[derive(Debug, Args)]
pub(crate) struct SwimArgs {
    /// Run a plant on a trace instead of a scenario.
    #[arg(long, requires = "trace", conflicts_with_all = ["scenario", "perturbed", "twice", "report"])]
    pub(crate) plant: Option<Plant>,
    /// The arrivals: one number a line, the seconds since the request before.
    #[arg(long, value_name = "FILE.delta", requires = "plant")]
    pub(crate) trace: Option<PathBuf>,
    /// The size of the site.
    #[arg(long, default_value = "large", requires = "plant")]
    pub(crate) config: Size,
    /// How long a server takes to boot.
    #[arg(long, value_name = "SECONDS", requires = "plant", value_parser = parse_boot)]
    pub(crate) boot: Option<f64>,
    /// Who manages it; may be repeated. Without it, all that need no setting are compared.
    #[arg(long = "manager", value_name = "NAME", requires = "plant")]
    pub(crate) managers: Vec<Who>,
    /// What best-static, perfect-forecast and agent are to earn; both utilities are always shown.
    #[arg(long, default_value = "seams2017", requires = "plant")]
    pub(crate) goal: Goal,
    /// Servers that the manager static holds.
    #[arg(long, default_value_t = 3, requires = "plant", value_parser = clap::value_parser!(u8).range(1..=12))]
    pub(crate) servers: u8,
    /// The dimmer that the manager static holds, from 0 to 1.
    #[arg(long, default_value_t = 1.0, requires = "plant", value_parser = parse_dimmer)]
    pub(crate) dimmer: f64,
    /// Run so many seeds, beginning with --seed.
    #[arg(long, default_value_t = 5, requires = "plant", value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) seeds: u64,
    /// Print every minute of the first seed as well.
    #[arg(long, requires = "plant")]
    pub(crate) periods: bool,
}

impl SwimArgs {
    /// The site that is asked for.
    pub(crate) fn site(&self) -> SwimConfig {
        match self.config {
            Size::Small => SwimConfig::small(self.boot.unwrap_or(60.0)),
            Size::Large => SwimConfig::large(self.boot.unwrap_or(180.0)),
        }
    }

    /// What the manager static holds.
    pub(crate) fn setting(&self) -> ManagerKind {
        ManagerKind::Static(Setting { servers: usize::from(self.servers), dimmer: self.dimmer })
    }
}

/// Shown below the help of `sim trace`.
pub(crate) const TRACE_EXAMPLES: &str = "\
Examples:
  homeostat sim trace requests.csv --time TIMESTAMP --peak 70 --out arrivals.delta
  homeostat sim trace views.csv --time ds --count y --log --from 0.5 --to 0.52 --peak 70 --out arrivals.delta

Without --count each row is a request; it is repeated until the busiest minute has --peak requests per second. With --count
each row says how many there were. The part from --from to --to fills the 105 minutes of a run.";

/// Arguments of `sim trace`.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The recording; its first line names the columns.
    #[arg(value_name = "FILE.csv")]
    pub(crate) recording: PathBuf,
    /// The column of the instants: seconds, dates, or dates with times.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) time: String,
    /// The column of numbers of requests; without it, each row is one request.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) count: Option<String>,
    /// The numbers are natural logarithms.
    #[arg(long, requires = "count")]
    pub(crate) log: bool,
    /// Where the part that is used begins, as a share of the recording.
    #[arg(long, default_value_t = 0.0, value_parser = parse_dimmer)]
    pub(crate) from: f64,
    /// Where it ends.
    #[arg(long, default_value_t = 1.0, value_parser = parse_dimmer)]
    pub(crate) to: f64,
    /// Requests per second in the busiest minute.
    #[arg(long, default_value_t = 70.0, value_parser = parse_peak)]
    pub(crate) peak: f64,
    /// Decides what the recording does not say.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where to write.
    #[arg(long, value_name = "FILE.delta")]
    pub(crate) out: PathBuf,
}

impl TraceArgs {
    /// What is to be made of the recording.
    pub(crate) fn recipe(&self) -> Recipe {
        let at = self.time.clone();
        let rows = match self.count.clone() {
            Some(count) => Rows::Counts { at, count, are_logarithms: self.log },
            None => Rows::Requests { at },
        };
        Recipe { rows, from: self.from.min(self.to), to: self.from.max(self.to), peak_per_s: self.peak }
    }
}

fn parse_peak(text: &str) -> Result<f64, String> {
    let peak = text.parse().ok().filter(|peak| (1.0..=1000.0).contains(peak));
    peak.ok_or_else(|| "expected requests per second from 1 to 1000, such as 70".to_owned())
}

fn parse_boot(text: &str) -> Result<f64, String> {
    let boot = text.parse().ok().filter(|boot| (0.0..=3600.0).contains(boot));
    boot.ok_or_else(|| "expected seconds from 0 to 3600, such as 180".to_owned())
}

fn parse_dimmer(text: &str) -> Result<f64, String> {
    let dimmer = text.parse().ok().filter(|dimmer| (0.0..=1.0).contains(dimmer));
    dimmer.ok_or_else(|| "expected a number from 0 to 1, such as 0.75".to_owned())
}
