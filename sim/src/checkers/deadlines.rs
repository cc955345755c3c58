//! No trial outlives its deadline.
//!
//! Checked at the end of the run, and only if the faults are over: while the agent is held, a trial may have to wait.

use homeostat_core::{Millis, Regime, Trial, TrialState};

use crate::checkers::{Checker, Complaint, Scene};

/// A deadline is acted on at the next tick, so it may be passed by one.
const SLACK: Millis = Millis::from_secs(2);

/// Has no memory.
pub(crate) struct Deadlines;

impl Checker for Deadlines {
    fn end(&mut self, trials: &[Trial], scene: &Scene<'_>, complaints: &mut Vec<Complaint>) {
        if !scene.calm || scene.regime != Regime::Engaged {
            return;
        }
        for trial in trials {
            let (TrialState::AwaitingApproval { expires: deadline }
            | TrialState::Requested { deadline, .. }
            | TrialState::Settling { until: deadline, .. }
            | TrialState::Undoing { deadline, .. }) = trial.state
            else {
                continue;
            };
            if deadline + SLACK < scene.now.wall() {
                let overdue = scene.now.wall().since(deadline);
                let expected = format!("{} to have left \"{}\"", trial.request.id, trial.state.stage());
                complaints.push(scene.complain(expected, format!("{overdue} overdue")));
            }
        }
    }
}
