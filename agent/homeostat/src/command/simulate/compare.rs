//! `sim compare`: managers side by side.
//!
//! Answers how each manager fared, as a table, a page or JSON. Computes nothing of it; runs and scores are the harness's.

use std::io::{self, Write};
use std::path::PathBuf;

use homeostat_sim::compare::{
    self, ComparePlan, CompareReport, Contender, Family, Prices, Recorded, Score, Stage, StageReport, Standing,
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::find;
use crate::cli::compare::CompareArgs;
use crate::command::{Answer, CommandError, write_json};

/// Compares.
pub(super) fn run(args: &CompareArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let stages = stages(args)?;
    let mut contenders = if args.managers.is_empty() { Contender::USUAL.to_vec() } else { args.managers.clone() };
    let missing = args.beats.iter().filter(|other| !args.managers.is_empty() && !args.managers.contains(other));
    contenders.extend(missing.copied());
    let prices = Prices { bad: args.penalty, replica: args.price };
    let plan = ComparePlan { contenders, stages, first_seed: args.seed, seeds: args.seeds, prices, threads: None };
    let report = under_a_bar(&plan);
    if let Some(path) = &args.report {
        let page = compare::compare_html(&report, &command(args));
        std::fs::write(path, page).map_err(|source| CommandError::Write { path: path.clone(), source })?;
    }
    if args.json {
        write_json(out, &as_json(&report))?;
    } else {
        write_report(out, &report, args.report.as_ref())?;
    }
    let lost = lost(&report, plan.contenders[0], &args.beats);
    if !args.json {
        lost.iter().try_for_each(|line| writeln!(out, "NO: {line}"))?;
    }
    Ok(if lost.is_empty() { Answer::Yes } else { Answer::No })
}

fn stages(args: &CompareArgs) -> Result<Vec<Stage>, CommandError> {
    let mut stages = Vec::new();
    for path in &args.workloads {
        let failed = |source| CommandError::Recording { path: path.clone(), source };
        let recorded = Recorded::from_path(path, args.row as usize).map_err(failed)?;
        let seconds = args.hours as usize * 3600;
        stages.push(Stage::of_recording(&recorded, seconds).map_err(CommandError::Scenario)?);
    }
    for scenario in &args.scenarios {
        stages.push(Stage::of_scenario(find(scenario)?).map_err(CommandError::Unknown)?);
    }
    let all = || Family::ALL.map(|(_, family)| (family, homeostat_core::Seed(1))).to_vec();
    let synthetic = if stages.is_empty() && args.synthetic.is_empty() { all() } else { args.synthetic.clone() };
    for (family, seed) in synthetic {
        let seconds = args.minutes as usize * 60;
        stages.push(Stage::of_recording(&family.draw(seed, seconds), seconds).map_err(CommandError::Scenario)?);
    }
    Ok(stages)
}

/// Drawn on stderr, and only if that is a terminal.
fn under_a_bar(plan: &ComparePlan) -> CompareReport {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} runs, {eta} left");
    bar.set_style(style.expect("the template is a constant that was tried"));
    let report = compare::compare(plan, &|done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    report
}

/// The command that repeats the comparison, as it was given.
fn command(args: &CompareArgs) -> String {
    let mut words = vec!["homeostat sim compare".to_owned()];
    words.extend(args.managers.iter().map(ToString::to_string));
    words.extend(args.workloads.iter().map(|path| format!("--workload {}", path.display())));
    words.extend(args.scenarios.iter().map(|scenario| format!("--scenario {scenario}")));
    for (family, seed) in &args.synthetic {
        let name = Family::ALL.iter().find(|(_, known)| known == family).map_or("", |(name, _)| *name);
        words.push(format!("--synthetic {name}:{}", seed.0));
    }
    words.push(format!("--seeds {} --seed {} --hours {}", args.seeds, args.seed, args.hours));
    words.push(format!("--row {} --minutes {}", args.row, args.minutes));
    words.push(format!("--price {} --penalty {}", args.price, args.penalty));
    words.join(" ")
}

/// Where `first` earned less than one of `others`.
fn lost(report: &CompareReport, first: Contender, others: &[Contender]) -> Vec<String> {
    let mut lost = Vec::new();
    for stage in &report.stages {
        let share = |contender| stage.of(contender).map_or(f64::NEG_INFINITY, |standing| standing.share[0]);
        let (own, worse) = (share(first), others.iter().filter(|other| share(first) < share(**other)));
        let line = |other: &Contender| {
            let (own, other_s) = (own * 100.0, share(*other) * 100.0);
            format!("{first} earns {own:.1} % of the oracle on {}, {other} {other_s:.1} %", stage.name)
        };
        lost.extend(worse.map(line));
    }
    lost
}

fn write_report(out: &mut dyn Write, report: &CompareReport, page: Option<&PathBuf>) -> io::Result<()> {
    let (first, seeds) = report.seeds;
    let Prices { bad, replica } = report.prices;
    writeln!(
        out,
        "utility in % of the oracle's, at a penalty of {bad} and a price of {replica}; {seeds} seeds from {first}"
    )?;
    for stage in &report.stages {
        write_stage(out, stage)?;
    }
    if let Some(page) = page {
        writeln!(out, "\nthe page is in {}", page.display())?;
    }
    Ok(())
}

fn write_stage(out: &mut dyn Write, stage: &StageReport) -> io::Result<()> {
    writeln!(out, "\n{}: {}, {} s", stage.name, stage.about, stage.seconds)?;
    writeln!(
        out,
        "{:10} {:>9} {:>10} {:>10} {:>15} {:>8} {:>10} {:>10}",
        "manager", "utility", "broken s", "bad", "replica-hours", "changes", "half price", "twice"
    )?;
    for standing in &stage.standings {
        let mean = |of: fn(&Score) -> f64| standing.mean(of);
        writeln!(
            out,
            "{:10} {:>9.1} {:>10.0} {:>8.2} % {:>15.2} {:>8.0} {:>10.1} {:>10.1}",
            standing.contender.to_string(),
            standing.share[0] * 100.0,
            mean(|score| score.broken_s as f64),
            mean(|score| score.bad_share()) * 100.0,
            mean(|score| score.replica_s as f64) / 3600.0,
            mean(|score| score.actions as f64),
            standing.share[1] * 100.0,
            standing.share[2] * 100.0,
        )?;
    }
    Ok(())
}

fn as_json(report: &CompareReport) -> Value {
    let score = |score: &Score| {
        json!({
            "good": score.good, "bad": score.bad, "broken_s": score.broken_s, "replica_s": score.replica_s,
            "actions": score.actions, "reversals": score.reversals,
        })
    };
    let standing = |standing: &Standing| {
        json!({
            "manager": standing.contender.to_string(),
            "utility_share": standing.share[0],
            "utility_share_half_price": standing.share[1],
            "utility_share_twice_price": standing.share[2],
            "broken_s": standing.mean(|score| score.broken_s as f64),
            "replica_s": standing.mean(|score| score.replica_s as f64),
            "seeds": standing.scores.iter().map(score).collect::<Vec<_>>(),
        })
    };
    let stage = |stage: &StageReport| {
        json!({
            "workload": stage.name, "about": stage.about, "seconds": stage.seconds, "capacity_per_second": stage.capacity,
            "managers": stage.standings.iter().map(standing).collect::<Vec<_>>(),
        })
    };
    json!({
        "first_seed": report.seeds.0, "seeds": report.seeds.1,
        "price": report.prices.replica, "penalty": report.prices.bad,
        "workloads": report.stages.iter().map(stage).collect::<Vec<_>>(),
    })
}
