//! The agent's own metrics.
//!
//! Answers how the agent is doing, in a form Prometheus scrapes. Does not keep numbers of its own: each scrape reads the
//! last view and the data plane. Families have bounded cardinality: services beyond a limit are counted together.

mod exposition;
pub(crate) mod process;

pub(crate) use process::read as process_cost;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use homeostat_core::{Indicator, Regime, ServiceName, Target};
use tokio::sync::watch;

use crate::data_plane::{Aggregates, DataPlane, DeliveryLog, Exported, Red, Stats};
use crate::view::{Durations, EffectKind, LoopView, Trouble, VERDICTS};
use exposition::Exposition;
use exposition::Kind::{Counter, Gauge};

/// Services with a series of their own. A host runs tens; beyond this the rest is one series, `_other`.
const SERVICES_MAX: usize = 200;

/// One family: its name, its help, and how its value is read.
type Read<T> = (&'static str, &'static str, fn(&T) -> u64);

/// What is read at a scrape.
#[derive(Clone)]
pub(crate) struct MetricsState {
    /// How the loop stands.
    pub(crate) views: watch::Receiver<Arc<LoopView>>,
    /// The data plane.
    pub(crate) data_plane: Arc<DataPlane>,
    /// The journal's file.
    pub(crate) journal: std::path::PathBuf,
}

/// The routes.
pub(crate) fn router(state: MetricsState) -> Router {
    Router::new().route("/metrics", get(scrape)).with_state(state)
}

async fn scrape(State(state): State<MetricsState>) -> impl IntoResponse {
    let view = state.views.borrow().clone();
    let journal_bytes = std::fs::metadata(&state.journal).map(|file| file.len()).ok();
    let text = render(&view, &state.data_plane.aggregates(), &state.data_plane.stats(), journal_bytes);
    ([(header::CONTENT_TYPE, Exposition::CONTENT_TYPE)], text)
}

fn render(view: &LoopView, aggregates: &Aggregates, stats: &Stats, journal_bytes: Option<u64>) -> String {
    let mut page = Exposition::default();
    requests(&mut page, aggregates);
    latencies(&mut page, view);
    data_plane(&mut page, stats);
    regime(&mut page, view);
    decisions(&mut page, view);
    ticks(&mut page, view, journal_bytes);
    process(&mut page);
    page.finish()
}

fn requests(page: &mut Exposition, aggregates: &Aggregates) {
    let services = bounded(aggregates);
    let counts: [Read<Red>; 3] = [
        ("homeostat_requests_total", "Requests received by each service, before sampling.", |red| red.requests),
        ("homeostat_request_errors_total", "Requests that failed, before sampling.", |red| red.errors),
        ("homeostat_request_slow_total", "Requests slower than the latency objective.", |red| red.slow),
    ];
    for (name, help, read) in counts {
        let mut family = page.family(name, Counter, help);
        for (service, red) in &services {
            family.sample(&[("service", service)], read(red));
        }
    }
}

/// Services by name, those beyond the limit together.
fn bounded(aggregates: &Aggregates) -> Vec<(&str, Red)> {
    let all = &aggregates.services;
    let (own, rest) = all.split_at(all.len().min(SERVICES_MAX));
    let mut services: Vec<(&str, Red)> = own.iter().map(|counts| (counts.service.as_str(), counts.red)).collect();
    if !rest.is_empty() {
        let mut other = Red::default();
        for counts in rest {
            other.requests += counts.red.requests;
            other.errors += counts.red.errors;
            other.slow += counts.red.slow;
        }
        services.push(("_other", other));
    }
    services
}

