//! The plan.
//!
//! Answers what will be done and what will not, completely: targets, values, deadlines, the way back, the sign of success.
//! Execution has nothing left to choose. A refusal is data: every proposal ends here, requested or withheld.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::actions::Action;
use crate::{
    ActionId, BasisPoints, ChoiceRecord, Counterfactual, IncidentId, IncidentKind, Knob, Label, Proposal, Regime,
    ServiceName, Storm, Timestamp,
};

/// One fully determined action.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRequest {
    /// Its id; actuators use it to refuse doing the same thing twice.
    pub id: ActionId,
    /// When it was decided.
    pub decided: Timestamp,
    /// Who proposed it.
    pub policy: Label,
    /// The incident it answers.
    pub incident: Option<(IncidentId, IncidentKind)>,
    /// What is done, how to take it back, what it promises.
    pub action: Action,
    /// The promised measure's value when it was decided.
    pub baseline: Option<u64>,
    /// What it would be if nothing were done, as seen then; none if it could not be read.
    #[serde(default)]
    pub forecast: Option<Counterfactual>,
    /// Why, in one sentence.
    pub why: String,
    /// With which probability the choice fell on it.
    pub propensity: BasisPoints,
    /// What else could have been done about the same thing.
    pub alternatives: Vec<Alternative>,
    /// The guards that looked at it and let it pass, in order.
    pub passed: Vec<Label>,
}

/// What was not chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// Who proposed it.
    pub policy: Label,
    /// The kind of action.
    pub kind: Label,
    /// In one sentence.
    pub what: String,
}

/// A proposal that must not be followed now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// What was proposed.
    pub proposal: Proposal,
    /// The guard that said no.
    pub guard: Label,
    /// Why.
    pub reason: WithholdReason,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
}

/// Why a proposal is withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WithholdReason {
    /// The agent does not act in this regime.
    NotEngaged {
        /// The regime.
        regime: Regime,
    },
    /// Too much of the snapshot is stale.
    Blind {
        /// The share that is not fresh.
        blindness: BasisPoints,
    },
    /// A signal the action rests on is stale or missing.
    EvidenceNotFresh {
        /// Which signal.
        what: String,
    },
    /// The target was acted on too recently.
    CoolingDown,
    /// The same kind of action is still open on the target.
    TrialOpen {
        /// Which one.
        trial: ActionId,
    },
    /// Too many actions lately.
    BudgetSpent {
        /// Which budget: `target`, `kind` or `global`.
        budget: Label,
        /// Its size.
        limit: u32,
    },
    /// The step is larger than one action may take.
    StepTooLarge {
        /// The step asked for.
        asked: u64,
        /// The largest step allowed.
        limit: u64,
    },
    /// The value is outside what people allowed.
    OutsideEnvelope {
        /// The value asked for.
        asked: u64,
        /// The smallest allowed.
        floor: u64,
        /// The largest allowed.
        ceiling: u64,
    },
    /// Nobody allowed this target to be changed.
    NotAllowed,
    /// Nothing at all would be left, or something would come of nothing.
    ZeroNotAllowed,
    /// The same knob was turned the other way too recently.
    TurnsBack {
        /// Which knob.
        knob: Knob,
        /// By which action.
        action: ActionId,
    },
    /// More was needed lately than would be left, or nobody watched for long enough to say.
    NeededLately {
        /// What would be left.
        asked: u64,
        /// What was needed; none if it is not known.
        needed: Option<u64>,
    },
    /// Too much would be changed at once.
    BlastRadius {
        /// Of what: `targets`, `services` or `replicas`.
        what: Label,
        /// How many of them.
        limit: u64,
    },
    /// So much is wrong at once that the eyes may be wrong.
    Storm {
        /// What is wrong.
        storm: Storm,
    },
    /// It was taken back too often in a row.
    Disarmed {
        /// How often.
        undone: u32,
    },
    /// Somebody else changes this.
    OwnedElsewhere {
        /// What was found.
        found: u64,
        /// What the agent had set or seen last.
        expected: u64,
    },
    /// It could be taken back, but nobody has said how.
    NoWayBack,
    /// Nothing else of the service is seen to carry on meanwhile.
    LastHealthy {
        /// Which service.
        service: ServiceName,
    },
    /// Another proposal for the same target was chosen.
    NotChosen {
        /// The policy whose proposal was.
        over: Label,
    },
}

impl fmt::Display for WithholdReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WithholdReason::NotEngaged { regime } => write!(f, "the agent is {regime} and does not act"),
            WithholdReason::Blind { blindness } => write!(f, "{blindness} of the signals are not fresh"),
            WithholdReason::EvidenceNotFresh { what } => write!(f, "{what} is not fresh"),
            WithholdReason::CoolingDown => f.write_str("the target was acted on too recently"),
            WithholdReason::TrialOpen { trial } => write!(f, "{trial} is still open on the target"),
            WithholdReason::BudgetSpent { budget, limit } => {
                write!(f, "the {budget} budget of {limit} actions is spent")
            }
            WithholdReason::StepTooLarge { asked, limit } => {
                write!(f, "a step to {asked} exceeds the limit of {limit}")
            }
            WithholdReason::OutsideEnvelope { asked, floor, ceiling } => {
                write!(f, "{asked} is outside the envelope of {floor} to {ceiling}")
            }
            WithholdReason::NoWayBack => f.write_str("there is no way back"),
            WithholdReason::LastHealthy { service } => {
                write!(f, "no other instance of {service} is seen to make progress")
            }
            WithholdReason::NotAllowed => f.write_str("the manifest does not let the agent change this target"),
            WithholdReason::ZeroNotAllowed => f.write_str("nothing may be taken to zero or raised from it"),
            WithholdReason::TurnsBack { knob, action } => {
                write!(f, "{action} turned {knob} the other way too recently")
            }
            WithholdReason::NeededLately { asked, needed: Some(needed) } => {
                write!(f, "{needed} were needed lately and {asked} would be left")
            }
            WithholdReason::NeededLately { needed: None, .. } => {
                f.write_str("what is needed was not watched for long enough")
            }
            WithholdReason::BlastRadius { what, limit } => {
                write!(f, "more than {limit} {what} would be changed at once")
            }
            WithholdReason::Storm { storm: Storm { troubled, known, .. } } => {
                write!(f, "{troubled} of {known} services are in trouble at once, which no single cause explains")
            }
            WithholdReason::Disarmed { undone } => {
                write!(f, "it was taken back {undone} times in a row; `homeostat arm` lets it try again")
            }
            WithholdReason::OwnedElsewhere { found, expected } => {
                write!(f, "somebody else set {found} where {expected} was expected")
            }
            WithholdReason::NotChosen { over } => write!(f, "the proposal of {over} was chosen"),
        }
    }
}

/// What will be done, and what will not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The tick's time.
    pub at: Timestamp,
    /// To be carried out.
    pub requests: Vec<ActionRequest>,
    /// Decided earlier, approved by a person since, and still let through by every guard.
    pub approved: Vec<ActionId>,
    /// Proposed, and refused at this tick.
    pub withheld: Vec<Withheld>,
    /// Choices that a learner was asked about, with the probabilities of all options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<ChoiceRecord>,
}
