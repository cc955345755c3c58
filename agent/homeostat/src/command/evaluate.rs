//! `evaluate`: would another policy have done better?
//!
//! Answers from a journal alone what another policy would have been worth, with intervals, or why that cannot be told. Only
//! choices that were explored can tell; a journal written without exploration says so.

use std::io::Write;

use homeostat_adapters::JournalReader;
use homeostat_control::evaluation::{ChoicePolicy, Estimate, Evaluation, Interval, JournalLog, Judgement, Named};
use serde::Serialize;

use super::{Answer, CommandError, write_json};
use crate::cli::{EvaluateArgs, PolicyName};

/// Records read at once; their snapshots are dropped before the next are read.
const PAGE: usize = 500;

/// What is printed for scripts.
#[derive(Serialize)]
struct Told {
    policy: &'static str,
    choices: usize,
    episodes: usize,
    effective: f64,
    done: Bounds,
    ips: Bounds,
    snips: Bounds,
    doubly_robust: Bounds,
    gain: Bounds,
    judgement: String,
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
    let (mut policy, name) = match args.policy {
        PolicyName::Rule => (Named::Rule, "rule"),
        PolicyName::Nothing => (Named::Nothing, "nothing"),
        PolicyName::Uniform => (Named::Uniform, "uniform"),
    };
    let journal = read(&JournalReader::open(&args.journal)?, &mut policy)?;
    let found = journal
        .evaluate()
        .map_err(|bad| CommandError::Unknown(format!("the journal cannot be evaluated: {bad}")))?;
    if args.json {
        write_json(out, &told(name, &found))?;
    } else {
        write_evaluation(out, name, &found)?;
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

fn told(policy: &'static str, found: &Evaluation) -> Told {
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
    }
}

fn write_evaluation(out: &mut dyn Write, name: &str, found: &Evaluation) -> Result<(), CommandError> {
    writeln!(out, "{name}: {}", found.judgement)?;
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
