//! The record of one tick.
//!
//! Answers everything one tick saw, thought, did and learned. The same record is the journal's entry, the explanation's
//! source, the replay's yardstick and the golden test's text.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ActionId, Assessment, Effect, Generation, Label, OperatorCommand, Outcome, Plan, Snapshot, Target, TickNumber,
    Timestamp, TrialStage,
};

/// In which regime a tick was run. Only `Engaged` emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// Reading the world's state for trials that were open before a restart.
    Starting,
    /// Watching, never acting: an operator's wish, or a failed assertion.
    Holding,
    /// Too much of the snapshot is stale to act on.
    Blind,
    /// Perceiving and, within its autonomy, acting.
    Engaged,
    /// Shutting down: open trials are finished, none is begun.
    Draining,
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Regime::Starting => "starting",
            Regime::Holding => "holding",
            Regime::Blind => "blind",
            Regime::Engaged => "engaged",
            Regime::Draining => "draining",
        })
    }
}

/// A trial went from one stage to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialChange {
    /// Which trial.
    pub id: ActionId,
    /// The kind of action.
    pub kind: Label,
    /// On what.
    pub target: Target,
    /// Where it was; `None` when it began.
    pub from: Option<TrialStage>,
    /// Where it is.
    pub to: TrialStage,
}

/// Everything about one tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickRecord {
    /// Its number.
    pub tick: TickNumber,
    /// Its time.
    pub at: Timestamp,
    /// The regime it ran in.
    pub regime: Regime,
    /// What was known.
    pub snapshot: Arc<Snapshot>,
    /// What was wrong.
    pub assessment: Arc<Assessment>,
    /// What was decided.
    pub plan: Arc<Plan>,
    /// What was sent to the outside.
    pub effects: Vec<Effect>,
    /// How trials moved.
    pub trials: Vec<TrialChange>,
    /// What became of those that ended.
    pub outcomes: Vec<Outcome>,
    /// What an operator said since the last tick.
    pub operator: Vec<OperatorCommand>,
    /// The knowledge after this tick.
    pub knowledge: Generation,
}
