//! Decision: an assessment in, a plan out.
//!
//! Answers what will be done and what will not, completely. Policies propose, guards withhold, and what is left is chosen by
//! what was learned. Does not carry anything out. The plan is computed the same way in every regime and at every level of
//! autonomy; whether it is emitted is not decided here.

mod caution;
mod choice;
mod features;
mod guard;
mod guards;
mod lottery;
mod past;

use homeostat_core::{
    ActionId, ActionRequest, Caution, ChoiceRecord, Importance, Label, Learner, PROPOSALS_MAX, Plan, Policy,
    PolicyView, Proposal, Regime, Withheld,
};

pub use crate::caution::{note, watch};
pub use crate::choice::distribution;
pub use crate::guard::{Candidate, Guard, GuardView, Refusal};
pub use crate::guards::CATALOGUE;
pub use crate::past::Past;

/// What a plan is made from.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// What policies see.
    pub view: PolicyView<'a>,
    /// The policies, in order.
    pub policies: &'a [&'static dyn Policy],
    /// Who is asked where more than one thing could be done, and people want exploration.
    pub learner: &'a dyn Learner,
    /// The guards, in order.
    pub guards: &'a [&'static dyn Guard],
    /// What guards remember.
    pub caution: &'a Caution,
    /// The regime of this tick.
    pub regime: Regime,
    /// The number of the first request.
    pub next_action: ActionId,
    /// Requests that a person has approved since the last tick.
    pub approved: &'a [&'a ActionRequest],
}

/// Plans one tick.
pub fn plan(inputs: Inputs<'_>) -> Plan {
    let view = inputs.view;
    let mut plan = Plan { at: view.snapshot.at, ..Plan::default() };
    let proposals = proposals(&inputs);
    if proposals.is_empty() && inputs.approved.is_empty() {
        return plan;
    }
    let mut past = Past::of(&view);
    recheck(&inputs, &mut past, &mut plan);
    let mut allowed = Vec::new();
    for proposal in proposals {
        match refusal(&inputs, &proposal, &past) {
            Some((guard, refusal)) => plan.withheld.push(withhold(proposal, guard, refusal)),
            None => allowed.push(proposal),
        }
    }
    let chosen = choice::choose(allowed, &view, inputs.learner);
    plan.withheld.extend(chosen.passed_over);
    plan.choices = chosen.nothing;
    let mut id = inputs.next_action;
    let mut choices = chosen.choices;
    // Budgets that do not suffice for all are spent on what matters most; among equals the order stays.
    choices.sort_by_key(|choice| std::cmp::Reverse(importance(&choice.proposal, &view)));
    for mut choice in choices {
        let record = choice.record.take();
        // Once more, now that the requests before it have spent some of the budgets.
        match refusal(&inputs, &choice.proposal, &past) {
            Some((guard, refusal)) => {
                plan.withheld.push(withhold(choice.proposal, guard, refusal));
                plan.choices.extend(record);
            }
            None => {
                plan.choices.extend(record.map(|record| ChoiceRecord { request: Some(id), ..record }));
                let request = request(id, choice, &inputs);
                past.accept(&request, view.snapshot.at);
                plan.requests.push(request);
                id = id.next();
            }
        }
    }
    plan
}

/// How much a proposal matters: as much as the most important journey through its target, or through its incident.
fn importance(proposal: &Proposal, view: &PolicyView<'_>) -> Importance {
    let assessment = view.assessment;
    let of_target = proposal.action.target.service().map(|service| assessment.goals.importance_of(service));
    let incident = proposal.incident.and_then(|id| assessment.incident(id));
    of_target.max(incident.map(|incident| assessment.importance_of(incident))).unwrap_or_default()
}

fn proposals(inputs: &Inputs<'_>) -> Vec<Proposal> {
    let mut proposals = Vec::new();
    for policy in inputs.policies {
        // Bounded for each policy by itself, so that none can crowd out another.
        let bound = proposals.len() + PROPOSALS_MAX;
        policy.propose(&inputs.view, &mut proposals);
        proposals.truncate(bound);
    }
    proposals
}

/// A request that has waited for a person meets a world that has moved on; every guard is asked again.
fn recheck(inputs: &Inputs<'_>, past: &mut Past, plan: &mut Plan) {
    for request in inputs.approved {
        let candidate = Candidate { action: &request.action, id: Some(request.id) };
        match first_refusal(inputs, &candidate, past) {
            None => {
                past.release(request, inputs.view.snapshot.at);
                plan.approved.push(request.id);
            }
            Some((guard, refusal)) => plan.withheld.push(withhold(as_proposal(request), guard, refusal)),
        }
    }
}

fn as_proposal(request: &ActionRequest) -> Proposal {
    Proposal {
        policy: request.policy.clone(),
        incident: request.incident.map(|(id, _)| id),
        action: request.action.clone(),
        why: request.why.clone(),
    }
}

fn refusal(inputs: &Inputs<'_>, proposal: &Proposal, past: &Past) -> Option<(Label, Refusal)> {
    first_refusal(inputs, &Candidate { action: &proposal.action, id: None }, past)
}

fn first_refusal(inputs: &Inputs<'_>, candidate: &Candidate<'_>, past: &Past) -> Option<(Label, Refusal)> {
    let view = GuardView { view: inputs.view, past, caution: inputs.caution, regime: inputs.regime };
    let said = |guard: &&'static dyn Guard| Some((Label::new(guard.name()), guard.check(candidate, &view)?));
    inputs.guards.iter().find_map(said)
}

fn withhold(proposal: Proposal, guard: Label, refusal: Refusal) -> Withheld {
    Withheld { proposal, guard, reason: refusal.reason, until: refusal.until }
}

fn request(id: ActionId, choice: choice::Choice, inputs: &Inputs<'_>) -> ActionRequest {
    let view = &inputs.view;
    let proposal = choice.proposal;
    let incident = proposal.incident.and_then(|id| view.assessment.incident(id)).map(|found| (found.id, found.kind));
    let measure = proposal.action.expectation.measure();
    let baseline = measure.and_then(|measure| measure.read(view.snapshot));
    let forecast = measure.and_then(|measure| view.forecast(measure));
    ActionRequest {
        id,
        decided: view.snapshot.at,
        policy: proposal.policy,
        incident,
        action: proposal.action,
        baseline,
        forecast,
        why: proposal.why,
        propensity: choice.propensity,
        alternatives: choice.alternatives,
        passed: inputs.guards.iter().map(|guard| Label::new(guard.name())).collect(),
    }
}
