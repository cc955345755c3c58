//! Clients.
//!
//! Answers when somebody outside asks, and whether he asks again when it failed. Each try is a request and a trace of its own.

use crate::plants::dice::{chance_ppm, exponential_us};
use crate::plants::queueing::{Client, Entrance, Happening, Queueing};
use crate::queue::SimTime;

impl Queueing {
    pub(super) fn schedule_arrival(&mut self, now: SimTime, source: u16) {
        let workload = &self.workloads[usize::from(source)];
        let stream = &mut self.dice.arrivals;
        let gap = |mean_us| exponential_us(stream, mean_us);
        if let Some(at) = workload.next_arrival(now, gap) {
            self.queue.push(at, Happening::Arrive(source));
        }
    }

    pub(super) fn arrive(&mut self, now: SimTime, source: u16) {
        self.schedule_arrival(now, source);
        if let Some(retries) = &mut self.client_retries[usize::from(source)] {
            retries.tried();
        }
        self.knock(now, Client { source, tries: 1 });
    }

    /// A request enters from outside.
    pub(super) fn knock(&mut self, now: SimTime, client: Client) {
        let service = self.workloads[usize::from(client.source)].service;
        let head_ppm = self.head_ppm(client.source);
        let trace = chance_ppm(&mut self.dice.sampling, head_ppm).then(|| self.traces.begin());
        let turn = self.enter(now, Entrance { service, line: service, parent: None, trace, client });
        self.carry(now, turn);
    }

    /// With which probability a request of the workload `source` begins a trace.
    pub(super) fn head_ppm(&self, source: u16) -> u32 {
        let service = self.workloads[usize::from(source)].service;
        self.operations.head_ppm(source).unwrap_or(self.stations[usize::from(service)].head_ppm)
    }

    /// The request of `client` has failed.
    pub(super) fn knock_again(&mut self, now: SimTime, client: Client) {
        let Some(retries) = &mut self.client_retries[usize::from(client.source)] else { return };
        if let Some(wait) = retries.again(client.tries, &mut self.dice.retries) {
            let next = Client { tries: client.tries + 1, ..client };
            self.queue.push(now.after(wait), Happening::ArriveAgain(next));
        }
    }
}
