//! The queueing plant.
//!
//! Answers what becomes of every single request: it waits, is worked on, calls others, fails, is given up. Does not know
//! the loop. Requests are simulated one by one rather than as flows because queues, tails and sampled traces are exactly
//! what a flow model averages away.

mod single;

use homeostat_core::{Micros, Seed, ServiceSampling};

use crate::plants::dice::{Dice, chance_ppm, exponential_us};
use crate::plants::readings::{Admission, Calls, Readings, ServiceReadings, percentile};
use crate::plants::service_time::NormalTable;
use crate::plants::station::{Patience, Station};
use crate::plants::traces::{Contribution, TraceId, Traces};
use crate::plants::{PlantSpec, ServiceIndex, ServiceSpec, WhileCalling};
use crate::queue::{Queue, SimTime};
use crate::workloads::Workload;

/// The place of a visit among those under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VisitId(u32);

/// One request at one service.
#[derive(Clone, Copy, Debug)]
struct Visit {
    arrived: SimTime,
    parent: Option<VisitId>,
    trace: Option<TraceId>,
    generation: u32,
    service: ServiceIndex,
    next_call: u16,
    phase: Phase,
    /// Its caller no longer waits: it was counted, and only its worker is still to be freed.
    abandoned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It was not let in.
    Refused,
    Waiting,
    Working,
    Calling,
    /// The instance at this place has it and will not finish it.
    Held(u32),
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Arrive(u16),
    WorkDone(VisitId),
    PatienceEnds(ServiceIndex),
    ReplicaStarts(ServiceIndex),
    InstanceStarts(ServiceIndex, u32),
    HeadFetched(ServiceIndex, u32),
}

/// Whether a request found a place.
enum Entry {
    Admitted,
    Refused(VisitId),
}

/// The plant.
pub(crate) struct Queueing {
    spec: PlantSpec,
    workloads: Vec<Workload>,
    stations: Vec<Station>,
    /// The head probability last set, per service; fetched by its SDK after a delay.
    head_set_ppm: Vec<u32>,
    /// Calls per edge, in the order of services and their calls.
    calls: Vec<Calls>,
    /// Where each service's edges begin in `calls`.
    calls_of: Vec<usize>,
    visits: Vec<Visit>,
    free: Vec<u32>,
    traces: Traces,
    queue: Queue<Happening>,
    dice: Dice,
    start_delay_bp: Vec<u64>,
}

impl Queueing {
    pub(crate) fn new(spec: PlantSpec, workloads: Vec<Workload>, slow_above: &[Micros], seed: Seed) -> Queueing {
        let normal = NormalTable::new();
        let (mut calls, mut calls_of) = (Vec::new(), Vec::new());
        let mut stations = Vec::new();
        for (index, service) in spec.services.iter().enumerate() {
            calls_of.push(calls.len());
            let caller = index as ServiceIndex;
            calls.extend(service.calls.iter().map(|call| Calls { caller, callee: call.callee as u16, total: 0 }));
            let mut station = Station::new(service, &normal, slow_above[index].0);
            station.head_ppm = spec.sampling.head.ppm();
            station.tail_ppm = spec.sampling.tail.ppm();
            stations.push(station);
        }
        let mut plant = Queueing {
            head_set_ppm: vec![spec.sampling.head.ppm(); stations.len()],
            start_delay_bp: vec![10_000; stations.len()],
            traces: Traces::new(stations.len()),
            calls,
            calls_of,
            stations,
            workloads,
            spec,
            visits: Vec::new(),
            free: Vec::new(),
            queue: Queue::new(),
            dice: Dice::new(seed),
        };
        for source in 0..plant.workloads.len() {
            plant.schedule_arrival(SimTime(0), source as u16);
        }
        plant
    }

