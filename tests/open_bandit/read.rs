//! Reading the Open Bandit Dataset.
//!
//! Answers what each line of a log says: the item shown, where, with which probability, and whether it was clicked. The
//! context is the position alone, because neither policy looked at anything else of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use homeostat_learning::evaluation::{Arm, LoggedDecision};

/// Positions on the page.
const POSITIONS: usize = 3;

/// One log.
pub(crate) fn log(folder: &Path, policy: &str, campaign: &str) -> Result<Vec<LoggedDecision>, String> {
    let read = |name: &str| {
        let path = folder.join(policy).join(campaign).join(name);
        fs::read_to_string(&path).map_err(|cause| format!("cannot read {}: {cause}", path.display()))
    };
    let items = read("item_context.csv")?.lines().count().saturating_sub(1) as u32;
    let text = read(&format!("{campaign}.csv"))?;
    let columns: BTreeMap<&str, usize> = text.lines().next().unwrap_or("").split(',').zip(0..).collect();
    let line = |(number, line): (usize, &str)| {
        decision(&columns, items, number as u64, line)
            .ok_or_else(|| format!("{policy}/{campaign}: line {} is damaged", number + 1))
    };
    text.lines().enumerate().skip(1).map(line).collect()
}

fn decision(columns: &BTreeMap<&str, usize>, items: u32, number: u64, line: &str) -> Option<LoggedDecision> {
    let fields: Vec<&str> = line.split(',').collect();
    let field = |name: &str| fields.get(*columns.get(name)?).copied();
    let position: usize = field("position")?.parse().ok()?;
    Some(LoggedDecision {
        episode: number,
        context: context(position.checked_sub(1)?),
        offered: (0..items).map(Arm).collect(),
        taken: Arm(field("item_id")?.parse().ok()?),
        propensity: field("propensity_score")?.parse().ok()?,
        reward: field("click")?.parse().ok()?,
    })
}

fn context(position: usize) -> Vec<f64> {
    (1..POSITIONS).map(|other| if position == other { 1.0 } else { 0.0 }).collect()
}

/// The position that a context stands for.
pub(crate) fn position(context: &[f64]) -> usize {
    context.iter().position(|feature| *feature == 1.0).map_or(0, |index| index + 1)
}

/// How often each item was shown at each position.
pub(crate) fn frequencies(log: &[LoggedDecision]) -> Vec<Vec<f64>> {
    let items = log.first().map_or(0, |decision| decision.offered.len());
    let mut counts = vec![vec![0.0; items]; POSITIONS];
    for decision in log {
        counts[position(&decision.context)][decision.taken.0 as usize] += 1.0;
    }
    for row in &mut counts {
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|count| *count /= sum);
    }
    counts
}
