//! Logged decisions from a journal.
//!
//! Answers which choices of a journal can be evaluated, with what each was worth, and what simple policies would have done in
//! their place. A choice counts when more than one thing could be done and its outcome is in the journal; rewards are those
//! the learner learns from. What differs from choice to choice is mapped to roles that recur: what the rule would have
//! done, doing nothing, and the other proposals of each policy.

use std::collections::BTreeMap;

use homeostat_core::{ActionId, ChoiceRecord, Label, PendingChoice, TickRecord, Watch};

use crate::evaluation::{Arm, LoggedDecision};
use crate::outcomes;

/// Choices taken from one journal; more are left out and counted as open.
const CHOICES_MAX: usize = 1_000_000;

/// What an option is in its choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// What the rule would have done.
    Rule,
    /// Nothing.
    Nothing,
    /// The so-manieth other proposal of a policy.
    Other(Label, usize),
}

/// Policies that any journal can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalPolicy {
    /// What is done without a learner.
    Rule,
    /// Nothing, wherever that is an option, and the rule elsewhere.
    Nothing,
    /// Everything alike.
    Uniform,
}

/// Takes records, oldest first, and keeps the decisions whose rewards they show.
#[derive(Debug, Default)]
pub struct JournalLog {
    roles: BTreeMap<Role, Arm>,
    open: BTreeMap<ActionId, (PendingChoice, LoggedDecision)>,
    watched: Vec<(Watch, LoggedDecision)>,
    log: Vec<LoggedDecision>,
}

impl JournalLog {
    /// Takes the next record.
    pub fn read(&mut self, record: &TickRecord) {
        for choice in record.plan.choices.iter().filter(|choice| 1 < choice.options.len()) {
            self.note(choice, record);
        }
        for outcome in &record.outcomes {
            let Some((pending, decision)) = self.open.remove(&outcome.id) else { continue };
            self.settle(decision, outcomes::reward_bp(pending, outcome));
        }
        let watched = std::mem::take(&mut self.watched);
        for (watch, decision) in watched {
            match watch.until <= record.at {
                true => self.settle(decision, outcomes::watch_reward_bp(&watch, &record.snapshot)),
                false => self.watched.push((watch, decision)),
            }
        }
    }

    /// The decisions whose rewards are known.
    pub fn log(&self) -> &[LoggedDecision] {
        &self.log
    }

    /// What `policy` would have done where `offered` was.
    pub fn answer(&self, policy: JournalPolicy, offered: &[Arm]) -> Vec<f64> {
        let place = |role: &Role| {
            let arm = self.roles.get(role)?;
            offered.iter().position(|offered| offered == arm)
        };
        let chosen = match policy {
            JournalPolicy::Rule => place(&Role::Rule),
            JournalPolicy::Nothing => place(&Role::Nothing).or(place(&Role::Rule)),
            JournalPolicy::Uniform => None,
        };
        let even = 1.0 / offered.len() as f64;
        let all = offered.iter().enumerate();
        all.map(|(index, _)| chosen.map_or(even, |chosen| if index == chosen { 1.0 } else { 0.0 })).collect()
    }

    fn note(&mut self, choice: &ChoiceRecord, record: &TickRecord) {
        if CHOICES_MAX <= self.log.len() + self.open.len() + self.watched.len() {
            return;
        }
        let Some(decision) = self.decision(choice) else { return };
        let request = choice.request.and_then(|id| record.plan.requests.iter().find(|request| request.id == id));
        if let Some((request, pending)) =
            request.and_then(|request| Some((request, outcomes::pending(request, choice)?)))
        {
            self.open.insert(request.id, (pending, decision));
        } else if let Some(watch) = &choice.watch {
            self.watched.push((watch.clone(), decision));
        }
    }

    fn decision(&mut self, choice: &ChoiceRecord) -> Option<LoggedDecision> {
        let offered: Vec<Arm> = (0..choice.options.len()).map(|index| self.arm(choice, index)).collect();
        let rule = choice.options.get(choice.rule)?;
        Some(LoggedDecision {
            context: rule.features.0.iter().map(|feature| f64::from(*feature) / 10_000.0).collect(),
            taken: *offered.get(choice.taken)?,
            propensity: f64::from(choice.options.get(choice.taken)?.probability.0) / 10_000.0,
            offered,
            reward: 0.0,
        })
    }

    fn arm(&mut self, choice: &ChoiceRecord, index: usize) -> Arm {
        let policy = |index: usize| &choice.options[index].policy;
        let role = if index == choice.rule {
            Role::Rule
        } else if policy(index).as_str() == "nothing" {
            Role::Nothing
        } else {
            let before = (0..index).filter(|other| *other != choice.rule && policy(*other) == policy(index));
            Role::Other(policy(index).clone(), before.count())
        };
        let next = Arm(self.roles.len() as u32);
        *self.roles.entry(role).or_insert(next)
    }

    fn settle(&mut self, mut decision: LoggedDecision, reward_bp: Option<i64>) {
        if let Some(reward) = reward_bp {
            decision.reward = reward as f64 / 10_000.0;
            self.log.push(decision);
        }
    }
}
