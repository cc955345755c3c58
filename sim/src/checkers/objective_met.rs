//! After the faults, promises are kept again.
//!
//! Checks the last minute of the run in the plant's own books: the bad share of every service within its error budget, give
//! or take what chance explains. Says nothing if the run ends before the grace time does.

use std::collections::VecDeque;

use homeostat_core::{ObjectiveKind, Trial};

use crate::checkers::{Checker, Complaint, Scene};
use crate::plants::{Readings, ServiceReadings};

/// Seconds of a minute, and one to subtract from.
const KEPT: usize = 61;

/// The totals of the last minute, second by second.
#[derive(Default)]
pub(crate) struct ObjectiveMet {
    minute: VecDeque<Vec<ServiceReadings>>,
}

impl Checker for ObjectiveMet {
    fn second(&mut self, truth: &Readings, scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        if !scene.calm {
            return;
        }
        let mut row = if self.minute.len() == KEPT { self.minute.pop_front().unwrap_or_default() } else { Vec::new() };
        row.clone_from(&truth.services);
        self.minute.push_back(row);
    }

    fn end(&mut self, _trials: &[Trial], scene: &Scene<'_>, complaints: &mut Vec<Complaint>) {
        if self.minute.len() < KEPT {
            return;
        }
        let (Some(first), Some(last)) = (self.minute.front(), self.minute.back()) else { return };
        for (name, (before, after)) in scene.names.iter().zip(first.iter().zip(last)) {
            let objectives = scene.settings.objectives.of(name);
            let requests = after.totals.requests - before.totals.requests;
            for (kind, bad) in [
                (ObjectiveKind::Availability, after.totals.errors - before.totals.errors),
                (ObjectiveKind::Latency, after.totals.slow - before.totals.slow),
            ] {
                let budget = objectives.budget(kind);
                let allowed = allowed(requests, budget.0);
                if allowed < bad {
                    let expected =
                        format!("at most {budget} ({allowed}) bad of {requests} requests to {name} ({kind:?})");
                    complaints.push(scene.complain(expected, format!("{bad} in the last minute")));
                }
            }
        }
    }
}

/// The bad requests that a service exactly at its budget would not exceed but once in some thousand minutes: the mean and
/// four standard deviations of the Poisson distribution.
fn allowed(requests: u64, budget_bp: u32) -> u64 {
    let mean = requests as f64 * f64::from(budget_bp) / 10_000.0;
    (mean + 4.0 * mean.sqrt()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: budgets of 1 % of three thousand requests, and of nothing.
    /// Guarantees: chance is allowed for, and only chance.
    #[test]
    fn chance_is_allowed_for() {
        assert_eq!(allowed(3000, 100), 52);
        assert_eq!(allowed(3000, 0), 0);
        assert_eq!(allowed(0, 100), 0);
    }
}
