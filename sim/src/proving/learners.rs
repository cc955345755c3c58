//! Learners that learn nothing.
//!
//! Answers how the policies behave that are evaluated and compared: one tosses, one follows the rule, one does nothing.

use homeostat_core::{Features, Label, Learner, Question, Stream};

/// Gives every option the same.
pub(crate) struct Tosses;

impl Learner for Tosses {
    fn name(&self) -> &'static str {
        "tosses"
    }

    fn answer(&self, question: &Question<'_>, _: &mut Stream) -> Result<Vec<f64>, Label> {
        Ok(vec![1.0; question.options.len()])
    }
}

/// Takes what the rule would take.
pub(crate) struct FollowsRule;

impl Learner for FollowsRule {
    fn name(&self) -> &'static str {
        "follows_rule"
    }

    fn answer(&self, question: &Question<'_>, _: &mut Stream) -> Result<Vec<f64>, Label> {
        Ok((0..question.options.len()).map(|option| f64::from(u8::from(option == question.rule))).collect())
    }
}

/// Does nothing where that is an option.
pub(crate) struct DoesNothing;

impl Learner for DoesNothing {
    fn name(&self) -> &'static str {
        "does_nothing"
    }

    fn answer(&self, question: &Question<'_>, _: &mut Stream) -> Result<Vec<f64>, Label> {
        let is_nothing = |option: &Features| !option.acts();
        if !question.options.iter().any(is_nothing) {
            return Err(Label::new("nothing is no option"));
        }
        Ok(question.options.iter().map(|option| f64::from(u8::from(is_nothing(option)))).collect())
    }
}
