//! The snapshot.
//!
//! Answers what was known at one instant: every signal, the request counts over every window, who calls whom. It does not
//! judge. It is frozen, so all five rooms of a tick see the same world.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{BasisPoints, Indicator, MissingReason, Reading, ServiceName, Signal, Target, Timestamp, WindowCounts};

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
    #[serde(with = "crate::pairs")]
    pub signals: BTreeMap<Signal, Reading>,
    /// Request counts of each service over every window.
    #[serde(with = "crate::pairs")]
    pub counts: BTreeMap<ServiceName, WindowCounts>,
    /// Who calls whom.
    pub edges: BTreeSet<Edge>,
    /// The share of signals that are not fresh.
    pub blindness: BasisPoints,
    /// Observations refused because the bound on signals, services or edges was reached.
    pub overflow: u64,
}

impl Snapshot {
    /// The reading of `indicator` of `target`.
    pub fn reading(&self, target: &Target, indicator: Indicator) -> Reading {
        // A key is built for the look-up; cloning a target bumps a reference count and copies no text.
        self.signals
            .get(&Signal::new(target.clone(), indicator))
            .copied()
            .unwrap_or(Reading::Missing { why: MissingReason::NeverObserved })
    }

    /// The fresh value of `indicator` of `service`.
    pub fn service_value(&self, service: &ServiceName, indicator: Indicator) -> Option<u64> {
        self.reading(&Target::Service(service.clone()), indicator).fresh()
    }

    /// Every service seen serving requests, in name order.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.counts.keys()
    }

    /// The services that `caller` calls.
    pub fn callees<'a>(&'a self, caller: &'a ServiceName) -> impl Iterator<Item = &'a ServiceName> {
        self.edges.iter().filter(move |edge| edge.caller == *caller).map(|edge| &edge.callee)
    }
}
