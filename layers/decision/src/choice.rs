//! The choice among what is allowed.
//!
//! Answers which of several proposals for the same kind of action on the same target is taken: the one whose kind has kept
//! its promise most often against this kind of incident; ties break by catalogue order of the policies. It does not explore.

use std::collections::BTreeMap;

use homeostat_core::{
    Alternative, Assessment, BasisPoints, Efficacy, EfficacyKey, Knowledge, Label, Proposal, Target, Withheld,
    WithholdReason,
};

/// The name under which what was not chosen is withheld.
const NAME: Label = Label::new("choice");

/// A proposal that was chosen, and what it was chosen over.
pub(crate) struct Choice {
    pub(crate) proposal: Proposal,
    pub(crate) alternatives: Vec<Alternative>,
}

pub(crate) fn choose(
    allowed: Vec<Proposal>,
    knowledge: &Knowledge,
    assessment: &Assessment,
) -> (Vec<Choice>, Vec<Withheld>) {
    let mut groups: BTreeMap<(usize, Label, Target), Vec<Proposal>> = BTreeMap::new();
    let mut first_seen: BTreeMap<(Label, Target), usize> = BTreeMap::new();
    for (number, proposal) in allowed.into_iter().enumerate() {
        let key = (proposal.action.kind.clone(), proposal.action.target.clone());
        let order = *first_seen.entry(key.clone()).or_insert(number);
        groups.entry((order, key.0, key.1)).or_default().push(proposal);
    }
    let mut passed_over = Vec::new();
    let chosen = groups.into_values().map(|group| best(group, knowledge, assessment, &mut passed_over)).collect();
    (chosen, passed_over)
}

fn best(
    mut group: Vec<Proposal>,
    knowledge: &Knowledge,
    assessment: &Assessment,
    passed_over: &mut Vec<Withheld>,
) -> Choice {
    let score = |proposal: &Proposal| expected_success(proposal, knowledge, assessment);
    let winner = (0..group.len())
        .max_by_key(|&index| (score(&group[index]), std::cmp::Reverse(index)))
        .expect("a group has at least one proposal");
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
    passed_over.extend(group.into_iter().map(|other| Withheld {
        proposal: other,
        guard: NAME,
        reason: WithholdReason::NotChosen { over: proposal.policy.clone() },
        until: None,
    }));
    Choice { proposal, alternatives }
}

fn expected_success(proposal: &Proposal, knowledge: &Knowledge, assessment: &Assessment) -> BasisPoints {
    let incident = proposal.incident.and_then(|id| assessment.incident(id)).map(|incident| incident.kind);
    let key = EfficacyKey { incident, action: proposal.action.kind.clone() };
    knowledge.efficacy.get(&key).copied().unwrap_or_else(Efficacy::default).success()
}
