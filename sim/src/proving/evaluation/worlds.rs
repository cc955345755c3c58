//! The worlds.
//!
//! Answers what is logged and what is run for the truth: services that stand side by side, each hit by one burst of a height
//! and at a time of its own. While it lasts, the loop asks again and again whether to add capacity or to do nothing. Sampling
//! stays as it is, and no incident opens, because then nothing would be no option.

use homeostat_core::{BasisPoints, Learner, Seed, TickRecord};
use rand::Rng;

use crate::scenario::{Options, Scenario, run};
use crate::world::Keep;

/// Services in a world: one episode each.
const SERVICES: u64 = 10;

/// The journal of one world, whose loop asks `learner` and gives every option at least `exploration`.
pub(crate) fn records(seed: u64, learner: &'static dyn Learner, exploration: BasisPoints) -> Vec<TickRecord> {
    let mut scenario = world(seed);
    scenario.settings.learning.exploration = exploration;
    scenario.settings.learning.seed = Seed(seed);
    let options = Options { learner: Some(learner), keep: Keep::Records, ..Options::default() };
    run(&scenario, Seed(seed), &options).records
}

fn world(seed: u64) -> Scenario {
    let mut draws = Seed(seed).stream("sim/proving/evaluation");
    let mut text = String::from("about: bursts here and there\nduration_s: 250\nservices:\n");
    let (mut workloads, mut envelopes) = (String::new(), String::new());
    for service in 0..SERVICES {
        text += &format!(
            "  - {{ name: s{service}, replicas: 2, workers_per_replica: 2, queue_max: 100000, timeout_ms: 600000, \
             service_time: {{ lognormal: {{ median_us: 120000, p99_us: 360000 }} }} }}\n"
        );
        // A forecast has seen a minute and a half of the calm before.
        let from_s = 120 + draws.next_u32() % 15;
        // A work of 135 ms on average: 21 to 32 a second use 70 to 108 % of four workers.
        let (peak, to_s) = (21 + draws.next_u32() % 12, from_s + 40 + draws.next_u32() % 25);
        workloads += &format!(
            "  - {{ service: s{service}, shape: {{ burst: {{ base: 10, peak: {peak}, from_s: {from_s}, to_s: {to_s} }} }} }}\n"
        );
        envelopes += &format!("      s{service}: {{ min: 2, max: 8 }}\n");
    }
    text += &format!(
        "workloads:\n{workloads}settings:\n  objectives: {{ default: {{ latency_threshold_ms: 600000 }} }}\n  sampling: {{ adaptive: false }}\n  scaling:\n    services:\n{envelopes}"
    );
    let mut scenario = Scenario::parse("evaluation", &text).expect("the text is a scenario whatever the seed");
    // No budget is ever spent: services must not influence each other through it.
    scenario.settings.guards.scaling.actions_max = 1000;
    scenario
}
