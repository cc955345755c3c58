//! What other settings would have led to.
//!
//! Answers what the loop would have decided at a tick if people had wanted something else, from everything it knew at that
//! tick: the same snapshot, trials, ledger and knowledge, and the same guards. Only the plan is made; it is never carried
//! out, so the next tick meets what the loop itself did. That is what an evaluation from a journal needs, and no more can be
//! had from one.

use homeostat_core::{ChoiceRecord, Plan, Settings};
use homeostat_learning::evaluation::ChoicePolicy;

/// Other settings, and the plan they led to at the last tick.
pub(crate) struct Beside {
    pub(crate) settings: Settings,
    pub(crate) plan: Plan,
}

/// A plan of the same tick as the policy to evaluate.
pub struct Planned<'a>(pub &'a Plan);

impl ChoicePolicy for Planned<'_> {
    fn probabilities(&mut self, choice: &ChoiceRecord) -> Vec<f64> {
        let of = |share: &dyn Fn(&str) -> f64| choice.options.iter().map(|option| share(&option.what)).collect();
        let same = |other: &&ChoiceRecord| other.kind == choice.kind && other.target == choice.target;
        if let Some(other) = self.0.choices.iter().find(same) {
            let likely = |what: &str| -> f64 {
                let same = other.options.iter().filter(|option| option.what == what);
                same.map(|option| f64::from(option.probability.0) / 10_000.0).sum()
            };
            return of(&likely);
        }
        let asked = self.0.requests.iter().map(|request| &request.action);
        let action = asked.into_iter().find(|action| action.kind == choice.kind && action.target == choice.target);
        let Some(action) = action else {
            let nothing = choice.nothing();
            return (0..choice.options.len()).map(|place| f64::from(u8::from(Some(place) == nothing))).collect();
        };
        let wanted = action.actuation.to_string();
        of(&|what| f64::from(u8::from(what == wanted)))
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::actions::{self, Measure};
    use homeostat_core::{ActionId, ActionRequest, BasisPoints, ChoiceOption, Features, Label, Replicas, Target};

    use super::*;

    fn choice(options: &[(&str, u32)]) -> ChoiceRecord {
        let option = |(what, probability): &(&str, u32)| ChoiceOption {
            policy: if *what == "do nothing" { ChoiceRecord::NOTHING } else { Label::new("test") },
            what: (*what).to_owned(),
            features: Features::default(),
            probability: BasisPoints(*probability),
        };
        ChoiceRecord {
            kind: Label::new("scale_replicas"),
            target: Target::Service("cart".into()),
            options: options.iter().map(option).collect(),
            rule: 0,
            taken: 0,
            learner: Label::new("test"),
            fell_back: None,
            request: None,
            watch: None,
        }
    }

    fn request(replicas: u32) -> ActionRequest {
        let action = actions::scale_out(&"cart".into(), Replicas(2), Replicas(replicas), Measure::SpansKeptByChance);
        ActionRequest {
            id: ActionId(1),
            decided: Default::default(),
            policy: Label::new("test"),
            incident: None,
            action,
            baseline: None,
            forecast: None,
            why: String::new(),
            propensity: BasisPoints::ONE,
            alternatives: Vec::new(),
            passed: Vec::new(),
        }
    }

    /// Scenario: the log chose between four replicas and nothing; the other plan has four, has six, has nothing, and would toss
    /// between four, six and nothing.
    /// Guarantees: the probability goes to the option that is the same change; what was no option is left over.
    #[test]
    fn a_plan_is_held_against_the_options() {
        let logged = choice(&[("run cart with 4 replicas", 5000), ("do nothing", 5000)]);
        let check = |plan: Plan, expected: [f64; 2]| assert_eq!(Planned(&plan).probabilities(&logged), expected);
        check(Plan { requests: vec![request(4)], ..Plan::default() }, [1.0, 0.0]);
        check(Plan { requests: vec![request(6)], ..Plan::default() }, [0.0, 0.0]);
        check(Plan::default(), [0.0, 1.0]);
        let tossed =
            choice(&[("run cart with 4 replicas", 2000), ("run cart with 6 replicas", 3000), ("do nothing", 5000)]);
        check(Plan { choices: vec![tossed], ..Plan::default() }, [0.2, 0.5]);
    }
}
