//! A learner as the policy to evaluate.
//!
//! Answers what a learner would have done at a choice in a journal: it is asked the same question, and its answer goes
//! through the same lottery with the same floor as in the loop. Does not know what the loop had learned at that time; whoever
//! needs that replays the events.

use homeostat_core::{BasisPoints, ChoiceRecord, Features, Knowledge, Learner, Question, Seed};
use homeostat_decision as decision;
use homeostat_learning::evaluation::ChoicePolicy;

/// A learner that knows nothing but the options.
pub struct Following<'a> {
    learner: &'a dyn Learner,
    exploration: BasisPoints,
    knowledge: Knowledge,
}

impl<'a> Following<'a> {
    /// Follows `learner`, and gives every option at least `exploration`.
    pub fn new(learner: &'a dyn Learner, exploration: BasisPoints) -> Following<'a> {
        Following { learner, exploration, knowledge: Knowledge::default() }
    }
}

impl ChoicePolicy for Following<'_> {
    fn probabilities(&mut self, choice: &ChoiceRecord) -> Vec<f64> {
        let options: Vec<Features> = choice.options.iter().map(|option| option.features).collect();
        let question = Question { options: &options, rule: choice.rule, knowledge: &self.knowledge };
        let mut stream = Seed::default().stream("control/following");
        let (probabilities, _) = decision::distribution(self.learner, &question, self.exploration, &mut stream);
        probabilities.into_iter().map(|probability| f64::from(probability.0) / 10_000.0).collect()
    }
}
