//! The learner: a conservative linear bandit.
//!
//! Answers how likely each option of a choice should be, from one linear regression over what options look like, shared by
//! all targets: a fleet has few trials of any one thing. It takes the option whose upper 95 % bound is highest (LinUCB: Li et
//! al., A contextual-bandit approach to personalized news article recommendation, 2010); what it does not take keeps the floor
//! that the lottery gives, so every probability is known exactly and none is zero.
//!
//! It is conservative: an option other than the rule's takes part only while everything that was ever chosen instead of the
//! rule's, this option included, has with 95 % confidence lost no more than a stated margin for every choice made (Kazerouni,
//! Ghavamzadeh, Abbasi-Yadkori, Van Roy, Conservative contextual linear bandits, 2017). Asking that of each choice alone is the
//! obvious alternative and learns too slowly to be of use: an option that the floor alone tries is known after hundreds of
//! choices. What is not linear it learns wrongly; then trials go on saying so, and the guards hold in any case.
//!
//! Thompson sampling (Agrawal and Goyal, Thompson sampling for contextual bandits with linear payoffs, 2013) is the obvious
//! alternative, above all when outcomes come late and many choices are made meanwhile. In the test beside this file, with
//! outcomes 25 choices late, both lose about the same (0.053 and 0.049 per choice, where the rule loses 0.343 and a caution
//! about each choice alone 0.204), and their logs are worth about the same to an evaluation (54 and 61 effective decisions
//! of 600). Bounds need one factorisation and no draw, and can be told in a sentence, so they ship.
//!
//! When the sums cannot be believed, or too little is in them, it says so and the rule is followed.

mod posterior;

use homeostat_core::{FEATURES, Label, Learner, LinearSums, Question, Stream, SumsFlaw};

use crate::bandit::posterior::Posterior;

/// The learner that ships.
pub const LINEAR_BANDIT: LinearBandit = LinearBandit;

/// Choices learned from before anything but the rule is preferred: three for each feature.
const LEARNED_MIN: u64 = 30;

/// The largest loss against the rule per choice, over all choices together, that is risked with 95 % confidence, in rewards
/// that go from minus one to one: what five actions for nothing cost.
pub const LOSS_MAX: f64 = 0.05;

/// The one-sided 95 % point of the normal distribution.
const NORMAL_95: f64 = 1.644_853_626_951_472_2;

/// The conservative linear bandit.
#[derive(Clone, Copy, Debug)]
pub struct LinearBandit;

impl Learner for LinearBandit {
    fn name(&self) -> &'static str {
        "linear_bandit"
    }

    fn answer(&self, question: &Question<'_>, _: &mut Stream) -> Result<Vec<f64>, Label> {
        let sums = &question.knowledge.choices.sums;
        let posterior = believed(sums)?;
        let upper = |option: &[f64; FEATURES]| posterior.expected(option) + NORMAL_95 * posterior.deviation(option);
        let bounds: Vec<_> = question.options.iter().map(posterior::scaled).map(|option| upper(&option)).collect();
        let best = (0..bounds.len())
            .filter(|option| LEARNED_MIN <= sums.count && takes_part(&posterior, question, *option))
            .fold(question.rule, |best, option| if bounds[best] < bounds[option] { option } else { best });
        Ok((0..bounds.len()).map(|option| if option == best { 1.0 } else { 0.0 }).collect())
    }
}

/// Whether with this option too, what was chosen instead of the rule's would surely have lost no more than may be risked.
fn takes_part(posterior: &Posterior, question: &Question<'_>, option: usize) -> bool {
    let sums = &question.knowledge.choices.sums;
    let [option, rule] = [option, question.rule].map(|index| posterior::scaled(&question.options[index]));
    let strayed = |place: usize| sums.strayed[place] as f64 / 10_000.0 + option[place] - rule[place];
    let risked = LOSS_MAX * (sums.made + 1) as f64;
    -risked <= posterior.lower(&std::array::from_fn(strayed), NORMAL_95)
}

fn believed(sums: &LinearSums) -> Result<Posterior, Label> {
    sums.check().map_err(|flaw| match flaw {
        SumsFlaw::OtherVersion => Label::new("what was learned is of another version"),
        SumsFlaw::WrongShape => Label::new("what was learned has another shape"),
        SumsFlaw::BeyondReach => Label::new("what was learned is larger than it can be"),
    })?;
    Posterior::of(sums).ok_or(Label::new("what was learned contradicts itself"))
}

#[cfg(test)]
mod tests;
