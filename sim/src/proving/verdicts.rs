//! Are verdicts right?
//!
//! Answers how often the verdict on an action is the one that the truth demands. The truth is the same seed without the action:
//! the same requests arrive, and the difference is what the action did. Beside the loop's verdict stands that of a plain
//! comparison with the value before, which is what a loop without forecasts would say. Each case is a plant in which the action
//! helps, harms or does nothing, while the load stays, falls or grows.

mod cases;

use homeostat_core::actions::{Expectation, Measure};
use homeostat_core::{ActionRequest, BasisPoints, Seed, TickRecord, Timestamp, TrialStage, Verdict};
use serde::Serialize;

use crate::proving::in_parallel;
use crate::scenario::{Options, run};
use crate::world::Keep;
use cases::{CASES, Case};

/// Ticks to each side of the judgement over which the truth is averaged: one reading is noise.
const AROUND: usize = 5;

/// A change smaller than this share is no harm.
const HARM: BasisPoints = BasisPoints(500);

/// How verdicts went in one case.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CaseReport {
    /// The case in a few words.
    pub name: &'static str,
    /// Seeds in which the action was judged.
    pub judged: usize,
    /// What was right to say in most of them.
    pub truth: String,
    /// Verdicts that were right.
    pub right: usize,
    /// Verdicts of a plain comparison with the value before that would have been right.
    pub right_before_after: usize,
    /// Truths within what was expected without the action.
    pub expected_held: usize,
}

/// One action judged, beside the truth.
struct Judged {
    truth: Verdict,
    verdict: Verdict,
    before_after: Verdict,
    expected_held: bool,
}

/// Runs in all, for a progress bar.
pub fn runs(seeds: u64) -> u64 {
    CASES.len() as u64 * seeds
}

/// Judges every case with `seeds` seeds from `first` on; `done` is told after each.
pub fn verdicts(first: u64, seeds: u64, done: &(dyn Fn() + Sync)) -> Vec<CaseReport> {
    let jobs = CASES.len() * seeds as usize;
    let judged = in_parallel(jobs, |job| judge(&CASES[job / seeds as usize], first + job as u64 % seeds), done);
    CASES.iter().zip(judged.chunks(seeds as usize)).map(|(case, judged)| report(case, judged)).collect()
}

fn report(case: &Case, judged: &[Option<Judged>]) -> CaseReport {
    let judged: Vec<&Judged> = judged.iter().flatten().collect();
    let count = |good: &dyn Fn(&Judged) -> bool| judged.iter().filter(|judged| good(judged)).count();
    let verdicts = [Verdict::Kept, Verdict::Undone, Verdict::Inconclusive];
    let usual = verdicts.into_iter().max_by_key(|verdict| count(&|judged| judged.truth == *verdict));
    CaseReport {
        name: case.name,
        judged: judged.len(),
        truth: usual.filter(|_| !judged.is_empty()).map_or_else(String::new, |verdict| verdict.to_string()),
        right: count(&|judged| judged.verdict == judged.truth),
        right_before_after: count(&|judged| judged.before_after == judged.truth),
        expected_held: count(&|judged| judged.expected_held),
    }
}

/// Runs a case with the action and without; none if the action was never judged.
fn judge(case: &Case, seed: u64) -> Option<Judged> {
    let scenario = case.scenario(seed);
    let records = |policies| {
        // What does harm is to be judged here, not to be prevented.
        let without_guard = Some("stabilisation");
        let options = Options { policies, without_guard, keep: Keep::Records, ..Options::default() };
        run(&scenario, Seed(seed), &options).records
    };
    let (with, without) = (records(case.policies), records(&[]));
    let request = with.iter().find_map(|record| record.plan.requests.first())?;
    let verdict = with.iter().find_map(|record| Some(record.outcomes.first()?.verdict))?;
    // What is taken back is judged before it is over.
    let settled = |record: &&TickRecord| record.trials.iter().any(|change| change.from == Some(TrialStage::Settling));
    let judged = with.iter().find(settled)?;
    let measure = request.action.expectation.measure()?;
    let (acted, left) = (mean_around(&with, judged.at, measure)?, mean_around(&without, judged.at, measure)?);
    let before_after = before_after(request, measure.read(&judged.snapshot)?)?;
    let expected = request.forecast?.expected(measure, judged.at, measure.load(&judged.snapshot));
    let expected_held = expected.low <= left && left <= expected.high;
    Some(Judged { truth: truth(request, left, acted), verdict, before_after, expected_held })
}

fn mean_around(records: &[TickRecord], at: Timestamp, measure: &Measure) -> Option<u64> {
    let place = records.iter().position(|record| record.at == at)?;
    let around = &records[place.saturating_sub(AROUND)..(place + AROUND + 1).min(records.len())];
    let values: Vec<u64> = around.iter().filter_map(|record| measure.read(&record.snapshot)).collect();
    values.iter().sum::<u64>().checked_div(values.len() as u64)
}

/// What was right to say, knowing what was measured with the action and what without.
fn truth(request: &ActionRequest, left: u64, acted: u64) -> Verdict {
    match &request.action.expectation {
        Expectation::Relieves { by, .. } if acted < left && acted <= left - by.of(left) => Verdict::Kept,
        Expectation::StaysBelow { limit, .. } if acted <= *limit => Verdict::Kept,
        Expectation::StaysBelow { .. } if left + HARM.of(left) < acted => Verdict::Undone,
        Expectation::Delivered => Verdict::Kept,
        _ => Verdict::Inconclusive,
    }
}

/// What a comparison with the value before says: the truth's own rule, with that value in the place of the unknown one.
fn before_after(request: &ActionRequest, after: u64) -> Option<Verdict> {
    Some(truth(request, request.baseline?, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: every case with three seeds.
    /// Guarantees: forecasts make most verdicts right, more than a comparison with the value before, and the same seeds give the
    /// same report.
    #[test]
    fn verdicts_know_what_would_have_been() {
        let found = || verdicts(1, 3, &|| ());
        let (reports, again) = (found(), found());
        let sum = |of: fn(&CaseReport) -> usize| reports.iter().map(of).sum::<usize>();
        let (judged, right, plain) = (sum(|r| r.judged), sum(|r| r.right), sum(|r| r.right_before_after));
        assert_eq!(judged, 3 * CASES.len(), "every action was judged: {reports:#?}");
        assert!(judged * 85 / 100 <= right, "{right} of {judged} are right: {reports:#?}");
        assert!(plain + judged / 5 < right, "{plain} would be right without forecasts, {right} are with them");
        assert_eq!(format!("{reports:?}"), format!("{again:?}"));
    }
}
