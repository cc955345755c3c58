//! A scenario as it is written.
//!
//! Mirrors the text and refuses unknown keys. Every key carries its unit. Defaults are written here, next to the keys that
//! may be left out. Whether the values make sense is `valid`'s question.

mod extras;

use std::collections::BTreeMap;

use homeostat_core::{Autonomy, Importance, RestartPermission};
use serde::Deserialize;

use crate::faults::AnyFault;
use crate::plants::{Cancellation, WhileCalling};
use crate::scenario::expect::Indicator;
use crate::workloads::AnyShape;

pub(crate) use extras::{RawCache, RawHost, RawPool, RawRetries, RawWarmUp};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawScenario {
    pub(crate) about: String,
    pub(crate) duration_s: u64,
    pub(crate) services: Vec<RawService>,
    /// Hosts whose cores services share.
    #[serde(default)]
    pub(crate) hosts: Vec<RawHost>,
    pub(crate) workloads: Vec<RawWorkload>,
    #[serde(default)]
    pub(crate) settings: RawSettings,
    #[serde(default)]
    pub(crate) world: RawWorld,
    #[serde(default)]
    pub(crate) faults: Vec<RawFault>,
    #[serde(default)]
    pub(crate) operator: Vec<RawOperator>,
    #[serde(default)]
    pub(crate) expect: Vec<RawExpectation>,
    #[serde(default)]
    pub(crate) liveness: RawLiveness,
    /// Checkers that do not look, by name.
    #[serde(default)]
    pub(crate) without: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawService {
    pub(crate) name: String,
    pub(crate) replicas: u32,
    pub(crate) workers_per_replica: u32,
    /// Two seconds of work at 100 requests a second; longer queues only hold what has timed out.
    #[serde(default = "queue_max")]
    pub(crate) queue_max: u32,
    pub(crate) service_time: RawServiceTime,
    #[serde(default)]
    pub(crate) error_ppm: u32,
    #[serde(default = "timeout_ms")]
    pub(crate) timeout_ms: u64,
    #[serde(default)]
    pub(crate) cancellation: Cancellation,
    #[serde(default = "start_delay_ms")]
    pub(crate) start_delay_ms: u64,
    #[serde(default)]
    pub(crate) warm_up: Option<RawWarmUp>,
    #[serde(default)]
    pub(crate) cache: Option<RawCache>,
    /// By name.
    #[serde(default)]
    pub(crate) host: Option<String>,
    #[serde(default = "one")]
    pub(crate) spans_per_request: u32,
    #[serde(default)]
    pub(crate) optional_bp: u32,
    #[serde(default = "release")]
    pub(crate) while_calling: WhileCalling,
    #[serde(default)]
    pub(crate) calls: Vec<RawCall>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum RawServiceTime {
    Lognormal { median_us: u64, p99_us: u64 },
    Exponential { mean_us: u64 },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCall {
    pub(crate) service: String,
    #[serde(default = "always_ppm")]
    pub(crate) probability_ppm: u32,
    /// That of the called service, if left out.
    #[serde(default)]
    pub(crate) timeout_ms: Option<u64>,
    #[serde(default)]
    pub(crate) retries: Option<RawRetries>,
    #[serde(default)]
    pub(crate) pool: Option<RawPool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWorkload {
    pub(crate) service: String,
    pub(crate) shape: AnyShape,
    /// What is asked, where it is to be told apart.
    #[serde(default)]
    pub(crate) operation: Option<String>,
    #[serde(default)]
    pub(crate) retries: Option<RawRetries>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSettings {
    pub(crate) objectives: BTreeMap<String, RawObjectives>,
    pub(crate) scaling: RawScaling,
    pub(crate) sampling: RawSampling,
    /// What else may be done, by service.
    pub(crate) permissions: BTreeMap<String, RawPermissions>,
    pub(crate) autonomy: RawAutonomy,
    pub(crate) goals: RawGoals,
    pub(crate) guards: RawGuards,
}

/// What the business wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawGoals {
    pub(crate) journeys: BTreeMap<String, RawJourney>,
    pub(crate) error_rate_bp: u32,
    pub(crate) p99_rank_bp: u32,
    pub(crate) window_s: u64,
}

impl Default for RawGoals {
    /// The loop's own defaults.
    fn default() -> Self {
        RawGoals { journeys: BTreeMap::new(), error_rate_bp: 1000, p99_rank_bp: 50, window_s: 600 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawJourney {
    pub(crate) service: String,
    #[serde(default)]
    pub(crate) operation: Option<String>,
    #[serde(default)]
    pub(crate) through: Vec<String>,
    #[serde(default)]
    pub(crate) importance: Importance,
    pub(crate) reliability_bp: u32,
    #[serde(default)]
    pub(crate) latency: Option<RawLatency>,
    #[serde(default = "window_d")]
    pub(crate) window_d: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLatency {
    pub(crate) threshold_ms: u64,
    pub(crate) ratio_bp: u32,
}

/// Guards that are narrower or wider than usual.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawGuards {
    pub(crate) blast_targets_max: Option<u32>,
    pub(crate) blast_window_s: Option<u64>,
    pub(crate) scaling_per_minute_max: Option<u32>,
    pub(crate) allow_zero: bool,
}

/// The promises of one service; `default` as a name means all others.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawObjectives {
    pub(crate) availability_bp: Option<u32>,
    pub(crate) latency_bp: Option<u32>,
    pub(crate) latency_threshold_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawScaling {
    pub(crate) utilization_target_bp: Option<u32>,
    pub(crate) tolerance_bp: Option<u32>,
    pub(crate) reduce_after_s: Option<u64>,
    /// Whether replicas follow the forecast where it can be trusted.
    pub(crate) predictive: Option<bool>,
    pub(crate) services: BTreeMap<String, RawEnvelope>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEnvelope {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawPermissions {
    /// Requests in flight; the largest number is the limit of a good day.
    pub(crate) limit: Option<RawRange>,
    pub(crate) dimmer_bp: Option<RawRange>,
    pub(crate) restart: Option<RestartPermission>,
    pub(crate) profile: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRange {
    pub(crate) min: u32,
    pub(crate) max: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSampling {
    pub(crate) adaptive: Option<bool>,
    pub(crate) initial_head_ppm: Option<u32>,
    pub(crate) initial_tail_ppm: Option<u32>,
    pub(crate) floor_ppm: Option<u32>,
    pub(crate) kept_spans_per_second_max: Option<u64>,
    pub(crate) kept_share_max_bp: Option<u32>,
    pub(crate) received_spans_per_second_max: Option<u64>,
}

/// Here, unlike in production, everything acts unless told otherwise: that is what is being tried.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawAutonomy {
    pub(crate) sampling: Autonomy,
    pub(crate) scaling: Autonomy,
    pub(crate) notification: Autonomy,
    pub(crate) remediation: Autonomy,
    pub(crate) shedding: Autonomy,
    pub(crate) profiling: Autonomy,
}

impl Default for RawAutonomy {
    fn default() -> Self {
        RawAutonomy {
            sampling: Autonomy::Act,
            scaling: Autonomy::Act,
            notification: Autonomy::Act,
            remediation: Autonomy::Act,
            shedding: Autonomy::Act,
            profiling: Autonomy::Act,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawWorld {
    pub(crate) actuator_delay_ms: u64,
    /// Actuators look for work this often only, as controllers do; zero means at once.
    pub(crate) actuator_round_ms: u64,
    pub(crate) head_delay_ms: u64,
}

impl Default for RawWorld {
    /// Half a second for an API server to act; five for a sampler to ask again.
    fn default() -> Self {
        RawWorld { actuator_delay_ms: 500, actuator_round_ms: 0, head_delay_ms: 5000 }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFault {
    pub(crate) from_s: u64,
    /// The end of the run, if left out.
    #[serde(default)]
    pub(crate) to_s: Option<u64>,
    pub(crate) fault: AnyFault,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOperator {
    pub(crate) at_s: u64,
    pub(crate) says: RawSaying,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RawSaying {
    Hold,
    Resume,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExpectation {
    pub(crate) measure: Indicator,
    /// Whose; left out for measures of the whole.
    #[serde(default)]
    pub(crate) service: Option<String>,
    #[serde(default)]
    pub(crate) from_s: u64,
    /// The end of the run, if left out.
    #[serde(default)]
    pub(crate) to_s: Option<u64>,
    #[serde(default)]
    pub(crate) at_least: Option<u64>,
    #[serde(default)]
    pub(crate) at_most: Option<u64>,
    #[serde(default)]
    pub(crate) mean_at_least: Option<u64>,
    #[serde(default)]
    pub(crate) mean_at_most: Option<u64>,
    /// From `from_s` the measure may be above `settles_to` for this long, and then no more.
    #[serde(default)]
    pub(crate) settles_within_s: Option<u64>,
    #[serde(default)]
    pub(crate) settles_to: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawLiveness {
    pub(crate) grace_s: u64,
    pub(crate) actions_max: u32,
    pub(crate) reversals_max: u32,
}

impl Default for RawLiveness {
    /// Three minutes hold an incident's opening, two scaling steps with their cooldowns and the draining of a queue. Eight
    /// changes leave room for slow corrections of sampling; turning round once is a correction, twice an oscillation.
    fn default() -> Self {
        RawLiveness { grace_s: 180, actions_max: 8, reversals_max: 1 }
    }
}

fn window_d() -> u64 {
    30
}

fn queue_max() -> u32 {
    200
}

fn timeout_ms() -> u64 {
    2000
}

fn start_delay_ms() -> u64 {
    4000
}

fn one() -> u32 {
    1
}

fn release() -> WhileCalling {
    WhileCalling::Release
}

fn always_ppm() -> u32 {
    1_000_000
}
