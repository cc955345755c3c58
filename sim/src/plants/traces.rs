//! Traces under way.
//!
//! Answers which spans arrive at the agent and which of them it keeps: a trace exists if the root's head probability said
//! so, is kept by rule if anything in it failed or was slow, and otherwise by the largest tail probability of the services
//! it touched. Late spans follow the decision already taken. Trace ids and consistent thresholds are not modelled; one draw
//! per trace has the same distribution.

use homeostat_core::Stream;

use crate::plants::station::Station;
use crate::plants::{ServiceIndex, chance_ppm};

/// The place of a trace among those under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceId(u32);

/// All traces under way. Bounded by the requests under way, which the stations' queues bound.
#[derive(Debug)]
pub(crate) struct Traces {
    slots: Vec<Trace>,
    free: Vec<u32>,
    /// Spans per slot and service, row by row; one allocation for all.
    spans: Vec<u32>,
    services: usize,
}

#[derive(Clone, Copy, Debug)]
struct Trace {
    /// Visits that have not yet been answered.
    open: u32,
    /// Whether anything in it failed or was slow.
    remarkable: bool,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Undecided,
    Dropped,
    Kept,
    KeptByRule,
}

/// What became of a trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decided {
    /// Its spans so far.
    pub(crate) spans: u64,
    /// With which probability it was kept, if it was.
    pub(crate) kept_with_ppm: Option<u32>,
    /// Whether it was kept for what it is.
    pub(crate) by_rule: bool,
}

/// What one answered visit adds to its trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contribution {
    pub(crate) service: ServiceIndex,
    pub(crate) spans: u32,
    pub(crate) remarkable: bool,
}

impl Traces {
    pub(crate) fn new(services: usize) -> Traces {
        Traces { slots: Vec::new(), free: Vec::new(), spans: Vec::new(), services }
    }

    pub(crate) fn begin(&mut self) -> TraceId {
        let fresh = Trace { open: 0, remarkable: false, fate: Fate::Undecided };
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = fresh;
            return TraceId(slot);
        }
        self.slots.push(fresh);
        self.spans.resize(self.slots.len() * self.services, 0);
        TraceId((self.slots.len() - 1) as u32)
    }

    pub(crate) fn enter(&mut self, trace: TraceId) {
        self.slots[trace.0 as usize].open += 1;
    }

    /// A visit was answered: its spans arrive at the agent.
    pub(crate) fn leave(&mut self, trace: TraceId, what: Contribution, stations: &mut [Station]) {
        let slot = &mut self.slots[trace.0 as usize];
        slot.open -= 1;
        slot.remarkable |= what.remarkable;
        let totals = &mut stations[usize::from(what.service)].totals;
        totals.spans_received += u64::from(what.spans);
        match slot.fate {
            Fate::Undecided => {
                self.spans[trace.0 as usize * self.services + usize::from(what.service)] += what.spans;
            }
            Fate::Dropped => {}
            Fate::Kept => totals.spans_kept += u64::from(what.spans),
            Fate::KeptByRule => {
                totals.spans_kept += u64::from(what.spans);
                totals.spans_kept_by_rule += u64::from(what.spans);
            }
        }
        if slot.open == 0 && slot.fate != Fate::Undecided {
            self.free.push(trace.0);
        }
    }

    /// The root was answered: the trace is kept or dropped, with the probability of its operation if that has one.
    pub(crate) fn decide(
        &mut self,
        trace: TraceId,
        own_ppm: Option<u32>,
        stream: &mut Stream,
        stations: &mut [Station],
    ) -> Decided {
        let row = trace.0 as usize * self.services;
        let spans = &mut self.spans[row..row + self.services];
        let slot = &mut self.slots[trace.0 as usize];
        let tail = |(spans, station): (&u32, &Station)| if 0 < *spans { station.tail_ppm } else { 0 };
        let highest_ppm = spans.iter().zip(stations.iter()).map(tail).max().unwrap_or(0);
        let tail_ppm = own_ppm.unwrap_or(highest_ppm);
        let arrived = spans.iter().map(|spans| u64::from(*spans)).sum();
        slot.fate = match slot.remarkable {
            true => Fate::KeptByRule,
            false if chance_ppm(stream, tail_ppm) => Fate::Kept,
            false => Fate::Dropped,
        };
        for (count, station) in spans.iter_mut().zip(stations) {
            let spans = u64::from(std::mem::take(count));
            if slot.fate != Fate::Dropped {
                station.totals.spans_kept += spans;
            }
            if slot.fate == Fate::KeptByRule {
                station.totals.spans_kept_by_rule += spans;
            }
        }
        let by_rule = slot.fate == Fate::KeptByRule;
        let kept_with_ppm = match slot.fate {
            Fate::KeptByRule => Some(1_000_000),
            Fate::Kept => Some(tail_ppm),
            Fate::Dropped | Fate::Undecided => None,
        };
        if slot.open == 0 {
            self.free.push(trace.0);
        }
        Decided { spans: arrived, kept_with_ppm, by_rule }
    }
}
