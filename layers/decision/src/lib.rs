//! Decision: an assessment in, a plan out.
//!
//! Answers what will be done and what will not, completely. Policies propose, guards withhold, and what is left is chosen by
//! what was learned. Does not carry anything out. The plan is computed the same way in every regime and at every level of
//! autonomy; whether it is emitted is not decided here.

mod choice;
mod guard;
mod guards;

use homeostat_core::{
    ActionId, ActionRequest, BasisPoints, Label, Plan, Policy, PolicyView, Proposal, Regime, Withheld,
};

pub use crate::guard::{Candidate, Guard, GuardView, Refusal};
pub use crate::guards::CATALOGUE;

/// Proposals looked at per tick. More than the global rate budget could ever let pass; the rest waits for the next tick.
const PROPOSALS_MAX: usize = 4096;

/// Plans the tick of `view`. Requests are numbered from `next_action` on.
pub fn plan(view: PolicyView<'_>, policies: &[&'static dyn Policy], regime: Regime, next_action: ActionId) -> Plan {
    let mut proposals = Vec::new();
    for policy in policies {
        policy.propose(&view, &mut proposals);
        proposals.truncate(PROPOSALS_MAX);
    }
    let mut plan = Plan { at: view.snapshot.at, ..Plan::default() };
    let mut allowed = Vec::new();
    for proposal in proposals {
        match refusal(&proposal, &GuardView { view, accepted: &[], regime }) {
            Some((guard, refusal)) => plan.withheld.push(withhold(proposal, guard, refusal)),
            None => allowed.push(proposal),
        }
    }
    let (chosen, passed_over) = choice::choose(allowed, view.knowledge, view.assessment);
    plan.withheld.extend(passed_over);
    let mut id = next_action;
    for choice in chosen {
        // Once more, now that the requests before it have spent some of the budgets.
        match refusal(&choice.proposal, &GuardView { view, accepted: &plan.requests, regime }) {
            Some((guard, refusal)) => plan.withheld.push(withhold(choice.proposal, guard, refusal)),
            None => {
                plan.requests.push(request(id, choice, &view));
                id = id.next();
            }
        }
    }
    plan
}

/// Whether a request that was decided earlier, and has waited for a person since, would still be let through.
pub fn recheck(request: &ActionRequest, view: PolicyView<'_>, regime: Regime) -> Option<(Label, Refusal)> {
    let candidate = Candidate { action: &request.action, id: Some(request.id) };
    first_refusal(&candidate, &GuardView { view, accepted: &[], regime })
}

fn refusal(proposal: &Proposal, view: &GuardView<'_>) -> Option<(Label, Refusal)> {
    first_refusal(&Candidate { action: &proposal.action, id: None }, view)
}

fn first_refusal(candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<(Label, Refusal)> {
    CATALOGUE.iter().find_map(|guard| guard.check(candidate, view).map(|refusal| (Label::new(guard.name()), refusal)))
}

fn withhold(proposal: Proposal, guard: Label, refusal: Refusal) -> Withheld {
    Withheld { proposal, guard, reason: refusal.reason, until: refusal.until }
}

fn request(id: ActionId, choice: choice::Choice, view: &PolicyView<'_>) -> ActionRequest {
    let proposal = choice.proposal;
    let incident = proposal.incident.and_then(|id| view.assessment.incident(id)).map(|found| (found.id, found.kind));
    let baseline = proposal.action.expectation.measure().and_then(|measure| measure.read(view.snapshot));
    ActionRequest {
        id,
        decided: view.snapshot.at,
        policy: proposal.policy,
        incident,
        action: proposal.action,
        baseline,
        why: proposal.why,
        // The best alternative is always taken; a learner that explores will write its own probability here.
        propensity: BasisPoints::ONE,
        alternatives: choice.alternatives,
        passed: CATALOGUE.iter().map(|guard| Label::new(guard.name())).collect(),
    }
}
