//! Importance.
//!
//! Answers how much a trace resembles those that failed or were slow, from its structure, its duration and its size, without
//! looking at its status: what fails silently looks like what failed aloud. Does not decide. A logistic model with a weight
//! per call edge, learned on the spot from every trace that passes; it is small enough to be judged and updated in the time
//! a span takes to parse, and needs no labels but the ones traces carry. Step sizes after AdaGrad: Duchi, Hazan and Singer,
//! "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::keys::Moments;
use super::shape::{EDGES_MAX, Shape};

/// Weights; edges share them by hash.
const WEIGHTS: usize = 1 << 14;
/// The first step of each weight; later ones are smaller the more it has moved.
const STEP: f32 = 0.25;
/// How much of the past movement of a weight counts at the next: after some thousands of surprises it is free again.
const FORGET: f32 = 0.9995;
/// Predictions nearer to the truth teach nothing worth the writing.
const TAUGHT_ABOVE: f32 = 0.02;
/// Readings of a root operation before its durations say anything.
const READINGS_MIN: u32 = 32;
/// Deviations above the mean at which a duration alone is half important. Log-normal durations never get there by chance.
const OUTLYING_DEVIATIONS: f32 = 6.0;
/// The smallest deviation of the logarithm of durations: a tenth, so that a steady operation is not important when it jitters.
const DEVIATION_MIN: f32 = 0.1;

/// Features beside the edges: always, this root operation, duration, size, rarity.
const DENSE: usize = 5;

/// What is known of a trace beside its edges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Key of the root operation.
    pub(crate) root: u64,
    /// Natural logarithms of the duration in nanoseconds and of the span count.
    pub(crate) duration: f32,
    pub(crate) size: f32,
    /// What the root operation's traces are like.
    pub(crate) durations: Moments,
    pub(crate) size_mean: f32,
    pub(crate) readings: u32,
    /// The share of traces that have this shape.
    pub(crate) frequency: f32,
}

/// Where a trace's features have their weights, and how strong they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Features {
    places: [u16; DENSE + EDGES_MAX],
    dense: [f32; DENSE],
    len: usize,
    deviations: f32,
}

/// The model.
#[derive(Debug)]
pub(crate) struct Model(Box<[AtomicU64]>);

