//! A world whose truth is known.
//!
//! Answers what a policy is worth, exactly: there are finitely many contexts, so every expectation is a finite sum. Rewards
//! are rare and skewed, and neither linear in the context nor the same for all arms, so that predictions are always wrong.

use homeostat_core::Seed;
use rand::Rng;

use super::super::{Arm, LoggedDecision};

const ARMS: [Arm; 4] = [Arm(0), Arm(1), Arm(2), Arm(3)];

/// The contexts, all equally likely.
pub(super) const CONTEXTS: [[f64; 2]; 6] = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.5, 2.0], [2.0, 0.5]];

/// The world.
pub(super) struct World;

impl World {
    /// The chance of a reward of one.
    fn chance(&self, context: &[f64], arm: usize) -> f64 {
        let (x, y) = (context[0], context[1]);
        match arm {
            0 => 0.1 + 0.1 * x * y,
            1 => 0.2 + 0.2 * (x - y) * (x - y) / 2.25,
            2 => 0.5 / (1.0 + 2.0 * x),
            _ => 0.15 + 0.25 * y / (1.0 + y * y),
        }
    }

    /// What the log's policy does: leans one way by context, with a floor.
    pub(super) fn followed(&self, context: &[f64]) -> Vec<f64> {
        let lean = [1.0 + context[0], 1.0, 0.5 + context[1], 1.0];
        let sum: f64 = lean.iter().sum();
        lean.iter().map(|part| 0.08 + 0.68 * part / sum).collect()
    }

    /// A better policy: mostly the best arm.
    pub(super) fn proposed(&self, context: &[f64]) -> Vec<f64> {
        self.mostly(context, |one, other| one > other)
    }

    /// A worse one: mostly the worst arm.
    pub(super) fn contrary(&self, context: &[f64]) -> Vec<f64> {
        self.mostly(context, |one, other| one < other)
    }

    fn mostly(&self, context: &[f64], wins: fn(f64, f64) -> bool) -> Vec<f64> {
        let chance = |arm| self.chance(context, arm);
        let winner = (0..ARMS.len()).fold(0, |best, arm| if wins(chance(arm), chance(best)) { arm } else { best });
        (0..ARMS.len()).map(|arm| if arm == winner { 0.7 } else { 0.1 }).collect()
    }

    pub(super) fn value_of_proposed(&self) -> f64 {
        self.value(|context| self.proposed(context))
    }

    pub(super) fn value_of_followed(&self) -> f64 {
        self.value(|context| self.followed(context))
    }

    fn value(&self, policy: impl Fn(&[f64]) -> Vec<f64>) -> f64 {
        let of_context = |context: &[f64; 2]| -> f64 {
            policy(context).iter().enumerate().map(|(arm, p)| p * self.chance(context, arm)).sum()
        };
        CONTEXTS.iter().map(of_context).sum::<f64>() / CONTEXTS.len() as f64
    }

    pub(super) fn log(&self, seed: u64, decisions: usize) -> Vec<LoggedDecision> {
        let mut stream = Seed(seed).stream("tests/logged_decisions");
        // 53 bits are what a number below one holds.
        let mut draw = move || (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let one = |episode| {
            let context = CONTEXTS[(draw() * CONTEXTS.len() as f64) as usize];
            let probabilities = self.followed(&context);
            let mut rest = draw();
            let fits = |p: &f64| {
                rest -= p;
                rest < 0.0
            };
            let taken = probabilities.iter().position(fits).unwrap_or(ARMS.len() - 1);
            let reward = if draw() < self.chance(&context, taken) { 1.0 } else { 0.0 };
            LoggedDecision {
                episode: episode as u64,
                context: context.to_vec(),
                offered: ARMS.to_vec(),
                taken: ARMS[taken],
                propensity: probabilities[taken],
                reward,
            }
        };
        (0..decisions).map(one).collect()
    }
}
