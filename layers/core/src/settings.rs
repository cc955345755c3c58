//! Settings.
//!
//! Answers what people want of the loop: promises, budgets, envelopes, autonomy. The manifest is translated into this; the
//! pure rooms read nothing else. Defaults live here because the embedded default manifest is these values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::actions::{self, Action, ActionClass, ActionKind, Reversal};
use crate::{
    Actuation, BasisPoints, DisarmBound, GoalSettings, Micros, Millis, Permissions, Replicas, RestartPermission,
    SamplingProbability, Seed, ServiceName, ServiceObjectives, ServiceSampling,
};

/// Everything the loop is told by people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How old a reading may be.
    pub perception: PerceptionSettings,
    /// What is promised.
    pub objectives: ObjectiveSettings,
    /// How much telemetry is wanted.
    pub sampling: SamplingSettings,
    /// What may be scaled, and how far.
    pub scaling: ScalingSettings,
    /// What else may be done to which service.
    #[serde(default)]
    pub permissions: Permissions,
    /// What may be done without asking.
    pub autonomy: AutonomySettings,
    /// How often and how far.
    pub guards: GuardSettings,
    /// Whether anything is tried out.
    #[serde(default)]
    pub learning: LearningSettings,
    /// What the business wants; objectives, sampling and priorities follow from it.
    #[serde(default, skip_serializing_if = "GoalSettings::is_empty")]
    pub goals: GoalSettings,
}

impl Settings {
    /// The autonomy under which `action` is carried out. What cannot be taken back is asked first, whatever its class may do,
    /// unless people have said for this service that they need not be asked.
    pub fn autonomy_of(&self, action: &Action) -> Autonomy {
        let of_class = self.autonomy.of(action.class);
        let harmless = actions::kind(action.kind.as_str()).is_some_and(|kind| kind.reversal == Reversal::NotNeeded);
        if harmless || action.way_back.is_some() || self.permits_unasked(&action.actuation) {
            return of_class;
        }
        of_class.min(Autonomy::Approve)
    }

    fn permits_unasked(&self, actuation: &Actuation) -> bool {
        match actuation {
            Actuation::Restart { service, .. } => {
                self.permissions.of(service).restart == Some(RestartPermission::Unasked)
            }
            _ => false,
        }
    }
}

/// Whether anything is tried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearningSettings {
    /// The least probability of every option that the guards let pass. Zero, the default, follows the rule and asks no
    /// learner: trying out costs something, and nobody should pay who did not ask for it.
    pub exploration: BasisPoints,
    /// What draws follow from.
    pub seed: Seed,
}

/// How old a reading may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PerceptionSettings {
    /// Older than this, a reading is stale. Three of the SDKs' default export intervals of 5 s.
    pub stale_after: Millis,
    /// Older than this, a signal is forgotten: its target is gone.
    pub forget_after: Millis,
    /// Above this share of signals that are not fresh the loop is blind.
    pub blind_above: BasisPoints,
    /// Two sources that differ by more than this share of the larger value contradict each other.
    #[serde(default = "PerceptionSettings::contradiction_above_default")]
    pub contradiction_above: BasisPoints,
    /// Services, operations and the like followed at once. What comes beyond it is refused and counted, so that hostile names
    /// cannot fill the memory.
    #[serde(default = "PerceptionSettings::targets_max_default")]
    pub targets_max: u32,
}

impl PerceptionSettings {
    /// A third: what two honest clocks and averages make of one truth differs by less.
    const fn contradiction_above_default() -> BasisPoints {
        BasisPoints(3333)
    }

    /// Room for ten thousand services and more. Each costs 12 KiB after some minutes, and about 8 KiB more once its long windows
    /// are full.
    const fn targets_max_default() -> u32 {
        16_384
    }
}

impl Default for PerceptionSettings {
    fn default() -> Self {
        PerceptionSettings {
            stale_after: Millis::from_secs(15),
            forget_after: Millis::from_secs(600),
            blind_above: BasisPoints(5000),
            contradiction_above: PerceptionSettings::contradiction_above_default(),
            targets_max: PerceptionSettings::targets_max_default(),
        }
    }
}

/// What is promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectiveSettings {
    /// For services that nobody named.
    pub default: ServiceObjectives,
    /// For named ones.
    pub services: BTreeMap<ServiceName, ServiceObjectives>,
}

impl ObjectiveSettings {
    /// The promises of `service`.
    pub fn of(&self, service: &ServiceName) -> ServiceObjectives {
        self.services.get(service).copied().unwrap_or(self.default)
    }
}

impl Default for ObjectiveSettings {
    fn default() -> Self {
        ObjectiveSettings {
            default: ServiceObjectives {
                availability: BasisPoints(9900),
                latency: BasisPoints(9900),
                latency_threshold: Micros::from_millis(500),
            },
            services: BTreeMap::new(),
        }
    }
}

