//! What a guard sees and says.
//!
//! Answers how a guard is written: it looks at one candidate and either says nothing or why not. Guards only withhold; they
//! never change a proposal, so what was proposed and what was allowed can always be told apart.

use homeostat_core::actions::Action;
use homeostat_core::{ActionId, Caution, PolicyView, Regime, Timestamp, WithholdReason};

use crate::Past;

/// What a guard judges.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The action.
    pub action: &'a Action,
    /// Its id, if it was decided earlier and is looked at again; its own past must then not count against it.
    pub id: Option<ActionId>,
}

/// What a guard looks at.
#[derive(Clone, Copy, Debug)]
pub struct GuardView<'a> {
    /// What policies see.
    pub view: PolicyView<'a>,
    /// What is open and was decided lately, this tick's plan included.
    pub past: &'a Past,
    /// What guards remember.
    pub caution: &'a Caution,
    /// The regime of this tick.
    pub regime: Regime,
}

/// Why not, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: WithholdReason,
    /// Until when, where that is known.
    pub until: Option<Timestamp>,
}

impl From<WithholdReason> for Refusal {
    fn from(reason: WithholdReason) -> Refusal {
        Refusal { reason, until: None }
    }
}

/// One reason why something must not be done now: one file, one line in the catalogue.
pub trait Guard: Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Why not; `None` lets the candidate pass.
    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal>;
}
