//! `sim run --plant swim`: the exemplar SWIM.
//!
//! Answers what each manager earned, as a table or as JSON. Computes nothing of it; the plant and its scores are the
//! harness's.

use std::io::{self, Write};

use clap::ValueEnum;
use homeostat_core::Seed;
use homeostat_sim::swim::{self, AnyManager, Brief, ManagerKind, Period, Score, Summary, SwimRun, Trace, Utility};
use serde_json::{Value, json};

use crate::cli::swim::{SwimArgs, TraceArgs, Who};
use crate::command::{Answer, CommandError, write_json};

/// What one manager earned over all seeds.
struct Row {
    name: String,
    runs: Vec<SwimRun>,
}

impl Row {
    fn summary(&self, of: impl Fn(&Score) -> f64 + Clone) -> Summary {
        Summary::of(self.runs.iter().map(|run| of(&run.score)))
    }
}

/// Runs the plant under each manager and each seed.
pub(super) fn run(args: &SwimArgs, first_seed: u64, json: bool, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let path = args.trace.as_deref().expect("clap requires a trace with a plant");
    let trace = Trace::from_path(path).map_err(CommandError::Trace)?;
    let seeds: Vec<Seed> = (0..args.seeds).map(|number| Seed(first_seed.wrapping_add(number))).collect();
    let managers = if args.managers.is_empty() { Who::COMPARED.to_vec() } else { args.managers.clone() };
    let rows: Vec<Row> = managers.into_iter().map(|who| row(who, args, &trace, &seeds)).collect();
    if json {
        write_json(out, &as_json(args, &rows))?;
    } else {
        write_rows(out, args, &rows)?;
    }
    Ok(Answer::Yes)
}

/// Makes a trace of a recording, and says what it is like.
pub(super) fn trace(args: &TraceArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let path = &args.recording;
    let unusable = |source| CommandError::Recording { path: path.clone(), source };
    let trace = args.recipe().trace(path, Seed(args.seed)).map_err(unusable)?;
    std::fs::write(&args.out, trace.to_delta())
        .map_err(|source| CommandError::Write { path: args.out.clone(), source })?;
    let rates = trace.rates();
    let (most, mean) = (rates.iter().copied().fold(0.0, f64::max), rates.iter().sum::<f64>() / rates.len() as f64);
    let (requests, path) = (trace.instants().len(), args.out.display());
    writeln!(
        out,
        "{path}: {requests} requests in 105 minutes, {mean:.1} per second on average, {most:.1} in the busiest minute"
    )?;
    Ok(Answer::Yes)
}

fn row(who: Who, args: &SwimArgs, trace: &Trace, seeds: &[Seed]) -> Row {
    let (config, goal) = (args.site(), Utility::from(args.goal));
    let kind = match who {
        Who::Nothing => ManagerKind::Nothing,
        Who::Static => args.setting(),
        Who::BestStatic => ManagerKind::Static(swim::best_static(config, trace, seeds, goal)),
        Who::Reactive => ManagerKind::Reactive,
        Who::Reactive2 => ManagerKind::Reactive2,
        Who::PerfectForecast => ManagerKind::PerfectForecast,
        Who::Agent => ManagerKind::Agent,
    };
    let name = who.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    let name = match kind {
        ManagerKind::Static(setting) => format!("{name} ({} servers, {:.2})", setting.servers, setting.dimmer),
        _ => name,
    };
    let manager = AnyManager::new(kind, &Brief { config, trace, goal });
    let runs = seeds.iter().map(|seed| swim::run(config, trace, *seed, &mut manager.clone()));
    Row { name, runs: runs.collect() }
}

