//! Cognition: a snapshot in, an assessment out.
//!
//! Answers what is wrong, since when, and why it may be so. Does not propose anything. Detectors state findings; findings
//! that belong together form an incident, which stays open across ticks; each incident carries its suspected causes.

mod detector;
mod detectors;
mod forecasts;
pub mod goals;
mod hypotheses;
mod incidents;
mod storm;

use homeostat_core::{Assessment, Settings, Snapshot};

pub use crate::detector::{Detector, Findings, View};
pub use crate::detectors::{CATALOGUE, PERIOD, RULES, Rule};
pub use crate::forecasts::Forecaster;

/// Assesses `snapshot`, continuing from the `last` assessment.
pub fn assess(snapshot: &Snapshot, last: &Assessment, settings: &Settings) -> Assessment {
    let goals = goals::derive(snapshot, &last.goals, &settings.goals);
    let view = View { snapshot, last, settings, goals: &goals };
    let mut findings = Findings::default();
    for detector in CATALOGUE {
        detector.detect(&view, &mut findings);
    }
    let findings = findings.settle(&view);
    let storm = storm::storm(&view, &findings);
    Assessment { goals: goals.clone(), storm, ..incidents::assess(&view, findings) }
}
