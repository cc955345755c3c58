//! The choice among what is allowed.
//!
//! Answers which of several proposals for the same kind of action on the same target is taken. The rule takes the one whose
//! kind has kept its promise most often against this kind of incident; ties break by catalogue order of the policies. Where
//! people ask for exploration, a learner is asked instead, among the proposals and doing nothing, and every probability is
//! journalled. While an incident is open, doing nothing is no option: nobody's outage is worth a lesson.

use std::collections::BTreeMap;

use homeostat_core::actions::{self, Expectation};
use homeostat_core::{
    Alternative, BasisPoints, ChoiceOption, ChoiceRecord, Efficacy, EfficacyKey, Features, Label, Learner, PolicyView,
    Proposal, Question, Stream, Target, Watch, Withheld, WithholdReason,
};

use crate::{features, lottery};

/// The name under which what was not chosen is withheld, and that of the rule among learners.
const NAME: Label = Label::new("choice");

/// The name of doing nothing among policies.
const NOTHING: Label = ChoiceRecord::NOTHING;

/// A proposal that was chosen, and what it was chosen over.
pub(crate) struct Choice {
    pub(crate) proposal: Proposal,
    pub(crate) alternatives: Vec<Alternative>,
    pub(crate) propensity: BasisPoints,
    /// What a learner was asked; none where the rule stood alone.
    pub(crate) record: Option<ChoiceRecord>,
}

/// What was chosen and what was not.
#[derive(Default)]
pub(crate) struct Chosen {
    pub(crate) choices: Vec<Choice>,
    pub(crate) passed_over: Vec<Withheld>,
    /// Choices to do nothing.
    pub(crate) nothing: Vec<ChoiceRecord>,
}

pub(crate) fn choose(allowed: Vec<Proposal>, view: &PolicyView<'_>, learner: &dyn Learner) -> Chosen {
    let mut groups: BTreeMap<(usize, Label, Target), Vec<Proposal>> = BTreeMap::new();
    let mut first_seen: BTreeMap<(Label, Target), usize> = BTreeMap::new();
    for (number, proposal) in allowed.into_iter().enumerate() {
        let key = (proposal.action.kind.clone(), proposal.action.target.clone());
        let order = *first_seen.entry(key.clone()).or_insert(number);
        groups.entry((order, key.0, key.1)).or_default().push(proposal);
    }
    let mut chosen = Chosen::default();
    for group in groups.into_values() {
        let explores = 0 < view.settings.learning.exploration.0;
        if explores { ask(group, view, learner, &mut chosen) } else { follow_rule(group, view, &mut chosen) }
    }
    chosen
}

fn follow_rule(group: Vec<Proposal>, view: &PolicyView<'_>, chosen: &mut Chosen) {
    let winner = best(&group, view);
    take(group, winner, BasisPoints::ONE, None, chosen);
}

fn best(group: &[Proposal], view: &PolicyView<'_>) -> usize {
    (0..group.len())
        .max_by_key(|&index| (expected_success(&group[index], view), std::cmp::Reverse(index)))
        .expect("a group has at least one proposal")
}

/// Asks the learner, and follows it as far as the lottery lets it.
fn ask(group: Vec<Proposal>, view: &PolicyView<'_>, learner: &dyn Learner, chosen: &mut Chosen) {
    let calm = group.iter().all(|proposal| proposal.incident.is_none());
    let (kind, target) = (group[0].action.kind.clone(), group[0].action.target.clone());
    if let Some(until) = view.knowledge.choices.watched_until(&kind, &target).filter(|_| calm) {
        chosen
            .passed_over
            .extend(group.into_iter().map(|other| Withheld { until: Some(until), ..pass_over(other, NOTHING) }));
        return;
    }
    let mut options: Vec<Features> = group.iter().map(|proposal| features::of_proposal(proposal, view)).collect();
    options.extend(calm.then(features::of_nothing));
    let rule = best(&group, view);
    if options.len() == 1 {
        // No choice is left, but what comes of it is still worth knowing.
        let record = record(&group, &options, lottery::certain(0, 1), NAME, None);
        return take(group, 0, BasisPoints::ONE, Some(record), chosen);
    }
    let settings = &view.settings.learning;
    // A stream for each choice, so that none depends on how many were made before it.
    let mut stream = settings.seed.stream(&format!("decision/choice/{}/{kind}/{target}", view.snapshot.at.as_millis()));
    let question = Question { options: &options, rule, knowledge: view.knowledge };
    let (probabilities, fell_back) = distribution(learner, &question, settings.exploration, &mut stream);
    let taken = lottery::draw(&probabilities, &mut stream);
    let propensity = probabilities[taken];
    let mut record = record(&group, &options, probabilities, Label::new(learner.name()), fell_back);
    (record.rule, record.taken) = (rule, taken);
    if taken < group.len() {
        return take(group, taken, propensity, Some(record), chosen);
    }
    record.watch = Some(watch(&group[rule], view));
    chosen.nothing.push(record);
    chosen.passed_over.extend(group.into_iter().map(|other| pass_over(other, NOTHING)));
}

