//! The services that are heard.
//!
//! Answers what each service's counters read, and which services have fallen silent. Does not know how spans arrive.
//! Counters belong to the service's own entry, so that requests of different services do not wait for each other.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use homeostat_core::{BasisPoints, Indicator, Millis, Observation, SamplingPlan, ServiceName, Target, Timestamp};

use super::operations::{Operations, SeriesReading};
use super::{Counted, OVERFLOW, ServiceReport};
use crate::config::Cardinality;

/// After so long without anything from a service its readings are left out, so that they go stale: silence is not zero.
pub(crate) const SILENT_AFTER: Millis = Millis::from_secs(30);

/// "No reading" among the values of a utilisation.
const NO_UTILIZATION: u64 = u64::MAX;

/// The counters of one service.
pub(crate) struct Service {
    pub(crate) name: ServiceName,
    /// What [`super::service_key`] says.
    pub(crate) key: u64,
    heard: AtomicBool,
    spans_received: AtomicU64,
    spans_kept: AtomicU64,
    spans_kept_by_rule: AtomicU64,
    utilization: AtomicU64,
    operations: Mutex<Operations>,
    last_heard: Mutex<Option<Timestamp>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Service").field(&self.name).finish()
    }
}

impl Service {
    pub(crate) fn new(name: &str, operations_max: usize) -> Service {
        Service {
            name: name.into(),
            key: super::service_key(name),
            heard: AtomicBool::new(false),
            spans_received: AtomicU64::new(0),
            spans_kept: AtomicU64::new(0),
            spans_kept_by_rule: AtomicU64::new(0),
            utilization: AtomicU64::new(NO_UTILIZATION),
            operations: Mutex::new(Operations::new(operations_max)),
            last_heard: Mutex::new(None),
        }
    }

    /// Notes that something arrived from it.
    pub(crate) fn hear(&self) {
        self.heard.store(true, Relaxed);
    }

    /// Notes how busy it says it is.
    pub(crate) fn utilization(&self, value: BasisPoints) {
        self.utilization.store(u64::from(value.0), Relaxed);
    }

    /// Counts spans that were kept by chance, or by rule.
    pub(crate) fn kept(&self, spans: u64, by_rule: u64) {
        self.spans_kept.fetch_add(spans, Relaxed);
        self.spans_kept_by_rule.fetch_add(by_rule, Relaxed);
    }

    pub(super) fn record(&self, spans: &[Counted<'_>]) {
        self.hear();
        self.spans_received.fetch_add(spans.len() as u64, Relaxed);
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().for_each(|span| operations.record(span));
    }

    /// Whether it was heard lately, in the caller's time.
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        let mut last_heard = self.last_heard.lock().unwrap_or_else(PoisonError::into_inner);
        if self.heard.swap(false, Relaxed) {
            *last_heard = Some(now);
        }
        last_heard.is_some_and(|at| now.since(at) < SILENT_AFTER)
    }

    fn observe(&self, now: Timestamp, plan: &SamplingPlan, observations: &mut Vec<Observation>) {
        if !self.is_live(now) {
            return;
        }
        let mut say = |indicator, value| {
            observations.push(Observation::new(Target::Service(self.name.clone()), indicator, value, now));
        };
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        say(Indicator::RequestsTotal, operations.total.requests);
        say(Indicator::ErrorsTotal, operations.total.errors);
        say(Indicator::SlowTotal, operations.total.slow);
        if let Some((p50, p99)) = operations.take_quantiles() {
            say(Indicator::LatencyP50, p50.0);
            say(Indicator::LatencyP99, p99.0);
        }
        say(Indicator::SpansReceivedTotal, self.spans_received.load(Relaxed));
        say(Indicator::SpansKeptTotal, self.spans_kept.load(Relaxed));
        say(Indicator::SpansKeptByRuleTotal, self.spans_kept_by_rule.load(Relaxed));
        let utilization = self.utilization.swap(NO_UTILIZATION, Relaxed);
        if utilization != NO_UTILIZATION {
            say(Indicator::Utilization, utilization);
        }
        let Some(wanted) = plan.operations.get(&self.name) else { return };
        for (operation, red) in operations.watch(wanted) {
            let target = Target::Operation(self.name.clone(), operation);
            let totals = [
                (Indicator::RequestsTotal, red.requests),
                (Indicator::ErrorsTotal, red.errors),
                (Indicator::SlowTotal, red.slow),
            ];
            let read = |(indicator, total)| Observation::new(target.clone(), indicator, total, now);
            observations.extend(totals.map(read));
        }
    }

    fn read(&self) -> Vec<SeriesReading> {
        self.operations.lock().unwrap_or_else(PoisonError::into_inner).read()
    }

    fn report(&self) -> ServiceReport {
        let operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        ServiceReport {
            service: self.name.clone(),
            requests: operations.total.requests,
            errors: operations.total.errors,
            slow: operations.total.slow,
            spans_received: self.spans_received.load(Relaxed),
            spans_kept: self.spans_kept.load(Relaxed),
            spans_kept_by_rule: self.spans_kept_by_rule.load(Relaxed),
            operations: operations.report(),
        }
    }
}

