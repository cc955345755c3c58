//! Logged decisions from a journal.
//!
//! Answers which choices of a journal can be evaluated, with what each was worth, and what another policy would have done in
//! their place. Rewards are those the learner learns from. What differs from choice to choice is mapped to roles that recur:
//! what the rule would have done, doing nothing, and the other proposals of each policy.
//!
//! Choices about one target are an episode as long as none comes much later than the one before: what was done changes what
//! the next choice meets. An episode is cut before the first choice of which it is not known what came of it, because later
//! ones rest on it; usually that is where the journal ends. What outlasts an episode, such as capacity that was not given back,
//! is taken as it was found.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_core::{ActionId, ChoiceRecord, Label, Millis, PendingChoice, Target, TickRecord, Timestamp, Watch};

use crate::evaluation::{Arm, BadRecord, Evaluation, LoggedDecision, evaluate};
use crate::outcomes;

/// Choices taken from one journal; more are left out.
const CHOICES_MAX: usize = 1_000_000;

/// A target that was left alone for this long begins a new episode: twice as long as the slowest action takes to be carried
/// out and to show.
const EPISODE_GAP: Millis = Millis::from_secs(160);

/// What an option is in its choice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// What the rule would have done.
    Rule,
    /// Nothing.
    Nothing,
    /// The so-manieth other proposal of a policy.
    Other(Label, usize),
    /// Something that was no option.
    Elsewhere,
}

/// Another policy, asked where a choice was made.
pub trait ChoicePolicy {
    /// The probability of each option of `choice`, in their order. What is missing to one it gives to things that were no
    /// option.
    fn probabilities(&mut self, choice: &ChoiceRecord) -> Vec<f64>;
}

/// Policies that any journal can be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// What is done without a learner.
    Rule,
    /// Nothing, wherever that is an option, and the rule elsewhere.
    Nothing,
    /// Everything alike.
    Uniform,
}

impl ChoicePolicy for Named {
    fn probabilities(&mut self, choice: &ChoiceRecord) -> Vec<f64> {
        let chosen = match self {
            Named::Rule => Some(choice.rule),
            Named::Nothing => choice.nothing().or(Some(choice.rule)),
            Named::Uniform => None,
        };
        let even = 1.0 / choice.options.len() as f64;
        let each = |index| chosen.map_or(even, |chosen| if index == chosen { 1.0 } else { 0.0 });
        (0..choice.options.len()).map(each).collect()
    }
}

/// One choice, what the other policy would have done, and what is known of its reward.
#[derive(Debug)]
struct Entry {
    at: Timestamp,
    decision: LoggedDecision,
    probabilities: Vec<f64>,
    reward_bp: Option<i64>,
}

/// Takes records, oldest first, and keeps the decisions whose rewards they show.
#[derive(Debug, Default)]
pub struct JournalLog {
    roles: BTreeMap<Role, Arm>,
    entries: Vec<Entry>,
    episodes: u64,
    running: BTreeMap<Target, (u64, Timestamp)>,
    open: BTreeMap<ActionId, (PendingChoice, usize)>,
    watched: Vec<(Watch, usize)>,
}

impl JournalLog {
    /// Takes the next record, and asks `policy` at its choices.
    pub fn read(&mut self, record: &TickRecord, policy: &mut dyn ChoicePolicy) {
        for choice in &record.plan.choices {
            self.note(choice, record, policy);
        }
        for outcome in &record.outcomes {
            let Some((pending, place)) = self.open.remove(&outcome.id) else { continue };
            self.entries[place].reward_bp = outcomes::reward_bp(pending, outcome);
        }
        let watched = std::mem::take(&mut self.watched);
        for (watch, place) in watched {
            match watch.until <= record.at {
                true => self.entries[place].reward_bp = outcomes::watch_reward_bp(&watch, &record.snapshot),
                false => self.watched.push((watch, place)),
            }
        }
    }