/// How much telemetry is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplingSettings {
    /// Whether the loop moves probabilities at all. When not, `initial` stays.
    pub adaptive: bool,
    /// Before the loop has decided anything.
    pub initial: ServiceSampling,
    /// No probability is ever set below this.
    pub floor: SamplingProbability,
    /// Spans per second the agent may keep, over all services.
    pub kept_spans_per_second_max: u64,
    /// The share of received spans the agent may keep; the smaller of both budgets holds.
    pub kept_share_max: BasisPoints,
    /// Spans per second that SDKs with a remote sampler may send, over all services.
    pub received_spans_per_second_max: u64,
    /// Relative standard error wanted for each service's request count, over `precision_window`.
    pub relative_error_max: BasisPoints,
    /// How far the true rank of an estimated 99th percentile may be from 99 %.
    pub p99_rank_error_max: BasisPoints,
    /// Over which time estimates must be that good.
    pub precision_window: Millis,
}

impl Default for SamplingSettings {
    fn default() -> Self {
        SamplingSettings {
            adaptive: true,
            initial: ServiceSampling { head: SamplingProbability::ALWAYS, tail: SamplingProbability::ALWAYS },
            floor: SamplingProbability::from_ppm_saturating(100),
            kept_spans_per_second_max: 2000,
            kept_share_max: BasisPoints::ONE,
            received_spans_per_second_max: 20_000,
            relative_error_max: BasisPoints(100),
            p99_rank_error_max: BasisPoints(25),
            precision_window: Millis::from_secs(600),
        }
    }
}

/// What may be scaled, and how far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingSettings {
    /// The utilisation that target tracking steers for.
    pub utilization_target: BasisPoints,
    /// Differences from the target smaller than this share of it are left alone, as Kubernetes' HPA does.
    pub tolerance: BasisPoints,
    /// A reduction waits until no larger number was wanted for this long.
    pub reduce_after: Millis,
    /// Whether and how demand is forecast.
    #[serde(default)]
    pub predictive: PredictiveSettings,
    /// Named services; what is not named is never scaled.
    pub services: BTreeMap<ServiceName, ServiceScaling>,
}

/// Whether and how demand is forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PredictiveSettings {
    /// Whether replicas follow the forecast where it can be trusted; where not, target tracking decides as before.
    pub enabled: bool,
    /// How often demand is not to exceed the forecast's bound. Replicas are sized for the bound.
    pub coverage: BasisPoints,
    /// How long replicas take from being asked for until they serve, before that was seen.
    pub start_delay: Millis,
    /// A reduction waits until no larger number was needed for this long. Shorter than target tracking's, because the
    /// forecast's bound already holds what usually returns.
    pub reduce_after: Millis,
}

impl Default for PredictiveSettings {
    fn default() -> Self {
        PredictiveSettings {
            enabled: false,
            coverage: BasisPoints(9000),
            start_delay: Millis::from_secs(60),
            reduce_after: Millis::from_secs(30),
        }
    }
}

impl ScalingSettings {
    /// The highest utilisation that still counts as on target, in basis points.
    pub fn highest_tolerated(&self) -> u64 {
        u64::from(self.utilization_target.0) + self.tolerance.of(self.utilization_target.0.into())
    }
}

impl Default for ScalingSettings {
    fn default() -> Self {
        ScalingSettings {
            utilization_target: BasisPoints(6000),
            tolerance: BasisPoints(1000),
            reduce_after: Millis::from_secs(300),
            predictive: PredictiveSettings::default(),
            services: BTreeMap::new(),
        }
    }
}

/// The envelope of one service's replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceScaling {
    /// Never fewer.
    pub min: Replicas,
    /// Never more.
    pub max: Replicas,
}

/// The ladder: what the loop may do without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Autonomy {
    /// Decide and write down; never act.
    Observe,
    /// Ask first.
    Approve,
    /// Act.
    Act,
}

impl GuardSettings {
    /// How far back any guard looks at decisions.
    pub fn longest_window(&self) -> Millis {
        let budgets = [self.per_target, self.global];
        let budgets = budgets.into_iter().chain(ActionClass::ALL.map(|class| self.budget(class)));
        let dwells = actions::CATALOGUE.iter().map(|kind| self.dwell(kind));
        let windows = budgets.map(|budget| budget.window).chain([self.blast_radius.window]);
        windows.chain(dwells).max().unwrap_or_default()
    }

    /// How long a knob must be left alone before an action of `kind` turns it the other way.
    pub fn dwell(&self, kind: &ActionKind) -> Millis {
        Millis(self.dwell_factor.of(kind.cooldown.0))
    }

    /// The budget of `class`.
    pub const fn budget(&self, class: ActionClass) -> RateBudget {
        match class {
            ActionClass::Sampling => self.sampling,
            ActionClass::Scaling => self.scaling,
            ActionClass::Notification => self.notification,
            ActionClass::Remediation => self.remediation,
            ActionClass::Shedding => self.shedding,
            ActionClass::Profiling => self.profiling,
        }
    }
}

