//! The data plane, as the rest of the binary sees it.
//!
//! Answers what was received, counted, kept and sent, in the words of the API and of the metrics. Does not decide what is
//! kept. The pipeline's own types are translated here, so that the API does not change whenever the pipeline does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use homeostat_core::{Observation, SamplingPlan, Timestamp};
use homeostat_pipeline::{
    AggregateReport, BufferConfig, ClientTls, ExportProtocol, ExportSignals, ExporterConfig, ExporterStats, Limits,
    Pipeline, PipelineConfig, PipelineStats, Secret, ServerTls, SpanMetrics, StoreStats, TokenSource,
};
use serde::{Deserialize, Serialize};

use crate::manifest::{Compression, DoorSecurity, Durability, ExporterSpec, Manifest, Protocol, TelemetryKind, Tokens};

/// Time for what is on its way when the agent stops: together with the loop's draining below the ten seconds that container
/// runtimes grant.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(4);

/// Where the durable log lies in the state directory.
const LOG_FOLDER: &str = "delivery";

/// The running data plane.
///
/// The pipeline is behind a lock because it is taken out when the agent stops, while connections to the API may still look
/// at it; they then see nothing. Readers never wait for each other.
pub(crate) struct DataPlane {
    pipeline: RwLock<Option<Pipeline>>,
}

impl DataPlane {
    /// Opens the OTLP doors and begins to sample after `plan`.
    pub(crate) async fn start(
        manifest: &Manifest,
        plan: SamplingPlan,
        state_dir: &Path,
    ) -> Result<DataPlane, homeostat_pipeline::StartError> {
        let limits = Limits::default();
        let config = PipelineConfig {
            security: security(&manifest.security),
            limits: Limits {
                request_bytes_max: manifest.intake.request_bytes_max.unwrap_or(limits.request_bytes_max),
                connections_max: manifest.intake.connections_max.unwrap_or(limits.connections_max),
                ..limits
            },
            memory_max: manifest.intake.memory_bytes_max,
            grpc: manifest.doors.otlp_grpc,
            http: manifest.doors.otlp_http,
            sampler: manifest.sampler,
            exporters: manifest.exporters.iter().map(exporter).collect(),
            span_metrics: SpanMetrics { interval: manifest.span_metrics_interval, identity: identity(manifest) },
            durability: match manifest.delivery.durability {
                Durability::Memory => homeostat_pipeline::Durability::Memory,
                Durability::Disk => homeostat_pipeline::Durability::Disk {
                    dir: state_dir.join(LOG_FOLDER),
                    bytes_max: manifest.delivery.disk_bytes_max,
                },
            },
            buffer: BufferConfig {
                queue_bytes_max: usize::try_from(manifest.delivery.queue_bytes_max).unwrap_or(usize::MAX),
                ..BufferConfig::default()
            },
            ..PipelineConfig::default()
        };
        let pipeline = Pipeline::start(config, plan).await?;
        Ok(DataPlane { pipeline: RwLock::new(Some(pipeline)) })
    }

    /// Where OTLP over gRPC is taken.
    pub(crate) fn grpc_addr(&self) -> Option<SocketAddr> {
        self.read(Pipeline::grpc_addr)
    }

    /// Where OTLP over HTTP is taken.
    pub(crate) fn http_addr(&self) -> Option<SocketAddr> {
        self.read(Pipeline::http_addr)
    }

    /// Samples after `plan` from now on.
    pub(crate) fn set_plan(&self, plan: SamplingPlan) {
        self.read(|pipeline| pipeline.set_plan(plan));
    }

    /// What the loop perceives of it.
    pub(crate) fn observe(&self, now: Timestamp) -> Vec<Observation> {
        self.read(|pipeline| pipeline.observe(now))
    }

    /// Exact counts of everything that arrived.
    pub(crate) fn aggregates(&self) -> Aggregates {
        self.read(|pipeline| Aggregates::from(pipeline.aggregates()))
    }

