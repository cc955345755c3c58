//! Generated traffic.
//!
//! Answers what a shop's traces look like when its call structures, its rare paths and its faults are known. Does not
//! imitate any recorded system. Each profile exaggerates one thing that samplers stumble over. One seed decides everything.
//!
//! A *path* is a tree of calls between operations; its popularity follows Zipf's law. Some calls are optional, some are
//! repeated. Rare paths have a fixed small chance each. In a fault's window one operation fails: the call is repeated or a
//! fallback is called, the failure usually spreads to the callers, and one in ten failures says nothing of itself.

use homeostat_core::{Seed, Stream};
use rand::Rng;

use super::traffic::{SpanRow, Traffic, random_keys};
use crate::sample::mix;

/// What is exaggerated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Nothing: 60 paths, 20 rare ones, one trace in a hundred fails.
    #[default]
    Ordinary,
    /// One trace in eight fails: more than most budgets.
    Errors,
    /// 1500 paths.
    Shapes,
    /// One path takes nearly everything.
    Skewed,
    /// Traces of hundreds and thousands of spans.
    Long,
    /// Loops, repeated calls, and one span in fifty missing.
    Messy,
    /// Nearly every trace has a structure of its own.
    Unique,
}

impl Profile {
    /// All of them, with their names.
    pub const ALL: [(Profile, &'static str); 7] = [
        (Profile::Ordinary, "ordinary"),
        (Profile::Errors, "errors"),
        (Profile::Shapes, "shapes"),
        (Profile::Skewed, "skewed"),
        (Profile::Long, "long"),
        (Profile::Messy, "messy"),
        (Profile::Unique, "unique"),
    ];

    fn shop(self) -> Shop {
        let ordinary = Shop {
            services: 40,
            paths: 60,
            zipf: 1.1,
            rare_paths: 20,
            rare_chance: 1e-4,
            fails: 0.0004,
            fault_fails: 0.25,
            spans: (3, 16),
            optional: 0.05,
            repeated: 0.02,
            repeats_max: 4,
            missing: 0.0,
        };
        match self {
            Profile::Ordinary => ordinary,
            Profile::Errors => Shop { fails: 0.008, fault_fails: 0.6, ..ordinary },
            Profile::Shapes => Shop { paths: 1500, rare_paths: 200, rare_chance: 2e-5, zipf: 0.8, ..ordinary },
            Profile::Skewed => Shop { zipf: 3.0, ..ordinary },
            Profile::Long => Shop { spans: (5, 40), repeated: 0.15, repeats_max: 60, ..ordinary },
            Profile::Messy => Shop { repeated: 0.15, repeats_max: 8, missing: 0.02, ..ordinary },
            Profile::Unique => Shop { spans: (10, 30), repeated: 0.6, repeats_max: 6, missing: 0.05, ..ordinary },
        }
    }
}

/// Traces that begin in a second.
const TRACES_PER_SECOND: f64 = 200.0;
/// A fault begins every so many seconds and lasts for so many.
const FAULT_EVERY_S: f64 = 60.0;
const FAULT_LASTS_S: f64 = 6.0;
/// The largest trace.
const TRACE_SPANS_MAX: usize = 4000;
/// Operations of a service; the last is its fallback.
const OPERATIONS: usize = 6;

struct Shop {
    services: usize,
    paths: usize,
    zipf: f64,
    rare_paths: usize,
    rare_chance: f64,
    /// How likely a call fails, ordinarily and if it is the faulty one.
    fails: f64,
    fault_fails: f64,
    spans: (usize, usize),
    /// How likely a call is optional, and repeated.
    optional: f64,
    repeated: f64,
    repeats_max: usize,
    missing: f64,
}

struct Call {
    operation: usize,
    /// Indices of the calls it makes.
    calls: Vec<usize>,
    optional: bool,
    repeated: bool,
}

/// A tree of calls; the first is the root.
type Path = Vec<Call>;

/// Makes `count` traces.
pub fn generate(profile: Profile, count: usize, seed: u64) -> Traffic {
    let shop = profile.shop();
    let mut dice = Dice(Seed(seed).stream("evaluate/paths"));
    let paths: Vec<Path> = (0..shop.paths + shop.rare_paths).map(|_| path(&shop, &mut dice)).collect();
    let popularity: Vec<f64> = cumulated((0..shop.paths).map(|rank| ((rank + 1) as f64).powf(-shop.zipf)));
    let mut dice = Dice(Seed(seed).stream("evaluate/traces"));
    let mut rows = Vec::new();
    let mut at_s = 0.0;
    for number in 0..count {
        at_s -= (1.0 - dice.unit()).ln() / TRACES_PER_SECOND;
        let rare = dice.unit() / shop.rare_chance;
        let which = if rare < shop.rare_paths as f64 {
            shop.paths + rare as usize
        } else {
            let point = dice.unit() * popularity.last().copied().unwrap_or(0.0);
            popularity.partition_point(|sum| *sum < point).min(shop.paths - 1)
        };
        let faulty = faulty(seed, at_s, &shop);
        let mut trace = Trace { shop: &shop, path: &paths[which], faulty, number: number as u32, rows: Vec::new() };
        trace.call(0, 0, (at_s * 1e9) as u64, &mut dice);
        let missing = |row: &SpanRow, dice: &mut Dice| row.parent != 0 && dice.unit() < shop.missing;
        rows.extend(trace.rows.into_iter().filter(|row| !missing(row, &mut dice)));
    }
    Traffic::new(names(&shop), rows, &random_keys(seed, count))
}

fn names(shop: &Shop) -> Vec<(String, String)> {
    let name = |number: usize| {
        let operation = number % OPERATIONS;
        let operation = if operation + 1 == OPERATIONS { "fallback".to_owned() } else { format!("op-{operation}") };
        (format!("service-{}", number / OPERATIONS), operation)
    };
    (0..shop.services * OPERATIONS).map(name).collect()
}

fn path(shop: &Shop, dice: &mut Dice) -> Path {
    let (least, most) = shop.spans;
    let calls = least + dice.below(most - least + 1);
    let mut path: Path = Vec::with_capacity(calls);
    for number in 0..calls {
        let operation = dice.below(shop.services) * OPERATIONS + dice.below(OPERATIONS - 1);
        let (optional, repeated) = (dice.unit() < shop.optional, dice.unit() < shop.repeated);
        if 0 < number {
            let caller = dice.below(number);
            path[caller].calls.push(number);
        }
        path.push(Call { operation, calls: Vec::new(), optional, repeated });
    }
    path
}

/// The operation that fails at the time, if there is one.
fn faulty(seed: u64, at_s: f64, shop: &Shop) -> Option<usize> {
    let (number, into) = ((at_s / FAULT_EVERY_S) as u64, at_s % FAULT_EVERY_S);
    let of = mix(mix(seed, 0x6661_756c), number) as usize;
    let operation = (of / OPERATIONS % shop.services) * OPERATIONS + of % (OPERATIONS - 1);
    (FAULT_EVERY_S / 2.0..FAULT_EVERY_S / 2.0 + FAULT_LASTS_S).contains(&into).then_some(operation)
}

fn cumulated(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    weights
        .map(|weight| {
            sum += weight;
            sum
        })
        .collect()
}

/// A trace in the making.
struct Trace<'a> {
    shop: &'a Shop,
    path: &'a Path,
    faulty: Option<usize>,
    number: u32,
    rows: Vec<SpanRow>,
}

