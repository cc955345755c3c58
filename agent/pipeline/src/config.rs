//! What the data plane is told at start.
//!
//! Answers where to listen, how much to hold, and where to send. Does not read files or the environment: the manifest
//! does. Probabilities are not here because they change while running; they come with the sampling plan.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use homeostat_core::Millis;

use crate::sample::{CapConfig, JudgeConfig};

/// Everything the pipeline needs to start.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// Where to take OTLP over gRPC; `None`: not at all.
    pub grpc: Option<SocketAddr>,
    /// Where to take OTLP over HTTP; `None`: not at all.
    pub http: Option<SocketAddr>,
    /// How the doors prove themselves, and whom they let in.
    pub security: DoorSecurity,
    /// How much one sender, and all together, may ask for.
    pub limits: Limits,
    /// Memory the process should stay within; by default four fifths of what its container may use, or a quarter of the
    /// machine's, at most 512 MiB. Limits and buffers are made smaller where they would not fit.
    pub memory_max: Option<usize>,
    /// How long traces wait for their decision.
    pub buffer: BufferConfig,
    /// How they are decided.
    pub sampler: SamplerConfig,
    /// Where kept telemetry goes; none: it is counted and forgotten.
    pub exporters: Vec<ExporterConfig>,
    /// What survives a kill.
    pub durability: Durability,
    /// How many series are kept apart.
    pub cardinality: Cardinality,
    /// How the aggregates leave as metrics.
    pub span_metrics: SpanMetrics,
}

impl Default for PipelineConfig {
    /// OTLP's own ports on loopback, nothing exported.
    fn default() -> Self {
        PipelineConfig {
            grpc: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 4317))),
            http: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 4318))),
            security: DoorSecurity::default(),
            limits: Limits::default(),
            memory_max: None,
            buffer: BufferConfig::default(),
            sampler: SamplerConfig::default(),
            exporters: Vec::new(),
            durability: Durability::Memory,
            cardinality: Cardinality::default(),
            span_metrics: SpanMetrics::default(),
        }
    }
}

/// How traces are decided. Probabilities are not here: they come with the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SamplerConfig {
    /// Which rules decide, and how ordinary traffic is thinned.
    pub judge: JudgeConfig,
    /// How much of what is kept may leave.
    pub cap: CapConfig,
}

/// How the aggregates leave as metrics, to every exporter of metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpanMetrics {
    /// How often; `None`: not at all.
    pub interval: Option<Millis>,
    /// Resource attributes that tell this agent's counts from those of every other agent.
    pub identity: Vec<(String, String)>,
}

/// How the doors prove themselves, and whom they let in; by default nobody is asked, which is for loopback.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DoorSecurity {
    /// Certificates; without them connections are plain.
    pub tls: Option<ServerTls>,
    /// Bearer tokens, one of which each request must carry.
    pub tokens: Option<TokenSource>,
}

/// What a door proves itself with, in PEM files that are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerTls {
    /// The certificate and those between it and its authority.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
    /// Authorities of clients; when given, a client without a certificate of theirs is refused.
    pub client_ca_file: Option<PathBuf>,
}

/// Whom an exporter trusts, and what it proves itself with, in PEM files that are read again when they change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Authorities of the destination; the system's own when absent.
    pub ca_file: Option<PathBuf>,
    /// The exporter's own certificate.
    pub cert_file: Option<PathBuf>,
    /// Its private key.
    pub key_file: Option<PathBuf>,
}

/// Where bearer tokens come from, one on each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// A file, read again when it changes.
    File(PathBuf),
    /// Given once, for example by an environment variable.
    Given {
        /// Where it was taken from, for messages.
        place: String,
        /// The tokens.
        text: Secret,
    },
}

/// A text that no dump shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: String) -> Secret {
        Secret(text)
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// Bounds of what is received. At each, the sender is refused with the error its protocol has for the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request, before and after inflation. OTLP recommends 64 MiB.
    pub request_bytes_max: usize,
    /// Bytes of all requests being received at once; beyond it, senders are asked to come back later.
    pub in_flight_bytes_max: usize,
    /// Connections per listener; beyond it, the longest idle one makes room for a new one. Fewer where the process may
    /// open few files.
    pub connections_max: usize,
    /// Requests at once on one HTTP/2 connection.
    pub streams_per_connection_max: u32,
    /// How long a connection may be without a request. SDKs send metrics once a minute.
    pub idle_max: Millis,
    /// How long a connection may take for its TLS handshake, and then to send a request's headers.
    pub header_deadline: Millis,
    /// How long a request's body may take to arrive.
    pub body_deadline: Millis,
    /// What a refused sender is told to wait.
    pub retry_after: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_bytes_max: 64 << 20,
            in_flight_bytes_max: 256 << 20,
            connections_max: 1024,
            streams_per_connection_max: 256,
            idle_max: Millis::from_secs(300),
            header_deadline: Millis::from_secs(30),
            body_deadline: Millis::from_secs(30),
            retry_after: Millis::from_secs(1),
        }
    }
}

