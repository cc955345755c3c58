//! The wall between the loop and the world.
//!
//! Answers what can enter the loop and what can leave it: two closed enums. The live driver and the simulator are two small
//! programs around `handle(now, event) -> commands`. If a feature needs a third way in or out, the design is wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::actions::Measure;
use crate::{
    ActionId, Actuation, Assessment, Baseline, Caution, CountsRing, Generation, History, InForce, Knowledge, Label,
    Ledger, Observation, PerSignal, Report, ServiceName, Settings, Target, TickNumber, TickRecord, Trial,
};

/// What enters the loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The first event of a process that has a past: what the journal held last.
    Recovered(Box<Checkpoint>),
    /// People changed what they want. The first event of a process without a past.
    Reconfigured(Box<Settings>),
    /// Signals were read.
    Observed(Vec<Observation>),
    /// An actuator answered.
    Reported(Report),
    /// A person said something.
    Operator(OperatorCommand),
    /// Think.
    Tick,
    /// Finish what is open and begin nothing.
    Drain,
}

/// What a person can say to a running loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorCommand {
    /// The kill switch: watch, never act.
    Hold,
    /// Act again, and try again what was disarmed.
    Resume,
    /// Yes to a question.
    Approve(ActionId),
    /// No to a question.
    Reject(ActionId),
    /// Try again what was taken back too often.
    Arm {
        /// The kind of action.
        kind: Label,
        /// On what; none stands for any.
        target: Option<Target>,
    },
}

/// What leaves the loop, in the order in which it must be carried out. A record always comes before the effects it explains,
/// so that the intent is on disk before anything changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Write this to the journal, durably, before going on.
    Record(Box<TickRecord>),
    /// Change something outside.
    Effect(Effect),
}

/// One thing to be done outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Bring this about, and report `Applied` or `Failed`.
    Apply {
        /// The idempotency key.
        id: ActionId,
        /// What.
        actuation: Actuation,
    },
    /// Put this back, and report `Undone` or `Failed`.
    Undo {
        /// The action that is taken back.
        id: ActionId,
        /// The state before it.
        actuation: Actuation,
    },
    /// Say how the world stands, and report `ReadBack`.
    ReadBack {
        /// The action in doubt.
        id: ActionId,
        /// What it wanted.
        actuation: Actuation,
    },
}

/// What the loop carries from tick to tick. Written with every record; read once after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The number of the last tick.
    pub tick: TickNumber,
    /// The id of the next action.
    pub next_action: ActionId,
    /// Whether an operator holds the agent. Survives a restart.
    pub held: bool,
    /// The last assessment.
    pub assessment: Assessment,
    /// Open trials.
    pub trials: Vec<Trial>,
    /// What was decided lately.
    pub ledger: Ledger,
    /// What guards remember.
    #[serde(default)]
    pub caution: Caution,
    /// What was learned, but for the baselines, which are in `bulk`.
    pub knowledge: Knowledge,
    /// What is set.
    pub in_force: InForce,
    /// What is large and changes slowly. Written now and then; `None` means that what was written last still holds.
    pub bulk: Option<Box<Bulk>>,
    /// The settings in force.
    pub settings: Settings,
    /// How often the settings were replaced.
    pub settings_generation: Generation,
}

/// The large and slow part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulk {
    /// Request counts over the long windows.
    pub counts: BTreeMap<ServiceName, CountsRing>,
    /// What is normal for each signal.
    pub baselines: PerSignal<Baseline>,
    /// The recent past of what actions promise to change. What is older than its ring when it is read again is not used.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "crate::pairs")]
    pub histories: BTreeMap<Measure, History>,
}
