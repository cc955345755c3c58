//! `bench`: scoreboards.
//!
//! Answers how good the agent's own judgement is. Holds none of it: it chooses the data, lends a clock, and writes down what
//! was found, for people on stdout and for scripts as JSON.

mod proving;

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use homeostat_pipeline::evaluate::{
    CsvError, Evaluation, Kept, OperationRow, Options, Profile, Traffic, evaluate, generate, read_csv,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{Answer, CommandError, write_json};
use crate::cli::{BenchCommand, SamplingBenchArgs};

/// Operations that are shown; all of them are in the JSON.
const ROWS_MAX: usize = 12;

/// Where Linux tells how long a thread has run. Unlike a wall clock it does not count what other programs took.
const THREAD_TIME: &str = "/proc/thread-self/schedstat";

/// Measures.
pub(super) fn bench(command: BenchCommand, out: &mut dyn Write) -> Result<Answer, CommandError> {
    match command {
        BenchCommand::Sampling(args) => sampling(&args, out),
        BenchCommand::Verdicts(args) => proving::verdicts(&args, out),
        BenchCommand::Evaluation(args) => proving::evaluation(&args, out),
        BenchCommand::Learner(args) => proving::learner(&args, out),
    }
}

fn sampling(args: &SamplingBenchArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let traffic = traffic(args)?;
    let options = Options { budget: args.budget, runs: args.runs, seed: args.seed };
    let bar = progress_bar(u64::from(args.runs));
    let mut clock = stopwatch();
    let found = evaluate(&traffic, &options, Some(&mut clock), &mut |done| bar.set_position(u64::from(done)));
    bar.finish_and_clear();
    match args.json.as_deref() {
        Some(path) if path == Path::new("-") => write_json(out, &found)?,
        Some(path) => {
            write_found(out, args, &found)?;
            save(path, &found)?;
            writeln!(out, "everything is in {}", path.display())?;
        }
        None => write_found(out, args, &found)?,
    }
    Ok(Answer::Yes)
}

fn traffic(args: &SamplingBenchArgs) -> Result<Traffic, CommandError> {
    let Some(path) = &args.traces else {
        let found = Profile::ALL.iter().find(|(_, name)| *name == args.profile);
        let profile = found.map_or_else(Profile::default, |(profile, _)| *profile);
        return Ok(generate(profile, args.count as usize, args.seed));
    };
    let failed = |source| CommandError::Spans { path: path.clone(), source };
    let file = File::open(path).map_err(|error| failed(CsvError::Read(error)))?;
    read_csv(BufReader::new(file)).map_err(failed)
}

fn save(path: &Path, found: &impl Serialize) -> Result<(), CommandError> {
    let failed = |source| CommandError::Write { path: path.to_owned(), source };
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    serde_json::to_writer_pretty(&mut file, found).map_err(|error| failed(error.into()))?;
    file.flush().map_err(failed)
}

/// Drawn on stderr, and only if that is a terminal.
fn progress_bar(runs: u64) -> ProgressBar {
    let bar = ProgressBar::new(runs);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} runs, {eta} left");
    bar.set_style(style.expect("the template is a constant that was tried"));
    bar
}

