//! Managers side by side.
//!
//! Answers how the agent fares beside others who manage the same replicas: the same plant, the same arrivals, the same seeds.
//! What a manager earns is shown as a share of what the oracle earns, who knows every arrival in advance; how long the
//! objective was broken, what it cost and how often something was changed are shown beside it, because one number hides what
//! it is made of.

mod arena;
mod managers;
mod oracle;
mod page;
mod recording;
mod score;
mod stage;
mod synthetic;

#[cfg(test)]
mod tests;

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use homeostat_core::Seed;

use crate::compare::managers::{Agent, Fixed, Hpa, Threshold};

pub use arena::{Moment, Played};
pub use page::html as compare_html;
pub use recording::Recorded;
pub use score::{Prices, Score};
pub use stage::Stage;
pub use synthetic::Family;

/// Who manages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Contender {
    /// The loop with its policies and guards.
    Agent,
    /// Kubernetes' HPA at this utilisation, in whole percent.
    Hpa(u32),
    /// The best number to hold, found with the workload in hand.
    Static,
    /// The number that the busiest minute needs, held.
    Peak,
    /// One more above 80 %, one fewer below 30 %.
    Threshold,
    /// Knows every arrival in advance.
    Oracle,
}

impl Contender {
    /// Those that are compared unless others are named.
    pub const USUAL: [Contender; 6] = [
        Contender::Agent,
        Contender::Hpa(Contender::HPA_TARGET),
        Contender::Threshold,
        Contender::Static,
        Contender::Peak,
        Contender::Oracle,
    ];

    /// The HPA's own default.
    const HPA_TARGET: u32 = 80;
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contender::Agent => f.write_str("agent"),
            Contender::Hpa(Contender::HPA_TARGET) => f.write_str("hpa"),
            Contender::Hpa(target) => write!(f, "hpa:{target}"),
            Contender::Static => f.write_str("static"),
            Contender::Peak => f.write_str("peak"),
            Contender::Threshold => f.write_str("threshold"),
            Contender::Oracle => f.write_str("oracle"),
        }
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(text: &str) -> Result<Contender, String> {
        let unknown =
            || format!("nobody is called {text}; there are agent, hpa, hpa:60, threshold, static, peak, oracle");
        if let Some(target) = text.strip_prefix("hpa:") {
            let target = target.parse().ok().filter(|target| (5..=100).contains(target));
            return target.map(Contender::Hpa).ok_or_else(|| "expected hpa: and a percentage of 5 to 100".to_owned());
        }
        let known = Contender::USUAL.into_iter().find(|contender| contender.to_string() == text);
        known.ok_or_else(unknown)
    }
}

/// What is compared.
#[derive(Clone, Debug)]
pub struct ComparePlan {
    /// Whom; the oracle plays in any case, because it is the yardstick.
    pub contenders: Vec<Contender>,
    /// On what.
    pub stages: Vec<Stage>,
    /// The first seed.
    pub first_seed: u64,
    /// How many seeds.
    pub seeds: u64,
    /// What counts for how much.
    pub prices: Prices,
    /// Threads; none means as many as there are cores.
    pub threads: Option<NonZeroUsize>,
}

/// How a comparison went.
#[derive(Clone, Debug)]
pub struct CompareReport {
    /// What counted for how much.
    pub prices: Prices,
    /// The first seed, and how many.
    pub seeds: (u64, u64),
    /// One for each stage.
    pub stages: Vec<StageReport>,
}

/// How everybody fared on one stage.
#[derive(Clone, Debug)]
pub struct StageReport {
    /// Its name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// How long it was.
    pub seconds: u64,
    /// Requests that one replica can answer in a second.
    pub capacity: f64,
    /// In the order in which they were named.
    pub standings: Vec<Standing>,
}

/// How one fared on one stage.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Who.
    pub contender: Contender,
    /// Seed by seed.
    pub scores: Vec<Score>,
    /// The utility as a share of the oracle's: the mean of all seeds, and at half and twice the price of replicas.
    pub share: [f64; 3],
    /// The first seed, second by second.
    pub moments: Vec<Moment>,
}

impl Standing {
    /// The mean of a figure over the seeds.
    pub fn mean(&self, of: impl Fn(&Score) -> f64) -> f64 {
        self.scores.iter().map(of).sum::<f64>() / self.scores.len().max(1) as f64
    }
}

impl StageReport {
    /// The standing of `contender`.
    pub fn of(&self, contender: Contender) -> Option<&Standing> {
        self.standings.iter().find(|standing| standing.contender == contender)
    }
}

