//! What is critical stays known, however scarce the budget is.
//!
//! Checks, window by window, that somebody who has only the kept traces of a critical journey estimates its error rate, and how
//! many of them there were, within the precision that people asked for. The truth is the plant's own count. Windows may miss as
//! often as the confidence leaves room for; says nothing of windows before the loop had time to settle.

use std::collections::BTreeMap;

use homeostat_core::{BasisPoints, Importance, OperationName, ServiceName, Trial};

use crate::checkers::{Checker, Complaint, Scene};
use crate::plants::{OperationReadings, OperationTotals, Readings};

/// Windows of each critical operation.
#[derive(Default)]
pub(crate) struct GoalKnown {
    begun_s: Option<u64>,
    before: BTreeMap<(ServiceName, OperationName), OperationTotals>,
    windows: u64,
    misses: Vec<String>,
}

impl Checker for GoalKnown {
    fn second(&mut self, truth: &Readings, scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        let precision = scene.settings.goals.precision;
        if scene.settings.goals.is_empty() || !scene.calm {
            return;
        }
        let now_s = scene.now.as_secs();
        let begun_s = *self.begun_s.get_or_insert(now_s);
        let is_over = precision.window.0 / 1000 <= now_s - begun_s;
        if now_s != begun_s && !is_over {
            return;
        }
        for reads in &truth.operations {
            let service = scene.names[usize::from(reads.service)].clone();
            let Some(budget_ppm) = critical(scene, &service, reads) else { continue };
            let key = (service, reads.name.clone());
            if let Some(before) = self.before.insert(key, reads.totals).filter(|_| is_over) {
                self.windows += 1;
                let allowed = Allowed { budget_ppm, relative: precision.error_rate };
                self.misses.extend(
                    miss(&before, &reads.totals, allowed)
                        .map(|miss| format!("{} {miss} from {begun_s} s to {now_s} s", reads.name)),
                );
            }
        }
        self.begun_s = Some(now_s);
    }

    fn end(&mut self, _trials: &[Trial], scene: &Scene<'_>, complaints: &mut Vec<Complaint>) {
        let missing = f64::from(scene.settings.goals.precision.confidence.share().complement().0) / 1e4;
        // As many as chance explains but once in some ten thousand runs: mean and four standard deviations.
        let mean = self.windows as f64 * missing;
        let allowed = mean + 4.0 * (mean * (1.0 - missing)).sqrt();
        if allowed < self.misses.len() as f64 {
            let expected = format!("at most {allowed:.1} of {} windows beyond the wanted precision", self.windows);
            complaints.push(scene.complain(expected, self.misses.join("; ")));
        }
    }
}

/// What may fail of the critical journeys that begin with an operation.
fn critical(scene: &Scene<'_>, service: &ServiceName, reads: &OperationReadings) -> Option<u64> {
    let journeys = scene.settings.goals.journeys.values();
    let begins = journeys.filter(|journey| {
        let mut entries = journey.entries.iter();
        entries.any(|entry| entry.service == *service && entry.operation.as_ref() == Some(&reads.name))
    });
    let critical = begins.filter(|journey| journey.importance == Importance::Critical);
    critical.map(|journey| u64::from(journey.reliability.complement().0) * 100).min()
}

/// How far an estimate may be off.
#[derive(Clone, Copy)]
struct Allowed {
    budget_ppm: u64,
    /// Of the number of requests, and of the error rate. That is asked for where the rate is as high as the budget; lower ones
    /// are known as well in absolute numbers, higher ones in proportion.
    relative: BasisPoints,
}

/// How far the estimates of a window are off, if that is more than allowed.
fn miss(before: &OperationTotals, after: &OperationTotals, allowed: Allowed) -> Option<String> {
    let requests = after.requests - before.requests;
    let estimated = (after.estimated_milli - before.estimated_milli) / 1000;
    if requests == 0 {
        return None;
    }
    if estimated == 0 {
        return Some("has no kept trace".to_owned());
    }
    if allowed.relative.of(requests) < estimated.abs_diff(requests) {
        return Some(format!("has {requests} requests, estimated {estimated}"));
    }
    let truth = (after.errors - before.errors) * 1_000_000 / requests;
    let estimate = (after.estimated_errors_milli - before.estimated_errors_milli) * 1000 / estimated;
    let most = allowed.relative.of(truth.max(allowed.budget_ppm));
    (most < estimate.abs_diff(truth)).then(|| format!("fails at {truth} ppm, estimated {estimate} ± {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(requests: u64, errors: u64, estimated: u64, estimated_errors: u64) -> OperationTotals {
        OperationTotals {
            requests,
            errors,
            estimated_milli: estimated * 1000,
            estimated_errors_milli: estimated_errors * 1000,
            ..OperationTotals::default()
        }
    }

    /// Scenario: one in a hundred fails; a tenth is allowed. The estimates are right, both a little off, the number or the rate
    /// too far off, and there are none.
    /// Guarantees: only what is further off is a miss, and nothing kept is one too.
    #[test]
    fn an_estimate_that_is_too_far_off_is_a_miss() {
        let allowed = Allowed { budget_ppm: 10_000, relative: BasisPoints(1000) };
        let misses = |after| miss(&OperationTotals::default(), &after, allowed).is_some();
        assert!(!misses(totals(10_000, 100, 10_000, 100)) && !misses(totals(10_000, 100, 9500, 100)));
        assert!(misses(totals(10_000, 100, 8000, 80)) && misses(totals(10_000, 100, 10_000, 80)));
        assert!(misses(totals(10_000, 100, 0, 0)));
        assert!(!misses(totals(0, 0, 0, 0)), "nothing happened, so nothing is to be known");
    }
}