    /// What it has done.
    pub(crate) fn stats(&self) -> Stats {
        self.read(|pipeline| Stats::from(pipeline.stats()))
    }

    /// Sends what is left, for a bounded time, and closes the doors.
    pub(crate) async fn shutdown(&self) {
        let pipeline = self.pipeline.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(pipeline) = pipeline {
            pipeline.shutdown(SHUTDOWN_WITHIN).await;
        }
    }

    fn read<T: Default>(&self, look: impl FnOnce(&Pipeline) -> T) -> T {
        self.pipeline.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(look).unwrap_or_default()
    }
}

fn security(security: &DoorSecurity) -> homeostat_pipeline::DoorSecurity {
    let tls = security.tls.as_ref().map(|tls| ServerTls {
        cert_file: tls.cert_file.clone(),
        key_file: tls.key_file.clone(),
        client_ca_file: tls.client_ca_file.clone(),
    });
    let tokens = security.tokens.as_ref().map(|tokens| match tokens {
        Tokens::File(path) => TokenSource::File(path.clone()),
        // An unset variable holds no token, which is refused with its name.
        Tokens::Variable(name) => TokenSource::Given {
            place: format!("environment variable {name}"),
            text: Secret::new(std::env::var(name).unwrap_or_default()),
        },
    });
    homeostat_pipeline::DoorSecurity { tls, tokens }
}

/// What tells this agent's metrics from those of all others: the machine or pod, and the door, of which each agent of a
/// machine has its own.
fn identity(manifest: &Manifest) -> Vec<(String, String)> {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let door = manifest.doors.otlp_grpc.or(manifest.doors.otlp_http);
    let port = door.map(|door| format!(":{}", door.port())).unwrap_or_default();
    let said = [
        ("service.name", "homeostat".to_owned()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id", format!("{host}{port}")),
        ("host.name", host.to_owned()),
    ];
    let known = said.into_iter().filter(|(_, value)| !value.is_empty());
    known.map(|(key, value)| (key.to_owned(), value)).collect()
}

fn exporter(spec: &ExporterSpec) -> ExporterConfig {
    let receives = |kind| spec.signals.contains(&kind);
    ExporterConfig {
        name: spec.name.clone(),
        protocol: match spec.protocol {
            Protocol::Grpc => ExportProtocol::Grpc,
            Protocol::Http => ExportProtocol::HttpProtobuf,
        },
        endpoint: spec.endpoint.clone(),
        tls: ClientTls {
            ca_file: spec.tls.ca_file.clone(),
            cert_file: spec.tls.cert_file.clone(),
            key_file: spec.tls.key_file.clone(),
        },
        headers: spec.headers.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect(),
        compression: match spec.compression {
            Compression::None => homeostat_pipeline::Compression::None,
            Compression::Gzip => homeostat_pipeline::Compression::Gzip,
            Compression::Zstd => homeostat_pipeline::Compression::Zstd,
        },
        signals: ExportSignals {
            traces: receives(TelemetryKind::Traces),
            metrics: receives(TelemetryKind::Metrics),
            logs: receives(TelemetryKind::Logs),
            profiles: receives(TelemetryKind::Profiles),
        },
    }
}

/// Exact counts of everything that arrived, before sampling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aggregates {
    /// Per service, in name order.
    pub(crate) services: Vec<ServiceCounts>,
    /// Per edge of the service graph, in name order.
    pub(crate) edges: Vec<EdgeCounts>,
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ServiceCounts {
    /// `service.name`.
    pub(crate) service: String,
    /// Its requests.
    #[serde(flatten)]
    pub(crate) red: Red,
    /// Its spans that arrived.
    pub(crate) spans_received: u64,
    /// Its spans that were kept.
    pub(crate) spans_kept: u64,
    /// Per operation, in name order.
    pub(crate) operations: Vec<OperationCounts>,
}

/// One operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OperationCounts {
    /// The name of its entry span.
    pub(crate) operation: String,
    /// Its requests.
    #[serde(flatten)]
    pub(crate) red: Red,
    /// Median latency in microseconds, estimated by a sketch.
    pub(crate) latency_p50_us: u64,
    /// 99th percentile of latency in microseconds, estimated by a sketch.
    pub(crate) latency_p99_us: u64,
}