impl Model {
    pub(crate) fn new() -> Model {
        Model((0..WEIGHTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// The probability that such a trace failed or was slow.
    pub(crate) fn predict(&self, features: &Features) -> f32 {
        let margin: f32 = features.each().map(|(place, value)| self.weight(place).0 * value).sum();
        sigmoid(margin)
    }

    /// Learns what became of a trace for which `predicted` was said.
    pub(crate) fn learn(&self, features: &Features, predicted: f32, went_wrong: bool) {
        let surprise = predicted - f32::from(u8::from(went_wrong));
        if surprise.abs() < TAUGHT_ABOVE {
            return;
        }
        for (place, value) in features.each() {
            let gradient = surprise * value;
            let (weight, moved) = self.weight(place);
            let moved = moved * FORGET + gradient * gradient;
            let weight = weight - STEP * gradient / (moved + 1e-3).sqrt();
            self.0[place].store(u64::from(weight.to_bits()) << 32 | u64::from(moved.to_bits()), Relaxed);
        }
    }

    fn weight(&self, place: usize) -> (f32, f32) {
        let bits = self.0[place].load(Relaxed);
        (f32::from_bits((bits >> 32) as u32), f32::from_bits(bits as u32))
    }
}

impl Features {
    pub(crate) fn of(shape: &Shape, standing: &Standing) -> Features {
        let known = READINGS_MIN <= standing.readings;
        let deviation = standing.durations.variance.sqrt().max(DEVIATION_MIN);
        let deviations = if known { (standing.duration - standing.durations.mean) / deviation } else { 0.0 };
        let size = if known { standing.size - standing.size_mean } else { 0.0 };
        let rarity = -ln(standing.frequency.max(1e-6)) / 10.0;
        let mut features = Features {
            places: [0; DENSE + EDGES_MAX],
            dense: [1.0, 1.0, (deviations / 3.0).clamp(-1.0, 3.0), size.clamp(-2.0, 2.0), rarity],
            len: DENSE,
            deviations,
        };
        features.places[..DENSE].copy_from_slice(&[0, place(standing.root as u32 ^ 0x5f5f_5f5f), 1, 2, 3]);
        for edge in shape.edges() {
            features.places[features.len] = place(*edge);
            features.len += 1;
        }
        features
    }

    /// How far out the duration is among those of its root operation: 0 to 1.
    pub(crate) fn outlying(&self) -> f32 {
        sigmoid(2.0 * (self.deviations - OUTLYING_DEVIATIONS))
    }

    fn each(&self) -> impl Iterator<Item = (usize, f32)> {
        let value = |at: usize| self.dense.get(at).copied().unwrap_or(1.0);
        self.places[..self.len].iter().enumerate().map(move |(at, place)| (usize::from(*place), value(at)))
    }
}

/// The score of a trace: it is unlikely that neither its structure nor its duration is a sign.
pub(crate) fn score(predicted: f32, outlying: f32) -> f32 {
    1.0 - (1.0 - predicted) * (1.0 - outlying)
}

/// The first places belong to the dense features.
fn place(hash: u32) -> u16 {
    (hash as usize % (WEIGHTS - DENSE) + DENSE) as u16
}

/// The natural logarithm of a positive number to within a thousandth, in a fraction of the time: the exponent as it stands,
/// and a polynomial through the mantissa.
pub(crate) fn ln(number: f32) -> f32 {
    let bits = number.to_bits();
    let exponent = (bits >> 23) as f32 - 127.0;
    let above = f32::from_bits(bits & 0x007f_ffff | 0x3f80_0000) - 1.0;
    let log2 = above + above * (1.0 - above) * (0.43807 + above * (-0.23669 + above * 0.08031));
    (exponent + log2) * std::f32::consts::LN_2
}

fn sigmoid(margin: f32) -> f32 {
    1.0 / (1.0 + (-margin).exp())
}

#[cfg(test)]
mod tests {
    use homeostat_core::Seed;
    use rand::Rng;

    use super::*;
    use crate::sample::shape::{Node, Shaper};

    fn shape(ops: &[u64]) -> Shape {
        let nodes = ops.iter().zip(1..).map(|(op, span)| Node { span, parent: span - 1, op: *op, error: false });
        Shaper::default().shape(&nodes.collect::<Vec<_>>())
    }

    fn standing(duration: f32) -> Standing {
        let durations = Moments { mean: 10.0, variance: 0.25 };
        Standing { root: 1, duration, size: 1.0, durations, size_mean: 1.0, readings: 100, frequency: 0.1 }
    }

    /// Scenario: traces that take a fallback fail nine times in ten, others one time in a hundred.
    /// Guarantees: after some thousands, a fallback alone makes a trace important and its absence does not, whatever the
    /// trace says of itself; when the fallback has become harmless, that is learned too.
    #[test]
    fn what_looks_like_failing_is_found() {
        let model = Model::new();
        let mut stream = Seed(1).stream("test/importance");
        let (usual, fallback) = (shape(&[1, 2, 3]), shape(&[1, 2, 9]));
        let mut teach = |fails_in_100: u64, count: u32| {
            for _ in 0..count {
                let falls_back = stream.next_u64().is_multiple_of(50);
                let fails = stream.next_u64() % 100 < if falls_back { fails_in_100 } else { 1 };
                let features = Features::of(if falls_back { &fallback } else { &usual }, &standing(10.0));
                model.learn(&features, model.predict(&features), fails);
            }
        };
        let said = |shape: &Shape| model.predict(&Features::of(shape, &standing(10.0)));
        teach(90, 20_000);
        assert!(0.8 < said(&fallback) && said(&usual) < 0.05, "{} {}", said(&fallback), said(&usual));
        teach(1, 20_000);
        assert!(said(&fallback) < 0.3, "{}", said(&fallback));
    }

    /// Scenario: numbers from a millionth to a billion.
    /// Guarantees: the quick logarithm is the logarithm to within a thousandth.
    #[test]
    fn the_quick_logarithm_is_good_enough() {
        for exponent in -60..100 {
            let number = 1.2345_f32.powi(exponent);
            assert!((ln(number) - number.ln()).abs() < 1e-3, "{number}");
        }
        assert!(ln(1.0).abs() < 1e-6);
    }

    /// Scenario: durations at the mean, three and eight deviations above it, and of an operation hardly known.
    /// Guarantees: only the far one is important by itself.
    #[test]
    fn only_far_durations_are_important() {
        let shape = shape(&[1]);
        let outlying = |duration| Features::of(&shape, &standing(duration)).outlying();
        assert!(outlying(10.0) < 0.01 && outlying(11.5) < 0.01);
        assert!(0.9 < outlying(14.0));
        let unknown = Standing { readings: 3, ..standing(100.0) };
        assert!(Features::of(&shape, &unknown).outlying() < 0.01);
        assert!((score(0.5, 0.5) - 0.75).abs() < 1e-6);
    }
}
