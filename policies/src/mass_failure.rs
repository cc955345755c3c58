//! People are told when too much is wrong at once.
//!
//! Answers that the agent keeps its hands still in a storm, which nobody could tell from the incidents alone. Once per storm,
//! and before any single incident of it: the storm's guard lets one page leave.

use homeostat_core::actions::{self, Action};
use homeostat_core::{Label, Policy, PolicyView, Proposal, ServiceName, Severity, Storm, Target};

pub(crate) const MASS_FAILURE: MassFailure = MassFailure;

pub(crate) struct MassFailure;

impl Policy for MassFailure {
    fn name(&self) -> &'static str {
        "mass_failure"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        let Some(Storm { since, troubled, known }) = view.assessment.storm else { return };
        let last = view.ledger.last(&actions::NOTIFY.name, &Target::Agent);
        if last.is_some_and(|told| since <= told.at) {
            return;
        }
        let text =
            format!("{troubled} of {known} services are in trouble at once; the agent does nothing until that is over");
        let incident = view.assessment.incidents.first().map(|incident| incident.id);
        let nobody = ServiceName::from("");
        let told = actions::notify(&nobody, incident.unwrap_or_default(), Severity::Page, text.clone());
        // It is about the whole; the rest after a notification about one service must not keep it back.
        let action = Action { target: Target::Agent, ..told };
        proposals.push(Proposal { policy: Label::new(self.name()), incident, action, why: text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    /// Scenario: no storm; a storm of four services in five since a while; the same after people were told of it, and after
    /// they were told of an earlier one.
    /// Guarantees: each storm is told once.
    #[test]
    fn each_storm_is_told_once() {
        let storm = || World::default().at(100).storm(90);
        let proposed = |world: &World| world.proposals(&MASS_FAILURE);
        assert!(proposed(&World::default()).is_empty());
        let told = proposed(&storm()).remove(0);
        assert!(told.why.starts_with("4 of 5 services"), "{}", told.why);
        assert!(proposed(&storm().done(told.action.clone(), 95)).is_empty());
        assert_eq!(proposed(&storm().done(told.action, 80)).len(), 1);
    }
}