/// How traces wait for their decision, and how what was kept waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferConfig {
    /// Bytes of undecided traces; beyond it, the oldest are decided with what is known.
    pub bytes_max: usize,
    /// How long a trace waits after its root has arrived: exporters of other services batch too.
    pub lag: Millis,
    /// How long a trace waits at most.
    pub wait_max: Millis,
    /// Decisions remembered for late spans; beyond it, the oldest are forgotten.
    pub decisions_max: usize,
    /// An export request is sent when it holds this much; below the 4 MiB that gRPC receivers accept by default.
    pub batch_bytes: usize,
    /// An export request is sent when it is this old.
    pub batch_delay: Millis,
    /// Bytes waiting for one exporter; when every exporter of a telemetry kind is full, senders are asked to come back.
    pub queue_bytes_max: usize,
    /// The first pause after a failed export; it doubles with each failure. The collector's default is 5 s too.
    pub retry_initial: Millis,
    /// The longest pause.
    pub retry_max: Millis,
    /// After so long an export is given up and its spans are counted as dropped.
    pub retry_give_up: Millis,
    /// How long one attempt may take.
    pub export_timeout: Millis,
}

impl Default for BufferConfig {
    fn default() -> Self {
        BufferConfig {
            bytes_max: 64 << 20,
            lag: Millis::from_secs(2),
            wait_max: Millis::from_secs(30),
            decisions_max: 200_000,
            batch_bytes: 1 << 20,
            batch_delay: Millis(1000),
            queue_bytes_max: 64 << 20,
            retry_initial: Millis::from_secs(5),
            retry_max: Millis::from_secs(30),
            retry_give_up: Millis::from_secs(300),
            export_timeout: Millis::from_secs(10),
        }
    }
}

/// How many series are kept apart; what exceeds a bound is counted together in an overflow series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cardinality {
    /// Services.
    pub services_max: usize,
    /// Operations of one service.
    pub operations_per_service_max: usize,
    /// Pairs of services that call each other.
    pub edges_max: usize,
    /// Calls of which one end has not arrived yet; beyond it, the oldest are forgotten.
    pub pending_calls_max: usize,
}

impl Default for Cardinality {
    /// A large shop's worth; at about 2 kB a series, all bounds together stay near 100 MB.
    fn default() -> Self {
        Cardinality { services_max: 500, operations_per_service_max: 100, edges_max: 5000, pending_calls_max: 100_000 }
    }
}

/// What survives a kill of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that waits; what is lost otherwise is counted.
    Memory,
    /// Every acknowledged span that is or will be kept, and every acknowledged metric and log; a power cut too.
    Disk {
        /// A directory of its own.
        dir: PathBuf,
        /// Bytes it may take; beyond it, senders are asked to come back.
        bytes_max: u64,
    },
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExporterConfig {
    /// What it is called in statistics.
    pub name: String,
    /// How it is spoken to.
    pub protocol: ExportProtocol,
    /// `http://host:port` or `https://host:port`, with a path prefix if need be, or plain `host:port`.
    pub endpoint: String,
    /// For `https://` only.
    pub tls: ClientTls,
    /// Sent with each request.
    pub headers: Vec<(String, String)>,
    /// How requests are compressed.
    pub compression: Compression,
    /// What it receives.
    pub signals: ExportSignals,
}

/// How an exporter compresses what it sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// What every receiver understands.
    Gzip,
    /// Smaller and cheaper than gzip, where the receiver understands it.
    Zstd,
}

/// How an exporter speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportProtocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP with protobuf bodies.
    HttpProtobuf,
}

/// Which telemetry kinds an exporter receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportSignals {
    /// Kept spans.
    pub traces: bool,
    /// All metrics.
    pub metrics: bool,
    /// All logs.
    pub logs: bool,
    /// All profiles.
    pub profiles: bool,
}

impl Default for ExportSignals {
    /// Everything.
    fn default() -> Self {
        ExportSignals { traces: true, metrics: true, logs: true, profiles: true }
    }
}

impl ExportSignals {
    /// Whether `kind` is among them.
    pub fn includes(self, kind: Telemetry) -> bool {
        match kind {
            Telemetry::Traces => self.traces,
            Telemetry::Metrics => self.metrics,
            Telemetry::Logs => self.logs,
            Telemetry::Profiles => self.profiles,
        }
    }
}

/// A telemetry kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Telemetry {
    /// Spans.
    Traces,
    /// Data points.
    Metrics,
    /// Log records.
    Logs,
    /// Profiles, a signal in development.
    Profiles,
}

impl Telemetry {
    /// Where OTLP over HTTP puts it.
    pub const fn path(self) -> &'static str {
        match self {
            Telemetry::Traces => "/v1/traces",
            Telemetry::Metrics => "/v1/metrics",
            Telemetry::Logs => "/v1/logs",
            Telemetry::Profiles => "/v1development/profiles",
        }
    }

    /// Where OTLP over gRPC puts it.
    pub const fn method(self) -> &'static str {
        match self {
            Telemetry::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Telemetry::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Telemetry::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Telemetry::Profiles => "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        }
    }

    /// All kinds.
    pub const ALL: [Telemetry; 4] = [Telemetry::Traces, Telemetry::Metrics, Telemetry::Logs, Telemetry::Profiles];
}
