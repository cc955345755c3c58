//! What can be read off a plant.
//!
//! Answers how every service stands at the end of a second, as plain numbers. Does not know faults of sensors, and does not
//! speak the loop's vocabulary; `world/sensors` does both.

use crate::plants::operations::OperationReadings;
use crate::plants::station::Totals;
use crate::plants::{InstanceReadings, ServiceIndex};

/// Everything that can be read, once a second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readings {
    pub(crate) services: Vec<ServiceReadings>,
    /// The instances of services that show them, each with its service.
    pub(crate) instances: Vec<(ServiceIndex, InstanceReadings)>,
    /// Calls since the start, per edge of the call graph.
    pub(crate) calls: Vec<Calls>,
    /// Operations by which requests are told apart.
    pub(crate) operations: Vec<OperationReadings>,
}

/// One service.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ServiceReadings {
    pub(crate) totals: Totals,
    /// Of the last second; none without requests.
    pub(crate) p50_us: Option<u64>,
    /// Of the last second; none without requests.
    pub(crate) p99_us: Option<u64>,
    /// Of the last second; none without workers.
    pub(crate) utilization_bp: Option<u64>,
    /// Of the cores of its host; none without one.
    pub(crate) host_utilization_bp: Option<u64>,
    /// Its calls that found no connection in time, since the start.
    pub(crate) connections_missed: u64,
    pub(crate) replicas: u32,
    /// Serving or soon serving.
    pub(crate) replicas_wanted: u32,
    pub(crate) head_ppm: u32,
    pub(crate) tail_ppm: u32,
    /// Requests in flight, and how many of them are admitted at once; none where there is no limit.
    pub(crate) admission: Option<Admission>,
    /// The share of optional work done, in basis points; none where it cannot be turned.
    pub(crate) dimmer_bp: Option<u32>,
}

/// How a service with a limit lets requests in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) in_flight: u32,
    pub(crate) limit: u32,
}

/// One edge of the call graph.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calls {
    pub(crate) caller: ServiceIndex,
    pub(crate) callee: ServiceIndex,
    pub(crate) total: u64,
}

/// The value at `share_bp` of the way through `values`, which are reordered.
pub(crate) fn percentile(values: &mut [u32], share_bp: usize) -> Option<u64> {
    let last = values.len().checked_sub(1)?;
    // Nearest rank: the smallest value that at least this share does not exceed.
    let rank = (values.len() * share_bp).div_ceil(10_000).saturating_sub(1).min(last);
    Some(u64::from(*values.select_nth_unstable(rank).1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: percentiles of a hundred values, of one and of none.
    /// Guarantees: nearest rank; nothing of nothing.
    #[test]
    fn percentiles_are_of_nearest_rank() {
        let mut hundred: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut hundred, 5000), Some(50));
        assert_eq!(percentile(&mut hundred, 9900), Some(99));
        assert_eq!(percentile(&mut [7], 9900), Some(7));
        assert_eq!(percentile(&mut [], 5000), None);
    }
}