    /// Lets everything happen that is due up to `until`.
    pub(crate) fn advance(&mut self, until: SimTime) {
        while self.queue.next_at().is_some_and(|at| at <= until) {
            let Some((now, happening)) = self.queue.pop() else { return };
            match happening {
                Happening::Arrive(source) => self.arrive(now, source),
                Happening::WorkDone(visit) => self.work_done(now, visit),
                Happening::PatienceEnds(service) => self.patience_ends(now, service),
                Happening::ReplicaStarts(service) => self.replica_starts(now, service),
                Happening::InstanceStarts(service, place) => self.instance_starts(now, service, place),
                Happening::HeadFetched(service, ppm) => self.stations[usize::from(service)].head_ppm = ppm,
            }
        }
    }

    /// Reads everything off and begins the next interval.
    pub(crate) fn read(&mut self, now: SimTime, readings: &mut Readings) {
        readings.services.clear();
        readings.instances.clear();
        for (index, (spec, station)) in self.spec.services.iter().zip(&mut self.stations).enumerate() {
            if spec.restarts {
                let shared = station.in_flight - station.instances.held_by_all();
                let instances = station.instances.read(station.replicas.ready, shared);
                readings.instances.extend(instances.into_iter().map(|instance| (index as ServiceIndex, instance)));
            }
            readings.services.push(ServiceReadings {
                totals: station.totals,
                p50_us: percentile(&mut station.latencies, 5000),
                p99_us: percentile(&mut station.latencies, 9900),
                utilization_bp: station.take_utilization(now),
                replicas: station.replicas.ready - station.instances.down(),
                replicas_wanted: station.replicas.wanted(),
                head_ppm: station.head_ppm,
                tail_ppm: station.tail_ppm,
                admission: spec.limit.map(|_| Admission { in_flight: station.in_flight, limit: station.limit }),
                dimmer_bp: spec.dims.then_some(station.dimmer_bp),
            });
            station.latencies.clear();
        }
        readings.calls.clone_from(&self.calls);
    }

    /// Brings `service` to `count` instances; more of them start after their delay, fewer stop taking work at once.
    pub(crate) fn set_replicas(&mut self, now: SimTime, service: usize, count: u32) {
        let station = &mut self.stations[service];
        station.book(now);
        station.replicas.lost = 0;
        let starts = station.replicas.set(count);
        station.instances.keep(station.replicas.ready);
        self.schedule_starts(now, service, starts);
    }

    /// Takes up to `count` instances away until [`Self::restore_replicas`]; what they work on is still finished.
    pub(crate) fn lose_replicas(&mut self, now: SimTime, service: usize, count: u32) {
        let station = &mut self.stations[service];
        station.book(now);
        let lost = count.min(station.replicas.ready);
        station.replicas.ready -= lost;
        station.replicas.lost += lost;
        station.instances.keep(station.replicas.ready);
    }

    /// Starts what was lost again, unless the number was set anew in between.
    pub(crate) fn restore_replicas(&mut self, now: SimTime, service: usize) {
        let fleet = &mut self.stations[service].replicas;
        let starts = std::mem::take(&mut fleet.lost);
        fleet.starting += starts;
        self.schedule_starts(now, service, starts);
    }

    /// The number of instances asked for.
    pub(crate) fn replicas_wanted(&self, service: usize) -> u32 {
        self.stations[service].replicas.wanted()
    }

    /// From now on at most this many requests to `service` are in flight; those that are there already stay.
    pub(crate) fn set_limit(&mut self, service: usize, limit: u32) {
        self.stations[service].limit = limit;
    }

    /// How many requests to `service` may be in flight.
    pub(crate) fn limit(&self, service: usize) -> u32 {
        self.stations[service].limit
    }

    /// From now on `service` does this share of its optional work.
    pub(crate) fn set_dimmer(&mut self, service: usize, share_bp: u32) {
        self.stations[service].dimmer_bp = share_bp;
    }

    /// The share of its optional work that `service` does.
    pub(crate) fn dimmer(&self, service: usize) -> u32 {
        self.stations[service].dimmer_bp
    }