/// With which probability each option is taken, and why the learner was not followed, if it was not.
pub fn distribution(
    learner: &dyn Learner,
    question: &Question<'_>,
    exploration: BasisPoints,
    stream: &mut Stream,
) -> (Vec<BasisPoints>, Option<Label>) {
    let options = question.options.len();
    if options == 1 {
        return (lottery::certain(0, 1), None);
    }
    let answer = learner.answer(question, stream);
    match answer.and_then(|weights| lottery::probabilities(&weights, options, exploration)) {
        Ok(probabilities) => (probabilities, None),
        Err(why) => (lottery::certain(question.rule, options), Some(why)),
    }
}

fn take(
    mut group: Vec<Proposal>,
    winner: usize,
    propensity: BasisPoints,
    record: Option<ChoiceRecord>,
    chosen: &mut Chosen,
) {
    let proposal = group.remove(winner);
    let mut alternatives: Vec<Alternative> = group
        .iter()
        .map(|other| Alternative {
            policy: other.policy.clone(),
            kind: other.action.kind.clone(),
            what: other.action.actuation.to_string(),
        })
        .collect();
    alternatives.push(Alternative { policy: NAME, kind: Label::new("none"), what: "do nothing".into() });
    let over = &proposal.policy;
    chosen.passed_over.extend(group.into_iter().map(|other| pass_over(other, over.clone())));
    chosen.choices.push(Choice { proposal, alternatives, propensity, record });
}

fn pass_over(proposal: Proposal, over: Label) -> Withheld {
    Withheld { proposal, guard: NAME, reason: WithholdReason::NotChosen { over }, until: None }
}

fn record(
    group: &[Proposal],
    options: &[Features],
    probabilities: Vec<BasisPoints>,
    learner: Label,
    fell_back: Option<Label>,
) -> ChoiceRecord {
    let named = |index: usize| match group.get(index) {
        Some(proposal) => (proposal.policy.clone(), proposal.action.actuation.to_string()),
        None => (NOTHING, "do nothing".to_owned()),
    };
    let option = |(index, probability): (usize, BasisPoints)| {
        let (policy, what) = named(index);
        ChoiceOption { policy, what, features: options[index], probability }
    };
    ChoiceRecord {
        kind: group[0].action.kind.clone(),
        target: group[0].action.target.clone(),
        options: probabilities.into_iter().enumerate().map(option).collect(),
        rule: 0,
        taken: 0,
        learner,
        fell_back,
        request: None,
        watch: None,
    }
}

/// What the rule's action would have relieved is looked at when that action would have been judged.
fn watch(proposal: &Proposal, view: &PolicyView<'_>) -> Watch {
    let action = &proposal.action;
    let relieved = match &action.expectation {
        Expectation::Relieves { measure, .. } => Some(measure.clone()),
        Expectation::StaysBelow { .. } | Expectation::Delivered => None,
    };
    let settle = actions::kind(action.kind.as_str()).map_or_else(Default::default, |kind| kind.settle);
    Watch {
        kind: action.kind.clone(),
        target: action.target.clone(),
        features: features::of_nothing(),
        before: relieved.as_ref().and_then(|measure| measure.read(view.snapshot)),
        forecast: relieved.as_ref().and_then(|measure| view.forecast(measure)),
        relieved,
        until: view.snapshot.at + settle,
    }
}

fn expected_success(proposal: &Proposal, view: &PolicyView<'_>) -> BasisPoints {
    let incident = proposal.incident.and_then(|id| view.assessment.incident(id)).map(|incident| incident.kind);
    let key = EfficacyKey { incident, action: proposal.action.kind.clone() };
    view.knowledge.efficacy.get(&key).copied().unwrap_or_else(Efficacy::default).success()
}