/// Counts nanoseconds of this thread's own time where the system tells it, else of the wall's.
#[expect(clippy::disallowed_methods, reason = "a stopwatch for what is measured; nothing is decided by it")]
fn stopwatch() -> impl FnMut() -> u64 {
    let began = Instant::now();
    move || {
        let own = std::fs::read_to_string(THREAD_TIME).ok();
        let own = own.as_deref().and_then(|text| text.split(' ').next()?.trim().parse().ok());
        own.unwrap_or_else(|| u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

fn write_found(out: &mut dyn Write, args: &SamplingBenchArgs, found: &Evaluation) -> Result<(), CommandError> {
    let traffic = &found.traffic;
    match &args.traces {
        Some(path) => writeln!(out, "{}", path.display())?,
        None => writeln!(out, "generated: {} traffic, seed {}", args.profile, args.seed)?,
    }
    writeln!(
        out,
        "  {} traces of {} spans in {:.0} s; {} services, {} operations; {} traces failed",
        traffic.traces, traffic.spans, traffic.seconds, traffic.services, traffic.operations, traffic.error_traces
    )?;
    writeln!(out, "  {} shapes as edge sets, {} as trees", traffic.shapes_edge_set, traffic.shapes_tree)?;
    let most = found.budget * traffic.traces as f64;
    if most < traffic.shapes_tree as f64 {
        writeln!(out, "  the budget is {most:.0} traces: not every shape can be kept")?;
    }
    writeln!(out, "\nat a budget of {}            judged     plain", percent(found.budget))?;
    write_kept(out, &found.judged, &found.plain)?;
    let rules: Vec<String> =
        found.judged.traces_by_rule.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    writeln!(out, "  traces kept by rule: {}", rules.join(", "))?;
    if let Some(intervals) = &found.intervals {
        writeln!(out, "\nover {} runs, 95 % intervals contain the truth", intervals.runs)?;
        for (quantity, coverage) in &intervals.coverage {
            match coverage.operations {
                0 => writeln!(out, "  {quantity:12} too little is kept to ask")?,
                operations => writeln!(
                    out,
                    "  {quantity:12} {:>7}   of {operations} operations; estimates are off by {:+.2} % on average",
                    percent(coverage.covered),
                    100.0 * coverage.bias
                )?,
            }
        }
    }
    write_operations(out, &found.operations)?;
    if let Some(cost) = &found.cost {
        writeln!(
            out,
            "\ncost on one thread: {:.0} ns per span ({:.0} for its structure; {:.0} per trace to decide and learn)",
            cost.ns_per_span, cost.shape_ns_per_span, cost.decide_ns_per_trace
        )?;
    }
    Ok(())
}

fn write_kept(out: &mut dyn Write, judged: &Kept, plain: &Kept) -> Result<(), CommandError> {
    let rows: [(&str, fn(&Kept) -> f64); 7] = [
        ("traces kept", |kept| kept.traces),
        ("spans kept", |kept| kept.spans),
        ("shapes kept, edge sets", |kept| kept.shapes_edge_set),
        ("shapes kept, trees", |kept| kept.shapes_tree),
        ("failed traces kept", |kept| kept.error_traces),
        ("operations covered", |kept| kept.operations),
        ("root operations covered", |kept| kept.root_operations),
    ];
    for (name, of) in rows {
        writeln!(out, "  {name:24} {:>9} {:>9}", percent(of(judged)), percent(of(plain)))?;
    }
    Ok(())
}

fn write_operations(out: &mut dyn Write, operations: &[OperationRow]) -> Result<(), CommandError> {
    writeln!(out, "\n{:40} {:>21} {:>17} {:>19} {:>19}", "truth / estimate", "spans/s", "errors", "p50", "p99")?;
    for row in operations.iter().take(ROWS_MAX) {
        let name =
            if row.service.is_empty() { row.operation.clone() } else { format!("{} {}", row.service, row.operation) };
        let pair = |quantity: &str, shown: fn(f64) -> String| {
            let value = |values: &std::collections::BTreeMap<&'static str, f64>| {
                values.get(quantity).map_or_else(|| "-".to_owned(), |value| shown(*value))
            };
            format!("{} / {}", value(&row.truth), value(&row.estimate))
        };
        writeln!(
            out,
            "{:40.40} {:>21} {:>17} {:>19} {:>19}",
            name,
            pair("rate", |rate| format!("{rate:.2}")),
            pair("error_ratio", percent),
            pair("p50", duration),
            pair("p99", duration)
        )?;
    }
    match operations.len().saturating_sub(ROWS_MAX) {
        0 => Ok(()),
        more => Ok(writeln!(out, "and {more} more operations in the JSON")?),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn duration(nanos: f64) -> String {
    let whole = Duration::from_nanos(nanos as u64);
    match nanos {
        _ if nanos < 1e6 => format!("{:.0} µs", nanos / 1e3),
        _ if nanos < 1e9 => format!("{:.1} ms", nanos / 1e6),
        _ => format!("{:.1} s", whole.as_secs_f64()),
    }
}
