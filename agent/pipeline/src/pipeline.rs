//! The running pipeline.
//!
//! Answers the few questions the driver has: start, set the plan, read what was seen, stop. Does not know the control
//! plane: a plan is swapped in atomically and nothing here ever waits for one.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use homeostat_core::{Indicator, Observation, SamplingPlan, Target, Timestamp};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, timeout_at};

use crate::aggregate::AggregateReport;
use crate::config::{PipelineConfig, Telemetry};
use crate::descriptors;
use crate::export::ExporterError;
use crate::governor;
use crate::intake::{Accepted, Intake, Refusal};
use crate::receive::{Door, GrpcDoor, HttpDoor, Listener};
use crate::stats::{PipelineStats, Rule};
use crate::store::StoreError;
use crate::tls::{self, DoorTls, TlsError};
use crate::tokens::TokensError;
use crate::watched::chain;

/// How often due decisions and batches are looked for; a tenth of a second adds little to lags of seconds.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// How often certificates and tokens are looked at; well within the overlap that any rotation leaves.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// Why the pipeline cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address cannot be listened on.
    #[error("cannot listen for OTLP over {protocol} on {address}; {}", advice(.source))]
    Bind {
        /// `gRPC` or `HTTP`.
        protocol: &'static str,
        /// The address as configured.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// An exporter's configuration is unusable.
    #[error(transparent)]
    Exporter(#[from] ExporterError),
    /// The durable log cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The doors' certificates or keys are unusable.
    #[error("cannot open the OTLP doors with TLS: {}", chain(.0))]
    Tls(#[from] TlsError),
    /// The doors' bearer tokens are unusable.
    #[error("cannot open the OTLP doors: {}", chain(.0))]
    Tokens(#[from] TokensError),
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "stop the program that holds this port (`ss -ltnp` shows it) or configure another",
        io::ErrorKind::PermissionDenied => "choose a port above 1023 or grant the permission to use this one",
        io::ErrorKind::AddrNotAvailable => "this host has no such address; configure one that it has",
        _ => "configure another address",
    }
}

/// A running data plane. Dropped without [`Pipeline::shutdown`], it stops at once and loses what it holds.
#[derive(Debug)]
pub struct Pipeline {
    intake: Arc<Intake>,
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
    /// Whether the aggregates leave as metrics.
    tells: bool,
    closing: watch::Sender<bool>,
    doors: JoinSet<()>,
    background: JoinSet<()>,
}

impl Pipeline {
    /// Binds the configured addresses and starts to serve. Destinations need not be there yet.
    pub async fn start(mut config: PipelineConfig, plan: SamplingPlan) -> Result<Pipeline, StartError> {
        config.limits.connections_max = config.limits.connections_max.min(descriptors::for_each_door());
        let tls = config.security.tls.as_ref().map(tls::door).transpose()?.map(Arc::new);
        let memory_max = governor::fit(&mut config);
        let intake = Arc::new(Intake::new(&config, memory_max, plan)?);
        let grpc = bind("gRPC", config.grpc).await?;
        let http = bind("HTTP", config.http).await?;
        let mut pipeline = Pipeline {
            intake: intake.clone(),
            grpc: grpc.as_ref().map(|listener| listener.address),
            http: http.as_ref().map(|listener| listener.address),
            tells: config.span_metrics.interval.is_some(),
            closing: watch::Sender::new(false),
            doors: JoinSet::new(),
            background: JoinSet::new(),
        };
        if let Some(leftover) = intake.outlet.spawn(&mut pipeline.background) {
            intake.recover(leftover).await;
        }
        pipeline.open(grpc, GrpcDoor(intake.clone()), tls.clone());
        pipeline.open(http, HttpDoor(intake.clone()), tls.clone());
        if let Some(interval) = config.span_metrics.interval {
            pipeline.background.spawn(tell(intake.clone(), Duration::from_millis(interval.0)));
        }
        pipeline.background.spawn(refresh(intake.clone(), tls));
        pipeline.background.spawn(sweep(intake));
        Ok(pipeline)
    }

    /// Where OTLP over gRPC is taken.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc
    }

    /// Where OTLP over HTTP is taken.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Decides by `plan` from now on.
    pub fn set_plan(&self, plan: SamplingPlan) {
        self.intake.follow(plan);
    }

    /// The plan in force.
    pub fn plan(&self) -> Arc<SamplingPlan> {
        self.intake.plan.load_full()
    }

    /// Takes in a request made inside this process, such as spans of kernel facts, as if it had come through a door. There is
    /// nobody to wait for the disk: with `durability: disk`, spans that are not decided yet are lost in a crash.
    pub fn ingest(&self, kind: Telemetry, request: &Bytes) -> Result<Accepted, Refusal> {
        let taken = self.intake.take_unasked(kind, request);
        self.intake.counters.requests.add(1);
        if let Err(refusal) = &taken {
            self.intake.counters.refused.add(refusal.reason(), 1);
        }
        taken
    }

    /// What the control plane is told; to be called once a second. Latencies cover the time since the last call. Services
    /// that fell silent are left out, so that their readings go stale.
    pub fn observe(&self, now: Timestamp) -> Vec<Observation> {
        let mut observations = self.intake.aggregates.observe(now, &self.intake.plan.load());
        self.intake.sampler.observe(now, &mut observations);
        let kept = self.intake.sampler.counters().kept.read();
        let all: u64 = kept.values().sum();
        let by_rule = kept[Rule::Error.as_str()] + kept[Rule::Slow.as_str()];
        let mut say = |indicator, value| observations.push(Observation::new(Target::Agent, indicator, value, now));
        say(Indicator::SpansReceivedTotal, self.intake.counters.spans_accepted.read());
        say(Indicator::SpansKeptTotal, all);
        say(Indicator::SpansKeptByRuleTotal, by_rule);
        observations
    }

    /// Requests, errors, durations and edges since start.
    pub fn aggregates(&self) -> AggregateReport {
        self.intake.aggregates.report()
    }

    /// What the pipeline did since start.
    pub fn stats(&self) -> PipelineStats {
        let (door, sampler) = (&self.intake.counters, self.intake.sampler.counters());
        let waiting = self.intake.sampler.waiting();
        PipelineStats {
            requests: door.requests.read(),
            requests_refused: door.refused.read(),
            spans_received: door.spans_received.read(),
            spans_accepted: door.spans_accepted.read(),
            spans_rejected: door.spans_rejected.read(),
            data_points_accepted: door.data_points.read(),
            log_records_accepted: door.log_records.read(),
            profiles_accepted: door.profiles.read(),
            spans_kept: sampler.kept.read(),
            spans_unsampled: sampler.unsampled.read(),
            rehearsed: self.intake.sampler.rehearsed(),
            spans_undecided: waiting.spans,
            traces_undecided: waiting.traces,
            traces_decided: sampler.decided.read(),
            buffer_bytes: waiting.bytes,
            memory: self.intake.memory(),
            exporters: self.intake.outlet.stats(),
            store: self.intake.outlet.store_stats(),
        }
    }

    /// Stops receiving, decides what is buffered with what is known, and sends what is queued; gives up after `within` and
    /// counts the rest as lost.
    pub async fn shutdown(mut self, within: Duration) -> PipelineStats {
        let deadline = Instant::now() + within;
        self.closing.send_replace(true);
        // Requests at hand get half of the time; what they brought needs the other half to leave.
        let half = Instant::now() + within / 2;
        let served = timeout_at(half, async { while self.doors.join_next().await.is_some() {} }).await;
        if served.is_err() {
            self.doors.shutdown().await;
        }
        self.intake.drain();
        if self.tells {
            self.intake.tell();
        }
        drop(timeout_at(deadline, self.intake.outlet.drained()).await);
        self.background.shutdown().await;
        self.intake.outlet.close().await;
        self.stats()
    }

    fn open(&mut self, listener: Option<Listener>, door: impl Door, tls: Option<Arc<DoorTls>>) {
        if let Some(listener) = listener {
            self.doors.spawn(listener.serve(door, self.intake.limits, tls, self.closing.subscribe()));
        }
    }
}

async fn bind(protocol: &'static str, address: Option<SocketAddr>) -> Result<Option<Listener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let listener = Listener::bind(address).await;
    listener.map(Some).map_err(|source| StartError::Bind { protocol, address, source })
}

/// Sends the aggregates as metrics. The first time after a whole interval: before it there is nothing to say.
async fn tell(intake: Arc<Intake>, every: Duration) {
    let mut interval = tokio::time::interval_at(Instant::now() + every, every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        intake.tell();
    }
}

async fn sweep(intake: Arc<Intake>) {
    let mut interval = tokio::time::interval(SWEEP_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        intake.govern();
        intake.sweep().await;
        if intake.is_at_rest() {
            intake.calm.sleep().await;
            interval.reset();
        }
    }
}

/// Looks after certificates and tokens. Files may lie on a slow disk, so that is done beside the serving threads.
async fn refresh(intake: Arc<Intake>, tls: Option<Arc<DoorTls>>) {
    let mut interval = tokio::time::interval(REFRESH_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let (intake, tls) = (intake.clone(), tls.clone());
        let looking = tokio::task::spawn_blocking(move || {
            tls.iter().for_each(|tls| tls.refresh());
            intake.tokens.iter().for_each(|tokens| tokens.refresh());
            intake.outlet.refresh();
        });
        if let Err(error) = looking.await {
            tracing::error!(%error, "cannot look after certificates and tokens");
        }
    }
}