    /// Samples `service` like this: the tail at once, the head when its SDK fetches it.
    pub(crate) fn set_sampling(&mut self, now: SimTime, service: usize, sampling: ServiceSampling) {
        self.stations[service].tail_ppm = sampling.tail.ppm();
        self.head_set_ppm[service] = sampling.head.ppm();
        let fetched = Happening::HeadFetched(service as ServiceIndex, sampling.head.ppm());
        self.queue.push(now.after(self.spec.head_delay), fetched);
    }

    /// Head and tail probability last set, in parts per million.
    pub(crate) fn sampling_set(&self, service: usize) -> (u32, u32) {
        (self.head_set_ppm[service], self.stations[service].tail_ppm)
    }

    /// From now on the work of `service` takes this many ten-thousandths of its usual time.
    pub(crate) fn set_time_factor(&mut self, service: usize, factor_bp: u64) {
        self.stations[service].time_factor_bp = factor_bp;
    }

    /// From now on `service` fails this much more often.
    pub(crate) fn set_extra_errors(&mut self, service: usize, ppm: u32) {
        self.stations[service].extra_error_ppm = ppm;
    }

    /// From now on instances of `service` take this many ten-thousandths of their usual time to start.
    pub(crate) fn set_start_delay_factor(&mut self, service: usize, factor_bp: u64) {
        self.start_delay_bp[service] = factor_bp;
    }

    /// Visits of all services since the start.
    pub(crate) fn visits_total(&self) -> u64 {
        self.stations.iter().map(|station| station.totals.requests).sum()
    }
}

/// Requests.
impl Queueing {
    fn schedule_arrival(&mut self, now: SimTime, source: u16) {
        let workload = &self.workloads[usize::from(source)];
        let stream = &mut self.dice.arrivals;
        let gap = |mean_us| exponential_us(stream, mean_us);
        if let Some(at) = workload.next_arrival(now, gap) {
            self.queue.push(at, Happening::Arrive(source));
        }
    }

    fn arrive(&mut self, now: SimTime, source: u16) {
        self.schedule_arrival(now, source);
        let service = self.workloads[usize::from(source)].service;
        let head_ppm = self.stations[usize::from(service)].head_ppm;
        let trace = chance_ppm(&mut self.dice.sampling, head_ppm).then(|| self.traces.begin());
        if let Entry::Refused(visit) = self.enter(now, service, None, trace) {
            self.proceed(now, visit, true);
        }
    }

    fn enter(&mut self, now: SimTime, service: ServiceIndex, parent: Option<VisitId>, trace: Option<TraceId>) -> Entry {
        if let Some(trace) = trace {
            self.traces.enter(trace);
        }
        let visit = self.place(Visit {
            arrived: now,
            parent,
            trace,
            generation: 0,
            service,
            next_call: 0,
            phase: Phase::Waiting,
            abandoned: false,
        });
        let (_, station) = self.of(service);
        if station.limit <= station.in_flight {
            station.totals.shed += 1;
            return self.refuse(visit);
        }
        if let Some(place) = self.swallower(service) {
            return self.hold(now, visit, place);
        }
        let (spec, station) = self.of(service);
        if station.busy < station.workers() {
            station.in_flight += 1;
            self.watch_patience(now, service, visit);
            self.begin(now, visit);
            return Entry::Admitted;
        }
        if spec.queue_max as usize <= station.waiting.len() {
            return self.refuse(visit);
        }
        station.in_flight += 1;
        station.waiting.push_back(visit);
        self.watch_patience(now, service, visit);
        Entry::Admitted
    }

    fn refuse(&mut self, visit: VisitId) -> Entry {
        self.visits[visit.0 as usize].phase = Phase::Refused;
        Entry::Refused(visit)
    }

