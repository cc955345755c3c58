//! Connection pools.
//!
//! Answers whether a caller has a connection for one more call, and who waits for one. A call holds its connection until it
//! is answered or given up. Does not know what a call is; that is the plant's.

use std::collections::VecDeque;

use homeostat_core::Micros;

use crate::plants::queueing::VisitId;
use crate::queue::SimTime;

/// The connections that a service keeps to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// Connections of each instance of the caller.
    pub connections: u32,
    /// Calls that may wait for a connection; one more fails.
    pub waiting_max: u32,
    /// A call that has waited this long fails.
    pub wait_max: Micros,
}

/// One pool. Instances of the caller share it, as if requests were balanced perfectly.
#[derive(Debug)]
pub(crate) struct Pool {
    spec: PoolSpec,
    in_use: u32,
    /// All wait equally long, so who gives up next is first in line.
    waiting: VecDeque<(SimTime, VisitId)>,
    /// Calls that found no connection in time.
    exhausted: u64,
}

/// What a pool says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    Granted,
    /// It gets one later, or has given up at this instant.
    Waits(SimTime),
    Refused,
}

impl Pool {
    pub(crate) fn new(spec: PoolSpec) -> Pool {
        Pool { spec, in_use: 0, waiting: VecDeque::new(), exhausted: 0 }
    }

    /// `visit` asks for a connection; its service has this many instances.
    pub(crate) fn ask(&mut self, now: SimTime, visit: VisitId, instances: u32) -> Lease {
        // Who comes now does not overtake who waits.
        if self.waiting.is_empty() && self.in_use < self.size(instances) {
            self.in_use += 1;
            return Lease::Granted;
        }
        if self.spec.waiting_max as usize <= self.waiting.len() {
            self.exhausted += 1;
            return Lease::Refused;
        }
        let until = now.after(self.spec.wait_max);
        self.waiting.push_back((until, visit));
        Lease::Waits(until)
    }

    /// A connection is free again; says whether somebody waits for it.
    pub(crate) fn release(&mut self) -> bool {
        self.in_use -= 1;
        !self.waiting.is_empty()
    }

    /// The next one who waits gets a free connection.
    pub(crate) fn serve(&mut self, instances: u32) -> Option<VisitId> {
        if self.size(instances) <= self.in_use {
            return None;
        }
        let (_, visit) = self.waiting.pop_front()?;
        self.in_use += 1;
        Some(visit)
    }

    /// The next one who has waited too long.
    pub(crate) fn give_up(&mut self, now: SimTime) -> Option<VisitId> {
        let visit = self.waiting.pop_front_if(|(until, _)| *until <= now).map(|(_, visit)| visit)?;
        self.exhausted += 1;
        Some(visit)
    }

    /// Calls that failed for want of a connection, since the start.
    pub(crate) fn exhausted(&self) -> u64 {
        self.exhausted
    }

    #[cfg(test)]
    pub(crate) fn leftovers(&self) -> Option<String> {
        let is_empty = self.in_use == 0 && self.waiting.is_empty();
        (!is_empty).then(|| format!("{} connections in use, {} wait", self.in_use, self.waiting.len()))
    }

    fn size(&self, instances: u32) -> u32 {
        // What an instance that is gone still works on keeps its connections.
        self.spec.connections * instances.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: two connections, room for one to wait 100 ms, and five who ask at once; one connection comes back in time.
    /// Guarantees: two get one, one waits and is served, the others are refused, and nobody overtakes.
    #[test]
    fn a_pool_grants_what_it_has_and_lets_few_wait() {
        let spec = PoolSpec { connections: 2, waiting_max: 1, wait_max: Micros(100_000) };
        let mut pool = Pool::new(spec);
        let now = SimTime(0);
        let said: Vec<Lease> = (0..4).map(|number| pool.ask(now, VisitId::numbered(number), 1)).collect();
        let until = SimTime(100_000);
        assert_eq!(said, [Lease::Granted, Lease::Granted, Lease::Waits(until), Lease::Refused]);
        assert_eq!(pool.serve(1), None);
        assert!(pool.release());
        assert_eq!(pool.ask(SimTime(50_000), VisitId::numbered(5), 1), Lease::Refused);
        assert_eq!(pool.serve(1), Some(VisitId::numbered(2)));
        assert!(!pool.release());
        assert_eq!(pool.exhausted(), 2);
    }

    /// Scenario: no connection comes back in time; then the caller gets a second instance.
    /// Guarantees: who waited fails exactly at the limit; a second instance brings connections of its own.
    #[test]
    fn waiting_ends_at_its_limit() {
        let spec = PoolSpec { connections: 1, waiting_max: 9, wait_max: Micros(100_000) };
        let mut pool = Pool::new(spec);
        pool.ask(SimTime(0), VisitId::numbered(0), 1);
        pool.ask(SimTime(0), VisitId::numbered(1), 1);
        pool.ask(SimTime(1), VisitId::numbered(2), 1);
        assert_eq!(pool.give_up(SimTime(99_999)), None);
        assert_eq!(pool.give_up(SimTime(100_000)), Some(VisitId::numbered(1)));
        assert_eq!(pool.give_up(SimTime(100_000)), None);
        assert_eq!(pool.serve(2), Some(VisitId::numbered(2)));
    }
}
