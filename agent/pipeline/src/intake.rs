//! Behind the doors.
//!
//! Answers whether a request is taken in, and sends its content on its way: counted first, then sampled or passed through.
//! Does not know by which protocol it came. The work is done in the request's own task: whoever is told "accepted" has
//! been counted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arc_swap::ArcSwap;
use bytes::Bytes;
use homeostat_core::{SamplingPlan, Timestamp};

use crate::aggregate::{Aggregates, Counted, Service, utilization};
use crate::clock::Clock;
use crate::config::{Limits, PipelineConfig, Telemetry};
use crate::export::Outlet;
use crate::pipeline::StartError;
use crate::sample::{Origin, Sampler};
use crate::stats::{DoorCounters, Refused};
use crate::store::Store;
use crate::views::{LogsView, MetricsView, ResourceView, ScopeView, TracesView};

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
}

impl Refusal {
    pub(crate) fn reason(&self) -> Refused {
        match self {
            Refusal::Malformed(_) => Refused::Malformed,
            Refusal::TooLarge { .. } => Refused::TooLarge,
            Refusal::Overload(_) => Refused::Overload,
            Refusal::Timeout => Refused::Timeout,
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

/// The data plane's state, shared by doors, sweeper and exporters.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) plan: ArcSwap<SamplingPlan>,
    pub(crate) aggregates: Aggregates,
    pub(crate) sampler: Sampler,
    pub(crate) outlet: Outlet,
    pub(crate) counters: DoorCounters,
    pub(crate) in_flight: AtomicUsize,
}

impl Intake {
    pub(crate) fn new(config: &PipelineConfig, plan: SamplingPlan) -> Result<Intake, StartError> {
        Ok(Intake {
            clock: Clock::start(),
            limits: config.limits,
            plan: ArcSwap::from_pointee(plan),
            aggregates: Aggregates::new(config.cardinality),
            sampler: Sampler::new(config.buffer),
            outlet: Outlet::new(config)?,
            counters: DoorCounters::default(),
            in_flight: AtomicUsize::new(0),
        })
    }

    /// Takes in one request of `kind`, or refuses it as a whole and changes nothing.
    pub(crate) fn take(&self, kind: Telemetry, body: &Bytes) -> Result<Accepted, Refusal> {
        if !self.outlet.has_room(kind) {
            return Err(Refusal::Overload("export queue full"));
        }
        let _working = self.outlet.store().map(Store::working);
        match kind {
            Telemetry::Traces => self.traces(self.clock.now(), body),
            Telemetry::Metrics => self.metrics(body),
            Telemetry::Logs => self.logs(body),
        }
    }

    /// Decides what is due and sends what is ready; called several times a second.
    pub(crate) fn sweep(&self) {
        let now = self.clock.now();
        self.sampler.sweep(now, &self.plan.load(), &mut self.outlet.at(now));
        self.outlet.flush_due(now);
        self.outlet.tend(now, self.sampler.oldest().unwrap_or(now));
    }

    /// Decides everything and sends it.
    pub(crate) fn drain(&self) {
        let now = self.clock.now();
        self.sampler.drain(now, &self.plan.load(), &mut self.outlet.at(now));
        self.outlet.flush();
    }

    pub(crate) fn traces(&self, now: Timestamp, body: &[u8]) -> Result<Accepted, Refusal> {
        let view = TracesView::parse(body).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let plan = self.plan.load();
        let mut accepted = Accepted::default();
        for (index, resource) in view.resources().enumerate() {
            let service = self.aggregates.service(resource.service());
            service.hear();
            for (position, scope) in resource.scopes().enumerate() {
                let path = format_args!("resource_spans[{index}].scope_spans[{position}]").to_string();
                let slow_nanos = plan.slow_threshold(resource.service()).0.saturating_mul(1000);
                let spans = self.accept(scope, slow_nanos, &path, &mut accepted);
                self.aggregates.record(now, &service, &spans);
                let origin = Arc::new(origin(&service, resource, scope));
                self.sampler.offer(now, &plan, (&origin, &spans), &mut self.outlet.at(now));
            }
        }
        Ok(accepted)
    }

    /// The spans of one scope whose ids are valid; the others are counted as rejected.
    fn accept<'a>(
        &self,
        scope: ScopeView<'a>,
        slow_nanos: u64,
        path: &str,
        accepted: &mut Accepted,
    ) -> Vec<Counted<'a>> {
        let mut spans = Vec::new();
        let mut received = 0;
        for (index, view) in scope.spans().enumerate() {
            received += 1;
            match view.ids() {
                Ok(ids) => {
                    let mut span = Counted { ids, view, slow: false };
                    span.slow = span.is_entry() && view.duration_nanos() > slow_nanos;
                    spans.push(span);
                }
                Err(problem) if accepted.rejected == 0 => {
                    accepted.message = format!("{path}.spans[{index}].{problem}");
                    accepted.rejected = 1;
                }
                Err(_) => accepted.rejected += 1,
            }
        }
        self.counters.spans_received.add(received);
        self.counters.spans_accepted.add(spans.len() as u64);
        self.counters.spans_rejected.add(received - spans.len() as u64);
        spans
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
        self.counters.data_points.add(points);
        self.outlet.pass(Telemetry::Metrics, body, points);
        Ok(Accepted::default())
    }

    fn logs(&self, body: &Bytes) -> Result<Accepted, Refusal> {
        let view = LogsView::parse(body).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let mut records = 0;
        for resource in view.resources() {
            self.aggregates.service(resource.service()).hear();
            records += resource.records();
        }
        self.counters.log_records.add(records);
        self.outlet.pass(Telemetry::Logs, body, records);
        Ok(Accepted::default())
    }
}

pub(crate) fn origin(service: &Arc<Service>, resource: ResourceView<'_>, scope: ScopeView<'_>) -> Origin {
    Origin { service: service.clone(), resource: resource.head().into_owned(), scope: scope.head().into_owned() }
}