    fn begin(&mut self, now: SimTime, visit: VisitId) {
        let service = self.visits[visit.0 as usize].service;
        self.visits[visit.0 as usize].phase = Phase::Working;
        let station = &mut self.stations[usize::from(service)];
        station.book(now);
        station.busy += 1;
        let optional_bp = self.spec.services[usize::from(service)].optional_bp;
        let done_bp = 10_000 - u64::from(optional_bp) * u64::from(10_000 - station.dimmer_bp) / 10_000;
        let work_us = station.quantiles.draw(&mut self.dice.service) * station.time_factor_bp / 10_000;
        let work_us = work_us * done_bp / 10_000;
        self.queue.push(now.after(Micros(work_us)), Happening::WorkDone(visit));
    }

    fn work_done(&mut self, now: SimTime, visit: VisitId) {
        let service = self.visits[visit.0 as usize].service;
        self.visits[visit.0 as usize].phase = Phase::Calling;
        let (spec, station) = self.of(service);
        let (error_ppm, while_calling) = (spec.error_ppm + station.extra_error_ppm, spec.while_calling);
        station.instances.finish();
        if while_calling == WhileCalling::Release {
            self.release(now, service);
        }
        let failed = chance_ppm(&mut self.dice.errors, error_ppm);
        self.proceed(now, visit, failed);
    }

    /// Carries the result of `visit`, and of everything it completes, up the chain of callers. Ends because every turn
    /// either takes one call off a finite list or closes one visit of a finite chain.
    fn proceed(&mut self, now: SimTime, mut visit: VisitId, mut failed: bool) {
        loop {
            if !failed && let Some(callee) = self.next_call(visit) {
                let trace = self.visits[visit.0 as usize].trace;
                match self.enter(now, callee, Some(visit), trace) {
                    Entry::Admitted => return,
                    Entry::Refused(child) => (visit, failed) = (child, true),
                }
            }
            match self.close(now, visit, failed) {
                Some(parent) => visit = parent,
                None => return,
            }
        }
    }

    /// The next service that `visit` calls. Nobody waits for an abandoned visit, so it calls nobody.
    fn next_call(&mut self, visit: VisitId) -> Option<ServiceIndex> {
        let visit = &mut self.visits[visit.0 as usize];
        let service = usize::from(visit.service);
        if visit.abandoned {
            return None;
        }
        let calls = &self.spec.services[service].calls;
        while let Some(call) = calls.get(usize::from(visit.next_call)) {
            let edge = self.calls_of[service] + usize::from(visit.next_call);
            visit.next_call += 1;
            if chance_ppm(&mut self.dice.calls, call.probability_ppm) {
                self.calls[edge].total += 1;
                return Some(call.callee as ServiceIndex);
            }
        }
        None
    }

    /// Ends `visit`: frees its worker and place, counts it if anybody still waits, and says who.
    fn close(&mut self, now: SimTime, visit: VisitId, failed: bool) -> Option<VisitId> {
        let Visit { service, phase, abandoned, parent, .. } = self.visits[visit.0 as usize];
        if !abandoned {
            self.answer(now, visit, failed);
        }
        self.vacate(visit);
        let holds = self.spec.services[usize::from(service)].while_calling == WhileCalling::Hold;
        if phase == Phase::Calling && holds {
            self.release(now, service);
        }
        parent
    }

    /// Counts the answer that the caller of `visit` gets, and hands its spans to the agent.
    fn answer(&mut self, now: SimTime, visit: VisitId, failed: bool) {
        let Visit { service, arrived, trace, parent, phase, .. } = self.visits[visit.0 as usize];
        let station = &mut self.stations[usize::from(service)];
        let latency_us = now.0 - arrived.0;
        station.in_flight -= u32::from(phase != Phase::Refused);
        station.count(latency_us, failed);
        let Some(trace) = trace else { return };
        let remarkable = failed || station.slow_above_us < latency_us;
        let spans = self.spec.services[usize::from(service)].spans_per_request;
        self.traces.leave(trace, Contribution { service, spans, remarkable }, &mut self.stations);
        if parent.is_none() {
            self.traces.decide(trace, &mut self.dice.sampling, &mut self.stations);
        }
    }

