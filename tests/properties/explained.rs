//! Nothing is done without an explanation.
//!
//! Answers whether the record of a decision says everything that a person would ask: who proposed it and why, on which
//! evidence, which guards looked, what else could have been done, what it promises, and how to take it back.

use homeostat_control::guard_names;
use homeostat_core::actions::{self, ActionClass};
use homeostat_core::{BasisPoints, Effect};
use proptest::prelude::*;

use crate::adversary::settings;
use crate::{Run, cases};

proptest! {
    #![proptest_config(cases())]

    /// Scenario: everything that one run decided, withheld and sent, as JSON, which is what a journal holds.
    /// Guarantees: each effect belongs to a decision that names policy, reason, guards, alternatives, promise and way back, and
    /// each refusal names its guard and a reason in words.
    #[test]
    fn no_action_without_an_explanation(seed in any::<u64>()) {
        let run = Run::of(seed, &settings(), |_| None);
        let guards: Vec<&str> = guard_names().collect();
        for (_, effect) in &run.effects {
            let (Effect::Apply { id, .. } | Effect::Undo { id, .. } | Effect::ReadBack { id, .. }) = effect;
            prop_assert!(run.requests().any(|request| request.id == *id), "{} was never decided", id);
        }
        for request in run.requests() {
            prop_assert!(!request.policy.as_str().is_empty() && !request.why.is_empty());
            prop_assert!(request.passed.iter().map(|guard| guard.as_str()).eq(guards.iter().copied()));
            prop_assert!(request.alternatives.iter().any(|other| other.kind.as_str() == "none"), "doing nothing is named");
            prop_assert!(BasisPoints(0) < request.propensity && actions::kind(request.action.kind.as_str()).is_some());
            let told = request.action.class == ActionClass::Notification;
            prop_assert!(told || request.action.way_back.is_some());
            let written = serde_json::to_value(request).expect("plain data");
            for key in ["id", "decided", "policy", "incident", "action", "baseline", "why", "propensity", "alternatives", "passed"] {
                prop_assert!(written.get(key).is_some(), "{key} is not written");
            }
        }
        for withheld in run.records.iter().flat_map(|record| &record.plan.withheld) {
            prop_assert!(!withheld.guard.as_str().is_empty() && 10 < withheld.reason.to_string().len());
        }
    }
}
