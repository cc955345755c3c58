//! Operator rules.
//!
//! Answers what a rule is: for which services, under which condition, held for how long, what is proposed. Does not read
//! text and evaluates nothing. Rules are part of the settings, so the journal carries them and a replay needs nothing else.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Condition, Label, Millis, Replicas, SamplingProbability, ServiceName, Urgency};

/// What the label of a rule's proposals begins with.
const PREFIX: &str = "rule/";

/// The rules of an agent, highest priority first, then in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleSettings(Arc<Vec<Rule>>);

impl RuleSettings {
    /// Rules of one agent. Each is asked about each of its services at every tick.
    pub const RULES_MAX: usize = 100;

    /// These rules, in their order. What is beyond the bound is left out; whoever reads rules refuses more before.
    pub fn new(mut rules: Vec<Rule>) -> RuleSettings {
        rules.sort_by(|a, b| b.priority.cmp(&a.priority).then_with(|| a.name.cmp(&b.name)));
        rules.truncate(Self::RULES_MAX);
        RuleSettings(Arc::new(rules))
    }

    /// Every rule, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// The place of the rule that proposes as `policy`, and the rule.
    pub fn find(&self, policy: &Label) -> Option<(usize, &Rule)> {
        let (name, version) = policy.as_str().strip_prefix(PREFIX)?.rsplit_once('@')?;
        self.iter().enumerate().find(|(_, rule)| rule.name == name && rule.version == version)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, unique among the rules of an agent.
    pub name: String,
    /// A short fingerprint of everything below: two rules of one name and one version are the same rule.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// Which services it is about.
    pub selector: Selector,
    /// What must be true.
    pub when: Condition,
    /// For how long without a break.
    pub holds_for: Millis,
    /// What is proposed then.
    pub then: RuleAction,
    /// Whether its proposals are only shown and counted.
    pub dry_run: bool,
    /// Rules of higher priority propose first, and are held to against lower ones.
    pub priority: i32,
}

impl Rule {
    /// The policy under whose name it proposes: `rule/NAME@VERSION`.
    pub fn policy(&self) -> Label {
        Label::owned(format!("{PREFIX}{}@{}", self.name, self.version))
    }

    /// The name of the rule that proposes as `policy`; `None` if that is no rule.
    pub fn name_in(policy: &Label) -> Option<&str> {
        Some(policy.as_str().strip_prefix(PREFIX)?.rsplit_once('@')?.0)
    }
}

/// Names of services, of which each may hold `*` for any text. An empty selector selects nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// The names.
    pub services: Vec<String>,
}

impl Selector {
    /// Names in one selector.
    pub const NAMES_MAX: usize = 256;

    /// Whether it selects `service`.
    pub fn selects(&self, service: &ServiceName) -> bool {
        self.services.iter().any(|name| matches(name, service.as_str()))
    }
}

/// Whether `name`, in which `*` stands for any text, is the name of `service`.
fn matches(name: &str, service: &str) -> bool {
    let Some((head, rest)) = name.split_once('*') else { return name == service };
    let Some(mut left) = service.strip_prefix(head) else { return false };
    let Some((middle, tail)) = rest.rsplit_once('*') else { return left.ends_with(rest) };
    // What stands between two stars is found at its first place: what is left is then as long as it can be.
    for part in middle.split('*') {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(tail)
}

/// What a rule proposes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    /// More instances, as far as the envelope and the largest step allow.
    ScaleOut(ScaleOut),
    /// Ordinary traces are kept with this probability.
    Sample(SamplingProbability),
    /// People are told, once for as long as the condition holds.
    Notify {
        /// How soon it should be read.
        urgency: Urgency,
        /// What is said.
        text: String,
    },
}

/// How many instances more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleOut {
    /// So many more than now; again when the last step was judged and the condition still holds.
    By(Replicas),
    /// At least so many.
    To(Replicas),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: names with no star, with one and with several, and a selector without names.
    /// Guarantees: a star stands for any text, nothing else does, and an empty selector selects nothing.
    #[test]
    fn an_empty_selector_selects_nothing() {
        let check = |name: &str, service: &str, expected: bool| {
            let selector = Selector { services: vec![name.to_owned()] };
            assert_eq!(selector.selects(&service.into()), expected, "{name} {service}");
        };
        check("cart", "cart", true);
        check("cart", "carts", false);
        check("*", "cart", true);
        check("cart-*", "cart-eu", true);
        check("cart-*", "cart", false);
        check("*-eu", "cart-eu", true);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-c-b", false);
        check("ab*ba", "aba", false);
        check("", "cart", false);
        assert!(!Selector::default().selects(&"cart".into()));
    }

    /// Scenario: rules of different priority, given in no order.
    /// Guarantees: the highest comes first, equal ones by name, and a proposal's policy leads back to its rule and version.
    #[test]
    fn rules_stand_in_their_order() {
        let rule = |name: &str, priority| Rule {
            name: name.to_owned(),
            version: "v".to_owned(),
            description: String::new(),
            selector: Selector::default(),
            when: Condition { text: String::new(), steps: Vec::new() },
            holds_for: Millis(0),
            then: RuleAction::ScaleOut(ScaleOut::By(Replicas(1))),
            dry_run: true,
            priority,
        };
        let rules = RuleSettings::new(vec![rule("b", 0), rule("c", 5), rule("a", 0)]);
        let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(names, ["c", "a", "b"]);
        assert_eq!(rules.find(&rule("a", 0).policy()).map(|(place, _)| place), Some(1));
        assert!(rules.find(&Label::new("rule/a@w")).is_none() && rules.find(&Label::new("announce")).is_none());
    }
}
