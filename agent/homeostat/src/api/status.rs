//! The status.
//!
//! Answers everything a person wants to see at a glance, as one JSON document: the page, `homeostat status` and scripts read
//! the same. Does not compute anything that the loop or the data plane does not already know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use homeostat_core::{
    AutonomySettings, BasisPoints, Efficacy, EfficacyKey, Importance, Incident, Indicator, InstanceId, JourneyName,
    JourneyState, Knowledge, Millis, ObjectiveKind, Progress, Regime, ServiceName, ServiceObjectives, ServiceSampling,
    Snapshot, Storm, TickNumber, Timestamp, Trial, Window, Withheld,
};
use serde::{Deserialize, Serialize};

use crate::data_plane::{Aggregates, Red, Stats};
use crate::doors::OpenDoors;
use crate::goals::GoalStanding;
use crate::view::{Decision, Disarmed, LoopView, Trouble};

/// Everything at a glance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Who answers.
    pub(crate) agent: AgentStatus,
    /// In which regime the next tick will run.
    pub(crate) regime: Regime,
    /// Why the agent does not act, if something is broken.
    pub(crate) trouble: Option<Trouble>,
    /// The last tick.
    pub(crate) tick: TickNumber,
    /// Its time.
    pub(crate) at: Timestamp,
    /// The share of signals that are not fresh.
    pub(crate) blindness_bp: BasisPoints,
    /// What may be done without asking.
    pub(crate) autonomy: AutonomySettings,
    /// Services, in name order.
    pub(crate) services: Vec<ServiceStatus>,
    /// How each goal stands, by name.
    #[serde(default)]
    pub(crate) goals: BTreeMap<JourneyName, GoalStatus>,
    /// Open incidents, oldest first.
    pub(crate) incidents: Vec<Incident>,
    /// Open trials.
    pub(crate) trials: Vec<Trial>,
    /// What was decided lately, newest first.
    pub(crate) decisions: Vec<Decision>,
    /// The file that holds the agent, while it does.
    #[serde(default)]
    pub(crate) hold_file: Option<PathBuf>,
    /// Mass failure, while there is one.
    #[serde(default)]
    pub(crate) storm: Option<Storm>,
    /// What was taken back too often to be tried again.
    #[serde(default)]
    pub(crate) disarmed: Vec<Disarmed>,
    /// What was withheld at the last tick.
    pub(crate) withheld: Vec<Withheld>,
    /// What was learned: how each kind of action fared against each kind of incident.
    pub(crate) learned: Vec<Learned>,
    /// What the data plane received, kept and sent.
    pub(crate) pipeline: Stats,
    /// Where the agent listens.
    pub(crate) doors: OpenDoors,
}

/// Who answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AgentStatus {
    /// The manifest's name.
    pub(crate) name: String,
    /// The manifest's source.
    pub(crate) manifest: String,
    /// The program's version.
    pub(crate) version: String,
    /// The process.
    pub(crate) pid: u32,
    /// Since when it runs.
    pub(crate) uptime_ms: Millis,
    /// How often it was started on this journal, this time included.
    pub(crate) life: u64,
    /// Where the journal lives.
    pub(crate) state_dir: String,
}

/// How one goal stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct GoalStatus {
    /// How much it matters.
    pub(crate) importance: Importance,
    /// How it stands.
    #[serde(flatten)]
    pub(crate) standing: GoalStanding,
}

/// How the goals stand, as far as a tick has looked at them.
pub(crate) fn goals(view: &LoopView) -> BTreeMap<JourneyName, GoalStatus> {
    let Some(record) = &view.record else { return BTreeMap::new() };
    let states = record.assessment.goals.journeys.iter();
    let status = |(name, state): (&JourneyName, &JourneyState)| {
        let promise = view.settings.goals.journeys.get(name)?;
        let standing = GoalStanding::of(promise, state);
        Some((name.clone(), GoalStatus { importance: promise.importance, standing }))
    };
    states.filter_map(status).collect()
}

/// How one kind of action fared against one kind of incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Learned {
    /// Which action against which incident.
    #[serde(flatten)]
    pub(crate) key: EfficacyKey,
    /// How it fared.
    #[serde(flatten)]
    pub(crate) efficacy: Efficacy,
    /// The share of trials expected to keep their promise.
    pub(crate) success_bp: BasisPoints,
}

/// What was learned, in the order of the knowledge.
pub(crate) fn learned(knowledge: &Knowledge) -> Vec<Learned> {
    let entry = |(key, efficacy): (&EfficacyKey, &Efficacy)| Learned {
        key: key.clone(),
        efficacy: *efficacy,
        success_bp: efficacy.success(),
    };
    knowledge.efficacy.iter().map(entry).collect()
}

