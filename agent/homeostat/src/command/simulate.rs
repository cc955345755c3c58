//! `sim`: the harness.
//!
//! Answers whether the loop keeps its promises in a simulated world. Holds nothing of the simulation; it chooses what runs,
//! shows how far it is, and writes down what was found.

mod attack;
mod compare;
mod record;
mod swim;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use homeostat_core::Seed;
use homeostat_sim::{
    Divergence, Options, Perturbation, RunReport, SHIPPED, Scenario, ScenarioError, SwarmPlan, SwarmReport,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::{Answer, CommandError, write_json};
use crate::cli::{SimCommand, SimRunArgs};

/// Runs the harness.
pub(super) fn simulate(command: SimCommand, out: &mut dyn Write) -> Result<Answer, CommandError> {
    match command {
        SimCommand::Run(args) => run(&args, out),
        SimCommand::Trace(args) => swim::trace(&args, out),
        SimCommand::Swarm { seeds, seed, json } => {
            let (swarm, took) = swarm(seeds, seed)?;
            if json {
                write_json(out, &swarm_as_json(&swarm))?
            } else {
                write_swarm(out, &swarm, took)?
            }
            Ok(if swarm.failed == 0 { Answer::Yes } else { Answer::No })
        }
        SimCommand::Compare(args) => compare::run(&args, out),
        SimCommand::Record(args) => record::record(&args, out),
        SimCommand::Attack { guard, seeds, seed, json } => {
            attack::run(&attack::Wanted { guard, seeds, first: Seed(seed) }, json, out)
        }
        SimCommand::List { json } => list(json, out),
    }
}

fn run(args: &SimRunArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let SimRunArgs { scenario, seed, perturbed, twice, report, json, swim } = args;
    let Some(scenario) = scenario else { return swim::run(swim, *seed, *json, out) };
    let perturbation = if *perturbed { Perturbation::Bounded } else { Perturbation::None };
    let options = Options { perturbation, ..Options::default() };
    let scenario = find(scenario)?;
    let run = homeostat_sim::run(&scenario, Seed(*seed), &options);
    let divergence = match *twice || !run.is_good() {
        true => homeostat_sim::repeat(&scenario, &run, &options),
        false => None,
    };
    if let Some(file) = report {
        write_report(file, &run)?;
    }
    if *json {
        let mut value = run_as_json(&run);
        value["divergence"] = divergence.as_ref().map(divergence_as_json).into();
        write_json(out, &value)?
    } else {
        write_run(out, &run, report.as_deref())?;
        if let Some(divergence) = &divergence {
            writeln!(out, "{divergence}")?;
        }
    }
    Ok(if run.is_good() && divergence.is_none() { Answer::Yes } else { Answer::No })
}

/// A shipped scenario by its name, or a file.
fn find(scenario: &str) -> Result<Scenario, CommandError> {
    let is_file = scenario.ends_with(".yaml") || scenario.ends_with(".yml") || scenario.contains('/');
    let found = if is_file { Scenario::from_path(Path::new(scenario)) } else { homeostat_sim::shipped(scenario) };
    found.map_err(CommandError::Scenario)
}

fn shipped() -> Result<Vec<Scenario>, CommandError> {
    let scenarios = SHIPPED.iter().map(|(name, text)| Scenario::parse(name, text));
    scenarios.collect::<Result<_, ScenarioError>>().map_err(CommandError::Scenario)
}

fn list(json: bool, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let scenarios = shipped()?;
    if json {
        let row = |scenario: &Scenario| json!({ "name": scenario.name, "about": scenario.about, "duration_s": scenario.duration_s });
        write_json(out, &scenarios.iter().map(row).collect::<Vec<Value>>())?;
        return Ok(Answer::Yes);
    }
    let width = scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or_default();
    for scenario in &scenarios {
        writeln!(out, "{:width$}  {:>5} s  {}", scenario.name, scenario.duration_s, scenario.about)?;
    }
    Ok(Answer::Yes)
}

fn write_report(file: &PathBuf, run: &RunReport) -> Result<(), CommandError> {
    let failed = |source| CommandError::Write { path: file.clone(), source };
    std::fs::write(file, homeostat_sim::report::html(run)).map_err(failed)
}

fn write_run(out: &mut dyn Write, run: &RunReport, report: Option<&Path>) -> Result<(), CommandError> {
    let scenario = &run.scenario;
    writeln!(out, "{} for {} s with seed {}: {}", scenario.name, scenario.duration_s, run.seed.0, scenario.about)?;
    for incident in &run.incidents {
        let services = incident.services.join(", ");
        write!(out, "  {:>5} s  {} {} of {services}", incident.opened_s, incident.id, incident.kind)?;
        if let Some(suspect) = &incident.suspect {
            write!(out, ", suspect {suspect}")?;
        }
        match incident.closed_s {
            Some(closed) => writeln!(out, ", closed at {closed} s")?,
            None => writeln!(out, ", open at the end")?,
        }
    }
    for action in &run.actions {
        let end = match &action.end {
            Some(end) => end.verdict.to_string(),
            None => "open at the end".to_owned(),
        };
        writeln!(out, "  {:>5} s  {} {} [{end}]", action.at_s, action.id, action.what)?;
    }
    for measured in &run.measured {
        writeln!(out, "  {} {measured}", if measured.met { "ok  " } else { "MISS" })?;
    }
    for complaint in &run.complaints {
        writeln!(out, "  BROKEN {complaint}")?;
    }
    if run.complaints.len() < run.complaints_total as usize {
        writeln!(out, "  and {} more", run.complaints_total - run.complaints.len() as u64)?;
    }
    if let Some(file) = report {
        writeln!(out, "the report is in {}", file.display())?;
    }
    let verdict = if run.is_good() { "every promise was kept" } else { "a promise was broken; repeat it with" };
    writeln!(out, "{verdict}: {}", run.command())?;
    Ok(())
}

fn run_as_json(run: &RunReport) -> Value {
    let complaint = |complaint: &homeostat_sim::Complaint| json!({ "checker": complaint.checker, "tick": complaint.tick, "expected": complaint.expected, "found": complaint.found });
    let measured = |one: &homeostat_sim::scenario::Measured| json!({ "expected": one.expected, "found": one.found, "met": one.met });
    let action = |one: &homeostat_sim::ActionStory| {
        json!({
            "id": one.id, "at_s": one.at_s, "policy": one.policy, "kind": one.kind, "what": one.what, "why": one.why,
            "sent": one.sent, "verdict": one.end.as_ref().map(|end| end.verdict),
        })
    };
    json!({
        "scenario": run.scenario.name,
        "seed": run.seed.0,
        "good": run.is_good(),
        "digest": format!("{:016x}", run.digest),
        "complaints": run.complaints.iter().map(complaint).collect::<Vec<_>>(),
        "complaints_total": run.complaints_total,
        "measured": run.measured.iter().map(measured).collect::<Vec<_>>(),
        "actions": run.actions.iter().map(action).collect::<Vec<_>>(),
        "command": run.command(),
    })
}

/// Runs the swarm under a progress bar; returns how long it took as well.
fn swarm(seeds: u64, first_seed: u64) -> Result<(SwarmReport, Duration), CommandError> {
    let scenarios = shipped()?;
    let plan = SwarmPlan { first_seed, ..SwarmPlan::usual(&scenarios, seeds) };
    // Drawn on stderr, and only if that is a terminal.
    let bar = ProgressBar::new(seeds * scenarios.len() as u64);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} runs, {msg}, {eta} left");
    bar.set_style(style.expect("the template is a constant that was tried"));
    let report = homeostat_sim::swarm(&plan, &|progress| {
        bar.set_position(progress.done as u64);
        bar.set_message(format!("{} broken", progress.failed));
    });
    let took = bar.elapsed();
    bar.finish_and_clear();
    Ok((report, took))
}

