//! What an operator's rule sets stays set.
//!
//! Answers whether a rule whose condition holds wants another value than the one proposed. Without it a coded policy would
//! undo at the next tick what the rule did at this one, and so on for ever. A rule in dry run holds nothing, and neither
//! does one whose value is outside the envelope, because it could never be reached.

use homeostat_core::{
    Actuation, Label, PolicyView, Rule, RuleAction, SamplingProbability, ScaleOut, ServiceName, WithholdReason,
};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const HELD_BY_RULE: HeldByRule = HeldByRule;

pub(crate) struct HeldByRule;

impl Guard for HeldByRule {
    fn name(&self) -> &'static str {
        "held_by_rule"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let view = &view.view;
        if view.standing.is_empty() {
            return None;
        }
        // A rule is held to what rules before it want; everybody else to what any rule wants.
        let own = view.settings.rules.find(candidate.policy).map_or(usize::MAX, |(place, _)| place);
        let before = view.settings.rules.iter().take(own).filter(|rule| !rule.dry_run);
        before.into_iter().find_map(|rule| {
            let wanted = contradicted(rule, &candidate.action.actuation, view)?;
            Some(WithholdReason::HeldByRule { rule: rule.policy(), wanted }.into())
        })
    }
}

/// The value that `rule` holds to, if `actuation` would leave it.
fn contradicted(rule: &Rule, actuation: &Actuation, view: &PolicyView<'_>) -> Option<u64> {
    match (&rule.then, actuation) {
        (RuleAction::Sample(tail), Actuation::SetSampling { service, operation: None, sampling }) => {
            let reachable = view.settings.sampling.floor <= *tail && *tail <= SamplingProbability::ALWAYS;
            let leaves = sampling.tail != *tail && reachable && holds(rule, service, view);
            leaves.then(|| tail.ppm().into())
        }
        // More than the rule asks for is nobody's harm.
        (RuleAction::ScaleOut(ScaleOut::To(least)), Actuation::SetReplicas { service, replicas }) => {
            let envelope = view.settings.scaling.services.get(service)?;
            let least = (*least).min(envelope.max);
            (*replicas < least && holds(rule, service, view)).then(|| least.0.into())
        }
        _ => None,
    }
}

fn holds(rule: &Rule, service: &ServiceName, view: &PolicyView<'_>) -> bool {
    let policy: Label = rule.policy();
    let since = view.standing.of(&policy).and_then(|standing| standing.holds.get(service));
    since.is_some_and(|since| rule.holds_for <= view.snapshot.at.since(*since))
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Millis, Timestamp};

    use super::*;
    use crate::guards::testing::{World, rule, sample, scale};

    /// Scenario: a rule wants at least four replicas of cart: its condition holds, holds not yet for long enough, holds of
    /// nobody; it is in dry run; it wants more than the envelope allows.
    /// Guarantees: fewer are refused exactly while the rule holds and means it; more, and the rule's own steps, pass.
    #[test]
    fn what_a_rule_holds_is_left_alone() {
        let of = |rule: Rule, since: Option<u64>, policy: &Label, to: u32| {
            let held = since.map(|second| Timestamp(second * 1000));
            World::default().with_rule(rule.clone()).holding(&rule, "cart", held).asks_of(
                &HELD_BY_RULE,
                &scale("cart", 4, to),
                policy,
            )
        };
        let (coded, least) = (Label::new("target_tracking"), rule("grow", 4));
        assert!(of(least.clone(), Some(0), &coded, 3).is_some());
        assert!(of(least.clone(), Some(0), &coded, 4).is_none() && of(least.clone(), Some(0), &coded, 5).is_none());
        assert!(of(least.clone(), None, &coded, 3).is_none());
        assert!(of(least.clone(), Some(0), &least.policy(), 3).is_none());
        let patient = Rule { holds_for: Millis::from_secs(10), ..least.clone() };
        assert!(of(patient.clone(), Some(991), &coded, 3).is_none() && of(patient, Some(990), &coded, 3).is_some());
        assert!(of(Rule { dry_run: true, ..least }, Some(0), &coded, 3).is_none());
        assert!(
            of(rule("grow", 20), Some(0), &coded, 7).is_some() && of(rule("grow", 20), Some(0), &coded, 8).is_none()
        );
    }

    /// Scenario: a rule samples cart at 10 %; others want less and more. Then the rule wants less than the floor allows.
    /// Guarantees: both are refused; what can never be set is not held on to.
    #[test]
    fn a_probability_is_held_both_ways() {
        let asks = |ppm: u64, to_ppm: u64| {
            let tail = SamplingProbability::from_ppm_saturating(ppm);
            let rule = Rule { then: RuleAction::Sample(tail), ..rule("keep", 1) };
            let world = World::default().with_rule(rule.clone()).holding(&rule, "cart", Some(Timestamp(0)));
            world.asks_of(&HELD_BY_RULE, &sample("cart", 100_000, to_ppm), &Label::new("sampling_budget")).is_some()
        };
        assert!(asks(100_000, 50_000) && asks(100_000, 500_000) && !asks(100_000, 100_000));
        assert!(!asks(1, 50_000));
    }
}
