//! Choices, and what is learned from them.
//!
//! Answers between what a learner chooses, how its answer is journalled, and what is kept of what came of it. Does not choose
//! and does not learn. Everything that is kept or journalled is an integer: sums of integers are the same in every order,
//! so the statistics of nodes merge exactly and a replay gives the same bytes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::actions::Measure;
use crate::{ActionId, BasisPoints, Counterfactual, Knowledge, Label, Stream, Target, Timestamp};

/// Numbers that describe one option.
pub const FEATURES: usize = 11;

/// What describes one option, in basis points: each from zero to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Features(pub [u16; FEATURES]);

impl Features {
    /// The place of what is one for every option.
    pub const ALWAYS: usize = 0;

    /// The place that tells acting from doing nothing.
    pub const ACTS: usize = 1;

    /// The place that says by which share of what will be there something grows.
    pub const GROWS_BY: usize = 4;

    /// The place that says by which share of what is there something shrinks.
    pub const SHRINKS_BY: usize = 5;

    /// Whether it is an option to do something.
    pub const fn acts(&self) -> bool {
        0 < self.0[Self::ACTS]
    }
}

/// What a learner is asked: one of these must be done.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// What each option looks like. At least two.
    pub options: &'a [Features],
    /// The option that would be taken without a learner.
    pub rule: usize,
    /// What was learned.
    pub knowledge: &'a Knowledge,
}

/// Chooses among what the guards have let pass. Whatever it answers is made a distribution with a floor before anything is
/// drawn, and what was drawn meets the guards once more; nothing that a learner says can leave the envelope.
pub trait Learner: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// How likely each option should be, in any scale; or why it has nothing to say, and the rule is followed.
    fn answer(&self, question: &Question<'_>, draws: &mut Stream) -> Result<Vec<f64>, Label>;
}

/// One choice as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceRecord {
    /// The kind of action.
    pub kind: Label,
    /// On what.
    pub target: Target,
    /// What could be done. The last may be to do nothing.
    pub options: Vec<ChoiceOption>,
    /// The place of what would be taken without a learner.
    pub rule: usize,
    /// The place of what was taken.
    pub taken: usize,
    /// Who gave the probabilities.
    pub learner: Label,
    /// Why the learner was not followed, if it was not.
    pub fell_back: Option<Label>,
    /// The request that came of it; none if a guard refused it after all, or nothing was to be done.
    pub request: Option<ActionId>,
    /// What is watched because nothing was done.
    pub watch: Option<Watch>,
}

impl ChoiceRecord {
    /// The name of doing nothing among policies.
    pub const NOTHING: Label = Label::new("nothing");

    /// The place of doing nothing, if that was an option.
    pub fn nothing(&self) -> Option<usize> {
        self.options.iter().position(|option| option.policy == Self::NOTHING)
    }
}

/// One option of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceOption {
    /// Who proposed it.
    pub policy: Label,
    /// In one sentence.
    pub what: String,
    /// What it looks like.
    pub features: Features,
    /// With which probability it was to be taken.
    pub probability: BasisPoints,
}

/// Nothing was done about a target, and what comes of that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The kind of action that was not taken.
    pub kind: Label,
    /// On what.
    pub target: Target,
    /// What doing nothing looks like.
    pub features: Features,
    /// What the action would have relieved; none if it would have relieved nothing.
    pub relieved: Option<Measure>,
    /// Its value then.
    pub before: Option<u64>,
    /// What it would be if nothing were done, which is what was done.
    #[serde(default)]
    pub forecast: Option<Counterfactual>,
    /// When it is looked at again; the kind leaves the target alone until then.
    pub until: Timestamp,
}

/// What is known from choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceKnowledge {
    /// What choices were worth.
    pub sums: LinearSums,
    /// Choices whose trials are open.
    #[serde(with = "crate::pairs")]
    pub pending: BTreeMap<ActionId, PendingChoice>,
    /// Choices to do nothing that are waited for.
    pub watches: Vec<Watch>,
}

impl ChoiceKnowledge {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.sums.count == 0 && self.sums.made == 0 && self.pending.is_empty() && self.watches.is_empty()
    }

    /// Until when doing nothing is being watched for this kind on this target.
    pub fn watched_until(&self, kind: &Label, target: &Target) -> Option<Timestamp> {
        let same = |watch: &&Watch| watch.kind == *kind && watch.target == *target;
        self.watches.iter().find(same).map(|watch| watch.until)
    }
}