fn latencies(page: &mut Exposition, view: &LoopView) {
    let Some(record) = &view.record else {
        return;
    };
    let services: Vec<&ServiceName> = record.snapshot.services().take(SERVICES_MAX).collect();
    type Gauges = (&'static str, &'static str, &'static [(Indicator, &'static str)], f64);
    let gauges: [Gauges; 7] = [
        (
            "homeostat_request_latency_seconds",
            "Latency percentiles of the last interval.",
            &[(Indicator::LatencyP50, "50"), (Indicator::LatencyP99, "99")],
            1e6,
        ),
        ("homeostat_utilization_ratio", "Share of capacity in use.", &[(Indicator::Utilization, "")], 1e4),
        ("homeostat_replicas", "Instances serving.", &[(Indicator::ReplicasReady, "")], 1.0),
        ("homeostat_requests_in_flight", "Requests in flight.", &[(Indicator::RequestsInFlight, "")], 1.0),
        ("homeostat_concurrency_limit", "Requests in flight admitted.", &[(Indicator::ConcurrencyLimit, "")], 1.0),
        ("homeostat_requests_shed_per_second", "Requests refused at the limit.", &[(Indicator::ShedTotal, "")], 1e3),
        ("homeostat_dimmer_ratio", "Share of optional work done.", &[(Indicator::Dimmer, "")], 1e4),
    ];
    for (name, help, indicators, scale) in gauges {
        let mut family = page.family(name, Gauge, help);
        for service in &services {
            for (indicator, percentile) in indicators {
                let reading = record.snapshot.reading(&Target::Service((*service).clone()), *indicator);
                let Some(value) = reading.fresh() else { continue };
                let mut labels = vec![("service", service.as_str())];
                labels.extend((!percentile.is_empty()).then_some(("percentile", *percentile)));
                family.sample(&labels, value as f64 / scale);
            }
        }
    }
    let mut family = page.family("homeostat_sampling_probability_ratio", Gauge, "Sampling probability in force.");
    for service in &services {
        let sampling = view.sampling_of(service);
        family.sample(&[("service", service.as_str()), ("at", "head")], sampling.head.as_f64());
        family.sample(&[("service", service.as_str()), ("at", "tail")], sampling.tail.as_f64());
    }
}

fn data_plane(page: &mut Exposition, stats: &Stats) {
    page.family("homeostat_otlp_requests_total", Counter, "Export requests that reached the OTLP doors.")
        .plain(stats.requests);
    let refused = "Export requests refused as a whole, by reason.";
    page.family("homeostat_otlp_requests_refused_total", Counter, refused).by("reason", &stats.requests_refused);
    page.family("homeostat_spans_received_total", Counter, "Spans received.").plain(stats.spans_received);
    page.family("homeostat_spans_rejected_total", Counter, "Spans with invalid ids.").plain(stats.spans_rejected);
    page.family("homeostat_data_points_received_total", Counter, "Metric data points received.")
        .plain(stats.data_points_accepted);
    page.family("homeostat_log_records_received_total", Counter, "Log records received.")
        .plain(stats.log_records_accepted);
    page.family("homeostat_profiles_received_total", Counter, "Profiles received.").plain(stats.profiles_accepted);
    page.family("homeostat_spans_kept_total", Counter, "Spans kept, by rule.").by("rule", &stats.spans_kept);
    page.family("homeostat_spans_dropped_total", Counter, "Spans not kept by the sampler, by reason.")
        .by("reason", &stats.spans_unsampled);
    if !stats.spans_rehearsed.is_empty() {
        let help = "Spans that a sampling rule in dry run would have kept and no earlier rule kept.";
        page.family("homeostat_spans_dry_run_total", Counter, help).by("rule", &stats.spans_rehearsed);
        let help = "Of the spans of a rule in dry run, those that a later rule kept anyway.";
        page.family("homeostat_spans_dry_run_kept_total", Counter, help).by("rule", &stats.spans_rehearsed_kept);
    }
    page.family("homeostat_spans_undecided", Gauge, "Spans whose trace is not decided yet.")
        .plain(stats.spans_undecided);
    page.family("homeostat_traces_decided_total", Counter, "Traces decided, by what made the decision due.")
        .by("due", &stats.traces_decided);
    page.family("homeostat_buffer_bytes", Gauge, "Bytes of traces not decided yet.").plain(stats.buffer_bytes);
    memory(page, stats);
    exporters(page, stats);
    if let Some(log) = &stats.log {
        delivery_log(page, log);
    }
}