/// One service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ServiceStatus {
    /// `service.name`.
    pub(crate) name: String,
    /// Exact counts since the agent started.
    pub(crate) totals: Red,
    /// Requests in thousandths per second, if fresh.
    pub(crate) rate_milli_per_second: Option<u64>,
    /// The failed share of the last minute's requests.
    pub(crate) errors_bp: BasisPoints,
    /// The slow share of the last minute's requests.
    pub(crate) slow_bp: BasisPoints,
    /// Median latency, if fresh.
    pub(crate) latency_p50_us: Option<u64>,
    /// 99th percentile of latency, if fresh.
    pub(crate) latency_p99_us: Option<u64>,
    /// Share of capacity in use, if fresh.
    pub(crate) utilization_bp: Option<u64>,
    /// Instances serving, if fresh.
    pub(crate) replicas: Option<u64>,
    /// Requests in flight, and how many of them are admitted, where it has a limit.
    pub(crate) requests_in_flight: Option<u64>,
    /// Requests in flight that are admitted.
    pub(crate) concurrency_limit: Option<u64>,
    /// Requests refused at the limit, in thousandths per second.
    pub(crate) shed_milli_per_second: Option<u64>,
    /// The share of optional work done.
    pub(crate) dimmer_bp: Option<u64>,
    /// Its instances, where they are known one by one.
    pub(crate) instances: Vec<InstanceStatus>,
    /// How its traces are sampled, in parts per million.
    pub(crate) sampling: ServiceSampling,
    /// What it promises.
    pub(crate) objectives: ServiceObjectives,
    /// Whom it calls.
    pub(crate) calls: Vec<ServiceName>,
}

/// One instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct InstanceStatus {
    /// `service.instance.id`.
    pub(crate) id: InstanceId,
    /// Requests in flight, if fresh.
    pub(crate) requests_in_flight: Option<u64>,
    /// Requests finished in thousandths per second, if fresh.
    pub(crate) completed_milli_per_second: Option<u64>,
    /// Whether it holds requests and finishes none.
    pub(crate) stuck: bool,
}

fn instance((id, progress): (&InstanceId, Progress)) -> InstanceStatus {
    InstanceStatus {
        id: id.clone(),
        requests_in_flight: progress.held,
        completed_milli_per_second: progress.finished,
        stuck: progress.is_stuck(),
    }
}

/// Services as the last tick saw them, with exact counts from the data plane.
pub(crate) fn services(view: &LoopView, aggregates: &Aggregates) -> Vec<ServiceStatus> {
    let exact: BTreeMap<&str, Red> =
        aggregates.services.iter().map(|counts| (counts.service.as_str(), counts.red)).collect();
    let nothing = Snapshot::default();
    let snapshot = view.record.as_ref().map_or(&nothing, |record| &record.snapshot);
    let mut names: Vec<ServiceName> = snapshot.services().cloned().collect();
    names.extend(exact.keys().map(|name| ServiceName::from(*name)));
    names.sort();
    names.dedup();
    names.iter().map(|name| service(name, exact.get(name.as_str()).copied(), snapshot, view)).collect()
}

fn service(name: &ServiceName, exact: Option<Red>, snapshot: &Snapshot, view: &LoopView) -> ServiceStatus {
    let minute = snapshot.counts.get(name).copied().unwrap_or_default().over(Window::Minute);
    let value = |indicator| snapshot.service_value(name, indicator);
    ServiceStatus {
        name: name.to_string(),
        totals: exact.unwrap_or_default(),
        rate_milli_per_second: value(Indicator::RequestsTotal),
        errors_bp: minute.bad_ratio(ObjectiveKind::Availability),
        slow_bp: minute.bad_ratio(ObjectiveKind::Latency),
        latency_p50_us: value(Indicator::LatencyP50),
        latency_p99_us: value(Indicator::LatencyP99),
        utilization_bp: value(Indicator::Utilization),
        replicas: value(Indicator::ReplicasReady),
        requests_in_flight: value(Indicator::RequestsInFlight),
        concurrency_limit: value(Indicator::ConcurrencyLimit),
        shed_milli_per_second: value(Indicator::ShedTotal),
        dimmer_bp: value(Indicator::Dimmer),
        instances: snapshot.instances(name).map(instance).collect(),
        sampling: view.sampling_of(name),
        objectives: view.settings.objectives.of(name),
        calls: snapshot.callees(name).cloned().collect(),
    }
}