/// Autonomy per action class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutonomySettings {
    /// Of sampling.
    pub sampling: Autonomy,
    /// Of scaling.
    pub scaling: Autonomy,
    /// Of notifying people.
    pub notification: Autonomy,
    /// Of restarts.
    #[serde(default = "observe")]
    pub remediation: Autonomy,
    /// Of refusing requests and dimming.
    #[serde(default = "observe")]
    pub shedding: Autonomy,
    /// Of profiling.
    #[serde(default = "observe")]
    pub profiling: Autonomy,
    /// How long a question to a person stands.
    pub approval_expires: Millis,
}

const fn observe() -> Autonomy {
    Autonomy::Observe
}

impl AutonomySettings {
    /// The autonomy of `class`.
    pub const fn of(&self, class: ActionClass) -> Autonomy {
        match class {
            ActionClass::Sampling => self.sampling,
            ActionClass::Scaling => self.scaling,
            ActionClass::Notification => self.notification,
            ActionClass::Remediation => self.remediation,
            ActionClass::Shedding => self.shedding,
            ActionClass::Profiling => self.profiling,
        }
    }
}

impl Default for AutonomySettings {
    fn default() -> Self {
        AutonomySettings {
            sampling: Autonomy::Act,
            scaling: Autonomy::Observe,
            notification: Autonomy::Act,
            remediation: observe(),
            shedding: observe(),
            profiling: observe(),
            approval_expires: Millis::from_secs(900),
        }
    }
}

/// At most so many actions in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateBudget {
    /// How many.
    pub actions_max: u32,
    /// In how much time.
    pub window: Millis,
}

/// How much may be changed within one window, however good each change looks by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlastRadius {
    /// Targets changed in a way that users can feel.
    pub targets_max: u32,
    /// The share of all services from which something is taken away; one always may be.
    pub services_max: BasisPoints,
    /// The share of a service's replicas that is taken away; one always may be.
    pub replicas_max: BasisPoints,
    /// In how much time.
    pub window: Millis,
}

/// How often and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuardSettings {
    /// Actions on one target.
    pub per_target: RateBudget,
    /// Sampling actions together.
    pub sampling: RateBudget,
    /// Scaling actions together.
    pub scaling: RateBudget,
    /// Notifications together.
    pub notification: RateBudget,
    /// Restarts together.
    pub remediation: RateBudget,
    /// Changes of limits and dimmers together.
    pub shedding: RateBudget,
    /// Profiles together.
    pub profiling: RateBudget,
    /// Actions of any class together.
    pub global: RateBudget,
    /// One scaling action multiplies or divides replicas by at most this, in basis points.
    pub replica_factor_max: BasisPoints,
    /// One sampling action multiplies or divides a probability by at most this, in basis points.
    pub sampling_factor_max: BasisPoints,
    /// One action multiplies or divides a concurrency limit by at most this, in basis points.
    pub limit_factor_max: BasisPoints,
    /// One action moves a dimmer by at most this share of all optional work.
    pub dimmer_step_max: BasisPoints,
    /// How much at once.
    pub blast_radius: BlastRadius,
    /// Whether anything may be taken to zero or raised from it.
    pub allow_zero: bool,
    /// A knob is turned the other way after so many cooldowns at the earliest, in basis points.
    pub dwell_factor: BasisPoints,
    /// Above this share of services in trouble at once nothing is done.
    pub storm_above: BasisPoints,
    /// When what is taken back again and again is given up.
    pub disarm: DisarmBound,
    /// How long what somebody else has set is left alone.
    pub yield_for: Millis,
}

const fn twofold() -> BasisPoints {
    BasisPoints(20_000)
}

const fn half() -> BasisPoints {
    BasisPoints(5000)
}

/// Four in ten minutes: who wants more of what cannot be taken back, or of what costs while it lasts, should look first.
const fn rarely() -> RateBudget {
    RateBudget { actions_max: 4, window: Millis::from_secs(600) }
}

/// Twelve a minute, as overload does not wait: two services step by step, or more in turns.
const fn often() -> RateBudget {
    RateBudget { actions_max: 12, window: Millis::from_secs(60) }
}

impl Default for GuardSettings {
    fn default() -> Self {
        GuardSettings {
            per_target: RateBudget { actions_max: 30, window: Millis::from_secs(600) },
            sampling: RateBudget { actions_max: 300, window: Millis::from_secs(60) },
            scaling: RateBudget { actions_max: 6, window: Millis::from_secs(60) },
            notification: RateBudget { actions_max: 10, window: Millis::from_secs(60) },
            remediation: rarely(),
            shedding: often(),
            profiling: rarely(),
            global: RateBudget { actions_max: 310, window: Millis::from_secs(60) },
            replica_factor_max: BasisPoints(20_000),
            sampling_factor_max: BasisPoints(100_000),
            limit_factor_max: twofold(),
            dimmer_step_max: half(),
            blast_radius: BlastRadius {
                targets_max: 20,
                services_max: BasisPoints(5000),
                replicas_max: BasisPoints(5000),
                window: Millis::from_secs(300),
            },
            allow_zero: false,
            dwell_factor: BasisPoints(25_000),
            storm_above: BasisPoints(5500),
            disarm: DisarmBound { undone_max: 3, rearm_after: Millis::from_secs(6 * 3600) },
            yield_for: Millis::from_secs(600),
        }
    }
}