fn delivery_log(page: &mut Exposition, log: &DeliveryLog) {
    let families: [Read<DeliveryLog>; 7] = [
        ("homeostat_delivery_log_bytes", "Bytes in the durable log.", |log| log.bytes),
        ("homeostat_delivery_log_limit_bytes", "Bytes the durable log may have.", |log| log.bytes_max),
        ("homeostat_delivery_log_failing", "Whether the durable log cannot be written.", |log| log.is_failing.into()),
        ("homeostat_delivery_log_errors_total", "Writes of the durable log that failed.", |log| log.write_failures),
        ("homeostat_delivery_log_lost_total", "Damaged records that were skipped, at least.", |log| log.records_lost),
        ("homeostat_delivery_log_recovered_spans_total", "Undecided spans of the life before.", |log| {
            log.spans_recovered
        }),
        ("homeostat_delivery_log_repeats_total", "Requests that had been taken in before.", |log| {
            log.requests_repeated
        }),
    ];
    for (name, help, read) in families {
        page.family(name, if name.ends_with("_total") { Counter } else { Gauge }, help).plain(read(log));
    }
}

fn memory(page: &mut Exposition, stats: &Stats) {
    page.family("homeostat_memory_limit_bytes", Gauge, "Memory the agent should stay within.")
        .plain(stats.memory.limit_bytes);
    page.family("homeostat_memory_held_bytes", Gauge, "Memory of requests, trace buffer and queues.")
        .plain(stats.memory.held_bytes);
    let help = "How tight memory is: one for the level in force, zero for others.";
    let mut family = page.family("homeostat_memory_level", Gauge, help);
    for level in ["normal", "soft", "lean", "hard"] {
        family.sample(&[("level", level)], stats.memory.level == level);
    }
}

fn exporters(page: &mut Exposition, stats: &Stats) {
    let counts: [Read<Exported>; 6] = [
        ("homeostat_export_circuit_open", "Whether the destination is left alone or probed.", |out| {
            (out.circuit != "closed").into()
        }),
        ("homeostat_export_circuit_opened_total", "How often the destination was found down.", |out| {
            out.circuit_opened
        }),
        ("homeostat_export_items_total", "Items the destination accepted.", |out| out.items_exported),
        ("homeostat_export_failures_total", "Export attempts that failed.", |out| out.failures),
        ("homeostat_export_queue_items", "Items waiting or being sent.", |out| out.items_queued),
        ("homeostat_export_queue_bytes", "Bytes waiting or being sent.", |out| out.queue_bytes),
    ];
    for (name, help, read) in counts {
        let mut family = page.family(name, if name.ends_with("_total") { Counter } else { Gauge }, help);
        for out in &stats.exporters {
            family.sample(&[("exporter", &out.name)], read(out));
        }
    }
    let mut family = page.family("homeostat_export_dropped_total", Counter, "Items given up, by reason.");
    for out in &stats.exporters {
        for (reason, count) in &out.items_dropped {
            family.sample(&[("exporter", &out.name), ("reason", reason)], *count);
        }
    }
}