    fn release(&mut self, now: SimTime, service: ServiceIndex) {
        let station = &mut self.stations[usize::from(service)];
        station.book(now);
        station.busy -= 1;
        self.fill(now, service);
    }

    /// Gives free workers to those who wait, in order of arrival. Ends because each turn takes one out of the queue.
    fn fill(&mut self, now: SimTime, service: ServiceIndex) {
        loop {
            let station = &mut self.stations[usize::from(service)];
            if station.workers() <= station.busy {
                return;
            }
            let Some(visit) = station.waiting.pop_front() else { return };
            if self.visits[visit.0 as usize].abandoned {
                self.vacate(visit);
            } else {
                self.begin(now, visit);
            }
        }
    }

    fn place(&mut self, visit: Visit) -> VisitId {
        if let Some(slot) = self.free.pop() {
            let old = &mut self.visits[slot as usize];
            *old = Visit { generation: old.generation, ..visit };
            return VisitId(slot);
        }
        self.visits.push(visit);
        VisitId((self.visits.len() - 1) as u32)
    }

    fn vacate(&mut self, visit: VisitId) {
        let slot = &mut self.visits[visit.0 as usize];
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(visit.0);
    }

    fn of(&mut self, service: ServiceIndex) -> (&ServiceSpec, &mut Station) {
        (&self.spec.services[usize::from(service)], &mut self.stations[usize::from(service)])
    }
}

/// Patience. Every caller of a service waits equally long, so those who give up next are first in line and one timer per
/// service is enough.
impl Queueing {
    fn watch_patience(&mut self, now: SimTime, service: ServiceIndex, visit: VisitId) {
        let generation = self.visits[visit.0 as usize].generation;
        let (spec, station) = self.of(service);
        let at = now.after(spec.timeout);
        station.patience.push_back(Patience { at, visit, generation });
        if !station.patience_timer_set {
            station.patience_timer_set = true;
            self.queue.push(at, Happening::PatienceEnds(service));
        }
    }

    fn patience_ends(&mut self, now: SimTime, service: ServiceIndex) {
        while let Some(first) = self.stations[usize::from(service)].patience.front().copied() {
            let answered = self.visits[first.visit.0 as usize].generation != first.generation;
            if !answered && now < first.at {
                self.queue.push(first.at, Happening::PatienceEnds(service));
                return;
            }
            self.stations[usize::from(service)].patience.pop_front();
            if !answered {
                self.abandon(now, first.visit);
            }
        }
        self.stations[usize::from(service)].patience_timer_set = false;
    }

    /// The caller of `visit` gives up. Its worker goes on until the work is done; a place in the queue is skipped later.
    fn abandon(&mut self, now: SimTime, visit: VisitId) {
        self.answer(now, visit, true);
        if let Phase::Held(place) = self.visits[visit.0 as usize].phase {
            return self.give_up_held(now, visit, place);
        }
        let slot = &mut self.visits[visit.0 as usize];
        slot.abandoned = true;
        slot.trace = None;
        if let Some(parent) = slot.parent.take() {
            self.proceed(now, parent, true);
        }
    }
}

/// Capacity.
impl Queueing {
    fn schedule_starts(&mut self, now: SimTime, service: usize, starts: u32) {
        let delay = self.start_delay(service);
        for _ in 0..starts {
            self.queue.push(now.after(delay), Happening::ReplicaStarts(service as ServiceIndex));
        }
    }

    fn start_delay(&self, service: usize) -> Micros {
        Micros(self.spec.services[service].start_delay.0 * self.start_delay_bp[service] / 10_000)
    }

    fn replica_starts(&mut self, now: SimTime, service: ServiceIndex) {
        let station = &mut self.stations[usize::from(service)];
        station.book(now);
        if station.replicas.arrive() {
            self.fill(now, service);
        }
    }
}
