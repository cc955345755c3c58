//! The prediction of rewards.
//!
//! Answers which reward an arm would have brought in a context: one ridge regression per arm, on the context and a constant.
//! Biased wherever rewards are not linear, so it never estimates alone; it only makes other estimators less uncertain. The
//! episodes are dealt to folds, and a record is predicted from the other folds only (cross-fitting: Chernozhukov et al.,
//! Double/debiased machine learning, 2018). Something stronger than linear would predict better and is not needed for that.

use std::collections::BTreeMap;

use crate::evaluation::log::{Answer, Arm, LoggedDecision, Weighed};
use crate::linear::{Factor, dot, triangle};

/// Folds: a model sees nine tenths of the log or a little less; more folds cost as many fits more and change little.
const FOLDS: usize = 5;

/// What is added to the diagonal: one imagined decision per feature, with reward zero.
const RIDGE: f64 = 1.0;

/// One model per fold, fitted to everything outside it.
pub(crate) struct RewardModel {
    folds: Vec<BTreeMap<Arm, Vec<f64>>>,
}

impl RewardModel {
    pub(crate) fn cross_fitted(weighed: &Weighed<'_>) -> RewardModel {
        let others = |fold: usize| weighed.pairs().filter(move |(_, answer)| answer.episode % FOLDS != fold);
        let fit = |fold: usize| fitted(others(fold).map(|(decision, _)| decision));
        RewardModel { folds: (0..FOLDS).map(fit).collect() }
    }

    /// The predicted reward of `arm` in a context of `episode`; zero for an arm that the model has not seen.
    pub(crate) fn of_arm(&self, episode: usize, context: &[f64], arm: Arm) -> f64 {
        let coefficients = self.folds[episode % FOLDS].get(&arm);
        coefficients.map_or(0.0, |coefficients| coefficients[0] + dot(&coefficients[1..], context))
    }

    /// The predicted reward of what the evaluated policy would have done.
    pub(crate) fn of_policy(&self, decision: &LoggedDecision, answer: &Answer) -> f64 {
        let arms = decision.offered.iter().zip(&answer.probabilities);
        arms.map(|(arm, probability)| probability * self.of_arm(answer.episode, &decision.context, *arm)).sum()
    }

    /// What the prediction got wrong.
    pub(crate) fn residual(&self, decision: &LoggedDecision, answer: &Answer) -> f64 {
        decision.reward - self.of_arm(answer.episode, &decision.context, decision.taken)
    }
}

/// The sums of one regression.
struct Sums {
    gram: Vec<f64>,
    vector: Vec<f64>,
}

fn fitted<'a>(log: impl Iterator<Item = &'a LoggedDecision>) -> BTreeMap<Arm, Vec<f64>> {
    let mut sums: BTreeMap<Arm, Sums> = BTreeMap::new();
    for decision in log {
        let rows = decision.context.len() + 1;
        let empty = || Sums { gram: vec![0.0; triangle(rows)], vector: vec![0.0; rows] };
        let found = sums.entry(decision.taken).or_insert_with(empty);
        let feature = |index: usize| if index == 0 { 1.0 } else { decision.context[index - 1] };
        for i in 0..rows {
            found.vector[i] += feature(i) * decision.reward;
            for j in 0..=i {
                found.gram[triangle(i) + j] += feature(i) * feature(j);
            }
        }
    }
    sums.into_iter().filter_map(|(arm, sums)| Some((arm, solved(&sums)?))).collect()
}

fn solved(sums: &Sums) -> Option<Vec<f64>> {
    let element = |i: usize, j: usize| sums.gram[triangle(i) + j] + if i == j { RIDGE } else { 0.0 };
    let coefficients = Factor::of(sums.vector.len(), element)?.solve(&sums.vector);
    coefficients.iter().all(|value| value.is_finite()).then_some(coefficients)
}
