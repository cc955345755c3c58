//! The judge.
//!
//! Answers what becomes of a trace: kept by which rule, at which threshold, or dropped. Does not know spans, and holds no
//! trace. Every rule first names a probability, then the highest is compared with the trace's own die, once: as no
//! probability depends on the die it is for, one over it is an honest weight. Shared by all threads without a lock.

use std::collections::BTreeMap;

use homeostat_core::{SamplingProbability, Timestamp};

use super::Decision;
use super::budget::{Budget, Certain, Entry, Kind};
use super::facts::Facts;
use super::importance::{Features, Model, Standing, ln, score};
use super::keys::{Place, READINGS_MAX};
use super::seen::Seen;
use super::threshold::Threshold;
use crate::stats::{Counter, Reason, Rule};

/// A trace that scores above this is kept as long as there is room for important ones.
pub const IMPORTANT_ABOVE: f32 = 0.8;

/// How full a purse must be for its rule to keep everything; below, it keeps in proportion, so that it is never empty at
/// once and full again.
const PURSE_FULL: f64 = 32.0;
/// The same for structures that are new at each grain: new edges come first, then new numbers of calls, then new trees.
/// Whatever the finer grains take, enough is left for the coarser ones.
const NOVEL_FULL: [(f64, f64); 3] = [(0.0, 8.0), (16.0, 48.0), (48.0, 96.0)];

/// Of an operation that is well known, every so many traces are learned from: threads would wait for each other's writes.
const LEARNED_EVERY: u32 = 8;

/// Whether a rule decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    #[default]
    On,
    /// It changes nothing, and what it would have kept is counted. `probability`, the only rule that drops, drops nothing.
    DryRun,
    /// It is not asked.
    Off,
}

/// How ordinary traffic is thinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Spread {
    /// Rare operations and structures first, frequent ones share the rest.
    #[default]
    Even,
    /// Every trace at its share.
    Plain,
}

/// What the judge is told at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JudgeConfig {
    /// What errors and slow traces cost.
    pub certain: Certain,
    /// How ordinary traffic is thinned.
    pub spread: Spread,
    /// By the rule's place in the order in which rules are asked.
    pub modes: [Mode; 5],
}

impl JudgeConfig {
    /// The probability itself and nothing else, beside errors and slow traces.
    pub fn plain() -> JudgeConfig {
        let config = JudgeConfig { spread: Spread::Plain, ..JudgeConfig::default() };
        config.with(Rule::Importance, Mode::Off).with(Rule::Rare, Mode::Off)
    }

    /// The same with one rule in another mode.
    #[must_use]
    pub fn with(mut self, rule: Rule, mode: Mode) -> JudgeConfig {
        self.modes[rule.index()] = mode;
        self
    }

    /// Whether `rule` decides.
    pub fn mode(&self, rule: Rule) -> Mode {
        self.modes[rule.index()]
    }
}

/// What a rule in dry run would have kept that no earlier rule kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rehearsed {
    /// Traces.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// Spans of those traces that a later rule kept anyway.
    pub spans_kept_anyway: u64,
}

#[derive(Debug, Default)]
struct Rehearsal {
    traces: Counter,
    spans: Counter,
    spans_kept_anyway: Counter,
}

/// Decides.
#[derive(Debug)]
pub(crate) struct Judge {
    config: JudgeConfig,
    budget: Budget,
    model: Model,
    /// Structures kept, from coarse to exact.
    seen: [Seen; 3],
    rehearsals: [Rehearsal; Rule::ALL.len()],
}

/// What the rules look at.
struct Case<'a> {
    facts: &'a Facts,
    share: f64,
    places: Places,
    score: f32,
    /// The coarsest grain at which the structure has not been kept.
    novel: Option<usize>,
}

#[derive(Clone, Copy)]
struct Places {
    root: Place,
    shape: Place,
}

/// The best offer so far.
#[derive(Clone, Copy)]
struct Offer {
    rule: Rule,
    probability: f64,
}

impl Judge {
    pub(crate) fn new(config: JudgeConfig) -> Judge {
        Judge {
            config,
            budget: Budget::new(config.certain),
            model: Model::new(),
            seen: [Seen::new(), Seen::new(), Seen::new()],
            rehearsals: Default::default(),
        }
    }

    /// Decides a trace, and learns from it.
    pub(crate) fn decide(&self, now: Timestamp, facts: &Facts) -> Decision {
        let (rule, threshold) = self.weigh(now, facts);
        if threshold.keeps(facts.randomness) { Decision::Keep { rule, threshold } } else { Decision::Drop }
    }

