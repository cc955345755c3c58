//! Requests that begin with a named operation.
//!
//! Answers how many there were and how they fared, how their traces are sampled, and what somebody who only has the kept traces
//! would estimate. Does not know which of a service's calls they cause: all its requests call alike. What begins with no name
//! is counted with its service alone.

use homeostat_core::{OperationName, ServiceSampling};

use crate::plants::ServiceIndex;
use crate::plants::traces::Decided;
use crate::workloads::Workload;

/// What was counted since the start. Estimates are in thousandths of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OperationTotals {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) slow: u64,
    pub(crate) spans_received: u64,
    pub(crate) spans_kept: u64,
    pub(crate) spans_kept_by_rule: u64,
    /// Every kept trace, weighed by one over its probability.
    pub(crate) estimated_milli: u64,
    /// The same of those whose root failed.
    pub(crate) estimated_errors_milli: u64,
}

/// How one operation stands.
#[derive(Clone, Debug)]
pub(crate) struct OperationReadings {
    pub(crate) service: ServiceIndex,
    pub(crate) name: OperationName,
    pub(crate) totals: OperationTotals,
    /// In force, if anything was set for it.
    pub(crate) head_ppm: Option<u32>,
    pub(crate) tail_ppm: Option<u32>,
}

/// One operation.
#[derive(Clone, Debug)]
struct Operation {
    reads: OperationReadings,
    slow_above_us: u64,
    set: Option<ServiceSampling>,
}

/// A request of an operation was answered, and its trace was decided if it had one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) latency_us: u64,
    pub(crate) failed: bool,
    /// With which its trace was begun.
    pub(crate) head_ppm: u32,
    pub(crate) decided: Option<Decided>,
}

/// All operations, by the workload that brings them.
#[derive(Debug, Default)]
pub(crate) struct Operations(Vec<Option<Operation>>);

impl Operations {
    /// Those of `workloads`; `slow_above_us` is what counts as slow for each service.
    pub(crate) fn of(workloads: &[Workload], slow_above_us: impl Fn(ServiceIndex) -> u64) -> Operations {
        let operation = |workload: &Workload| {
            let name = workload.operation.clone()?;
            let slow_above = workload.slow_above.map(|threshold| threshold.0);
            Some(Operation {
                slow_above_us: slow_above.unwrap_or_else(|| slow_above_us(workload.service)),
                set: None,
                reads: OperationReadings {
                    service: workload.service,
                    name,
                    totals: OperationTotals::default(),
                    head_ppm: None,
                    tail_ppm: None,
                },
            })
        };
        Operations(workloads.iter().map(operation).collect())
    }

    /// The place of an operation.
    pub(crate) fn find(&self, service: usize, name: &OperationName) -> Option<u16> {
        let is_meant =
            |operation: &Operation| usize::from(operation.reads.service) == service && operation.reads.name == *name;
        self.0.iter().position(|operation| operation.as_ref().is_some_and(is_meant)).map(|place| place as u16)
    }

    /// What was set for the one at `place`.
    pub(crate) fn set(&self, place: u16) -> Option<ServiceSampling> {
        self.0[usize::from(place)].as_ref().and_then(|operation| operation.set)
    }

    /// Samples the one at `place` like this: the tail at once, the head when it is fetched.
    pub(crate) fn set_sampling(&mut self, place: u16, sampling: ServiceSampling) {
        if let Some(operation) = &mut self.0[usize::from(place)] {
            operation.set = Some(sampling);
            operation.reads.tail_ppm = Some(sampling.tail.ppm());
        }
    }

    /// The SDK of the one at `place` has fetched its head probability.
    pub(crate) fn fetch_head(&mut self, place: u16, head_ppm: u32) {
        if let Some(operation) = &mut self.0[usize::from(place)] {
            operation.reads.head_ppm = Some(head_ppm);
        }
    }

    /// The head probability in force for what the workload `source` brings, if it has one of its own.
    pub(crate) fn head_ppm(&self, source: u16) -> Option<u32> {
        self.0[usize::from(source)].as_ref()?.reads.head_ppm
    }

    /// The tail probability, likewise.
    pub(crate) fn tail_ppm(&self, source: u16) -> Option<u32> {
        self.0[usize::from(source)].as_ref()?.reads.tail_ppm
    }

    /// Counts a request that the workload `source` brought.
    pub(crate) fn count(&mut self, source: u16, answered: Answered) {
        let Some(operation) = &mut self.0[usize::from(source)] else { return };
        let totals = &mut operation.reads.totals;
        totals.requests += 1;
        totals.errors += u64::from(answered.failed);
        totals.slow += u64::from(operation.slow_above_us < answered.latency_us);
        let Some(decided) = answered.decided else { return };
        totals.spans_received += decided.spans;
        let Some(tail_ppm) = decided.kept_with_ppm else { return };
        totals.spans_kept += decided.spans;
        totals.spans_kept_by_rule += if decided.by_rule { decided.spans } else { 0 };
        // One over the probability of being begun and kept, in thousandths.
        let probability = u128::from(answered.head_ppm) * u128::from(tail_ppm);
        let weight_milli = (1_000_000_000_000_000_u128 / probability.max(1)) as u64;
        totals.estimated_milli += weight_milli;
        totals.estimated_errors_milli += if answered.failed { weight_milli } else { 0 };
    }

    /// How each stands.
    pub(crate) fn read(&self) -> impl Iterator<Item = &OperationReadings> {
        self.0.iter().flatten().map(|operation| &operation.reads)
    }
}