/// All services, up to a bound.
#[derive(Debug)]
pub(super) struct Services {
    by_name: RwLock<BTreeMap<ServiceName, Arc<Service>>>,
    overflow: Arc<Service>,
    cardinality: Cardinality,
}

impl Services {
    pub(super) fn new(cardinality: Cardinality) -> Services {
        let overflow = Arc::new(Service::new(OVERFLOW, cardinality.operations_per_service_max));
        Services { by_name: RwLock::new(BTreeMap::new()), overflow, cardinality }
    }

    pub(super) fn get(&self, name: &str) -> Arc<Service> {
        let known = self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.unwrap_or_else(|| self.add(name))
    }

    pub(super) fn observe(&self, now: Timestamp, plan: &SamplingPlan) -> Vec<Observation> {
        let mut observations = Vec::new();
        let services: Vec<_> = self.all().collect();
        services.iter().for_each(|service| service.observe(now, plan, &mut observations));
        observations
    }

    pub(super) fn report(&self) -> Vec<ServiceReport> {
        let overflow = Some(self.overflow.report()).filter(|report| report.spans_received > 0);
        self.all().map(|service| service.report()).chain(overflow).collect()
    }

    /// Calls `visit` with every service's series; the name is `None` for all services beyond the bound together.
    pub(super) fn read(&self, mut visit: impl FnMut(Option<&ServiceName>, SeriesReading)) {
        for service in self.all() {
            service.read().into_iter().for_each(|series| visit(Some(&service.name), series));
        }
        self.overflow.read().into_iter().for_each(|series| visit(None, series));
    }

    fn add(&self, name: &str) -> Arc<Service> {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = by_name.get(name) {
            return known.clone();
        }
        if by_name.len() >= self.cardinality.services_max {
            return self.overflow.clone();
        }
        let service = Arc::new(Service::new(name, self.cardinality.operations_per_service_max));
        by_name.insert(service.name.clone(), service.clone());
        service
    }

    fn all(&self) -> impl Iterator<Item = Arc<Service>> {
        let all: Vec<_> = self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Generation, Micros, SamplingProbability, ServiceSampling};

    use super::*;

    fn plan() -> SamplingPlan {
        let always = ServiceSampling { head: SamplingProbability::ALWAYS, tail: SamplingProbability::ALWAYS };
        SamplingPlan {
            generation: Generation(1),
            default: always,
            services: BTreeMap::new(),
            operations: BTreeMap::new(),
            default_slow_above: Micros::from_millis(500),
            slow_above: BTreeMap::new(),
        }
    }

    /// Scenario: a service is heard once, then only time passes.
    /// Guarantees: it is observed for thirty seconds and then left out; a new sign of life brings it back.
    #[test]
    fn a_silent_service_is_left_out() {
        let services = Services::new(Cardinality::default());
        services.get("cart").hear();
        let at = |secs: u64| !services.observe(Timestamp(secs * 1000), &plan()).is_empty();
        assert!(at(100) && at(129));
        assert!(!at(130) && !at(500));
        services.get("cart").hear();
        assert!(at(501));
    }

    /// Scenario: a utilisation is reported once.
    /// Guarantees: it is observed once; an old reading is never repeated as if it were new.
    #[test]
    fn a_utilization_is_said_once() {
        let services = Services::new(Cardinality::default());
        let cart = services.get("cart");
        cart.hear();
        cart.utilization(BasisPoints(7000));
        let expected = Observation::new(Target::Service("cart".into()), Indicator::Utilization, 7000, Timestamp(1));
        assert!(services.observe(Timestamp(1), &plan()).contains(&expected));
        let again = services.observe(Timestamp(2), &plan());
        let said = |observation: &Observation| match observation {
            Observation::Measured { signal, .. } => signal.indicator == Indicator::Utilization,
            Observation::Called { .. } => false,
        };
        assert!(!again.iter().any(said));
    }

    /// Scenario: more services than fit.
    /// Guarantees: the rest share the overflow series, which is reported but never observed as a service.
    #[test]
    fn services_are_bounded() {
        let services = Services::new(Cardinality { services_max: 2, ..Cardinality::default() });
        for name in ["a", "b", "c", "d", "a"] {
            let view = crate::views::SpanView::default();
            let ids = crate::views::SpanIds { trace: [1; 16], span: [1; 8], parent: None };
            let span = Counted { view: &view, ids, trace_hash: 0, operation: 0, source: 0, slow: false };
            services.get(name).record(&[span]);
        }
        let report: Vec<_> = services.report().into_iter().map(|s| (s.service.to_string(), s.requests)).collect();
        let expected = [("a", 2), ("b", 1), (OVERFLOW, 2)].map(|(name, requests)| (name.to_owned(), requests));
        assert_eq!(report, expected);
        let observed = services.observe(Timestamp(1), &plan());
        assert!(!format!("{observed:?}").contains(OVERFLOW));
    }
}