fn regime(page: &mut Exposition, view: &LoopView) {
    let mut family =
        page.family("homeostat_regime", Gauge, "The regime of the next tick: one for it, zero for others.");
    for regime in [Regime::Starting, Regime::Holding, Regime::Blind, Regime::Engaged, Regime::Draining] {
        family.sample(&[("regime", &regime.to_string())], view.regime == regime);
    }
    let by_file = view.hold_file.is_some();
    page.family("homeostat_hold_file", Gauge, "Whether the file hold in the state directory is there.").plain(by_file);
    let stopped = matches!(view.trouble, Some(Trouble::LoopStopped { .. }));
    page.family("homeostat_loop_stopped", Gauge, "Whether a failed assertion stopped the loop.").plain(stopped);
    let unwritable = matches!(view.trouble, Some(Trouble::JournalNotWritable { .. }));
    page.family("homeostat_journal_failed", Gauge, "Whether the journal cannot be written.").plain(unwritable);
    let Some(record) = &view.record else {
        return;
    };
    let storms = record.assessment.storm.is_some();
    page.family("homeostat_storm", Gauge, "Whether so much is wrong at once that nothing is done.").plain(storms);
    let mut family = page.family("homeostat_disarmed", Gauge, "What was taken back too often to be tried again.");
    for one in &view.disarmed {
        let way = one.way.map_or_else(String::new, |way| way.to_string());
        family.sample(&[("target", &one.target), ("kind", one.kind.as_str()), ("way", &way)], 1_u64);
    }
    let blindness = f64::from(record.snapshot.blindness.0) / 1e4;
    page.family("homeostat_blindness_ratio", Gauge, "Share of signals that are not fresh.").plain(blindness);
    let open = record.assessment.incidents.len() as u64;
    page.family("homeostat_incidents_open", Gauge, "Open incidents.").plain(open);
}

fn decisions(page: &mut Exposition, view: &LoopView) {
    page.family("homeostat_trials_open", Gauge, "Actions in flight.").plain(view.trials.len() as u64);
    let mut family = page.family("homeostat_trials_total", Counter, "Actions that ended, by verdict.");
    for (verdict, count) in VERDICTS.iter().zip(view.counts.verdicts) {
        family.sample(&[("verdict", &verdict.to_string().replace(' ', "_"))], count);
    }
    let mut family = page.family("homeostat_effects_total", Counter, "Effects handed to the outside, by result.");
    for kind in EffectKind::ALL {
        let counts = view.counts.effects[kind as usize];
        family.sample(&[("kind", kind.as_str()), ("result", "done")], counts.done);
        family.sample(&[("kind", kind.as_str()), ("result", "failed")], counts.failed);
    }
}

fn ticks(page: &mut Exposition, view: &LoopView, journal_bytes: Option<u64>) {
    let counts = &view.counts;
    page.family("homeostat_ticks_total", Counter, "Ticks of the loop.").plain(counts.ticks);
    page.family("homeostat_ticks_skipped_total", Counter, "Ticks that fell out because one took too long.")
        .plain(counts.ticks_skipped);
    let Durations { count, sum_s, .. } = counts.tick_durations;
    let help = "How long ticks took, writing the journal included.";
    page.histogram("homeostat_tick_duration_seconds", help, &counts.tick_durations.cumulative(), sum_s, count);
    page.family("homeostat_observations_dropped_total", Counter, "Readings the loop had no room for.")
        .plain(counts.observations_dropped);
    page.family("homeostat_journal_commits_total", Counter, "Ticks written to the journal.").plain(counts.commits);
    page.family("homeostat_journal_errors_total", Counter, "Ticks that could not be written.")
        .plain(counts.commit_errors);
    if let Some(bytes) = journal_bytes {
        page.family("homeostat_journal_bytes", Gauge, "Size of the journal's file.").plain(bytes);
    }
}

fn process(page: &mut Exposition) {
    let cost = process_cost();
    if let Some(bytes) = cost.resident_bytes {
        page.family("process_resident_memory_bytes", Gauge, "Resident memory of the agent.").plain(bytes);
    }
    if let Some(seconds) = cost.cpu_seconds {
        page.family("process_cpu_seconds_total", Counter, "Processor time of the agent.").plain(seconds);
    }
    let version = env!("CARGO_PKG_VERSION");
    page.family("homeostat_build_info", Gauge, "The running version.").sample(&[("version", version)], 1_u64);
}
