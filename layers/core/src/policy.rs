//! Policies and their proposals.
//!
//! Answers what a policy sees and what it hands on. A policy proposes; it never learns whether it was followed, except
//! through the knowledge that everybody reads.

use serde::{Deserialize, Serialize};

use crate::actions::{Action, Measure};
use crate::{
    Assessment, Counterfactual, InForce, IncidentId, Knowledge, Label, Ledger, Parameter, Reading, ServiceName,
    Settings, Snapshot, Target, Trial,
};

/// Everything a policy may look at. All of it is frozen for the tick.
#[derive(Clone, Copy, Debug)]
pub struct PolicyView<'a> {
    /// What is known.
    pub snapshot: &'a Snapshot,
    /// What is wrong.
    pub assessment: &'a Assessment,
    /// What was learned.
    pub knowledge: &'a Knowledge,
    /// What people want.
    pub settings: &'a Settings,
    /// What is set.
    pub in_force: &'a InForce,
    /// What is under way.
    pub trials: &'a [Trial],
    /// What was done lately.
    pub ledger: &'a Ledger,
}

impl PolicyView<'_> {
    /// What `measure` would be if nothing were done; none if it cannot be read now.
    pub fn forecast(&self, measure: &Measure) -> Option<Counterfactual> {
        let (at, level, load) = (self.snapshot.at, measure.read(self.snapshot)?, measure.load(self.snapshot));
        let history = self.knowledge.histories.get(measure);
        Some(history.map_or_else(
            || Counterfactual::without_past(at, level, load),
            |history| history.forecast(measure, at, level, load),
        ))
    }

    /// What `parameter` of `service` stands at: what the service says, else what the loop has set, else the value of a good day;
    /// nothing where the service says something that is too old, or may not be changed.
    pub fn parameter(&self, service: &ServiceName, parameter: Parameter) -> Option<u64> {
        let range = self.settings.permissions.of(service).range(parameter)?;
        match self.snapshot.reading(&Target::Service(service.clone()), parameter.indicator()) {
            Reading::Fresh { value } => Some(value),
            Reading::Stale { .. } => None,
            Reading::Missing { .. } => {
                let set = self.in_force.parameters.get(service).and_then(|set| set.get(&parameter));
                Some(set.copied().unwrap_or(range.max))
            }
        }
    }
}

/// Proposals of one policy that are looked at in a tick: more than the default budgets let pass in three minutes. What is
/// beyond it is proposed again at the next tick, if it is still wanted.
pub const PROPOSALS_MAX: usize = 1024;

/// A coded policy: one file, one line in the catalogue.
pub trait Policy: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What could be done now. Pushes in a fixed order, at most [`PROPOSALS_MAX`]; never relies on being called every tick.
    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>);
}

/// What could be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Who proposes it.
    pub policy: Label,
    /// The incident it answers, if any.
    pub incident: Option<IncidentId>,
    /// The action.
    pub action: Action,
    /// The reason, in one sentence with its numbers.
    pub why: String,
}