    /// What follows has nothing to do with what came before: another system's journal.
    pub fn part(&mut self) {
        self.running.clear();
        self.open.clear();
        self.watched.clear();
    }

    /// The decisions of every episode up to the first without a known reward, with what the other policy would have done at
    /// each.
    pub fn decisions(&self) -> (Vec<LoggedDecision>, Vec<Vec<f64>>) {
        let mut cut = BTreeSet::new();
        let decision = |entry: &Entry| {
            let Some(reward_bp) = entry.reward_bp.filter(|_| !cut.contains(&entry.decision.episode)) else {
                cut.insert(entry.decision.episode);
                return None;
            };
            let reward = reward_bp as f64 / 10_000.0;
            Some((LoggedDecision { reward, ..entry.decision.clone() }, entry.probabilities.clone()))
        };
        self.entries.iter().filter_map(decision).unzip()
    }

    /// When each choice was made of which it is known, and what it earned.
    pub fn rewards(&self) -> impl Iterator<Item = (Timestamp, f64)> {
        self.entries.iter().filter_map(|entry| Some((entry.at, entry.reward_bp? as f64 / 10_000.0)))
    }

    /// Evaluates the policy that was asked.
    ///
    /// # Errors
    /// The first record that cannot be believed.
    pub fn evaluate(&self) -> Result<Evaluation, BadRecord> {
        let (log, answers) = self.decisions();
        evaluate(&log, &|record, _| answers[record].clone())
    }

    fn note(&mut self, choice: &ChoiceRecord, record: &TickRecord, policy: &mut dyn ChoicePolicy) {
        if CHOICES_MAX <= self.entries.len() {
            return;
        }
        let Some(mut decision) = self.decision(choice) else { return };
        let mut probabilities = policy.probabilities(choice);
        let elsewhere = 1.0 - probabilities.iter().sum::<f64>();
        if 1e-9 < elsewhere {
            decision.offered.push(self.arm(Role::Elsewhere));
            probabilities.push(elsewhere);
        }
        decision.episode = self.episode(&choice.target, record.at);
        let place = self.entries.len();
        self.entries.push(Entry { at: record.at, decision, probabilities, reward_bp: None });
        let request = choice.request.and_then(|id| record.plan.requests.iter().find(|request| request.id == id));
        if let Some((request, pending)) =
            request.and_then(|request| Some((request, outcomes::pending(request, choice)?)))
        {
            self.open.insert(request.id, (pending, place));
        } else if let Some(watch) = &choice.watch {
            self.watched.push((watch.clone(), place));
        }
    }

    fn episode(&mut self, target: &Target, at: Timestamp) -> u64 {
        if let Some((episode, last)) = self.running.get_mut(target)
            && at.since(*last) < EPISODE_GAP
        {
            *last = at;
            return *episode;
        }
        self.episodes += 1;
        self.running.insert(target.clone(), (self.episodes, at));
        self.episodes
    }

    fn decision(&mut self, choice: &ChoiceRecord) -> Option<LoggedDecision> {
        let offered: Vec<Arm> = (0..choice.options.len()).map(|index| self.arm(role(choice, index))).collect();
        let rule = choice.options.get(choice.rule)?;
        Some(LoggedDecision {
            episode: 0,
            context: rule.features.0.iter().map(|feature| f64::from(*feature) / 10_000.0).collect(),
            taken: *offered.get(choice.taken)?,
            propensity: f64::from(choice.options.get(choice.taken)?.probability.0) / 10_000.0,
            offered,
            reward: 0.0,
        })
    }

    fn arm(&mut self, role: Role) -> Arm {
        let next = Arm(self.roles.len() as u32);
        *self.roles.entry(role).or_insert(next)
    }
}