/// Requests since the agent started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Red {
    /// Requests.
    pub(crate) requests: u64,
    /// Of these, failed.
    pub(crate) errors: u64,
    /// Of these, slower than the latency objective.
    pub(crate) slow: u64,
}

/// One service calls another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EdgeCounts {
    /// Who calls.
    pub(crate) caller: String,
    /// Who is called.
    pub(crate) callee: String,
    /// How often.
    pub(crate) calls: u64,
    /// How often it failed.
    pub(crate) errors: u64,
}

impl From<AggregateReport> for Aggregates {
    fn from(report: AggregateReport) -> Aggregates {
        let operation = |operation: homeostat_pipeline::OperationReport| OperationCounts {
            operation: operation.operation.to_string(),
            red: Red { requests: operation.requests, errors: operation.errors, slow: operation.slow },
            latency_p50_us: operation.durations.p50.0,
            latency_p99_us: operation.durations.p99.0,
        };
        let service = |service: homeostat_pipeline::ServiceReport| ServiceCounts {
            service: service.service.to_string(),
            red: Red { requests: service.requests, errors: service.errors, slow: service.slow },
            spans_received: service.spans_received,
            spans_kept: service.spans_kept,
            operations: service.operations.into_iter().map(operation).collect(),
        };
        let edge = |edge: homeostat_pipeline::EdgeReport| EdgeCounts {
            caller: edge.caller.to_string(),
            callee: edge.callee.to_string(),
            calls: edge.calls,
            errors: edge.errors,
        };
        Aggregates {
            services: report.services.into_iter().map(service).collect(),
            edges: report.edges.into_iter().map(edge).collect(),
        }
    }
}

/// Counts by reason.
type ByReason = BTreeMap<String, u64>;

/// What the data plane has done since the agent started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stats {
    /// Requests that reached the OTLP doors.
    pub(crate) requests: u64,
    /// Requests refused, by reason.
    pub(crate) requests_refused: ByReason,
    /// Spans that arrived in well-formed requests.
    pub(crate) spans_received: u64,
    /// Those with valid ids.
    pub(crate) spans_accepted: u64,
    /// Those without.
    pub(crate) spans_rejected: u64,
    /// Metric data points taken in.
    pub(crate) data_points_accepted: u64,
    /// Log records taken in.
    pub(crate) log_records_accepted: u64,
    /// Profiles taken in.
    #[serde(default)]
    pub(crate) profiles_accepted: u64,
    /// Spans kept, by rule.
    pub(crate) spans_kept: ByReason,
    /// Spans not kept, by reason.
    pub(crate) spans_unsampled: ByReason,
    /// Spans that rules in dry run would have kept and no earlier rule kept, by rule.
    pub(crate) spans_rehearsed: ByReason,
    /// Of them, those that were kept anyway.
    pub(crate) spans_rehearsed_kept: ByReason,
    /// Spans whose trace is not decided yet.
    pub(crate) spans_undecided: u64,
    /// Traces decided, by what made it due.
    pub(crate) traces_decided: ByReason,
    /// Bytes of undecided traces.
    pub(crate) buffer_bytes: u64,
    /// How tight memory is.
    #[serde(default)]
    pub(crate) memory: Memory,
    /// Per destination.
    pub(crate) exporters: Vec<Exported>,
    /// The durable log, with `durability: disk`.
    #[serde(default)]
    pub(crate) log: Option<DeliveryLog>,
}

