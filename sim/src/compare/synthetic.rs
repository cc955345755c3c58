//! Workloads that nobody recorded.
//!
//! Answers with families of load, each drawn from a seed, so that a manager cannot be tuned to a few recordings. Loads are in
//! busy replicas; the stage brings them to size. Families differ in what can be known in advance: a day returns, a ramp goes
//! on, a crowd grows within minutes, a burst and a step announce themselves by nothing.

use homeostat_core::{Seed, Stream};
use rand::Rng;

use crate::compare::recording::Recorded;

/// A family of workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Bursts of a minute or two at random instants.
    Bursts,
    /// Crowds that grow within minutes and leave slowly.
    Flash,
    /// Days of twenty minutes, with noise.
    Diurnal,
    /// Levels that change at once, by a half at most.
    Steps,
    /// Straight lines between random levels.
    Ramps,
    /// Slow rises and sudden falls.
    Sawtooth,
}

impl Family {
    /// Every family with its name.
    pub const ALL: [(&'static str, Family); 6] = [
        ("bursts", Family::Bursts),
        ("flash", Family::Flash),
        ("diurnal", Family::Diurnal),
        ("steps", Family::Steps),
        ("ramps", Family::Ramps),
        ("sawtooth", Family::Sawtooth),
    ];

    /// The family of this name.
    pub fn named(name: &str) -> Option<Family> {
        Family::ALL.iter().find(|(known, _)| *known == name).map(|(_, family)| *family)
    }

    /// One member.
    pub fn draw(self, seed: Seed, seconds: usize) -> Recorded {
        let name = Family::ALL.iter().find(|(_, family)| *family == self).map_or("", |(name, _)| *name);
        let mut dice = Dice(seed.stream("compare/synthetic"));
        let mut load = match self {
            Family::Bursts => bursts(&mut dice, seconds),
            Family::Flash => flash(&mut dice, seconds),
            Family::Diurnal => diurnal(&mut dice, seconds),
            Family::Steps => steps(&mut dice, seconds),
            Family::Ramps => ramps(&mut dice, seconds),
            Family::Sawtooth => sawtooth(&mut dice, seconds),
        };
        load.truncate(seconds);
        let about = format!("synthetic, drawn from seed {}", seed.0);
        Recorded::Rates { name: format!("{name}-{}", seed.0), about, per_second: load }
    }
}

/// Draws of one member.
struct Dice(Stream);

impl Dice {
    /// Evenly between two numbers.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A memoryless time in whole seconds.
    fn time(&mut self, mean_s: f64) -> usize {
        (-self.between(f64::MIN_POSITIVE, 1.0).ln() * mean_s) as usize
    }
}

fn bursts(dice: &mut Dice, seconds: usize) -> Vec<f64> {
    let mut load = vec![5.0; seconds];
    let mut at = dice.time(200.0);
    while at < seconds {
        let (until, height) = (at + 30 + dice.time(60.0), dice.between(2.0, 6.0));
        load[at..until.min(seconds)].iter_mut().for_each(|load| *load += height);
        at = until + dice.time(300.0);
    }
    load
}

fn flash(dice: &mut Dice, seconds: usize) -> Vec<f64> {
    let mut load = vec![3.0; seconds];
    let mut at = 200 + dice.time(400.0);
    while at < seconds {
        let (height, rise, fall) = (dice.between(3.0, 9.0), dice.between(120.0, 300.0), dice.between(200.0, 600.0));
        for (since, load) in load[at..].iter_mut().enumerate() {
            let since = since as f64;
            *load += height * (since / rise).min(1.0) * (-(since - rise).max(0.0) / fall).exp();
        }
        at += 600 + dice.time(600.0);
    }
    load
}

fn diurnal(dice: &mut Dice, seconds: usize) -> Vec<f64> {
    let (phase, mut noise) = (dice.between(0.0, std::f64::consts::TAU), 0.0);
    let second = |at: usize| {
        noise = 0.98 * noise + dice.between(-0.03, 0.03);
        let day = 7.0 + 5.0 * (std::f64::consts::TAU * at as f64 / 1200.0 + phase).sin();
        (day * (1.0 + noise)).max(0.5)
    };
    (0..seconds).map(second).collect()
}

fn steps(dice: &mut Dice, seconds: usize) -> Vec<f64> {
    let (mut load, mut level) = (Vec::with_capacity(seconds), 6.0_f64);
    while load.len() < seconds {
        load.extend(std::iter::repeat_n(level, 180 + dice.time(240.0)));
        level = (level * dice.between(0.5, 1.5)).clamp(2.0, 12.0);
    }
    load
}

fn ramps(dice: &mut Dice, seconds: usize) -> Vec<f64> {
    let (mut load, mut from) = (Vec::with_capacity(seconds), 2.0);
    while load.len() < seconds {
        let (to, length) = (dice.between(1.5, 12.0), dice.between(120.0, 900.0));
        load.extend((0..length as usize).map(|at| from + (to - from) * at as f64 / length));
        from = to;
    }
    load
}

fn sawtooth(dice: &mut Dice, seconds: usize) -> Vec<f64> {
    let (period, height) = (dice.between(240.0, 600.0), dice.between(5.0, 9.0));
    (0..seconds).map(|at| 2.0 + height * (at as f64 % period) / period).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: every family, drawn twice from one seed and once from another.
    /// Guarantees: an hour of positive load each; a seed decides it, and another seed gives another.
    #[test]
    fn a_seed_decides_a_workload() {
        for (name, family) in Family::ALL {
            let draw = |seed| match family.draw(Seed(seed), 3600) {
                Recorded::Rates { per_second, .. } => per_second,
                other => panic!("{other:?}"),
            };
            assert_eq!(draw(1), draw(1), "{name}");
            assert_ne!(draw(1), draw(2), "{name}");
            assert!(draw(1).len() == 3600 && draw(1).iter().all(|load| 0.0 < *load), "{name}");
            assert_eq!(Family::named(name), Some(family));
        }
    }
}
