//! The vocabulary of the loop.
//!
//! Answers what a word means everywhere in the house: units, ids, the central types, action kinds and seed streams. It
//! does nothing by itself: no I/O, no clock, no policy. It is one crate rather than one per layer because the layers may
//! not see each other, and the nouns they hand on are exactly what they share.

mod forecast;
mod ids;
mod pairs;
mod seed;
mod units;

mod per_signal;
mod signal;
mod snapshot;
mod starts;
mod target;
mod window;

mod assessment;
mod goal;
mod objective;
mod permissions;

pub mod actions;
mod actuation;
mod caution;
mod choice;
mod counterfactual;
mod history;
mod knob;
mod knowledge;
mod plan;
mod policy;
mod sampling;
mod trial;

mod record;
mod settings;
mod wall;

pub use actuation::{Actuation, Parameter, ProfileKind, Urgency};
pub use assessment::{
    Assessment, Evidence, Finding, FindingState, Hypothesis, Incident, IncidentKind, Severity, Storm,
};
pub use caution::{Caution, DisarmBound, Habit, Hands, Needs, OtherHand, Streak, Undone};
pub use choice::{
    ChoiceKnowledge, ChoiceOption, ChoiceRecord, FEATURES, Features, Learner, LinearSums, PendingChoice, Question,
    SumsFlaw, Watch,
};
pub use counterfactual::{Counterfactual, Expected, Load};
pub use forecast::Forecast;
pub use goal::{
    Confidence, DayCounts, DerivedObjective, Entry, GoalPrecision, GoalSettings, GoalsAssessment, Importance, Journey,
    JourneyState, LatencyPromise, PathPart, Spent, Standing,
};
pub use history::History;
pub use ids::{
    ActionId, Generation, IncidentId, InstanceId, JourneyName, Label, OperationName, ServiceName, TickNumber,
};
pub use knob::{Knob, Turn, Way};
pub use knowledge::{Baseline, Efficacy, EfficacyKey, Knowledge};
pub use objective::{ObjectiveKind, ServiceObjectives};
pub use per_signal::{PerIndicator, PerSignal};
pub use permissions::{Permissions, Range, RestartPermission, ServicePermissions};
pub use plan::{ActionRequest, Alternative, Plan, Withheld, WithholdReason};
pub use policy::{PROPOSALS_MAX, Policy, PolicyView, Proposal};
pub use record::{Regime, TickRecord, TrialChange};
pub use sampling::{InForce, OperationKey, OperationPlan, SamplingPlan, ServiceSampling};
pub use seed::{Seed, Stream};
pub use settings::{
    Autonomy, AutonomySettings, BlastRadius, GuardSettings, LearningSettings, ObjectiveSettings, PerceptionSettings,
    PredictiveSettings, RateBudget, SamplingSettings, ScalingSettings, ServiceScaling, Settings,
};
pub use signal::{Direction, Indicator, IndicatorKind, MissingReason, Observation, Reading, Signal, Unit, Witness};
pub use snapshot::{Edge, Progress, Served, Snapshot};
pub use starts::{Awaited, Starts};
pub use target::Target;
pub use trial::{Ledger, LedgerEntry, Outcome, Report, ReportKind, Trial, TrialStage, TrialState, Verdict};
pub use units::{BasisPoints, Micros, Millis, Replicas, SamplingProbability, Timestamp};
pub use wall::{Bulk, Checkpoint, Command, Effect, Event, OperatorCommand};
pub use window::{Counts, CountsRing, Window, WindowCounts};
