//! `evaluate`: would another policy have done better?
//!
//! Answers from a journal alone what another policy would have been worth, with intervals, or why that cannot be told and what
//! would help. A manifest is evaluated by what the loop really would have planned under it at each recorded choice. Only
//! choices that were explored can tell; a journal written without exploration says so.

use std::io::Write;

use homeostat_adapters::JournalReader;
use homeostat_adapters::journal::wire;
use homeostat_control::evaluation::{ChoicePolicy, Estimate, Evaluation, Interval, JournalLog, Judgement, Named};
use homeostat_control::{ControlLoop, Planned};
use homeostat_core::{Command, Settings};
use serde::Serialize;

use super::{Answer, CommandError, replay, write_json};
use crate::cli::{EvaluateArgs, PolicyChoice};
use crate::manifest::Manifest;

/// Records read at once; their snapshots are dropped before the next are read.
const PAGE: usize = 500;

/// What is printed for scripts.
#[derive(Serialize)]
struct Told {
    policy: String,
    choices: usize,
    episodes: usize,
    effective: f64,
    done: Bounds,
    ips: Bounds,
    snips: Bounds,
    doubly_robust: Bounds,
    gain: Bounds,
    judgement: String,
    /// What would make it possible to tell.
    advice: Option<String>,
}

/// An interval whose ends may be unknown.
#[derive(Serialize)]
struct Bounds {
    low: Option<f64>,
    mean: f64,
    high: Option<f64>,
}

impl From<Interval> for Bounds {
    fn from(interval: Interval) -> Bounds {
        let known = |bound: f64| bound.is_finite().then_some(bound);
        Bounds { low: known(interval.low), mean: interval.mean, high: known(interval.high) }
    }
}

/// Evaluates a policy on every choice of a journal at rest.
pub(super) fn evaluate_policy(args: EvaluateArgs, out: &mut dyn Write) -> Result<Answer, CommandError> {
    let reader = JournalReader::open(&args.journal)?;
    let (journal, name) = match &args.policy {
        PolicyChoice::Rule => (read(&reader, &mut Named::Rule)?, "rule".to_owned()),
        PolicyChoice::Nothing => (read(&reader, &mut Named::Nothing)?, "nothing".to_owned()),
        PolicyChoice::Uniform => (read(&reader, &mut Named::Uniform)?, "uniform".to_owned()),
        PolicyChoice::Manifest(path) => {
            let manifest = Manifest::load(path).map_err(CommandError::Manifest)?;
            (replayed(&reader, &manifest.settings)?, path.display().to_string())
        }
    };
    let found =
        journal.evaluate().map_err(|bad| CommandError::Unknown(format!("the journal cannot be evaluated: {bad}")))?;
    if args.json {
        write_json(out, &told(name.clone(), &found))?;
    } else {
        write_evaluation(out, &name, &found)?;
    }
    Ok(if found.judgement == Judgement::Better { Answer::Yes } else { Answer::No })
}

fn read(reader: &JournalReader, policy: &mut dyn ChoicePolicy) -> Result<JournalLog, CommandError> {
    let (mut journal, mut from) = (JournalLog::default(), None);
    loop {
        let page = reader.records(from, PAGE)?;
        let Some(newest) = page.last().map(|record| record.tick) else { return Ok(journal) };
        page.iter().for_each(|record| journal.read(record, policy));
        from = Some(newest.next());
    }
}

/// Feeds every life's events to the loop again, and asks what it would have planned under `settings` at each choice.
fn replayed(reader: &JournalReader, settings: &Settings) -> Result<JournalLog, CommandError> {
    let mut journal = JournalLog::default();
    replay::each_life(reader, &mut |life| {
        // A life that is no longer whole cannot be replayed; what is left of the journal can tell less.
        let Ok(life) = life else { return Ok(()) };
        let mut control = ControlLoop::new(homeostat_policies::CATALOGUE).beside(settings.clone());
        let mut recorded = life.records.iter();
        for (at, event) in life.entries {
            for command in control.handle(at, event) {
                let Command::Record(record) = command else { continue };
                // A life ends where its last record ends: what was decided after it never reached the disk.
                let Some(bytes) = recorded.next() else { return Ok(()) };
                if *bytes != wire::encode_record(&record) {
                    return Err(differs(life.life));
                }
                let plan = control.planned_beside().expect("it was asked for");
                journal.read(&record, &mut Planned(plan));
            }
        }
        Ok(())
    })?;
    Ok(journal)
}

fn differs(life: u64) -> CommandError {
    let why = "its events do not give its records again, so another version has written it";
    CommandError::Unknown(format!("life {life} cannot be evaluated: {why}; see `homeostat replay`"))
}

fn told(policy: String, found: &Evaluation) -> Told {
    Told {
        policy,
        choices: found.decisions,
        episodes: found.episodes,
        effective: found.effective,
        done: found.done.into(),
        ips: found.ips.value.into(),
        snips: found.snips.value.into(),
        doubly_robust: found.doubly_robust.value.into(),
        gain: found.doubly_robust.gain.into(),
        judgement: found.judgement.to_string(),
        advice: found.advice(),
    }
}

fn write_evaluation(out: &mut dyn Write, name: &str, found: &Evaluation) -> Result<(), CommandError> {
    writeln!(out, "{name}: {}", found.judgement)?;
    if let Some(advice) = found.advice() {
        writeln!(out, "it would take  {advice}")?;
    }
    let Evaluation { decisions, episodes, effective, .. } = found;
    writeln!(out, "choices        {decisions} in {episodes} episodes, in effect {effective:.0}")?;
    if 0 < found.decisions {
        writeln!(out, "what was done  {}", found.done)?;
        let line = |out: &mut dyn Write, name: &str, estimate: Estimate| {
            writeln!(out, "{name:<14} {}, gain {}", estimate.value, estimate.gain)
        };
        line(out, "ips", found.ips)?;
        line(out, "snips", found.snips)?;
        line(out, "doubly robust", found.doubly_robust)?;
        line(out, "switch", found.switch)?;
    }
    Ok(())
}