/// A choice whose trial is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingChoice {
    /// What it looks like.
    pub features: Features,
    /// Whether it promised to relieve something; otherwise it promised to do no harm.
    pub relieves: bool,
}

/// The sums of a linear regression: `Σ x xᵀ`, `Σ x r` and how many, in squared basis points, so that nothing is rounded; and
/// how far what was taken has strayed from what the rule would have taken, which is what a careful learner must answer for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinearSums {
    /// What the features meant when it was summed.
    pub version: u32,
    /// Choices summed.
    pub count: u64,
    /// The lower triangle of `Σ x xᵀ`, row by row.
    pub gram: Vec<i64>,
    /// `Σ x r`.
    pub vector: Vec<i64>,
    /// Choices that were made, whatever came of them.
    #[serde(default)]
    pub made: u64,
    /// `Σ (x taken − x of the rule)` over those, in basis points.
    #[serde(default)]
    pub strayed: Vec<i64>,
}

/// Why sums cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SumsFlaw {
    /// They were summed when features meant something else.
    OtherVersion,
    /// There are more or fewer of them than features allow.
    WrongShape,
    /// A sum is larger than so many choices can make it, or a sum of squares is negative.
    BeyondReach,
}

impl fmt::Display for SumsFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SumsFlaw::OtherVersion => "what was learned is of another version",
            SumsFlaw::WrongShape => "what was learned has another shape",
            SumsFlaw::BeyondReach => "what was learned is larger than it can be",
        })
    }
}

impl LinearSums {
    /// What the features mean today. Whoever changes their meaning raises it.
    pub const VERSION: u32 = 2;

    /// One, in basis points.
    const ONE: i64 = 10_000;

    /// One, in the unit of the sums.
    pub const UNIT: i64 = Self::ONE * Self::ONE;

    /// Choices after which the sums are halved, so that half of what counts is at most this old: at ten trials an hour,
    /// about a month.
    pub const COUNT_MAX: u64 = 8192;

    /// Choices that merged sums may hold: those of a thousand nodes.
    pub const MERGED_MAX: u64 = 1024 * LinearSums::COUNT_MAX;

    /// Adds one choice and its reward in basis points, which is bounded by one to either side. At the limit the past is
    /// halved first.
    pub fn add(&mut self, features: &Features, reward_bp: i64) {
        if Self::COUNT_MAX <= self.count {
            self.count = self.count.div_ceil(2);
            self.gram.iter_mut().chain(&mut self.vector).for_each(|sum| *sum /= 2);
        }
        let reward = reward_bp.clamp(-Self::ONE, Self::ONE);
        let x = features.0.map(|feature| i64::from(feature).min(Self::ONE));
        let pairs = (0..FEATURES).flat_map(|i| (0..=i).map(move |j| (i, j)));
        for (sum, (i, j)) in self.gram.iter_mut().zip(pairs) {
            *sum += x[i] * x[j];
        }
        for (sum, feature) in self.vector.iter_mut().zip(x) {
            *sum += feature * reward;
        }
        self.count += 1;
    }

    /// Takes down that `taken` was chosen where the rule would have taken `rule`. At the limit the past is halved first.
    pub fn note(&mut self, taken: &Features, rule: &Features) {
        if Self::COUNT_MAX <= self.made {
            self.made = self.made.div_ceil(2);
            self.strayed.iter_mut().for_each(|sum| *sum /= 2);
        }
        for (sum, (taken, rule)) in self.strayed.iter_mut().zip(taken.0.iter().zip(&rule.0)) {
            *sum += i64::from(*taken).min(Self::ONE) - i64::from(*rule).min(Self::ONE);
        }
        self.made += 1;
    }

    /// The sum of two. What cannot be believed adds nothing; of two that are too many together, the larger stays.
    #[must_use]
    pub fn merged(&self, other: &LinearSums) -> LinearSums {
        match (self.check(), other.check()) {
            (Ok(()), Ok(()))
                if self.count + other.count <= Self::MERGED_MAX && self.made + other.made <= Self::MERGED_MAX => {}
            (Ok(()), Ok(())) if self.count < other.count => return other.clone(),
            (Ok(()), _) => return self.clone(),
            (Err(_), Ok(())) => return other.clone(),
            (Err(_), Err(_)) => return LinearSums::default(),
        }
        let add = |one: &[i64], two: &[i64]| one.iter().zip(two).map(|(one, two)| one + two).collect();
        LinearSums {
            version: Self::VERSION,
            count: self.count + other.count,
            gram: add(&self.gram, &other.gram),
            vector: add(&self.vector, &other.vector),
            made: self.made + other.made,
            strayed: add(&self.strayed, &other.strayed),
        }
    }

