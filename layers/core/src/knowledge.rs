//! Knowledge.
//!
//! Answers what was learned: how well each kind of action helped against each kind of incident, and what is normal for each
//! signal. All statistics are sums, so the knowledge of two nodes merges by addition. Read everywhere, written in one place.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::actions::Measure;
use crate::{
    BasisPoints, ChoiceKnowledge, Generation, History, IncidentKind, Label, PerSignal, ServiceName, Starts, Verdict,
};

/// Under which heading an outcome is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EfficacyKey {
    /// The kind of incident; `None` for actions that answered none.
    pub incident: Option<IncidentKind>,
    /// The kind of action.
    pub action: Label,
}

/// How a kind of action fared against a kind of incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Efficacy {
    /// The promise was kept.
    pub kept: u64,
    /// It made things worse.
    pub undone: u64,
    /// Nothing could be shown.
    pub inconclusive: u64,
    /// It could not be carried out.
    pub failed: u64,
    /// Sum of relative improvements in basis points; negative where things got worse.
    pub improvement_bp_sum: i64,
    /// How many trials that sum has.
    pub improvement_count: u64,
}

impl Efficacy {
    /// Counts one more trial.
    pub fn count(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Kept => self.kept += 1,
            Verdict::Undone => self.undone += 1,
            Verdict::Inconclusive => self.inconclusive += 1,
            Verdict::Failed => self.failed += 1,
            Verdict::NotActed | Verdict::Declined => {}
        }
    }

    /// The expected share of trials that keep their promise: (kept + 1) / (judged + 2), Laplace's rule of succession.
    pub fn success(&self) -> BasisPoints {
        let judged = self.kept + self.undone + self.inconclusive;
        BasisPoints::from_ratio(self.kept + 1, judged + 2)
    }
}

/// What is normal for a signal: sums over healthy ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Readings.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
    /// The sum of their squares.
    pub sum_of_squares: u128,
}

impl Baseline {
    /// The mean, if there is any reading.
    pub fn mean(&self) -> Option<u64> {
        self.sum.checked_div(self.count)
    }
}

/// What was learned, by generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knowledge {
    /// Grows with every change.
    pub generation: Generation,
    /// Per kind of incident and kind of action.
    #[serde(with = "crate::pairs")]
    pub efficacy: BTreeMap<EfficacyKey, Efficacy>,
    /// Per signal.
    pub baselines: PerSignal<Baseline>,
    /// The recent past of what actions promise to change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "crate::pairs")]
    pub histories: BTreeMap<Measure, History>,
    /// From choices, where the learner explores.
    #[serde(default, skip_serializing_if = "ChoiceKnowledge::is_empty")]
    pub choices: ChoiceKnowledge,
    /// How long each scaled service's replicas take to serve.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub starts: BTreeMap<ServiceName, Starts>,
}
