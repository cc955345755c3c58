//! How the operator rules stand.
//!
//! Answers of which services each rule's condition holds, and since when; and which conditions could not be evaluated. It is
//! the child of the one before it, like an assessment, and goes with the plan into the record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Label, ServiceName, Timestamp};

/// How the rules stand at one tick. A rule of which there is nothing to say is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Standing(pub Vec<RuleStanding>);

impl Standing {
    /// Services remembered, over all rules. Ten rules that hold for four hundred services each are a rule for everybody; what
    /// is beyond it is a problem of the rule, and proposes nothing.
    pub const HOLDS_MAX: usize = 4096;

    /// How the rule that proposes as `policy` stands.
    pub fn of(&self, policy: &Label) -> Option<&RuleStanding> {
        self.0.iter().find(|standing| standing.policy == *policy)
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How one rule stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStanding {
    /// The policy as which it proposes: its name and its version.
    pub policy: Label,
    /// The services of which its condition holds, and since when without a break.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub holds: BTreeMap<ServiceName, Timestamp>,
    /// Services it cannot be told of, because something it reads is stale or missing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: u32,
    /// What went wrong, where something did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<RuleProblem>,
}

/// Why a condition could not be evaluated. Nothing is proposed where it could not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleProblem {
    /// The first service of which it could not.
    pub service: ServiceName,
    /// Of how many it could not.
    pub services: u32,
    /// Why.
    pub what: String,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
