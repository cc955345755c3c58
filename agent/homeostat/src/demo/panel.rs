//! The panel.
//!
//! Answers what the live picture shows at this moment, as rows of plain text with a tone: services, incident, open trials,
//! the agent itself. Does not know a terminal: one screen draws it in place every tick, the other prints it now and then.

use homeostat_core::actions::ActionClass;
use homeostat_core::{BasisPoints, Indicator, Micros, Millis, Reading, ServiceName, Target, TickRecord};

use super::line::Tone;
use super::story::{Begun, Story, changed, promise, suspicion, which};

/// Services shown; the shop has five. With more, the first by name are shown and the rest is counted.
const SERVICES_SHOWN_MAX: usize = 6;

/// Open trials shown, newest first; those of sampling share one more row. The shop scales one service at a time.
const TRIALS_SHOWN_MAX: usize = 2;

/// The titles of the service table.
pub(crate) const TITLES: [&str; 8] = ["service", "req/s", "failed", "slow", "p99", "busy", "workers", "kept"];

/// What the panel shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Panel {
    /// One row per service, under [`TITLES`].
    pub(crate) services: Vec<ServiceRow>,
    /// What is wrong and why.
    pub(crate) incident: Option<String>,
    /// What is under way, newest first.
    pub(crate) trials: Vec<String>,
    /// The agent itself.
    pub(crate) agent: String,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceRow {
    /// Its cells, under [`TITLES`].
    pub(crate) cells: [String; 8],
    /// How it does.
    pub(crate) tone: Tone,
    /// The share of its workers' time in use; drawn as a bar where there is room.
    pub(crate) busy: Option<BasisPoints>,
}

/// How far the demo is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What is going on.
    pub(crate) phase: &'static str,
    /// Since the start.
    pub(crate) elapsed: Millis,
    /// At most.
    pub(crate) total: Millis,
}

/// The panel for the newest record of `story`; empty before there is one.
pub(crate) fn panel(story: &Story) -> Panel {
    let Some(record) = &story.last else { return Panel::default() };
    let services = record.snapshot.services().take(SERVICES_SHOWN_MAX);
    Panel {
        services: services.map(|service| service_row(story, record, service)).collect(),
        incident: record.assessment.incidents.first().map(|incident| {
            let lasted = record.at.since(incident.opened);
            let suspicion = suspicion(incident).unwrap_or_else(|| "no cause suspected yet".to_owned());
            format!("{} {}, for {} s; {suspicion}", incident.id, incident.kind, lasted.0 / 1000)
        }),
        trials: trials(story, record),
        agent: agent(story, record),
    }
}

fn service_row(story: &Story, record: &TickRecord, service: &ServiceName) -> ServiceRow {
    let read = |indicator| record.snapshot.reading(&Target::Service(service.clone()), indicator);
    let promise = promise(record, &story.settings, service);
    let sampling = story.sampling_of(service);
    let busy = read(Indicator::Utilization).fresh().map(|value| BasisPoints(u32::try_from(value).unwrap_or(u32::MAX)));
    let share = |share: BasisPoints| format!("{}.{} %", share.0 / 100, share.0 % 100 / 10);
    let dash = || "–".to_owned();
    ServiceRow {
        cells: [
            service.to_string(),
            shown(read(Indicator::RequestsTotal), |value| format!("{}", (value + 500) / 1000)),
            promise.map_or_else(dash, |promise| share(promise.failed)),
            promise.map_or_else(dash, |promise| share(promise.slow)),
            shown(read(Indicator::LatencyP99), |value| latency(Micros(value))),
            busy.map_or_else(dash, |busy| format!("{} %", busy.0 / 100)),
            shown(read(Indicator::ReplicasReady), |value| value.to_string()),
            sampling.tail.to_string(),
        ],
        tone: match promise {
            Some(promise) if promise.is_broken() => Tone::Bad,
            Some(_) => Tone::Good,
            None => Tone::Plain,
        },
        busy,
    }
}

/// A reading for people: a stale one says so, a missing one is a dash, never a zero.
fn shown(reading: Reading, render: impl Fn(u64) -> String) -> String {
    match reading {
        Reading::Fresh { value } => render(value),
        Reading::Stale { last, age, .. } => format!("{} ({} s old)", render(last), age.0 / 1000),
        Reading::Missing { .. } => "–".to_owned(),
    }
}

/// A latency that stays short: seconds from one second on.
pub(crate) fn latency(latency: Micros) -> String {
    match latency.0 / 1000 {
        ms if ms < 1000 => latency.to_string(),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

fn trials(story: &Story, record: &TickRecord) -> Vec<String> {
    let open = story.actions.values().rev().filter(|begun| begun.is_open());
    let (sampling, others): (Vec<_>, Vec<_>) =
        open.partition(|begun| begun.request.action.class == ActionClass::Sampling);
    let mut told: Vec<String> = others
        .iter()
        .take(TRIALS_SHOWN_MAX)
        .map(|begun| {
            let action = &begun.request.action;
            let what = changed(&action.actuation, action.way_back.as_ref());
            format!("{} {what}: {}", begun.request.id, stage(begun, record))
        })
        .collect();
    if let Some(newest) = sampling.first() {
        let ids = which(&sampling.iter().rev().map(|begun| begun.request.id).collect::<Vec<_>>());
        let services = if sampling.len() == 1 { "service" } else { "services" };
        told.push(format!("{ids} sampling of {} {services}: {}", sampling.len(), stage(newest, record)));
    }
    told
}

fn stage(begun: &Begun, record: &TickRecord) -> String {
    match begun.settles_in(record.at) {
        Some(left) => format!("settling, judged in {} s", left.0 / 1000),
        None => begun.stage.to_string(),
    }
}

fn agent(story: &Story, record: &TickRecord) -> String {
    let spans = |indicator| {
        let reading = record.snapshot.reading(&Target::Agent, indicator);
        shown(reading, |value| format!("{}/s", (value + 500) / 1000))
    };
    let judged = story.actions.values().filter(|begun| !begun.is_open()).count();
    format!(
        "{}; spans: {} received, {} kept, budget {}/s; {judged} actions judged",
        record.regime,
        spans(Indicator::SpansReceivedTotal),
        spans(Indicator::SpansKeptTotal),
        story.settings.sampling.kept_spans_per_second_max
    )
}