/// The durable log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeliveryLog {
    /// Bytes in it.
    pub(crate) bytes: u64,
    /// Bytes it may have.
    pub(crate) bytes_max: u64,
    /// Whether it cannot be written at present.
    pub(crate) is_failing: bool,
    /// Writes that failed.
    pub(crate) write_failures: u64,
    /// Damaged records that were skipped, at least.
    pub(crate) records_lost: u64,
    /// Their bytes.
    pub(crate) bytes_lost: u64,
    /// Undecided spans of a former life that went back to the sampler.
    pub(crate) spans_recovered: u64,
    /// Requests that were recognised as sent again.
    pub(crate) requests_repeated: u64,
}

/// How tight memory is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// What the process should stay within.
    pub(crate) limit_bytes: u64,
    /// What requests, trace buffer and queues hold.
    pub(crate) held_bytes: u64,
    /// What the process occupies.
    pub(crate) resident_bytes: u64,
    /// `normal`, `soft`, `lean` (traces alone are taken in) or `hard` (nothing is).
    pub(crate) level: String,
}

/// What one exporter has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exported {
    /// Its name.
    pub(crate) name: String,
    /// Spans, data points and log records the destination accepted.
    pub(crate) items_exported: u64,
    /// Attempts that failed.
    pub(crate) failures: u64,
    /// What was given up, by reason.
    pub(crate) items_dropped: ByReason,
    /// What waits or is being sent.
    pub(crate) items_queued: u64,
    /// Its bytes.
    pub(crate) queue_bytes: u64,
    /// Whether the destination is tried: `closed`, `open` or `half_open`.
    #[serde(default)]
    pub(crate) circuit: String,
    /// How often the destination was found down.
    #[serde(default)]
    pub(crate) circuit_opened: u64,
}

impl From<PipelineStats> for Stats {
    fn from(stats: PipelineStats) -> Stats {
        Stats {
            requests: stats.requests,
            requests_refused: owned(stats.requests_refused),
            spans_received: stats.spans_received,
            spans_accepted: stats.spans_accepted,
            spans_rejected: stats.spans_rejected,
            data_points_accepted: stats.data_points_accepted,
            log_records_accepted: stats.log_records_accepted,
            profiles_accepted: stats.profiles_accepted,
            spans_kept: owned(stats.spans_kept),
            spans_unsampled: owned(stats.spans_unsampled),
            spans_rehearsed: stats.rehearsed.iter().map(|(rule, dry)| ((*rule).to_owned(), dry.spans)).collect(),
            spans_rehearsed_kept: stats
                .rehearsed
                .iter()
                .map(|(rule, dry)| ((*rule).to_owned(), dry.spans_kept_anyway))
                .collect(),
            spans_undecided: stats.spans_undecided,
            traces_decided: owned(stats.traces_decided),
            buffer_bytes: stats.buffer_bytes,
            memory: Memory {
                limit_bytes: stats.memory.limit_bytes,
                held_bytes: stats.memory.held_bytes,
                resident_bytes: stats.memory.resident_bytes,
                level: stats.memory.level.to_owned(),
            },
            exporters: stats.exporters.into_iter().map(exported).collect(),
            log: stats.store.map(delivery_log),
        }
    }
}

fn delivery_log(stats: StoreStats) -> DeliveryLog {
    DeliveryLog {
        bytes: stats.bytes,
        bytes_max: stats.bytes_max,
        is_failing: stats.is_failing,
        write_failures: stats.write_failures,
        records_lost: stats.records_lost,
        bytes_lost: stats.bytes_lost,
        spans_recovered: stats.spans_recovered,
        requests_repeated: stats.requests_repeated,
    }
}

fn exported(stats: ExporterStats) -> Exported {
    Exported {
        name: stats.name,
        items_exported: stats.items_exported,
        failures: stats.failures,
        items_dropped: owned(stats.items_dropped),
        items_queued: stats.items_queued,
        queue_bytes: stats.queue_bytes,
        circuit: stats.circuit.as_str().to_owned(),
        circuit_opened: stats.circuit_opened,
    }
}

fn owned(counts: BTreeMap<&'static str, u64>) -> ByReason {
    counts.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect()
}