fn write_rows(out: &mut dyn Write, args: &SwimArgs, rows: &[Row]) -> io::Result<()> {
    let config = args.site();
    let scored = rows.first().and_then(|row| row.runs.first()).map_or(0, |run| run.score.periods);
    writeln!(
        out,
        "at most {} servers, {} positions of the dimmer, boots in {} s; {} seeds, {scored} minutes scored; mean ± standard deviation",
        config.max_servers, config.dimmer_levels, config.boot_s, args.seeds,
    )?;
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or_default();
    writeln!(
        out,
        "{:width$}  {:>16}  {:>16}  {:>12}  {:>12}  {:>12}",
        "manager", "SEAMS'17", "ICAC'16", "late", "full replies", "servers"
    )?;
    for row in rows {
        let shown = |summary: Summary, digits: usize| format!("{:.digits$} ± {:.digits$}", summary.mean, summary.sd);
        writeln!(
            out,
            "{:width$}  {:>16}  {:>16}  {:>12}  {:>12}  {:>12}",
            row.name,
            shown(row.summary(|score| score.seams2017), 0),
            shown(row.summary(|score| score.icac2016), 0),
            shown(row.summary(|score| f64::from(score.late)), 1),
            shown(row.summary(|score| f64::from(score.full)), 1),
            shown(row.summary(|score| score.servers), 2),
        )?;
    }
    if args.periods {
        rows.iter().try_for_each(|row| write_periods(out, row, config.max_servers))?;
    }
    Ok(())
}

fn write_periods(out: &mut dyn Write, row: &Row, max_servers: usize) -> io::Result<()> {
    let Some(run) = row.runs.first() else { return Ok(()) };
    writeln!(out, "\n{} with seed {}, minute by minute", row.name, run.seed.0)?;
    writeln!(
        out,
        "{:>6}  {:>10}  {:>8}  {:>6}  {:>7}  {:>6}  {:>9}  {:>9}  {:>8}",
        "ends s", "arrivals/s", "reply ms", "dimmer", "servers", "busy", "timed out", "SEAMS'17", "ICAC'16"
    )?;
    for period in &run.periods {
        let reply = period.response_s.map_or_else(|| "-".to_owned(), |reply| format!("{:.0}", reply * 1000.0));
        writeln!(
            out,
            "{:>6.0}  {:>10.1}  {reply:>8}  {:>6.2}  {:>7.1}  {:>6.2}  {:>9}  {:>9.1}  {:>8.1}{}",
            period.ended_s,
            period.arrivals_per_s,
            period.dimmer_mean,
            period.servers_mean,
            period.utilization,
            period.timed_out,
            Utility::Seams2017.of(period, max_servers),
            Utility::Icac2016.of(period, max_servers),
            if swim::is_late(period) { "  late" } else { "" },
        )?;
    }
    Ok(())
}

fn as_json(args: &SwimArgs, rows: &[Row]) -> Value {
    let config = args.site();
    let run_as_json = |run: &SwimRun| {
        let mut value = json!({ "seed": run.seed.0, "score": run.score });
        if args.periods {
            value["periods"] = run.periods.iter().map(|period| period_as_json(period, config.max_servers)).collect();
        }
        value
    };
    let row_as_json = |row: &Row| {
        json!({
            "manager": row.name,
            "seams2017": row.summary(|score| score.seams2017),
            "icac2016": row.summary(|score| score.icac2016),
            "late": row.summary(|score| f64::from(score.late)),
            "full": row.summary(|score| f64::from(score.full)),
            "servers": row.summary(|score| score.servers),
            "runs": row.runs.iter().map(run_as_json).collect::<Vec<_>>(),
        })
    };
    json!({
        "plant": "swim",
        "max_servers": config.max_servers,
        "dimmer_levels": config.dimmer_levels,
        "boot_s": config.boot_s,
        "goal": Utility::from(args.goal),
        "managers": rows.iter().map(row_as_json).collect::<Vec<_>>(),
    })
}

fn period_as_json(period: &Period, max_servers: usize) -> Value {
    json!({
        "ended_s": period.ended_s,
        "arrivals_per_s": period.arrivals_per_s,
        "response_s": period.response_s,
        "late": swim::is_late(period),
        "dimmer": period.dimmer_mean,
        "servers": period.servers_mean,
        "utilization": period.utilization,
        "timed_out": period.timed_out,
        "seams2017": Utility::Seams2017.of(period, max_servers),
        "icac2016": Utility::Icac2016.of(period, max_servers),
    })
}
