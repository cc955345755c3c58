//! The swarm.
//!
//! Answers whether the loop keeps its promises on a thousand different bad days. Each seed runs one scenario, moved about
//! within bounds; a failure is one seed, so it can be repeated alone. Threads share nothing but a counter: every run is as
//! deterministic as if it were the only one.

mod perturb;

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use homeostat_core::Seed;

use crate::checkers::Complaint;
use crate::repeat::{Divergence, repeat};
use crate::scenario::{Options, Perturbation, Scenario, run};

pub(crate) use perturb::perturb;

/// What a swarm runs.
pub struct SwarmPlan<'a> {
    /// The scenarios; each runs with every seed.
    pub scenarios: &'a [Scenario],
    /// The first seed.
    pub first_seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// Threads; none means as many as there are cores.
    pub threads: Option<NonZeroUsize>,
    /// How each run is run. Perturbation is as given here; the swarm's usual one is [`Perturbation::Bounded`].
    pub options: Options,
}

/// How far a swarm has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs finished.
    pub done: usize,
    /// Runs in all.
    pub total: usize,
    /// Runs that broke a promise, so far.
    pub failed: usize,
    /// Seconds simulated by this run.
    pub simulated_s: u64,
}

/// How a swarm went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwarmReport {
    /// Runs in all.
    pub runs: usize,
    /// Seconds simulated in all.
    pub simulated_s: u64,
    /// Requests simulated in all, counted at every service they visited.
    pub visits: u64,
    /// Changes decided in all.
    pub actions: u64,
    /// Incidents opened in all.
    pub incidents: u64,
    /// What went wrong, by scenario and seed; the first hundred.
    pub failures: Vec<Failure>,
    /// Runs that broke a promise.
    pub failed: usize,
}

/// One seed that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which scenario.
    pub scenario: String,
    /// Which seed.
    pub seed: Seed,
    /// The first complaint, if one was made.
    pub complaint: Option<Complaint>,
    /// The first thing that went wrong, in a sentence.
    pub problem: String,
    /// The command that repeats the run.
    pub command: String,
    /// Where the run differs from the same run again; none if it repeats, as it must.
    pub divergence: Option<Divergence>,
}

/// Failures described; the rest are only counted. One is enough to start with.
const FAILURES_MAX: usize = 100;

/// What one run adds to the report.
struct Part {
    index: usize,
    simulated_s: u64,
    visits: u64,
    actions: u64,
    incidents: u64,
    failure: Option<Failure>,
}

/// Runs every seed of every scenario; `progress` is called after each run, from any thread.
pub fn swarm(plan: &SwarmPlan<'_>, progress: &(dyn Fn(Progress) + Sync)) -> SwarmReport {
    let total = plan.scenarios.len() * plan.seeds as usize;
    let threads = plan.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let (next, parts) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(total)));
    thread::scope(|scope| {
        for _ in 0..threads.min(total) {
            scope.spawn(|| work(plan, total, &next, &parts, progress));
        }
    });
    let mut parts = parts.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    // Threads finish in any order; the report does not.
    parts.sort_unstable_by_key(|part| part.index);
    report(parts)
}

fn work(
    plan: &SwarmPlan<'_>,
    total: usize,
    next: &AtomicUsize,
    parts: &Mutex<Vec<Part>>,
    progress: &(dyn Fn(Progress) + Sync),
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if total <= index {
            return;
        }
        let part = run_one(plan, index);
        let simulated_s = part.simulated_s;
        let (done, failed) = {
            let mut parts = parts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            parts.push(part);
            (parts.len(), parts.iter().filter(|part| part.failure.is_some()).count())
        };
        progress(Progress { done, total, failed, simulated_s });
    }
}

/// Seeds go round the scenarios, so that an interrupted swarm has seen all of them.
fn run_one(plan: &SwarmPlan<'_>, index: usize) -> Part {
    let scenario = &plan.scenarios[index % plan.scenarios.len()];
    let seed = Seed(plan.first_seed + (index / plan.scenarios.len()) as u64);
    let report = run(scenario, seed, &plan.options);
    Part {
        index,
        simulated_s: scenario.duration_s,
        visits: report.timing.visits,
        actions: report.actions.len() as u64,
        incidents: report.incidents.len() as u64,
        failure: report.first_problem().map(|problem| Failure {
            scenario: scenario.name.clone(),
            seed,
            complaint: report.complaints.first().cloned(),
            problem,
            command: report.command(),
            divergence: repeat(scenario, &report, &plan.options),
        }),
    }
}

fn report(parts: Vec<Part>) -> SwarmReport {
    let sum = |of: fn(&Part) -> u64| parts.iter().map(of).sum();
    SwarmReport {
        runs: parts.len(),
        simulated_s: sum(|part| part.simulated_s),
        visits: sum(|part| part.visits),
        actions: sum(|part| part.actions),
        incidents: sum(|part| part.incidents),
        failed: parts.iter().filter(|part| part.failure.is_some()).count(),
        failures: parts.into_iter().filter_map(|part| part.failure).take(FAILURES_MAX).collect(),
    }
}

impl<'a> SwarmPlan<'a> {
    /// The usual swarm: seeds from one on, perturbed, on all cores.
    pub fn usual(scenarios: &'a [Scenario], seeds: u64) -> SwarmPlan<'a> {
        let options = Options { perturbation: Perturbation::Bounded, ..Options::default() };
        SwarmPlan { scenarios, first_seed: 1, seeds, threads: None, options }
    }
}