fn write_swarm(out: &mut dyn Write, swarm: &SwarmReport, took: Duration) -> io::Result<()> {
    let days = swarm.simulated_s as f64 / 86_400.0;
    let seconds = took.as_secs_f64().max(0.001);
    writeln!(out, "{} runs, {days:.1} days simulated in {seconds:.1} s", swarm.runs)?;
    writeln!(out, "{} requests, {} incidents, {} actions", swarm.visits, swarm.incidents, swarm.actions)?;
    for failure in &swarm.failures {
        writeln!(out, "BROKEN {} seed {}: {}", failure.scenario, failure.seed.0, failure.problem)?;
        writeln!(out, "  repeat it with: {}", failure.command)?;
        if let Some(divergence) = &failure.divergence {
            writeln!(out, "  {divergence}")?;
        }
    }
    match swarm.failed {
        0 => writeln!(out, "every promise was kept in every run"),
        failed => writeln!(out, "{failed} runs broke a promise"),
    }
}

fn swarm_as_json(swarm: &SwarmReport) -> Value {
    let failure = |failure: &homeostat_sim::Failure| {
        json!({
            "scenario": failure.scenario, "seed": failure.seed.0, "problem": failure.problem, "command": failure.command,
            "divergence": failure.divergence.as_ref().map(divergence_as_json),
        })
    };
    json!({
        "runs": swarm.runs,
        "failed": swarm.failed,
        "simulated_s": swarm.simulated_s,
        "visits": swarm.visits,
        "incidents": swarm.incidents,
        "actions": swarm.actions,
        "failures": swarm.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn divergence_as_json(divergence: &Divergence) -> Value {
    json!({ "record": divergence.record, "first": divergence.first, "second": divergence.second })
}
