//! Does the learner help?
//!
//! Answers what the learner that ships earns beside the rule, in worlds in which the rule's favourite is wrong for some
//! services: they wait for a database that is at its limit, and more of them only wait together. For others beside them it
//! is right. Both run on the same seeds. What is earned is what the learner is told to earn; capacity used and seconds at the
//! limit are read off the plant, so that a learner which only pleases its own reward would show.

use homeostat_control::LOSS_MAX;
use homeostat_control::evaluation::{JournalLog, Named};
use homeostat_core::{BasisPoints, Learner, Seed};
use rand::Rng;
use serde::Serialize;

use crate::proving::in_parallel;
use crate::proving::learners::FollowsRule;
use crate::queue::EPOCH;
use crate::scenario::{Options, Scenario, run};
use crate::series::Series;
use crate::world::Keep;

/// How long a world runs.
const DURATION_S: u64 = 5400;

/// The time between two looks.
const LOOK_S: u64 = 600;

/// Services of either kind in a world.
const OF_A_KIND: u64 = 3;

/// The least probability of every option while the learner learns.
const EXPLORATION: BasisPoints = BasisPoints(200);

/// The least that any option can have: the rule is run with nothing but itself.
const HARDLY: BasisPoints = BasisPoints(1);

/// How both did up to some time.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Look {
    /// The time.
    pub until_s: u64,
    /// Choices the learner had made by then, on average.
    pub choices: f64,
    /// What the rule had earned, on average.
    pub rule: f64,
    /// What the learner had earned, on average.
    pub learner: f64,
    /// The standard error of the difference.
    pub error: f64,
    /// By how much the learner was behind for each of its choices, in the seed in which it was furthest behind.
    pub worst_per_choice: f64,
    /// The share of seeds in which that was more than the learner may risk.
    pub beyond_margin: f64,
}

/// What was read off the plant.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Plant {
    /// Instances of services that more of them does not help, on average.
    pub replicas_waiting: f64,
    /// Instances of the others, on average.
    pub replicas_helped: f64,
    /// The share of seconds in which the others used all they had.
    pub at_limit: f64,
}

/// How the learner did beside the rule.
#[derive(Clone, Debug, Serialize)]
pub struct LearnerReport {
    /// Seeds.
    pub seeds: usize,
    /// The largest loss per choice that the learner may risk.
    pub margin: f64,
    /// From look to look.
    pub looks: Vec<Look>,
    /// The plant under the rule.
    pub rule: Plant,
    /// The plant under the learner.
    pub learner: Plant,
}

/// One run.
struct Run {
    /// When each choice was made, and what it earned.
    rewards: Vec<(u64, f64)>,
    plant: Plant,
}

/// Runs `seeds` seeds from `first` on; `done` is told after each.
pub fn compare(first: u64, seeds: u64, done: &(dyn Fn() + Sync)) -> LearnerReport {
    let pair = |number: usize| {
        let seed = first + number as u64;
        [go(seed, Some(&FollowsRule), HARDLY), go(seed, None, EXPLORATION)]
    };
    let pairs = in_parallel(seeds as usize, pair, done);
    let looks = (1..=DURATION_S / LOOK_S).map(|look| look_at(&pairs, look * LOOK_S)).collect();
    let plant = |which: usize| mean_plant(&pairs, which);
    LearnerReport { seeds: pairs.len(), margin: LOSS_MAX, looks, rule: plant(0), learner: plant(1) }
}

fn go(seed: u64, learner: Option<&'static dyn Learner>, exploration: BasisPoints) -> Run {
    let mut scenario = world(seed);
    scenario.settings.learning.exploration = exploration;
    scenario.settings.learning.seed = Seed(seed);
    let options = Options { learner, keep: Keep::Records, ..Options::default() };
    let report = run(&scenario, Seed(seed), &options);
    let mut journal = JournalLog::default();
    report.records.iter().for_each(|record| journal.read(record, &mut Named::Rule));
    let rewards = journal.rewards().map(|(at, reward)| (at.since(EPOCH).0 / 1000, reward)).collect();
    Run { rewards, plant: plant(&report.series) }
}

