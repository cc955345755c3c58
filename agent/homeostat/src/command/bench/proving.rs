//! The proving grounds, shown.
//!
//! Answers what the simulator's proving grounds found, as tables for people and as JSON. Finds nothing itself.

use std::io::Write;
use std::path::Path;

use homeostat_sim::proving::evaluation::{self, PolicyReport};
use homeostat_sim::proving::learner::{self, LearnerReport};
use homeostat_sim::proving::verdicts::{self, CaseReport};
use serde::Serialize;

use super::{percent, progress_bar, save};
use crate::cli::proving::{EvaluationArgs, VerdictsArgs};
use crate::command::{Answer, CommandError, write_json};

/// How far from 95 % the share of intervals that hold the truth may be.
const TOLERANCE: f64 = 0.02;

/// Runs from which on that share is not excused by chance.
const RUNS_ENOUGH: u32 = 400;

/// Judges actions whose effect is known.
pub(super) fn verdicts(args: &VerdictsArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let seeds = u64::from(args.seeds);
    let bar = progress_bar(verdicts::runs(seeds));
    let found = verdicts::verdicts(args.seed, seeds, &|| bar.inc(1));
    bar.finish_and_clear();
    tell(out, args.json.as_deref(), &found, &|out| write_verdicts(out, &found))?;
    Ok(Answer::Yes)
}

fn write_verdicts(out: &mut dyn Write, found: &[CaseReport]) -> Result<(), CommandError> {
    writeln!(out, "{:42} {:>13} {:>8} {:>9} {:>17}", "the action", "is", "judged", "right", "before and after")?;
    let line = |out: &mut dyn Write, name: &str, truth: &str, [judged, right, plain]: [usize; 3]| {
        let share = |part: usize| percent(part as f64 / judged.max(1) as f64);
        writeln!(out, "{name:42} {truth:>13} {judged:>8} {:>9} {:>17}", share(right), share(plain))
    };
    for case in found {
        line(out, case.name, &case.truth, [case.judged, case.right, case.right_before_after])?;
    }
    let sum = |of: fn(&CaseReport) -> usize| found.iter().map(of).sum::<usize>();
    line(out, "all", "", [sum(|case| case.judged), sum(|case| case.right), sum(|case| case.right_before_after)])?;
    Ok(())
}

/// Evaluates policies whose value is known.
pub(super) fn evaluation(args: &EvaluationArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let plan = evaluation::Plan { runs: args.runs, worlds: args.worlds, seed: args.seed };
    let bar = progress_bar(u64::from(args.runs));
    let found = evaluation::prove(&plan, &|| bar.inc(1));
    bar.finish_and_clear();
    tell(out, args.json.as_deref(), &found, &|out| found.iter().try_for_each(|report| write_report(out, report)))?;
    // Three standard errors of a share of 95 %.
    let chance = if RUNS_ENOUGH <= args.runs { 0.0 } else { 3.0 * (0.95 * 0.05 / f64::from(args.runs)).sqrt() };
    let honest = found.iter().all(|report| (report.held() - 0.95).abs() <= TOLERANCE + chance);
    Ok(if honest { Answer::Yes } else { Answer::No })
}

fn write_report(out: &mut dyn Write, report: &PolicyReport) -> Result<(), CommandError> {
    let PolicyReport { policy, runs, episodes, decisions_per_episode, effective, .. } = report;
    writeln!(
        out,
        "{policy}: {runs} runs of {episodes:.0} episodes, {decisions_per_episode:.1} decisions each, in effect {effective:.0}"
    )?;
    writeln!(out, "  {:18} {:>8} {:>8} {:>18} {:>8}", "95 % intervals", "truth", "held", "bias", "width")?;
    for found in &report.estimators {
        let bias = format!("{:+.4} ± {:.4}", found.bias, found.bias_error);
        let (name, held) = (found.estimator, percent(found.held));
        writeln!(out, "  {name:18} {:>8.4} {held:>8} {bias:>18} {:>8.4}", found.truth, found.width)?;
    }
    let shares = [report.better, report.worse, report.cannot_tell].map(percent);
    let [better, worse, cannot_tell] = &shares;
    writeln!(
        out,
        "  judged better {better}, worse {worse}, cannot tell {cannot_tell}; a log's episode earned {:.4}\n",
        report.done
    )?;
    Ok(())
}

/// Lets the learner learn beside the rule.
pub(super) fn learner(args: &VerdictsArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let seeds = u64::from(args.seeds);
    let bar = progress_bar(seeds);
    let found = learner::compare(args.seed, seeds, &|| bar.inc(1));
    bar.finish_and_clear();
    tell(out, args.json.as_deref(), &found, &|out| write_learner(out, &found))?;
    let is_ahead = found.looks.last().is_some_and(|last| last.rule <= last.learner);
    Ok(if is_ahead { Answer::Yes } else { Answer::No })
}

fn write_learner(out: &mut dyn Write, found: &LearnerReport) -> Result<(), CommandError> {
    writeln!(
        out,
        "earned until, over {} seeds      rule  learner      gain  behind by more than {}",
        found.seeds, found.margin
    )?;
    for look in &found.looks {
        let gain = format!("{:+.2} ± {:.2}", look.learner - look.rule, look.error);
        let (minutes, beyond) = (look.until_s / 60, percent(look.beyond_margin));
        writeln!(
            out,
            "  {minutes:>3} min, {:>5.0} choices {:>13.2} {:>8.2} {gain:>15}  in {beyond} of seeds, worst {:.3} a choice",
            look.choices, look.rule, look.learner, look.worst_per_choice
        )?;
    }
    for (name, plant) in [("rule", found.rule), ("learner", found.learner)] {
        writeln!(
            out,
            "{name:8} instances where they only wait {:.2}, where they help {:.2}; those at their limit in {} of seconds",
            plant.replicas_waiting,
            plant.replicas_helped,
            percent(plant.at_limit)
        )?;
    }
    Ok(())
}

/// Tables on stdout, JSON where it is wanted.
fn tell(
    out: &mut dyn Write,
    json: Option<&Path>,
    found: &impl Serialize,
    write: &dyn Fn(&mut dyn Write) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    match json {
        Some(path) if path == Path::new("-") => write_json(out, found),
        Some(path) => {
            write(out)?;
            save(path, found)?;
            Ok(writeln!(out, "everything is in {}", path.display())?)
        }
        None => write(out),
    }
}