impl Trace<'_> {
    /// Makes the span of a call and of all that it calls; says when it ended and whether it failed.
    fn call(&mut self, call: usize, parent: u64, start_ns: u64, dice: &mut Dice) -> (u64, bool) {
        let Call { operation, calls, .. } = &self.path[call];
        let fails = if self.faulty == Some(*operation) { self.shop.fault_fails } else { self.shop.fails };
        let (mut now, mut failed) = (start_ns, dice.unit() < fails);
        let at = self.push(*operation, parent, start_ns);
        let own = self.rows.get(at).map_or(0, |row| row.span);
        now += own_time_ns(*operation, dice) / 2;
        for next in calls {
            let Call { optional, repeated, .. } = &self.path[*next];
            let mut times = usize::from(!*optional || dice.unit() < 0.7);
            while 0 < times && *repeated && times < self.shop.repeats_max && dice.unit() < 0.6 {
                times += 1;
            }
            for _ in 0..times.min(TRACE_SPANS_MAX.saturating_sub(self.rows.len())) {
                let (ended, broke) = self.call(*next, own, now, dice);
                now = ended;
                if broke {
                    now = self.recover(*next, own, now, dice);
                    failed |= dice.unit() < 0.7;
                }
            }
        }
        now += own_time_ns(*operation, dice) / 2;
        if let Some(row) = self.rows.get_mut(at) {
            row.end_ns = now;
            row.error = failed && 0.1 <= dice.unit();
        }
        (now, failed)
    }

    /// A failed call is made once more, or its service's fallback is called, or neither.
    fn recover(&mut self, call: usize, parent: u64, now: u64, dice: &mut Dice) -> u64 {
        let operation = self.path[call].operation;
        let answer = dice.unit();
        let instead = match answer {
            _ if answer < 0.4 => operation,
            _ if answer < 0.8 => operation / OPERATIONS * OPERATIONS + OPERATIONS - 1,
            _ => return now,
        };
        let ended = now + own_time_ns(instead, dice);
        let at = self.push(instead, parent, now);
        if let Some(row) = self.rows.get_mut(at) {
            row.end_ns = ended;
        }
        ended
    }

    fn push(&mut self, operation: usize, parent: u64, start_ns: u64) -> usize {
        let span = mix(u64::from(self.number) << 32 | self.rows.len() as u64, 0x7370_616e).max(1);
        let row = SpanRow {
            trace: self.number,
            span,
            parent,
            operation: operation as u32,
            start_ns,
            end_ns: start_ns,
            error: false,
        };
        self.rows.push(row);
        self.rows.len() - 1
    }
}

/// Log-normal around a median of the operation's own, between a tenth of a millisecond and ten.
fn own_time_ns(operation: usize, dice: &mut Dice) -> u64 {
    let median = 1e5 * 10_f64.powf(2.0 * (mix(operation as u64, 0x7469_6d65) % 1000) as f64 / 1000.0);
    (median * (0.6 * dice.normal()).exp()) as u64
}

struct Dice(Stream);

impl Dice {
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    /// After Box and Muller.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: each profile twice with one seed and once with another.
    /// Guarantees: one seed makes one traffic, another makes another, and every profile has failures and structures.
    #[test]
    fn a_seed_decides_everything() {
        for (profile, name) in Profile::ALL {
            let make = |seed| {
                let traffic = generate(profile, 2000, seed);
                let trees: Vec<u64> = traffic.traces.iter().map(|trace| trace.shape.tree).collect();
                (traffic.spans.len(), trees, traffic.traces.iter().filter(|trace| trace.error).count())
            };
            let (first, again, other) = (make(1), make(1), make(2));
            assert_eq!(first, again, "{name}");
            assert_ne!(first, other, "{name}");
            assert!(0 < first.2 && first.2 < 1000, "{name}: {}", first.2);
        }
    }
}
