//! Nothing is done in the dark.
//!
//! Answers whether the evidence an action rests on is fresh, and whether the agent sees enough of its world at all. Missing
//! is never zero: an agent that lost its eyes leaves everything as it is.

use homeostat_core::{Actuation, Indicator, Reading, Regime, Target, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const FAIL_STATIC: FailStatic = FailStatic;

pub(crate) struct FailStatic;

impl Guard for FailStatic {
    fn name(&self) -> &'static str {
        "fail_static"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let snapshot = view.view.snapshot;
        if view.regime == Regime::Blind {
            return Some(WithholdReason::Blind { blindness: snapshot.blindness }.into());
        }
        let measure = candidate.action.expectation.measure()?;
        if measure.read(snapshot).is_none() {
            return Some(WithholdReason::EvidenceNotFresh { what: measure.to_string() }.into());
        }
        match &candidate.action.actuation {
            Actuation::SetReplicas { service, .. } => {
                let known = snapshot.service_value(service, Indicator::ReplicasReady).is_some();
                let what = format!("{} of {service}", Indicator::ReplicasReady.as_str());
                (!known).then(|| WithholdReason::EvidenceNotFresh { what }.into())
            }
            Actuation::SetParameter { service, parameter, .. } => {
                // A knob nobody reads is what was last set; one that is read must be read now.
                let reading = snapshot.reading(&Target::Service(service.clone()), parameter.indicator());
                let what = format!("{parameter} of {service}");
                matches!(reading, Reading::Stale { .. }).then(|| WithholdReason::EvidenceNotFresh { what }.into())
            }
            Actuation::SetSampling { .. }
            | Actuation::Restart { .. }
            | Actuation::Profile { .. }
            | Actuation::Notify { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, scale};

    /// Scenario: full sight; one signal of the target missing; a blind agent.
    /// Guarantees: only full sight lets the action pass.
    #[test]
    fn an_action_needs_sight() {
        assert!(World::default().asks(&FAIL_STATIC, &scale("cart", 2, 3)).is_none());
        assert!(World::default().without(Indicator::Utilization).asks(&FAIL_STATIC, &scale("cart", 2, 3)).is_some());
        assert!(World::default().without(Indicator::ReplicasReady).asks(&FAIL_STATIC, &scale("cart", 2, 3)).is_some());
        assert!(World::default().in_regime(Regime::Blind).asks(&FAIL_STATIC, &scale("cart", 2, 3)).is_some());
    }
}
