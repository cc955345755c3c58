//! Operator rules: conditions that people wrote, and what they want done while these hold.
//!
//! Answers of which services each rule's condition holds and since when, and proposes what the rules that have held for long
//! enough ask for. The rules are read from the settings of the view, so whoever wants to know what other rules would have
//! done, in a test or on a journal, hands in a view with other settings. A rule is a policy like any other: its proposals
//! meet every guard.

mod evaluate;
mod facts;
pub mod language;
mod proposing;
pub mod rehearsal;

use std::collections::BTreeMap;

use homeostat_core::{
    Condition, PROPOSALS_MAX, Policy, PolicyView, Proposal, Rule, RuleProblem, RuleStanding, ServiceName, Standing,
    Timestamp,
};

use evaluate::{Outcome, Worth};
use facts::{Facts, Told};
use proposing::{Notified, Ripe};

/// The rules of the settings, as a policy.
pub const OPERATOR_RULES: OperatorRules = OperatorRules;

/// See [`OPERATOR_RULES`].
pub struct OperatorRules;

impl Policy for OperatorRules {
    fn name(&self) -> &'static str {
        "operator_rules"
    }

    fn watch(&self, view: &PolicyView<'_>, standing: &mut Standing) {
        if view.settings.rules.is_empty() {
            return;
        }
        let told = Told::of(view);
        let services = facts::of_services(view, &told);
        watch_of(&services, view, standing);
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        if view.standing.is_empty() {
            return;
        }
        let told = Told::of(view);
        let services = facts::of_services(view, &told);
        propose_of(&services, view, proposals);
    }
}

fn watch_of<'a>(services: &'a [Facts<'a>], view: &PolicyView<'a>, standing: &mut Standing) {
    let mut round = Round { services, stack: Vec::new(), room: Standing::HOLDS_MAX };
    let stands = |rule| round.stand(rule, view.standing, view.snapshot.at);
    standing.0.extend(view.settings.rules.iter().map(stands).filter(has_something_to_say));
}

fn propose_of(services: &[Facts<'_>], view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
    let notified = Notified::of(view);
    let bound = proposals.len() + PROPOSALS_MAX;
    for rule in view.settings.rules.iter() {
        let policy = rule.policy();
        let Some(standing) = view.standing.of(&policy) else { continue };
        for (service, since) in &standing.holds {
            let held = view.snapshot.at.since(*since);
            if bound <= proposals.len() || held < rule.holds_for {
                continue;
            }
            let readings = |rule: &Rule| found(services, service).map(|facts| facts.readings(rule)).unwrap_or_default();
            let ripe = Ripe { rule, policy: &policy, service, since: *since };
            proposals.extend(ripe.proposal(view, &notified, readings));
        }
    }
}

fn found<'s, 'a>(services: &'s [Facts<'a>], name: &ServiceName) -> Option<&'s Facts<'a>> {
    services.binary_search_by(|facts| facts.service.cmp(name)).ok().map(|place| &services[place])
}

fn has_something_to_say(standing: &RuleStanding) -> bool {
    !standing.holds.is_empty() || 0 < standing.unknown || standing.problem.is_some()
}

/// One look at all rules and all services.
struct Round<'a> {
    services: &'a [Facts<'a>],
    /// Kept from condition to condition, so that it is not allocated for each.
    stack: Vec<Outcome<'a>>,
    /// Services that may still be remembered.
    room: usize,
}

impl<'a> Round<'a> {
    fn stand(&mut self, rule: &'a Rule, before: &Standing, now: Timestamp) -> RuleStanding {
        let policy = rule.policy();
        let since = before.of(&policy).map(|standing| &standing.holds);
        let mut standing = RuleStanding { policy, holds: BTreeMap::new(), unknown: 0, problem: None };
        for facts in selected(rule, self.services) {
            match evaluate::evaluate(&rule.when.steps, facts, &mut self.stack) {
                Outcome::Known(Worth::Flag(false)) => {}
                Outcome::Known(Worth::Flag(true)) if 0 < self.room => {
                    self.room -= 1;
                    let since = since.and_then(|since| since.get(facts.service)).copied().unwrap_or(now);
                    standing.holds.insert(facts.service.clone(), since);
                }
                Outcome::Known(Worth::Flag(true)) => {
                    note(&mut standing, facts.service, || {
                        format!("it holds of more than the {} services that can be remembered", Standing::HOLDS_MAX)
                    });
                }
                Outcome::Unknown => standing.unknown += 1,
                Outcome::Failed(failure) => note(&mut standing, facts.service, || failure.to_string()),
                Outcome::Known(_) => note(&mut standing, facts.service, || "it is neither true nor false".to_owned()),
            }
        }
        standing
    }
}

fn note(standing: &mut RuleStanding, service: &ServiceName, what: impl FnOnce() -> String) {
    match &mut standing.problem {
        Some(problem) => problem.services += 1,
        none => *none = Some(RuleProblem { service: service.clone(), services: 1, what: what() }),
    }
}

/// The services that `rule` is about. Full names are looked up; only a star makes a walk over all services necessary.
fn selected<'a>(rule: &'a Rule, services: &'a [Facts<'a>]) -> impl Iterator<Item = &'a Facts<'a>> {
    let names = &rule.selector.services;
    let walks = names.iter().any(|name| name.contains('*'));
    let everybody = names.iter().any(|name| name == "*");
    let named = names.iter().filter(move |_| !walks).filter_map(|name| {
        let found = services.binary_search_by(|facts| facts.service.as_str().cmp(name));
        found.ok().map(|place| &services[place])
    });
    let walked = services.iter().filter(move |facts| walks && (everybody || rule.selector.selects(facts.service)));
    named.chain(walked)
}

/// Whether `condition` can be evaluated at all: every step finds its operands, and one true or false is left. What a reader
/// of text has made always can; a damaged journal may hold anything.
pub fn is_sound(condition: &Condition) -> bool {
    condition.steps.len() <= Condition::STEPS_MAX && evaluate::leaves_one(&condition.steps)
}

#[cfg(test)]
mod tests;