    /// The threshold of a trace, and the rule behind it, whether or not it is reached.
    pub(crate) fn weigh(&self, now: Timestamp, facts: &Facts) -> (Rule, Threshold) {
        let case = self.study(now, facts);
        let offer = self.best_offer(&case);
        let kind = match offer.rule {
            rule if rule.is_beside_share() => Kind::Certain,
            Rule::Probability => Kind::Ordinary,
            _ => Kind::Purse,
        };
        let entry = Entry { spans: facts.spans, share: case.share, probability: offer.probability, kind };
        self.budget.book(facts.shape.coarse as usize, entry);
        let (rule, threshold) = match self.config.mode(Rule::Probability) {
            Mode::DryRun => (if offer.probability < 1.0 { Rule::Probability } else { offer.rule }, Threshold::ALWAYS),
            Mode::On | Mode::Off => (self.named(offer, case.share), self.threshold(&offer, facts.share)),
        };
        if case.novel.is_some() && threshold.keeps(facts.randomness) {
            self.remember(now, facts);
        }
        (rule, threshold)
    }

    /// What a trace is worth while it waits, from 0 to 1000: the higher, the longer it should be kept under pressure.
    pub(crate) fn value(&self, facts: &Facts) -> u32 {
        if facts.error {
            return 1000;
        }
        if facts.slow {
            return 900;
        }
        let keys = |level: &super::budget::Level, key| level.probability(level.keys.place(key));
        let rare = keys(&self.budget.roots, facts.root).max(keys(&self.budget.shapes, facts.shape.coarse));
        (rare * 800.0) as u32
    }

    /// Refreshes the levels; to be called about ten times a second.
    pub(crate) fn tick(&self, now: Timestamp) {
        self.budget.tick(now);
    }

