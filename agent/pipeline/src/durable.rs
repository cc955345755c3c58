//! Taking in for good.
//!
//! Answers a sender only when what it sent survives a kill, and goes on after a restart where the last life ended. Does not
//! write: the log does. A request is written before it is looked at, so that one that cannot be written has changed nothing
//! and may be sent again; that a malformed one is written in vain is cheaper than reading every good one twice.

use std::sync::Arc;

use bytes::Bytes;
use homeostat_core::Timestamp;
use tokio::sync::watch;

use crate::config::Telemetry;
use crate::intake::{Accepted, Intake, Reading, Refusal};
use crate::receive::LARGE_BYTES;
use crate::sample::{Arrivals, Source, Threshold, read_tracestate};
use crate::store::{Leftover, Repeat, RequestKey, Settled, SpanKey, Store, Unwritten};
use crate::views::{LogsView, MetricsView, ProfilesView, SpanView, TracesView};

/// Bytes of recovered spans that may wait for the disk before the recovery itself waits.
const RECOVERY_BYTES_AHEAD: u64 = 32 << 20;

impl From<Unwritten> for Refusal {
    fn from(unwritten: Unwritten) -> Refusal {
        match unwritten {
            Unwritten::Full => Refusal::Overload("delivery log full"),
            Unwritten::Disk => Refusal::Overload("delivery log cannot be written"),
        }
    }
}

/// Notices that the sender has gone: the future that holds this is dropped before its answer.
struct Waiting<'a> {
    store: &'a Store,
    now: Timestamp,
    key: RequestKey,
    outcome: watch::Receiver<Option<Result<Accepted, Refusal>>>,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.store.repeats.abandon(self.now, self.key, self.outcome.clone());
        }
    }
}

