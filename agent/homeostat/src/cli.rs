//! The command line.
//!
//! Answers what can be typed, and teaches it. Does not do any of it; that is `command`. The texts live on the types, so
//! `--help`, the man pages and the completions cannot disagree.

mod bench;
pub(crate) mod compare;
pub(crate) mod goals;
pub(crate) mod policy;
pub(crate) mod proving;
mod scenario;
pub(crate) mod swim;

pub(crate) use bench::{BenchCommand, SamplingBenchArgs};

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use homeostat_core::{ActionId, IncidentId, Millis};

pub(crate) use scenario::SimRunArgs;

const EXAMPLES: &str = "\
Examples:
  homeostat demo                       watch the whole loop on a small shop, from fault to repair
  homeostat run                        run with the embedded default: OTLP on 127.0.0.1:4317 and :4318
  homeostat run --manifest agent.yaml  run with your own manifest
  homeostat check agent.yaml           find every problem in a manifest before it matters
  homeostat status                     what the agent sees, thinks and does now
  homeostat goals                      what the business wants, and what follows from it
  homeostat explain a-17               why it did that, and what came of it
  homeostat hold                       the kill switch: watch, never act

Exit codes: 0 good; 1 the answer is no; 2 wrong use; 64 unusable configuration.
Logs go to stderr; RUST_LOG=debug shows more.";

/// An autonomous observability agent: it perceives a system, understands it, decides, acts and learns from what came of it.
#[derive(Debug, Parser)]
#[command(name = "homeostat", version, after_help = EXAMPLES, arg_required_else_help = true, propagate_version = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Everything the command line can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the agent until it is told to stop (SIGTERM or Ctrl-C); SIGHUP reloads the manifest.
    #[command(after_help = "\
Examples:
  homeostat run
  homeostat run --manifest agent.yaml --state-dir /var/lib/homeostat
  RUST_LOG=homeostat=debug homeostat run

Point any OpenTelemetry SDK at it with OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318, then open http://127.0.0.1:4390/.
The addresses in use are written to doors.json in the state directory, so a manifest may ask for port 0.")]
    Run(RunArgs),
    /// Start the agent and a small real shop on loopback, break something, and watch it repair itself.
    Demo,
    /// Validate a manifest, a file of operator rules or of their tests: every problem at once, with its place. Exit code 1 if
    /// there is one.
    #[command(after_help = "\
Examples:
  homeostat check agent.yaml && homeostat run --manifest agent.yaml
  homeostat check rules/busy_checkout.yaml     rules; what is wrong in a condition is shown with a caret")]
    Check(CheckArgs),
    /// What the running agent sees, thinks and does now.
    #[command(after_help = "Examples:\n  homeostat status\n  homeostat status --json | jq '.services[].name'")]
    Status(StatusArgs),
    /// What the business wants, which objectives follow, what they cost, and how precisely each journey is known.
    #[command(after_help = "\
Examples:
  homeostat goals                              the running agent's, with the traffic it sees
  homeostat goals --manifest agent.yaml        of a manifest alone; traffic is assumed, and said to be
  homeostat goals --manifest agent.yaml --journeys-per-second 50 --spans-per-journey 12
  homeostat goals --json | jq '.journeys[] | {name, left: .standing.availability_left_bp}'

A goal is written like this, under spec:
  goals:
    journeys:
      checkout:
        entry: { service: frontend, operation: \"POST /checkout\" }
        importance: critical
        reliability: 99.9%
        latency: { threshold: 800ms, ratio: 99% }
    telemetry:
      budget: { spansPerSecond: 500 }")]
    Goals(goals::GoalsArgs),
    /// Why an action was taken, or what is known of an incident: evidence, cause, alternatives, guards, outcome.
    #[command(after_help = "\
Examples:
  homeostat explain a-17     an action: why, instead of what, past which guards, and what came of it
  homeostat explain i-3      an incident: since when, on which evidence, suspected causes, answers
  homeostat explain a-17 --state-dir /var/lib/homeostat   the same from a journal at rest")]
    Explain(ExplainArgs),
    /// The journal: what every tick saw, thought, did and learned.
    #[command(
        after_help = "\
Examples:
  homeostat journal --limit 20
  homeostat journal --since 10m --json
  homeostat journal export --life 3 incident.events     the events of one life, for `homeostat replay`",
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true
    )]
    Journal(JournalArgs),
    /// The kill switch: from the next tick on the agent watches and never acts, also after a restart.
    #[command(after_help = "\
