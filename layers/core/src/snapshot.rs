//! The snapshot.
//!
//! Answers what was known at one instant: every signal, the request counts over every window, who calls whom. It does not
//! judge. It is frozen, so all five rooms of a tick see the same world.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    BasisPoints, Indicator, InstanceId, MissingReason, OperationKey, PerIndicator, PerSignal, Reading, ServiceName,
    Target, Timestamp, WindowCounts,
};

/// One service calls another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edge {
    /// Who calls.
    pub caller: ServiceName,
    /// Who is called.
    pub callee: ServiceName,
}

/// All signals, frozen at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The reference time of the whole tick.
    pub at: Timestamp,
    /// Every signal ever observed and not yet forgotten.
    pub signals: PerSignal<Reading>,
    /// Request counts of each service over every window.
    #[serde(with = "crate::pairs")]
    pub counts: BTreeMap<ServiceName, WindowCounts>,
    /// The same of each operation that is followed by itself.
    #[serde(default, with = "crate::pairs", skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<OperationKey, WindowCounts>,
    /// Who calls whom. Shared from tick to tick, because it seldom changes.
    pub edges: Arc<BTreeSet<Edge>>,
    /// The share of signals that are not fresh, those of single instances left out.
    pub blindness: BasisPoints,
    /// Observations refused because the bound on targets or edges was reached.
    pub overflow: u64,
}

/// A service seen serving requests, with everything known of it.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// Which service.
    pub service: &'a ServiceName,
    /// Its requests over every window.
    pub counts: &'a WindowCounts,
    readings: Option<&'a PerIndicator<Reading>>,
}

impl Served<'_> {
    /// The fresh value of `indicator`.
    pub fn value(&self, indicator: Indicator) -> Option<u64> {
        self.readings?.get(indicator)?.fresh()
    }

    /// Whether anything of it is fresh.
    pub fn is_heard(&self) -> bool {
        self.readings.is_some_and(|row| row.iter().any(|(_, reading)| reading.fresh().is_some()))
    }
}

/// How far an instance gets with its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Requests in flight, if fresh.
    pub held: Option<u64>,
    /// Requests finished, in thousandths per second, if fresh.
    pub finished: Option<u64>,
}

impl Progress {
    /// It finishes requests.
    pub fn makes_progress(self) -> bool {
        self.finished.is_some_and(|finished| 0 < finished)
    }

    /// It holds requests and finishes none.
    pub fn is_stuck(self) -> bool {
        self.finished == Some(0) && self.held.is_some_and(|held| 0 < held)
    }
}

impl Snapshot {
    /// The reading of `indicator` of `target`.
    pub fn reading(&self, target: &Target, indicator: Indicator) -> Reading {
        let reading = self.signals.row(target).and_then(|row| row.get(indicator));
        reading.copied().unwrap_or(Reading::Missing { why: MissingReason::NeverObserved })
    }

    /// The fresh value of `indicator` of `service`.
    pub fn service_value(&self, service: &ServiceName, indicator: Indicator) -> Option<u64> {
        // A key is built for the look-up; cloning a name bumps a reference count and copies no text.
        self.reading(&Target::Service(service.clone()), indicator).fresh()
    }

    /// Every service seen serving requests, in name order.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.counts.keys()
    }

    /// The same, with everything known of each. Both maps are walked side by side, so nothing is looked up.
    pub fn served(&self) -> impl Iterator<Item = Served<'_>> {
        let mut rows = self.signals.services().peekable();
        self.counts.iter().map(move |(service, counts)| {
            while rows.next_if(|(other, _)| *other < service).is_some() {}
            let readings = rows.next_if(|(other, _)| *other == service).map(|(_, row)| row);
            Served { service, counts, readings }
        })
    }

    /// The instances of `service` that are known one by one, in name order.
    pub fn instances(&self, service: &ServiceName) -> impl Iterator<Item = (&InstanceId, Progress)> {
        let first = Target::Instance(service.clone(), InstanceId::from(""));
        let rows = self.signals.rows_from(first).map_while(move |(target, row)| match target {
            Target::Instance(of, instance) if of == service => Some((instance, row)),
            _ => None,
        });
        let value = |row: &PerIndicator<Reading>, indicator| row.get(indicator).and_then(|reading| reading.fresh());
        rows.map(move |(instance, row)| {
            let held = value(row, Indicator::RequestsInFlight);
            (instance, Progress { held, finished: value(row, Indicator::CompletedTotal) })
        })
    }

    /// The services that `caller` calls, in name order.
    pub fn callees<'a>(&'a self, caller: &'a ServiceName) -> impl Iterator<Item = &'a ServiceName> {
        let first = Edge { caller: caller.clone(), callee: ServiceName::from("") };
        let from_first = self.edges.range((Bound::Included(first), Bound::Unbounded));
        from_first.take_while(move |edge| edge.caller == *caller).map(|edge| &edge.callee)
    }
}