/// One run of many.
#[derive(Clone, Copy)]
struct Job {
    stage: usize,
    contender: Contender,
    seed: Seed,
}

/// Lets everybody play on every stage with every seed; `progress` is told how many of how many runs are done.
pub fn compare(plan: &ComparePlan, progress: &(dyn Fn(usize, usize) + Sync)) -> CompareReport {
    let mut contenders = plan.contenders.clone();
    if !contenders.contains(&Contender::Oracle) {
        contenders.push(Contender::Oracle);
    }
    let mut jobs = Vec::new();
    for seed in 0..plan.seeds {
        for stage in 0..plan.stages.len() {
            let job = |contender: &Contender| Job { stage, contender: *contender, seed: Seed(plan.first_seed + seed) };
            jobs.extend(contenders.iter().map(job));
        }
    }
    let threads = plan.threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(jobs.len())));
    thread::scope(|scope| {
        for _ in 0..threads.min(jobs.len()) {
            scope.spawn(|| work(plan, &jobs, &next, &done, progress));
        }
    });
    let mut played = done.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    // Threads finish in any order; the report does not.
    played.sort_unstable_by_key(|(index, _)| *index);
    let stages = plan.stages.iter().enumerate();
    let stages = stages.map(|(index, stage)| stage_report(plan, stage, &contenders, of_stage(&jobs, &played, index)));
    CompareReport { prices: plan.prices, seeds: (plan.first_seed, plan.seeds), stages: stages.collect() }
}

fn work(
    plan: &ComparePlan,
    jobs: &[Job],
    next: &AtomicUsize,
    done: &Mutex<Vec<(usize, Played)>>,
    progress: &(dyn Fn(usize, usize) + Sync),
) {
    loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(job) = jobs.get(index) else { return };
        let mut played = run(&plan.stages[job.stage], job.contender, job.seed, plan.prices);
        if job.seed.0 != plan.first_seed {
            played.moments = Vec::new();
        }
        let finished = {
            let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            done.push((index, played));
            done.len()
        };
        progress(finished, jobs.len());
    }
}

/// One run.
fn run(stage: &Stage, contender: Contender, seed: Seed, prices: Prices) -> Played {
    match contender {
        Contender::Agent => arena::play(stage, seed, &mut Agent::new(stage, seed)),
        Contender::Hpa(target) => arena::play(stage, seed, &mut Hpa::new(stage.service, target * 100)),
        Contender::Threshold => arena::play(stage, seed, &mut Threshold::new(stage.service)),
        Contender::Static => oracle::fixed(stage, seed, prices).1,
        Contender::Peak => arena::play(stage, seed, &mut Fixed(oracle::peak(stage))),
        Contender::Oracle => oracle::oracle(stage, seed, prices),
    }
}

/// The runs of one stage, each with its contender, seed by seed.
fn of_stage<'a>(jobs: &[Job], played: &'a [(usize, Played)], stage: usize) -> Vec<(Contender, &'a Played)> {
    let of = played.iter().filter(|(index, _)| jobs[*index].stage == stage);
    of.map(|(index, played)| (jobs[*index].contender, played)).collect()
}

fn stage_report(
    plan: &ComparePlan,
    stage: &Stage,
    contenders: &[Contender],
    played: Vec<(Contender, &Played)>,
) -> StageReport {
    let capacity = stage.capacity_per_second();
    let all = |wanted: Contender| played.iter().filter(move |(contender, _)| *contender == wanted).map(|(_, run)| *run);
    let earned = |contender, factor| {
        let prices = plan.prices.replicas_times(factor);
        // At another price, who tries would have chosen otherwise.
        let best = |run: &Played| {
            let scores = run.tried.iter().chain([&run.score]);
            scores.map(|score| score.utility(prices, capacity)).fold(f64::NEG_INFINITY, f64::max)
        };
        all(contender).map(best).sum::<f64>()
    };
    let standing = |contender: &Contender| Standing {
        contender: *contender,
        scores: all(*contender).map(|run| run.score).collect(),
        share: [1.0, 0.5, 2.0].map(|factor| earned(*contender, factor) / earned(Contender::Oracle, factor)),
        moments: all(*contender).next().map(|run| run.moments.clone()).unwrap_or_default(),
    };
    StageReport {
        name: stage.name.clone(),
        about: stage.about.clone(),
        seconds: stage.scenario.duration_s,
        capacity,
        standings: contenders.iter().map(standing).collect(),
    }
}
