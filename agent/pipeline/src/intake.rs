//! Behind the doors.
//!
//! Answers whether a request is taken in, and sends its content on its way: counted first, then sampled or passed through.
//! Does not know by which protocol it came. The work is done in the request's own task: whoever is told "accepted" has
//! been counted.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use ::http::HeaderMap;
use arc_swap::ArcSwap;
use bytes::Bytes;
use foldhash::fast::RandomState;
use homeostat_core::{SamplingPlan, Timestamp};
use tokio::sync::Semaphore;

use crate::aggregate::otlp::Writer;
use crate::aggregate::{Aggregates, Counted, operation_key, utilization};
use crate::calm::Calm;
use crate::clock::Clock;
use crate::config::{Limits, PipelineConfig, Telemetry};
use crate::export::Outlet;
use crate::governor::{self, Governor};
use crate::pipeline::StartError;
use crate::sample::{Arrivals, Sampler, Source, Sweep};
use crate::stats::{DoorCounters, MemoryStats, Refused};
use crate::store::Store;
use crate::tokens::{self, Tokens, TokensError};
use crate::views::{LogsView, MetricsView, ProfilesView, SpanView, TracesView};
use crate::watched::Watched;

/// Large requests worked on at once: two leave room for usual ones on any machine, and more would only hold more memory.
const LARGE_REQUESTS_MAX: usize = 2;

/// Why a request is refused as a whole. Each protocol has its own error for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a message of its kind.
    Malformed(String),
    /// Above the limit.
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// No room; come back later.
    Overload(&'static str),
    /// The body took too long.
    Timeout,
    /// No bearer token that is accepted.
    Unauthenticated,
}

impl Refusal {
    pub(crate) fn reason(&self) -> Refused {
        match self {
            Refusal::Malformed(_) => Refused::Malformed,
            Refusal::TooLarge { .. } => Refused::TooLarge,
            Refusal::Overload(_) => Refused::Overload,
            Refusal::Timeout => Refused::Timeout,
            Refusal::Unauthenticated => Refused::Unauthenticated,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Malformed(problem) => write!(f, "{problem}"),
            Refusal::TooLarge { limit } => {
                write!(f, "request exceeds the limit of {limit} bytes, before or after inflation; send smaller batches")
            }
            Refusal::Overload(what) => write!(f, "{what}, try again later"),
            Refusal::Timeout => f.write_str("the request body did not arrive in time"),
            Refusal::Unauthenticated => f.write_str("a bearer token is needed in the authorization header"),
        }
    }
}

/// What was taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Items refused one by one.
    pub rejected: u64,
    /// What was wrong with the first of them.
    pub message: String,
}

impl Accepted {
    fn reject(&mut self, problem: impl FnOnce() -> String) {
        if self.rejected == 0 {
            self.message = problem();
        }
        self.rejected += 1;
    }
}

/// What the spans of one scope have in common.
pub(crate) struct Reading {
    pub(crate) source: u32,
    pub(crate) service: u64,
    pub(crate) slow_nanos: u64,
}

/// The data plane's state, shared by doors, sweeper and exporters.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) plan: ArcSwap<SamplingPlan>,
    pub(crate) aggregates: Aggregates,
    writer: Writer,
    pub(crate) sampler: Sampler,
    pub(crate) outlet: Outlet,
    pub(crate) counters: DoorCounters,
    pub(crate) in_flight: AtomicUsize,
    /// Turns of requests so large that they are worked on beside the serving threads.
    pub(crate) large_requests: Arc<Semaphore>,
    pub(crate) governor: Governor,
    pub(crate) calm: Calm,
    /// Who is let in; `None`: everybody.
    pub(crate) tokens: Option<Watched<Tokens, TokensError>>,
    /// Keyed anew in each process, so that no sender can choose ids that fall on one place.
    hasher: RandomState,
}