impl Intake {
    /// Takes in one request, not before it is durable. `memory` is what it is charged for; it is held until then.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        kind: Telemetry,
        body: Bytes,
        memory: impl Send + 'static,
    ) -> Result<Accepted, Refusal> {
        let Some(store) = self.outlet.store() else { return self.take(kind, &body) };
        let key = RequestKey::of(kind, &body);
        match store.repeats.find(&key) {
            Some(Repeat::Taken) => {
                store.count_repeat();
                return Ok(Accepted::default());
            }
            Some(Repeat::InProgress(outcome)) => {
                store.count_repeat();
                return awaited(outcome).await;
            }
            None => {}
        }
        let (sender, outcome) = watch::channel(None);
        let now = self.clock.now();
        let mut waiting = Waiting { store, now, key, outcome: outcome.clone(), is_answered: false };
        // A task of its own: what is in the log must reach the sampler, also when the sender hangs up meanwhile.
        let intake = self.clone();
        tokio::spawn(async move {
            let result = intake.take_durably(kind, body).await;
            drop(memory);
            sender.send_replace(Some(result));
            if let Some(store) = intake.outlet.store() {
                store.repeats.end(intake.clock.now(), key);
            }
        });
        let result = awaited(outcome).await;
        waiting.is_answered = true;
        result
    }

    async fn take_durably(self: &Arc<Self>, kind: Telemetry, body: Bytes) -> Result<Accepted, Refusal> {
        let Some(store) = self.outlet.store() else { return self.take(kind, &body) };
        if kind == Telemetry::Traces {
            let ticket = store.receive(body.clone()).await?;
            let taken = self.take_by_size(kind, body).await;
            store.offered(ticket, self.clock.now());
            return taken;
        }
        if self.outlet.wants(kind) {
            let items = items(kind, &body)?;
            if let Err(unwritten) = store.pass(kind, items, body.clone()).await {
                self.perceive(kind, &body);
                return Err(unwritten.into());
            }
        }
        self.take_by_size(kind, body).await
    }

    /// Takes in what is on disk; a huge request in a thread of its own.
    async fn take_by_size(self: &Arc<Self>, kind: Telemetry, body: Bytes) -> Result<Accepted, Refusal> {
        if body.len() < LARGE_BYTES {
            return self.take(kind, &body);
        }
        let intake = self.clone();
        let worked = tokio::task::spawn_blocking(move || intake.take(kind, &body)).await;
        worked.unwrap_or(Err(Refusal::Overload("worker threads full")))
    }

    /// Takes in a request that nobody waits for.
    pub(crate) fn take_unasked(&self, kind: Telemetry, body: &Bytes) -> Result<Accepted, Refusal> {
        if let Some(store) = self.outlet.store()
            && kind != Telemetry::Traces
            && self.outlet.wants(kind)
        {
            let items = items(kind, body)?;
            store.admit(body.len())?;
            store.keep(kind, items, body.clone());
        }
        self.take(kind, body)
    }

    /// Goes on where a former life ended: undecided spans return to the sampler without being counted again.
    pub(crate) async fn recover(self: &Arc<Self>, leftover: Leftover) {
        if leftover.is_empty() {
            return;
        }
        let intake = self.clone();
        let runtime = tokio::runtime::Handle::current();
        let reading = tokio::task::spawn_blocking(move || {
            let Some(store) = intake.outlet.store() else { return };
            let settled = leftover.settled(store, intake.clock.now());
            intake.remember(&settled);
            let offer = |body: &Bytes| {
                if store.pending() > RECOVERY_BYTES_AHEAD {
                    runtime.block_on(store.flushed());
                }
                intake.offer_again(&settled, body)
            };
            leftover.undecided(store, || intake.clock.now(), offer);
            let (received, kept) = leftover.records();
            tracing::info!(received, kept, "went on with the delivery log of the last life");
        });
        if reading.await.is_err() {
            tracing::error!("the recovery of the delivery log ended early; what was not read stays on disk");
        }
    }

    fn remember(&self, settled: &Settled) {
        for (trace, (rule, trace_state)) in &settled.traces {
            let threshold = read_tracestate(trace_state).threshold.unwrap_or(Threshold::ALWAYS);
            self.sampler.remember(self.clock.now(), self.trace_hash(trace), *rule, threshold);
        }
    }

    /// Offers the spans of a request that were not kept yet; returns how many.
    fn offer_again(&self, settled: &Settled, body: &[u8]) -> u64 {
        let Ok(view) = TracesView::parse(body) else { return 0 };
        let (now, plan) = (self.clock.now(), self.plan.load());
        let mut arrivals = Arrivals { sources: Vec::new(), spans: Vec::with_capacity(view.len()) };
        for (index, scope) in view.scopes().iter().enumerate() {
            let name = scope.service;
            let last = arrivals.sources.last();
            let service = last.and_then(|last| last.service_of(scope)).unwrap_or_else(|| self.aggregates.service(name));
            let slow_nanos = plan.slow_threshold(name).0.saturating_mul(1000);
            let reading = Reading { source: index as u32, service: service.key, slow_nanos };
            let is_open = |span: &&SpanView<'_>| SpanKey::of(span).is_some_and(|key| !settled.spans.contains(&key));
            for span in view.spans(scope).iter().filter(is_open) {
                arrivals.spans.extend(self.accept(span, &reading, arrivals.spans.last()));
            }
            let source = Source::new(service, scope, plan.of(name).tail, arrivals.sources.last());
            arrivals.sources.push(source);
        }
        self.sampler.offer(now, &plan, &arrivals, &mut self.outlet.at(now));
        arrivals.spans.len() as u64
    }
}

/// What came of a request that another task works on.
async fn awaited(mut outcome: watch::Receiver<Option<Result<Accepted, Refusal>>>) -> Result<Accepted, Refusal> {
    let ended = outcome.wait_for(Option::is_some).await;
    // The task can only vanish with the whole runtime.
    ended.ok().and_then(|result| result.clone()).unwrap_or(Err(Refusal::Overload("shutting down")))
}

/// Spans, data points, log records or profiles in a request.
fn items(kind: Telemetry, body: &[u8]) -> Result<u64, Refusal> {
    let malformed = |problem: String| Refusal::Malformed(problem);
    match kind {
        Telemetry::Traces => {
            TracesView::parse(body).map(|view| view.len() as u64).map_err(|e| malformed(e.to_string()))
        }
        Telemetry::Metrics => {
            let view = MetricsView::parse(body).map_err(|error| malformed(error.to_string()))?;
            Ok(view.resources().flat_map(|resource| resource.metrics()).map(|metric| metric.points()).sum())
        }
        Telemetry::Logs => {
            let view = LogsView::parse(body).map_err(|error| malformed(error.to_string()))?;
            Ok(view.resources().map(|resource| resource.records()).sum())
        }
        Telemetry::Profiles => {
            let view = ProfilesView::parse(body).map_err(|error| malformed(error.to_string()))?;
            Ok(view.resources().map(|resource| resource.profiles()).sum())
        }
    }
}