    /// What the rules in dry run would have kept.
    pub(crate) fn rehearsed(&self) -> BTreeMap<&'static str, Rehearsed> {
        let dry = |rule: &Rule| self.config.mode(*rule) == Mode::DryRun;
        let read = |rule: Rule| {
            let rehearsal = &self.rehearsals[rule.index()];
            let (traces, spans) = (rehearsal.traces.read(), rehearsal.spans.read());
            (rule.as_str(), Rehearsed { traces, spans, spans_kept_anyway: rehearsal.spans_kept_anyway.read() })
        };
        Rule::ALL.iter().map(|(rule, _)| *rule).filter(dry).map(read).collect()
    }

    /// Who is kept for certain out of a share is kept because there are few of its kind, and should say so.
    fn named(&self, offer: Offer, share: f64) -> Rule {
        let certain = offer.rule == Rule::Probability && 1.0 <= offer.probability && share < 1.0;
        let rare =
            certain && self.config.mode(Rule::Probability) == Mode::On && self.config.mode(Rule::Rare) == Mode::On;
        if rare { Rule::Rare } else { offer.rule }
    }

    /// Counts the trace, learns from it, and finds out what the rules need to know.
    fn study<'a>(&self, now: Timestamp, facts: &'a Facts) -> Case<'a> {
        let (roots, shapes) = (&self.budget.roots.keys, &self.budget.shapes.keys);
        let places = Places { root: roots.place(facts.root), shape: shapes.place(facts.shape.coarse) };
        let before = roots.count(places.root);
        shapes.count(places.shape);
        let scored = self.config.mode(Rule::Importance) != Mode::Off;
        let score = if scored { self.score(facts, places, before) } else { 0.0 };
        let novel = if self.config.mode(Rule::Rare) == Mode::Off { None } else { self.novel(now, facts) };
        Case { facts, share: f64::from(facts.share.ppm()) / 1e6, places, score, novel }
    }

    fn score(&self, facts: &Facts, places: Places, before: u32) -> f32 {
        let (roots, shapes) = (&self.budget.roots.keys, &self.budget.shapes.keys);
        let (durations, size_mean, readings) = roots.learned(places.root);
        let standing = Standing {
            root: facts.root,
            duration: ln(facts.duration_nanos.max(1) as f32),
            size: ln(facts.spans.max(1) as f32),
            durations,
            size_mean,
            readings,
            frequency: shapes.demand(places.shape) / self.budget.traces(),
        };
        let features = Features::of(&facts.shape, &standing);
        let predicted = self.model.predict(&features);
        self.model.learn(&features, predicted, facts.error || facts.slow);
        if readings < READINGS_MAX || before.is_multiple_of(LEARNED_EVERY) {
            roots.learn(places.root, standing.duration, standing.size);
        }
        score(predicted, features.outlying())
    }

    /// A structure that was kept at a finer grain was kept at the coarser ones too, so most traces need one look.
    fn novel(&self, now: Timestamp, facts: &Facts) -> Option<usize> {
        let keys = grains(facts);
        let known = (0..keys.len()).rev().find(|grain| self.seen[*grain].contains(now, keys[*grain]));
        let novel = known.map_or(0, |grain| grain + 1);
        (novel < keys.len()).then_some(novel)
    }

    fn remember(&self, now: Timestamp, facts: &Facts) {
        for (seen, key) in self.seen.iter().zip(grains(facts)) {
            seen.add(now, key);
        }
    }

    /// Asks each rule in turn; the first of the highest offers wins.
    fn best_offer(&self, case: &Case<'_>) -> Offer {
        let ordinary = self.ordinary(case);
        let mut best = Offer { rule: Rule::Probability, probability: 0.0 };
        let mut dry = [None; Rule::ALL.len()];
        for (rule, _) in Rule::ALL {
            if 1.0 <= best.probability {
                break;
            }
            let Some(probability) = self.asks_for(*rule, case, ordinary) else { continue };
            match self.config.mode(*rule) {
                Mode::On if best.probability < probability => best = Offer { rule: *rule, probability },
                Mode::DryRun => dry[rule.index()] = Some(probability),
                Mode::On | Mode::Off => {}
            }
        }
        self.pay(best, case, ordinary);
        for (rule, _) in Rule::ALL {
            if let Some(probability) = dry[rule.index()] {
                self.rehearse(Offer { rule: *rule, probability }, best, case, ordinary);
            }
        }
        // In dry run probability spends as it would, so that what it would keep is what it would keep.
        match dry[Rule::Probability.index()] {
            Some(probability) if best.probability < probability => Offer { rule: Rule::Probability, probability },
            _ => best,
        }
    }

    /// The probability at which `rule` would keep the trace; `None` if it has nothing to say.
    fn asks_for(&self, rule: Rule, case: &Case<'_>, ordinary: f64) -> Option<f64> {
        // Rules that are paid out of the share have nothing to give where it is nothing or everything.
        let shares = 0.0 < case.share && case.share < 1.0;
        let purse = match rule {
            Rule::Error => return case.facts.error.then_some(1.0),
            Rule::Probability => return Some(ordinary),
            Rule::Slow if case.facts.slow => self.budget.slow.probability(0.0, PURSE_FULL),
            Rule::Importance if shares && IMPORTANT_ABOVE < case.score => {
                self.budget.important.probability(0.0, PURSE_FULL)
            }
            Rule::Rare if shares => {
                let (empty, full) = NOVEL_FULL[case.novel?];
                self.budget.novel.probability(empty, full)
            }
            Rule::Slow | Rule::Importance | Rule::Rare => return None,
        };
        (ordinary < purse).then_some(purse)
    }

    /// What the trace gets without any rule.
    fn ordinary(&self, case: &Case<'_>) -> f64 {
        if self.config.spread == Spread::Plain || case.share == 0.0 || 1.0 <= case.share {
            return case.share;
        }
        let budget = &self.budget;
        let by_root = budget.roots.probability(case.places.root);
        let by_shape = budget.shapes.probability(case.places.shape);
        let base = if case.facts.is_promised { 1.0 } else { budget.base() };
        (base * case.share).max(by_root).max(by_shape)
    }

    /// Purses pay for what is above the ordinary.
    fn pay(&self, offer: Offer, case: &Case<'_>, ordinary: f64) {
        let purse = match offer.rule {
            Rule::Slow => &self.budget.slow,
            Rule::Importance => &self.budget.important,
            Rule::Rare => &self.budget.novel,
            Rule::Error | Rule::Probability => return,
        };
        purse.pay((offer.probability - ordinary) * self.budget.cost(case.facts.spans));
    }

    /// Counts what a rule in dry run would have kept; it pays as if it had, so that its limits are tried as well.
    fn rehearse(&self, offer: Offer, real: Offer, case: &Case<'_>, ordinary: f64) {
        let keeps = |offer: Offer| self.threshold(&offer, case.facts.share).keeps(case.facts.randomness);
        let earlier = real.rule < offer.rule && keeps(real);
        if earlier {
            return;
        }
        self.pay(offer, case, ordinary);
        if keeps(offer) {
            let (rehearsal, spans) = (&self.rehearsals[offer.rule.index()], u64::from(case.facts.spans));
            rehearsal.traces.add(1);
            rehearsal.spans.add(spans);
            rehearsal.spans_kept_anyway.add(if keeps(real) { spans } else { 0 });
        }
    }

    fn threshold(&self, offer: &Offer, share: SamplingProbability) -> Threshold {
        match offer.rule {
            _ if 1.0 <= offer.probability => Threshold::ALWAYS,
            _ if offer.probability <= 0.0 => Threshold::of(SamplingProbability::NEVER),
            Rule::Probability if self.config.spread == Spread::Plain => Threshold::of(share),
            _ => Threshold::at_most(offer.probability),
        }
    }
}

/// A structure at each grain.
fn grains(facts: &Facts) -> [u64; 3] {
    [facts.shape.coarse, facts.shape.fine, facts.shape.tree]
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