fn role(choice: &ChoiceRecord, index: usize) -> Role {
    let policy = |index: usize| &choice.options[index].policy;
    if index == choice.rule {
        Role::Rule
    } else if Some(index) == choice.nothing() {
        Role::Nothing
    } else {
        let before = (0..index).filter(|other| *other != choice.rule && policy(*other) == policy(index));
        Role::Other(policy(index).clone(), before.count())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use homeostat_core::{BasisPoints, ChoiceOption, Features, Plan, Regime, Snapshot};

    use super::*;

    fn choice(service: &str, at_s: u64) -> ChoiceRecord {
        let option = |policy: &'static str| ChoiceOption {
            policy: Label::new(policy),
            what: policy.to_owned(),
            features: Features::default(),
            probability: BasisPoints(5000),
        };
        let watch = Watch {
            kind: Label::new("scale_replicas"),
            target: Target::Service(service.into()),
            features: Features::default(),
            relieved: None,
            before: None,
            forecast: None,
            until: Timestamp((at_s + 20) * 1000),
        };
        ChoiceRecord {
            kind: watch.kind.clone(),
            target: watch.target.clone(),
            options: vec![option("target_tracking"), option("nothing")],
            rule: 0,
            taken: 1,
            learner: Label::new("test"),
            fell_back: None,
            request: None,
            watch: Some(watch),
        }
    }

    fn record(at_s: u64, services: &[&str]) -> TickRecord {
        let at = Timestamp(at_s * 1000);
        let choices = services.iter().map(|service| choice(service, at_s)).collect();
        TickRecord {
            tick: Default::default(),
            at,
            regime: Regime::Engaged,
            snapshot: Arc::new(Snapshot { at, ..Snapshot::default() }),
            assessment: Arc::default(),
            plan: Arc::new(Plan { at, choices, ..Plan::default() }),
            effects: Vec::new(),
            trials: Vec::new(),
            outcomes: Vec::new(),
            operator: Vec::new(),
            knowledge: Default::default(),
        }
    }

    fn episodes(records: &[TickRecord]) -> Vec<u64> {
        let mut journal = JournalLog::default();
        records.iter().for_each(|record| journal.read(record, &mut Named::Rule));
        journal.decisions().0.iter().map(|decision| decision.episode).collect()
    }

    /// Scenario: choices about two services: twice within half a minute, and once more after ten minutes; the last is open.
    /// Guarantees: what may influence each other is one episode, each target has its own, and what is open is cut off.
    #[test]
    fn choices_close_together_are_one_episode() {
        let records =
            [record(10, &["cart", "web"]), record(40, &["cart"]), record(640, &["cart"]), record(700, &["web"])];
        assert_eq!(episodes(&records), [1, 2, 1, 3]);
        let open = [record(10, &["cart"]), record(40, &["web"]), record(50, &["cart"]), record(65, &[])];
        assert_eq!(episodes(&open), [1, 2]);
    }

    /// Scenario: policies that are asked at a choice, one of which would have done something that was no option.
    /// Guarantees: the rule, nothing and everything alike; and what was no option is never taken, so that it shows as unsupported.
    #[test]
    fn a_policy_is_asked_at_each_choice() {
        struct Elsewhere;
        impl ChoicePolicy for Elsewhere {
            fn probabilities(&mut self, _: &ChoiceRecord) -> Vec<f64> {
                vec![0.25, 0.0]
            }
        }
        let asked = |policy: &mut dyn ChoicePolicy| policy.probabilities(&choice("cart", 0));
        assert_eq!(asked(&mut Named::Rule), [1.0, 0.0]);
        assert_eq!(asked(&mut Named::Nothing), [0.0, 1.0]);
        assert_eq!(asked(&mut Named::Uniform), [0.5, 0.5]);
        let mut journal = JournalLog::default();
        [record(10, &["cart"]), record(300, &[])].iter().for_each(|record| journal.read(record, &mut Elsewhere));
        assert_eq!(journal.decisions().1, [vec![0.25, 0.0, 0.75]]);
        // What the log never took is unsupported, and the rule was never taken here either.
        assert_eq!(journal.evaluate().expect("sound").unsupported, 1.0);
    }
}