Examples:
  homeostat hold
  touch ~/.local/state/homeostat/hold      the same without the API: held while the file is there
  kill -USR1 PID                           the same by signal; kill -USR2 PID resumes")]
    Hold(SteerArgs),
    /// Let the agent act again, and try again what was disarmed.
    Resume(SteerArgs),
    /// Let the agent try again what it had to take back too often.
    #[command(after_help = "\
Examples:
  homeostat arm checkout scale_replicas
  homeostat arm '*' adjust_sampling        the whole kind, whatever the target

`homeostat status` lists what is disarmed.")]
    Arm(ArmArgs),
    /// Say yes to an action that waits for approval.
    #[command(after_help = "Example:\n  homeostat approve a-17\n\n`homeostat status` lists the actions that wait.")]
    Approve(AnswerArgs),
    /// Say no to an action that waits for approval.
    #[command(after_help = "Example:\n  homeostat reject a-17\n\n`homeostat status` lists the actions that wait.")]
    Reject(AnswerArgs),
    /// Feed recorded events to a fresh loop and compare the journal byte for byte. Exit code 1 if they differ.
    #[command(after_help = "\
Examples:
  homeostat replay incident.events               an event log written by `homeostat journal export`
  homeostat replay ~/.local/state/homeostat      every life of a journal at rest")]
    Replay(ReplayArgs),
    /// What another policy would have been worth, from a journal alone. Exit code 0 only if it would have been better.
    #[command(after_help = "\
Examples:
  homeostat evaluate --policy nothing --journal ~/.local/state/homeostat   was acting worth it?
  homeostat evaluate --policy rule --journal /var/lib/homeostat --json     what would not exploring have been worth?
  homeostat evaluate --policy try.yaml --journal /var/lib/homeostat        what would another manifest have been worth?

A manifest is evaluated by feeding the recorded events to the loop again and planning every tick a second time under it.
Only a journal written with spec.automation.exploration above zero can tell. When nothing can be told, it says why and what
would help. Values are what an episode earns: decisions about one target that may influence each other.
Exit codes: 0 better; 1 not better, or it cannot be told.")]
    Evaluate(EvaluateArgs),
    /// Operator rules: run their tests, list what would run.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// The simulation harness: the same loop against simulated worlds.
    #[command(subcommand)]
    Sim(SimCommand),
    /// Scoreboards: how good the agent's own judgement is, on recorded or generated data.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  homeostat completions bash > /etc/bash_completion.d/homeostat")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory.
    #[command(after_help = "Example:\n  homeostat man ~/.local/share/man/man1 && man homeostat")]
    Man {
        /// Where to.
        dir: PathBuf,
    },
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The manifest; without one the embedded default runs.
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
    /// Where the journal lives; by default under the XDG state directory.
    #[arg(long, value_name = "DIR", env = "HOMEOSTAT_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Send spans about the agent's own ticks and effects to the manifest's first trace exporter.
    #[arg(long)]
    pub(crate) self_tracing: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The manifest, the rules or the tests of rules; `kind` says which.
    pub(crate) file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where a running agent listens.
#[derive(Clone, Debug, Args)]
pub(crate) struct ApiArgs {
    /// The running agent's API.
    #[arg(long, value_name = "URL", env = "HOMEOSTAT_API", default_value = "http://127.0.0.1:4390")]
    pub(crate) api: String,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where to read the journal: from the running agent, or at rest.
#[derive(Debug, Args)]
pub(crate) struct JournalSource {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
    /// Read the journal in this state directory if no agent answers.
    #[arg(long, value_name = "DIR", env = "HOMEOSTAT_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// An action such as `a-17`, or an incident such as `i-3`.
    #[arg(value_parser = Subject::parse)]
    pub(crate) id: Subject,
    #[command(flatten)]
    pub(crate) source: JournalSource,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An action.
    Action(ActionId),
    /// An incident.
    Incident(IncidentId),
}

impl Subject {
    /// Reads `a-17` or `i-3`.
    pub(crate) fn parse(text: &str) -> Result<Subject, String> {
        let action = text.starts_with("a-").then(|| ActionId::parse(text)).flatten().map(Subject::Action);
        let incident = text.starts_with("i-").then(|| IncidentId::parse(text)).flatten().map(Subject::Incident);
        action.or(incident).ok_or_else(|| "expected an action such as a-17 or an incident such as i-3".to_owned())
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Subject::Action(id) => id.fmt(f),
            Subject::Incident(id) => id.fmt(f),
        }
    }
}

