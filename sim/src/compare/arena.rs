//! One run of one manager.
//!
//! Answers how a manager fares on a stage. Every manager meets the same plant, the same arrivals and the same seed, is shown
//! the same readings once a second, and waits half a second until an order reaches the plant. What it makes of the readings,
//! and how seldom it looks at them, is its own.

use homeostat_core::Seed;

use crate::compare::Stage;
use crate::compare::managers::Manager;
use crate::compare::score::Score;
use crate::plants::{Queueing, Readings, ServiceReadings};
use crate::queue::SimTime;

/// From an order until the plant has it, in microseconds.
const ORDER_DELAY_US: u64 = 500_000;

/// How one second was.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// Requests answered.
    pub requests: u32,
    /// Of these, failed or late.
    pub bad: u32,
    /// 99th percentile of latency, in microseconds.
    pub p99_us: u32,
    /// Replicas that serve.
    pub ready: u32,
    /// Replicas asked for.
    pub wanted: u32,
}

/// A run.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// In plain numbers.
    pub score: Score,
    /// Second by second.
    pub moments: Vec<Moment>,
    /// Of who tries before it plays: everything that was tried, this included.
    pub tried: Vec<Score>,
}

/// Lets `manager` play `stage`.
pub(crate) fn play(stage: &Stage, seed: Seed, manager: &mut dyn Manager) -> Played {
    let scenario = &stage.scenario;
    let (floor, ceiling) = stage.envelope();
    let mut spec = scenario.plant.clone();
    if let Some(start) = manager.start() {
        spec.services[stage.service].replicas = start.clamp(floor, ceiling);
    }
    let mut plant = Queueing::new(spec, scenario.workloads.clone(), &scenario.slow_above(), seed);
    let (mut readings, mut before) = (Readings::default(), ServiceReadings::default());
    let mut book = Book::new(stage);
    for second in 1..=scenario.duration_s {
        let now = SimTime::from_secs(second);
        plant.advance(now);
        plant.read(now, &mut readings);
        let reading = readings.services[stage.service];
        book.second(&reading, &before);
        before = reading;
        let order = manager.second(now, &readings);
        let due = SimTime(now.0 + ORDER_DELAY_US);
        plant.advance(due);
        if let Some(order) = order {
            plant.set_replicas(due, stage.service, order.clamp(floor, ceiling));
        }
        manager.carried_out(due);
    }
    book.played
}

/// What is written down of a run.
struct Book {
    played: Played,
    budget: f64,
    last: Option<(u32, bool)>,
}

impl Book {
    fn new(stage: &Stage) -> Book {
        let moments = Vec::with_capacity(stage.scenario.duration_s as usize);
        Book { played: Played { moments, ..Played::default() }, budget: stage.budget(), last: None }
    }

    fn second(&mut self, now: &ServiceReadings, before: &ServiceReadings) {
        let requests = now.totals.requests - before.totals.requests;
        // Whoever gives up has also waited too long, so the two overlap; the larger is what was bad.
        let slow = now.totals.slow - before.totals.slow;
        let bad = slow.max(now.totals.errors - before.totals.errors).min(requests);
        let score = &mut self.played.score;
        score.good += requests - bad;
        score.bad += bad;
        score.broken_s += u64::from(self.budget * (requests as f64) < bad as f64);
        score.replica_s += u64::from(now.replicas_wanted);
        self.played.moments.push(Moment {
            requests: requests as u32,
            bad: bad as u32,
            p99_us: now.p99_us.map_or(0, |us| u32::try_from(us).unwrap_or(u32::MAX)),
            ready: now.replicas,
            wanted: now.replicas_wanted,
        });
        self.turn(now.replicas_wanted);
    }

    fn turn(&mut self, wanted: u32) {
        let score = &mut self.played.score;
        let Some((last, was_up)) = self.last else {
            self.last = Some((wanted, true));
            return;
        };
        if wanted == last {
            return;
        }
        let is_up = last < wanted;
        score.reversals += u64::from(0 < score.actions && is_up != was_up);
        score.actions += 1;
        self.last = Some((wanted, is_up));
    }
}
