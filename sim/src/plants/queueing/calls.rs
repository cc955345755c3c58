//! Calls between services.
//!
//! Answers what a visit does after its work: it calls others one after the other, waits for a connection, tries again what
//! failed, or is over. Where an edge has neither connections nor retries to count, a call is a visit to the callee and
//! nothing else.

use crate::plants::Call;
use crate::plants::dice::chance_ppm;
use crate::plants::patience::Line;
use crate::plants::pool::{Lease, Pool};
use crate::plants::queueing::{Client, Entrance, Happening, Queueing, Turn, VisitId};
use crate::plants::retries::Retries;
use crate::queue::SimTime;

/// What a call has besides its probability.
pub(super) struct Edge {
    /// Where its callers wait.
    line: u16,
    retries: Option<Retries>,
    pool: Option<Pool>,
}

impl Edge {
    /// The edge of `call`; a timeout of its own makes a line of its own.
    pub(super) fn new(call: &Call, lines: &mut Vec<Line>) -> Edge {
        let line = match call.timeout {
            Some(timeout) => {
                lines.push(Line::new(timeout));
                lines.len() - 1
            }
            None => call.callee,
        };
        Edge { line: line as u16, retries: call.retries.map(Retries::new), pool: call.pool.map(Pool::new) }
    }

    /// What is still held, for tests.
    #[cfg(test)]
    pub(super) fn leftovers(&self) -> Option<String> {
        self.pool.as_ref().and_then(Pool::leftovers)
    }

    /// Calls that found no connection in time, since the start.
    pub(super) fn connections_missed(&self) -> u64 {
        self.pool.as_ref().map_or(0, Pool::exhausted)
    }
}

impl Queueing {
    /// The next call of `visit`, or its end. Nobody waits for what is dropped, so it calls nobody.
    pub(super) fn call_next(&mut self, now: SimTime, id: VisitId) -> Turn {
        if self.is_dropped(id) {
            return Turn::Over(id, false);
        }
        let visit = &mut self.visits[id.0 as usize];
        let service = usize::from(visit.service);
        let calls = &self.spec.services[service].calls;
        while let Some(call) = calls.get(usize::from(visit.next_call)) {
            let edge = self.calls_of[service] + usize::from(visit.next_call);
            visit.next_call += 1;
            if chance_ppm(&mut self.dice.calls, call.probability_ppm) {
                visit.tries = 1;
                if let Some(retries) = &mut self.edges[edge].retries {
                    retries.tried();
                }
                return self.call(now, id, edge);
            }
        }
        Turn::Over(id, false)
    }

    /// The call that `visit` waits for is over.
    pub(super) fn returned(&mut self, now: SimTime, visit: VisitId, failed: bool) -> Turn {
        let edge = self.edge_of(visit);
        if let Some(pool) = &mut self.edges[edge].pool
            && pool.release()
        {
            self.queue.push(now, Happening::ConnectionFree(edge as u16));
        }
        if failed { self.failed(now, visit, edge) } else { self.call_next(now, visit) }
    }

    /// A wait for the next try is over.
    pub(super) fn call_again(&mut self, now: SimTime, visit: VisitId) {
        let turn = match self.is_dropped(visit) {
            true => Turn::Over(visit, true),
            false => self.call(now, visit, self.edge_of(visit)),
        };
        self.carry(now, turn);
    }

    /// Connections have come back while others waited for one. Ends because each turn takes one out of the line.
    pub(super) fn connection_free(&mut self, now: SimTime, edge: usize) {
        let instances = self.instances_of_caller(edge);
        while let Some(visit) = self.edges[edge].pool.as_mut().and_then(|pool| pool.serve(instances)) {
            // What nobody waits for any more has no use for it; the call is over before it began.
            let turn = match self.is_dropped(visit) {
                true => self.returned(now, visit, true),
                false => self.visit_callee(now, visit, edge),
            };
            self.carry(now, turn);
        }
    }

    /// Somebody may have waited too long for a connection. Ends because each turn takes one out of the line.
    pub(super) fn connection_awaited(&mut self, now: SimTime, edge: usize) {
        while let Some(visit) = self.edges[edge].pool.as_mut().and_then(|pool| pool.give_up(now)) {
            let turn = self.failed(now, visit, edge);
            self.carry(now, turn);
        }
    }

    fn call(&mut self, now: SimTime, visit: VisitId, edge: usize) -> Turn {
        let instances = self.instances_of_caller(edge);
        let lease = match &mut self.edges[edge].pool {
            Some(pool) => pool.ask(now, visit, instances),
            None => Lease::Granted,
        };
        match lease {
            Lease::Granted => self.visit_callee(now, visit, edge),
            Lease::Waits(until) => {
                self.queue.push(until, Happening::ConnectionAwaited(edge as u16));
                Turn::Waits
            }
            Lease::Refused => self.failed(now, visit, edge),
        }
    }

    fn visit_callee(&mut self, now: SimTime, visit: VisitId, edge: usize) -> Turn {
        self.calls[edge].total += 1;
        self.enter(
            now,
            Entrance {
                service: self.calls[edge].callee,
                line: self.edges[edge].line,
                parent: Some(visit),
                trace: self.visits[visit.0 as usize].trace,
                client: Client::default(),
            },
        )
    }

    /// A call has failed: it is made again later, or its caller fails with it.
    fn failed(&mut self, now: SimTime, id: VisitId, edge: usize) -> Turn {
        if self.is_dropped(id) {
            return Turn::Over(id, true);
        }
        let visit = &mut self.visits[id.0 as usize];
        let Some(retries) = &mut self.edges[edge].retries else { return Turn::Over(id, true) };
        match retries.again(visit.tries, &mut self.dice.retries) {
            Some(wait) => {
                visit.tries += 1;
                self.queue.push(now.after(wait), Happening::CallAgain(id));
                Turn::Waits
            }
            None => Turn::Over(id, true),
        }
    }

    /// The edge of the call that `visit` made last.
    fn edge_of(&self, visit: VisitId) -> usize {
        let visit = &self.visits[visit.0 as usize];
        self.calls_of[usize::from(visit.service)] + usize::from(visit.next_call) - 1
    }

    fn instances_of_caller(&self, edge: usize) -> u32 {
        let caller = self.calls[edge].caller;
        self.stations[usize::from(caller)].replicas.ready
    }
}