impl Intake {
    pub(crate) fn new(config: &PipelineConfig, memory_max: usize, plan: SamplingPlan) -> Result<Intake, StartError> {
        let clock = Clock::start();
        let sampler = Sampler::new(config.buffer, config.sampler);
        sampler.follow(&plan);
        Ok(Intake {
            writer: Writer::new(&config.span_metrics.identity, clock.now()),
            clock,
            limits: config.limits,
            plan: ArcSwap::from_pointee(plan),
            aggregates: Aggregates::new(config.cardinality),
            sampler,
            outlet: Outlet::new(config)?,
            counters: DoorCounters::default(),
            in_flight: AtomicUsize::new(0),
            large_requests: Arc::new(Semaphore::new(LARGE_REQUESTS_MAX)),
            governor: Governor::new(memory_max),
            calm: Calm::default(),
            tokens: config.security.tokens.as_ref().map(tokens::watch).transpose()?,
            hasher: RandomState::default(),
        })
    }

    /// Decides by `plan` from now on.
    pub(crate) fn follow(&self, plan: SamplingPlan) {
        self.sampler.follow(&plan);
        self.plan.store(Arc::new(plan));
    }

    /// Whether a request with these headers may be read at all.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        match &self.tokens {
            Some(tokens) if !tokens.current().admit(headers) => Err(Refusal::Unauthenticated),
            _ => Ok(()),
        }
    }

    /// Whether there is memory to read a request of `kind`.
    pub(crate) fn has_memory(&self, kind: Telemetry) -> Result<(), Refusal> {
        if self.governor.level().takes(kind) { Ok(()) } else { Err(Refusal::Overload("memory full")) }
    }

    /// Looks at the memory held and occupied; called several times a second.
    pub(crate) fn govern(&self) {
        let held = self.in_flight.load(Relaxed) as u64 + self.sampler.waiting().bytes + self.outlet.queued_bytes();
        let before = self.governor.level();
        let level = self.governor.look(held, governor::resident());
        if level != before {
            self.sampler.set_share(level.buffer_share());
        }
    }

    pub(crate) fn memory(&self) -> MemoryStats {
        MemoryStats {
            limit_bytes: self.governor.limit(),
            held_bytes: self.governor.held(),
            resident_bytes: self.governor.resident(),
            level: self.governor.level().as_str(),
        }
    }

    /// Takes in one request of `kind`, or refuses it as a whole and changes nothing.
    pub(crate) fn take(&self, kind: Telemetry, body: &Bytes) -> Result<Accepted, Refusal> {
        self.calm.end();
        if !self.outlet.has_room(kind) {
            self.perceive(kind, body);
            return Err(Refusal::Overload("export queue full"));
        }
        let _working = self.outlet.store().map(Store::working);
        match kind {
            Telemetry::Traces => self.traces(self.clock.now(), body),
            Telemetry::Metrics => self.metrics(body),
            Telemetry::Logs => self.logs(body),
            Telemetry::Profiles => self.profiles(body),
        }
    }

    /// Decides what is due and sends what is ready; called several times a second. Requests get their turn in between.
    pub(crate) async fn sweep(&self) {
        let mut sweep = Sweep::default();
        while self.sweep_on(&mut sweep) {
            tokio::task::yield_now().await;
        }
        let now = self.clock.now();
        self.outlet.flush_due(now);
        self.outlet.tend(now, self.sampler.oldest().unwrap_or(now));
    }

    fn sweep_on(&self, sweep: &mut Sweep) -> bool {
        let now = self.clock.now();
        self.sampler.sweep(sweep, now, &self.plan.load(), &mut self.outlet.at(now))
    }

    /// Whether nothing waits to be received, decided or sent.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.in_flight.load(Relaxed) == 0 && self.sampler.waiting().spans == 0 && self.outlet.is_at_rest()
    }

    /// Decides everything and sends it.
    pub(crate) fn drain(&self) {
        let now = self.clock.now();
        self.sampler.drain(now, &self.plan.load(), &mut self.outlet.at(now));
        self.outlet.flush();
    }

    /// Sends the aggregates as metrics, if somebody wants metrics.
    pub(crate) fn tell(&self) {
        if !self.outlet.wants(Telemetry::Metrics) {
            return;
        }
        for written in self.writer.write(&self.aggregates, self.clock.now()) {
            self.outlet.send(Telemetry::Metrics, &written.bytes, written.points);
        }
    }

    pub(crate) fn traces(&self, now: Timestamp, body: &[u8]) -> Result<Accepted, Refusal> {
        let view = TracesView::parse(body).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let plan = self.plan.load();
        let mut accepted = Accepted::default();
        let sources = Vec::with_capacity(view.scopes().len());
        let mut arrivals = Arrivals { sources, spans: Vec::with_capacity(view.len()) };
        for (index, scope) in view.scopes().iter().enumerate() {
            let name = scope.service;
            let last = arrivals.sources.last();
            let service = last.and_then(|last| last.service_of(scope)).unwrap_or_else(|| self.aggregates.service(name));
            let slow_nanos = plan.slow_threshold(name).0.saturating_mul(1000);
            let first = arrivals.spans.len();
            let reading = Reading { source: index as u32, service: service.key, slow_nanos };
            for (position, span) in view.spans(scope).iter().enumerate() {
                match self.accept(span, &reading, arrivals.spans.last()) {
                    Ok(counted) => arrivals.spans.push(counted),
                    Err(problem) => accepted.reject(|| format!("{}.{problem}", view.path(index, position))),
                }
            }
            self.aggregates.record(now, &service, &arrivals.spans[first..]);
            let source = Source::new(service, scope, plan.of(name).tail, arrivals.sources.last());
            arrivals.sources.push(source);
        }
        accepted.rejected += view.left_out();
        self.counters.spans_received.add(view.len() as u64 + view.left_out());
        self.counters.spans_accepted.add(arrivals.spans.len() as u64);
        self.counters.spans_rejected.add(accepted.rejected);
        self.sampler.offer(now, &plan, &arrivals, &mut self.outlet.at(now));
        Ok(accepted)
    }

    /// A span whose ids are valid, or what is wrong with them.
    pub(crate) fn accept<'a>(
        &self,
        view: &'a SpanView<'a>,
        reading: &Reading,
        last: Option<&Counted<'a>>,
    ) -> Result<Counted<'a>, String> {
        let ids = view.ids()?;
        let trace_hash = match last {
            Some(last) if last.ids.trace == ids.trace => last.trace_hash,
            _ => self.trace_hash(&ids.trace),
        };
        let operation = operation_key(reading.service, view);
        let mut span = Counted { view, ids, trace_hash, operation, source: reading.source, slow: false };
        span.slow = span.is_entry() && view.duration_nanos() > reading.slow_nanos;
        Ok(span)
    }

    /// By which the sampler knows a trace.
    pub(crate) fn trace_hash(&self, trace: &[u8; 16]) -> u64 {
        self.hasher.hash_one(trace)
    }

    /// Hears what a refused request says of utilisation: whoever steers by it must not go blind because a destination is
    /// down, and a gauge that comes again says the same.
    pub(crate) fn perceive(&self, kind: Telemetry, body: &Bytes) {
        if kind != Telemetry::Metrics {
            return;
        }
        for resource in MetricsView::parse(body).iter().flat_map(|view| view.resources()) {
            let service = self.aggregates.service(resource.service());
            service.hear();
            utilization::read(resource, &service);
        }
    }

    fn metrics(&self, body: &Bytes) -> Result<Accepted, Refusal> {
        let view = MetricsView::parse(body).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let mut points = 0;
        for resource in view.resources() {
            let service = self.aggregates.service(resource.service());
            service.hear();
            utilization::read(resource, &service);
            points += resource.metrics().map(|metric| metric.points()).sum::<u64>();
        }
        if !self.outlet.pass(Telemetry::Metrics, body, points) {
            return Err(Refusal::Overload("export queue full"));
        }
        self.counters.data_points.add(points);
        Ok(Accepted::default())
    }

    fn logs(&self, body: &Bytes) -> Result<Accepted, Refusal> {
        let view = LogsView::parse(body).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let mut records = 0;
        for resource in view.resources() {
            self.aggregates.service(resource.service()).hear();
            records += resource.records();
        }
        if !self.outlet.pass(Telemetry::Logs, body, records) {
            return Err(Refusal::Overload("export queue full"));
        }
        self.counters.log_records.add(records);
        Ok(Accepted::default())
    }

    fn profiles(&self, body: &Bytes) -> Result<Accepted, Refusal> {
        let view = ProfilesView::parse(body).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let mut profiles = 0;
        for resource in view.resources() {
            self.aggregates.service(resource.service()).hear();
            profiles += resource.profiles();
        }
        if !self.outlet.pass(Telemetry::Profiles, body, profiles) {
            return Err(Refusal::Overload("export queue full"));
        }
        self.counters.profiles.add(profiles);
        Ok(Accepted::default())
    }
}