/// Arguments of `journal`.
#[derive(Debug, Args)]
pub(crate) struct JournalArgs {
    #[command(subcommand)]
    pub(crate) command: Option<JournalCommand>,
    #[command(flatten)]
    pub(crate) source: JournalSource,
    /// At most so many records, newest last.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
    /// Only records of the last while, for example `90s`, `10m` or `2h`.
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub(crate) since: Option<Millis>,
    /// Print the records as JSON, one a line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What else can be done with a journal.
#[derive(Debug, Subcommand)]
pub(crate) enum JournalCommand {
    /// Write the events of one life into a file that `homeostat replay` understands. Needs the journal at rest.
    Export {
        /// Which life: the count of starts, beginning with 1.
        #[arg(long)]
        life: u64,
        /// Where the journal lives; by default under the XDG state directory.
        #[arg(long, value_name = "DIR", env = "HOMEOSTAT_STATE_DIR")]
        state_dir: Option<PathBuf>,
        /// The file to write.
        file: PathBuf,
    },
}

/// Reads `90s`, `10m`, `2h`, `3d`.
pub(crate) fn parse_span(text: &str) -> Result<Millis, String> {
    const FORM: &str = "expected a number and a unit, such as 90s, 10m, 2h or 3d";
    let split = text.find(|letter: char| !letter.is_ascii_digit()).ok_or(FORM)?;
    let (number, unit) = text.split_at(split);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(FORM.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| FORM)?;
    number.checked_mul(seconds * 1000).map(Millis).ok_or_else(|| "that is too long".to_owned())
}

/// Arguments of `hold` and `resume`.
#[derive(Debug, Args)]
pub(crate) struct SteerArgs {
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

/// Arguments of `arm`.
#[derive(Debug, Args)]
pub(crate) struct ArmArgs {
    /// On what, as the status names it; `*` for a kind that is disarmed on anything.
    pub(crate) target: String,
    /// The kind of action, such as scale_replicas.
    pub(crate) kind: String,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

/// Arguments of `approve` and `reject`.
#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The action that waits, such as `a-17`.
    #[arg(value_parser = parse_action)]
    pub(crate) id: ActionId,
    #[command(flatten)]
    pub(crate) api: ApiArgs,
}

fn parse_action(text: &str) -> Result<ActionId, String> {
    ActionId::parse(text).ok_or_else(|| "expected an action such as a-17".to_owned())
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// An event log, or a state directory with a journal.
    #[arg(value_name = "FILE|DIR")]
    pub(crate) path: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    /// The policy to evaluate: rule, nothing, uniform, or a manifest with the wishes and rules to try.
    #[arg(long, value_name = "NAME|MANIFEST", value_parser = PolicyChoice::parse)]
    pub(crate) policy: PolicyChoice,
    /// A state directory with a journal at rest.
    #[arg(long, value_name = "DIR")]
    pub(crate) journal: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which policy a journal is asked about.
#[derive(Clone, Debug)]
pub(crate) enum PolicyChoice {
    /// What is done without a learner.
    Rule,
    /// Nothing, wherever that was an option, and the rule elsewhere.
    Nothing,
    /// Everything that was allowed, alike.
    Uniform,
    /// What the loop would have decided under another manifest.
    Manifest(PathBuf),
}

impl PolicyChoice {
    fn parse(text: &str) -> Result<PolicyChoice, String> {
        match text {
            "rule" => Ok(PolicyChoice::Rule),
            "nothing" => Ok(PolicyChoice::Nothing),
            "uniform" => Ok(PolicyChoice::Uniform),
            path if std::path::Path::new(path).is_file() => Ok(PolicyChoice::Manifest(path.into())),
            _ => Err("expected rule, nothing, uniform, or a manifest that can be read".to_owned()),
        }
    }
}

/// What the harness can do.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// Run one scenario once, exit code 1 if a checker complains; or a plant on a trace of arrivals.
    #[command(after_help = "\
Examples:
  homeostat sim run starved_service --seed 7
  homeostat sim run my-scenario.yaml --report run.html
  homeostat sim run --plant swim --trace arrivals.delta --config large --boot 180 --seeds 10")]
    Run(Box<SimRunArgs>),
    /// Make a trace of arrivals for `sim run --plant swim` from a recording in CSV.
    #[command(after_help = swim::TRACE_EXAMPLES)]
    Trace(swim::TraceArgs),
    /// Run every shipped scenario with many seeds. Exit code 1 if a checker complains; the seed is printed.
    #[command(after_help = "Example:\n  homeostat sim swarm --seeds 1000")]
    Swarm {
        /// How many seeds.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Compare the agent with others who manage the same replicas under the same arrivals.
    #[command(after_help = compare::EXAMPLES)]
    Compare(Box<compare::CompareArgs>),
    /// Make a scenario of what a journal saw, so that an incident can be run again.
    #[command(after_help = RECORD_HELP)]
    Record(SimRecordArgs),
    /// Attack every guard: with all of them nothing may be complained of, without the one each attack must be noticed.
    #[command(after_help = "\
Examples:
  homeostat sim attack                     every guard, a hundred seeds with all guards in
  homeostat sim attack --guard storm       one guard

Exit code 1 if harm gets through, or if a missing guard goes unnoticed.")]
    Attack {
        /// Only the attack that is aimed at this guard.
        #[arg(long, value_name = "NAME")]
        guard: Option<String>,
        /// Seeds with all guards in; and at most so many until a missing guard must be noticed.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the shipped scenarios.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

const RECORD_HELP: &str = "\
Examples:
  homeostat sim record ~/.local/state/homeostat incident.yaml          the newest complete life of a journal at rest
  homeostat sim record /var/lib/homeostat incident.yaml --life 3
  homeostat sim record incident.events incident.yaml                   a log written by `homeostat journal export`
  homeostat sim run incident.yaml --report incident.html

What is inferred, each from quiet seconds or from what they do not explain:
  services      instances, workers (from utilisation), own work (fitted to latency by trying), failures, calls per request
  workload      what came from outside, averaged over five seconds
  faults        slow work (from how busy workers were for what they got done), failing by itself, lost instances, readings
                that were lost or late, actuators that refused or did not answer, an agent that was away
  the rest      objectives, envelopes, sampling and autonomy in force; hold and resume; envelopes around what was seen

What cannot be told, because it does not show: timeouts, queue limits, start delays, retries, connection pools, caches,
hosts; whether workers wait with their requests; wrong or frozen readings and lying actuators; approvals, because another
run has other actions. Without utilisation, slow work cannot be told from waiting; the file says so. A service that calls
back its caller is taken for two sources of load.";

/// Arguments of `sim record`.
#[derive(Debug, Args)]
pub(crate) struct SimRecordArgs {
    /// A state directory with a journal, or an event log.
    #[arg(value_name = "DIR|LOG")]
    pub(crate) from: PathBuf,
    /// The scenario to write.
    #[arg(value_name = "FILE.yaml")]
    pub(crate) file: PathBuf,
    /// Which life of the journal: the count of starts, beginning with 1. The newest complete one unless given.
    #[arg(long)]
    pub(crate) life: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use super::bench::parse_share;
    use super::*;
    use clap::CommandFactory;

    /// Scenario: the whole command line is built with clap's own self-checks on.
    /// Guarantees: no two options collide and every default parses.
    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Scenario: spans and subjects as people type them, rightly and wrongly.
    /// Guarantees: units are understood, garbage is refused, and a bare number is nobody's id.
    #[test]
    fn spans_and_subjects_are_read_as_people_write_them() {
        assert_eq!(parse_span("90s"), Ok(Millis(90_000)));
        assert_eq!(parse_span("2h"), Ok(Millis(7_200_000)));
        for wrong in ["", "10", "m", "10 m", "1w", "99999999999999999999s", "18446744073709551615d"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
        assert_eq!((parse_share("0.05"), parse_share("5%")), (Ok(0.05), Ok(0.05)));
        for wrong in ["", "0", "1.5", "-1%", "NaN", "five"] {
            assert!(parse_share(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Subject::parse("a-17"), Ok(Subject::Action(ActionId(17))));
        assert_eq!(Subject::parse("i-3"), Ok(Subject::Incident(IncidentId(3))));
        assert!(Subject::parse("17").is_err());
    }
}
