//! Guards under attack.
//!
//! Answers what each guard is for: a scenario and a policy made so that this guard alone stands between them and harm. With
//! all guards the loop must keep every promise; without the one, a checker must complain, otherwise either the guard or the
//! checker is an ornament. Everything else is as in the swarm, so a seed moves each attack about.

mod policies;

use homeostat_core::{Policy, Seed};

use crate::checkers::Complaint;
use crate::scenario::{Options, Perturbation, RunReport, Scenario, ScenarioError, run};

/// One attack.
#[derive(Clone)]
pub struct Attack {
    /// The guard that it is aimed at.
    pub guard: &'static str,
    /// The checker that must notice when that guard is missing.
    pub checker: &'static str,
    /// Where it takes place.
    pub scenario: Scenario,
    policies: &'static [&'static dyn Policy],
}

/// A guard was missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// How many seeds it took.
    pub seeds: u64,
    /// The seed.
    pub seed: Seed,
    /// What was complained of first.
    pub complaint: Complaint,
}

macro_rules! attacks {
    ($($guard:literal with $policies:ident caught by $checker:literal;)*) => {
        /// The catalogue: guard, checker, policies and scenario of each attack, in the order in which guards are asked.
        const CATALOGUE: &[(&str, &str, &[&dyn Policy], &str)] = &[
            $(($guard, $checker, policies::$policies,
               include_str!(concat!("../../tests/attacks/", $guard, ".yaml"))),)*
        ];
    };
}

attacks! {
    "envelope" with GROW caught by "envelope";
    "never_zero" with SHRINK caught by "zero";
    "bounded_step" with LEAP caught by "step";
    "undo_first" with RESTART caught by "carries_on";
    "disarm" with RAISE caught by "taken_back";
    "ownership" with GROW caught by "other_hand";
    "open_trial" with GROW caught by "one_trial";
    "cooldown" with GROW caught by "cooldown";
    "hysteresis" with FLIP caught by "reversal";
    "stabilisation" with SHRINK caught by "worst_case";
    "rate_budget" with GROW caught by "rate_budget";
    "blast_radius" with GROW caught by "blast_radius";
    "storm" with GROW caught by "storm";
    "fail_static" with GROW caught by "fresh_evidence";
    "kill_switch" with GROW caught by "assertion";
}

/// Every attack.
pub fn attacks() -> Result<Vec<Attack>, ScenarioError> {
    let attack =
        |(guard, checker, policies, text): &(&'static str, &'static str, &'static [&'static dyn Policy], &str)| {
            let scenario = Scenario::parse(guard, text)?;
            Ok(Attack { guard, checker, scenario, policies })
        };
    CATALOGUE.iter().map(attack).collect()
}

impl Attack {
    /// One run with every guard.
    pub fn with_all_guards(&self, seed: Seed) -> RunReport {
        self.run(seed, None)
    }

    /// Seeds from `first` on until the guard is missed; none if that takes more than `seeds_max`.
    pub fn without_the_guard(&self, first: Seed, seeds_max: u64) -> Option<Caught> {
        (0..seeds_max).find_map(|number| {
            let seed = Seed(first.0 + number);
            let report = self.run(seed, Some(self.guard));
            let complaint = report.complaints.into_iter().find(|complaint| complaint.checker == self.checker)?;
            Some(Caught { seeds: number + 1, seed, complaint })
        })
    }

    fn run(&self, seed: Seed, without_guard: Option<&'static str>) -> RunReport {
        let perturbation = Perturbation::Bounded;
        let options = Options { policies: self.policies, without_guard, perturbation, ..Options::default() };
        run(&self.scenario, seed, &options)
    }
}
