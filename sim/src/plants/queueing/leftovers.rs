//! What a plant that is left alone still holds.
//!
//! Answers for tests which workers, connections, cores and places are still taken, in words. After a long silence there
//! must be none: what is not given back is lost for the rest of a run, and makes a scenario worse than it was written.

use crate::plants::queueing::Queueing;

impl Queueing {
    pub(crate) fn services(&self) -> usize {
        self.stations.len()
    }

    /// Everything that is still taken.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (index, station) in self.stations.iter().enumerate() {
            if 0 < station.busy || !station.waiting.is_empty() || 0 < station.in_flight {
                let waiting = station.waiting.len();
                let (busy, flight) = (station.busy, station.in_flight);
                left.push(format!("service {index}: {busy} busy, {waiting} waiting, {flight} in flight"));
            }
        }
        for (index, edge) in self.edges.iter().enumerate() {
            left.extend(edge.leftovers().map(|held| format!("edge {index}: {held}")));
        }
        for (index, host) in self.hosts.iter().enumerate().filter(|(_, host)| 0 < host.busy()) {
            left.push(format!("host {index}: {} busy", host.busy()));
        }
        let under_way = self.visits.len() - self.free.len();
        if 0 < under_way {
            left.push(format!("{under_way} visits"));
        }
        left
    }
}