fn world(seed: u64) -> Scenario {
    let mut draws = Seed(seed).stream("sim/proving/learner");
    let (mut services, mut workloads, mut envelopes) = (String::new(), String::new(), String::new());
    let patient = "queue_max: 100000, timeout_ms: 600000";
    for number in 0..OF_A_KIND {
        // Two workers of a tenth of a second each: twenty a second, whatever waits before them.
        services += &format!(
            "  - {{ name: waits{number}, replicas: 2, workers_per_replica: 4, {patient}, while_calling: hold, \
             service_time: {{ exponential: {{ mean_us: 5000 }} }}, calls: [{{ service: database{number} }}] }}
  - {{ name: database{number}, replicas: 1, workers_per_replica: 2, {patient}, \
             service_time: {{ exponential: {{ mean_us: 100000 }} }} }}
  - {{ name: helped{number}, replicas: 2, workers_per_replica: 2, {patient}, \
             service_time: {{ lognormal: {{ median_us: 120000, p99_us: 360000 }} }} }}\n"
        );
        let [one, two] = [0; 2].map(|_| 500 + draws.next_u32() % 400);
        workloads += &format!(
            "  - {{ service: waits{number}, shape: {{ diurnal: {{ low: 3, high: 28, period_s: {one} }} }} }}
  - {{ service: helped{number}, shape: {{ diurnal: {{ low: 4, high: 34, period_s: {two} }} }} }}\n"
        );
        envelopes += &format!(
            "      waits{number}: {{ min: 2, max: 8 }}
      database{number}: {{ min: 1, max: 1 }}
      helped{number}: {{ min: 2, max: 8 }}\n"
        );
    }
    let text = format!(
        "about: some wait for others\nduration_s: {DURATION_S}\nservices:\n{services}workloads:\n{workloads}settings:
  objectives: {{ default: {{ latency_threshold_ms: 600000 }} }}
  sampling: {{ adaptive: false }}
  scaling:\n    reduce_after_s: 60\n    services:\n{envelopes}"
    );
    let mut scenario = Scenario::parse("learner", &text).expect("the text is a scenario whatever the seed");
    scenario.settings.guards.scaling.actions_max = 1000;
    scenario
}

fn look_at(pairs: &[[Run; 2]], until_s: u64) -> Look {
    let earned = |run: &Run| run.rewards.iter().filter(|(at, _)| *at <= until_s).map(|(_, reward)| reward).sum::<f64>();
    let choices = |run: &Run| run.rewards.iter().filter(|(at, _)| *at <= until_s).count().max(1) as f64;
    let gains: Vec<f64> = pairs.iter().map(|[rule, learner]| earned(learner) - earned(rule)).collect();
    let behind: Vec<f64> = gains.iter().zip(pairs).map(|(gain, [_, learner])| -gain / choices(learner)).collect();
    let mean = |of: &dyn Fn(&[Run; 2]) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
    let gain = gains.iter().sum::<f64>() / gains.len() as f64;
    let variance = gains.iter().map(|one| (one - gain).powi(2)).sum::<f64>() / (gains.len().max(2) - 1) as f64;
    Look {
        until_s,
        choices: mean(&|[_, learner]| choices(learner)),
        rule: mean(&|[rule, _]| earned(rule)),
        learner: mean(&|[_, learner]| earned(learner)),
        error: (variance / gains.len() as f64).sqrt(),
        worst_per_choice: behind.iter().copied().fold(f64::MIN, f64::max),
        beyond_margin: behind.iter().filter(|behind| LOSS_MAX < **behind).count() as f64 / pairs.len() as f64,
    }
}

fn plant(series: &Series) -> Plant {
    let of = |kind: &'static str| {
        let places = series.services.iter().enumerate().filter(move |(_, name)| name.as_str().starts_with(kind));
        places.flat_map(|(place, _)| series.of(place))
    };
    let mean =
        |kind: &'static str| of(kind).map(|sample| f64::from(sample.replicas)).sum::<f64>() / of(kind).count() as f64;
    let at_limit = of("helped").filter(|sample| 9900 <= sample.utilization_bp).count();
    Plant {
        replicas_waiting: mean("waits"),
        replicas_helped: mean("helped"),
        at_limit: at_limit as f64 / of("helped").count() as f64,
    }
}

fn mean_plant(pairs: &[[Run; 2]], which: usize) -> Plant {
    let mean =
        |of: fn(&Plant) -> f64| pairs.iter().map(|pair| of(&pair[which].plant)).sum::<f64>() / pairs.len() as f64;
    Plant {
        replicas_waiting: mean(|plant| plant.replicas_waiting),
        replicas_helped: mean(|plant| plant.replicas_helped),
        at_limit: mean(|plant| plant.at_limit),
    }
}