    /// Whether these sums can have come from choices.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), SumsFlaw> {
        if self.version != Self::VERSION {
            return Err(SumsFlaw::OtherVersion);
        }
        if self.gram.len() != FEATURES * (FEATURES + 1) / 2
            || self.vector.len() != FEATURES
            || self.strayed.len() != FEATURES
        {
            return Err(SumsFlaw::WrongShape);
        }
        if Self::MERGED_MAX < self.count.max(self.made) {
            return Err(SumsFlaw::BeyondReach);
        }
        let most = self.count as i64 * Self::UNIT;
        let far = self.made as i64 * Self::ONE;
        let within = self.strayed.iter().all(|sum| (-far..=far).contains(sum))
            && self.gram.iter().all(|sum| (0..=most).contains(sum))
            && self.vector.iter().all(|sum| (-most..=most).contains(sum));
        if within { Ok(()) } else { Err(SumsFlaw::BeyondReach) }
    }
}

impl Default for LinearSums {
    fn default() -> Self {
        LinearSums {
            version: Self::VERSION,
            count: 0,
            gram: vec![0; FEATURES * (FEATURES + 1) / 2],
            vector: vec![0; FEATURES],
            made: 0,
            strayed: vec![0; FEATURES],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(choices: &[(u16, i64)]) -> LinearSums {
        let mut sums = LinearSums::default();
        for (feature, reward) in choices {
            let mut features = Features::default();
            features.0[0] = 10_000;
            features.0[3] = *feature;
            sums.add(&features, *reward);
            sums.note(&features, &Features::default());
        }
        sums
    }

    /// Scenario: three nodes learn from different choices and are merged in every order; one node sees everything.
    /// Guarantees: merging is addition: the order does not matter, and the merged equal the one that saw everything.
    #[test]
    fn sums_merge_in_any_order() {
        let (a, b, c) = (sums(&[(1, 5), (9999, -3)]), sums(&[(5000, 10_000)]), sums(&[(3333, -7777)]));
        assert_eq!(a.merged(&b), b.merged(&a));
        assert_eq!(a.merged(&b).merged(&c), a.merged(&b.merged(&c)));
        assert_eq!(a.merged(&b).merged(&c), sums(&[(1, 5), (9999, -3), (5000, 10_000), (3333, -7777)]));
    }

    /// Scenario: three times as many choices as are held, with rewards and features beyond one.
    /// Guarantees: the count stays bounded, no sum grows beyond what so many choices can make, and the past fades.
    #[test]
    fn sums_are_bounded_and_forget() {
        let all: Vec<_> = (0..3 * LinearSums::COUNT_MAX).map(|_| (u16::MAX, i64::MAX)).collect();
        let found = sums(&all);
        assert!(found.count <= LinearSums::COUNT_MAX && found.made <= LinearSums::COUNT_MAX);
        assert_eq!(found.check(), Ok(()));
    }

    /// Scenario: sums of another version, with a row missing, with a sum too large, negative, or too many choices.
    /// Guarantees: each is refused by name, and merging with it changes nothing.
    #[test]
    fn poisoned_sums_are_refused() {
        let good = sums(&[(1, 5)]);
        let check = |poison: &dyn Fn(&mut LinearSums), flaw| {
            let mut bad = good.clone();
            poison(&mut bad);
            assert_eq!(bad.check(), Err(flaw));
            assert_eq!(bad.merged(&good), good);
            assert_eq!(good.merged(&bad), good);
        };
        check(&|bad| bad.version = 1, SumsFlaw::OtherVersion);
        check(&|bad| bad.strayed.clear(), SumsFlaw::WrongShape);
        check(&|bad| bad.strayed[1] = i64::MAX, SumsFlaw::BeyondReach);
        check(&|bad| bad.made = u64::MAX, SumsFlaw::BeyondReach);
        check(&|bad| bad.gram.truncate(3), SumsFlaw::WrongShape);
        check(&|bad| bad.gram[0] = i64::MAX, SumsFlaw::BeyondReach);
        check(&|bad| bad.gram[0] = -1, SumsFlaw::BeyondReach);
        check(&|bad| bad.vector[4] = i64::MIN, SumsFlaw::BeyondReach);
        check(&|bad| bad.count = u64::MAX, SumsFlaw::BeyondReach);
    }
}
