//! The queueing plant.
//!
//! Answers what becomes of every single request: it waits, is worked on, calls others, fails, is given up. Does not know
//! the loop. Requests are simulated one by one rather than as flows because queues, tails and sampled traces are exactly
//! what a flow model averages away.

mod calls;
mod clients;
#[cfg(test)]
mod leftovers;
mod single;
mod waits;

use homeostat_core::{Micros, OperationName, Seed, ServiceSampling};

use crate::plants::dice::{Dice, chance_ppm};
use crate::plants::host::Host;
use crate::plants::operations::{Answered, Operations};
use crate::plants::patience::Line;
use crate::plants::readings::{Admission, Calls, Readings, ServiceReadings, percentile};
use crate::plants::retries::Retries;
use crate::plants::service_time::NormalTable;
use crate::plants::station::Station;
use crate::plants::traces::{Contribution, TraceId, Traces};
use crate::plants::{Cancellation, PlantSpec, ServiceIndex, ServiceSpec, WhileCalling};
use crate::queue::{Queue, SimTime};
use crate::workloads::Workload;

/// The place of a visit among those under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VisitId(u32);

#[cfg(test)]
impl VisitId {
    /// For tests of those who only pass it on.
    pub(crate) fn numbered(number: u32) -> VisitId {
        VisitId(number)
    }
}

/// One request at one service.
#[derive(Clone, Copy, Debug)]
struct Visit {
    arrived: SimTime,
    parent: Option<VisitId>,
    trace: Option<TraceId>,
    generation: u32,
    service: ServiceIndex,
    next_call: u16,
    client: Client,
    /// Tries of the call under way.
    tries: u8,
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

/// Who outside asks, and for which time.
#[derive(Clone, Copy, Debug, Default)]
struct Client {
    source: u16,
    tries: u8,
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Arrive(u16),
    ArriveAgain(Client),
    WorkDone(VisitId),
    PatienceEnds(u16),
    CallAgain(VisitId),
    ConnectionFree(u16),
    ConnectionAwaited(u16),
    ReplicaStarts(ServiceIndex),
    InstanceStarts(ServiceIndex, u32),
    HeadFetched(ServiceIndex, u32),
    OperationHeadFetched(u16, u32),
}

/// A request at the door of a service.
#[derive(Clone, Copy)]
struct Entrance {
    service: ServiceIndex,
    /// Where its caller waits.
    line: u16,
    parent: Option<VisitId>,
    trace: Option<TraceId>,
    client: Client,
}

/// How a visit goes on.
enum Turn {
    /// Something will happen to it later.
    Waits,
    /// It is over, and failed or not.
    Over(VisitId, bool),
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
    /// Where each service's edges begin in `calls` and `edges`.
    calls_of: Vec<usize>,
    /// What each edge has besides a probability.
    edges: Vec<calls::Edge>,
    /// Retries of each workload's clients.
    client_retries: Vec<Option<Retries>>,
    /// Callers by how long they wait: one line per service, then one per call with a timeout of its own.
    lines: Vec<Line>,
    hosts: Vec<Host>,
    visits: Vec<Visit>,
    free: Vec<u32>,
    traces: Traces,
    operations: Operations,
    queue: Queue<Happening>,
    dice: Dice,
    start_delay_bp: Vec<u64>,
}

impl Queueing {
    pub(crate) fn new(spec: PlantSpec, workloads: Vec<Workload>, slow_above: &[Micros], seed: Seed) -> Queueing {
        let normal = NormalTable::new();
        let (mut calls, mut calls_of, mut edges) = (Vec::new(), Vec::new(), Vec::new());
        let mut stations = Vec::new();
        let mut lines: Vec<Line> = spec.services.iter().map(|service| Line::new(service.timeout)).collect();
        for (index, service) in spec.services.iter().enumerate() {
            calls_of.push(calls.len());
            let caller = index as ServiceIndex;
            calls.extend(service.calls.iter().map(|call| Calls { caller, callee: call.callee as u16, total: 0 }));
            edges.extend(service.calls.iter().map(|call| calls::Edge::new(call, &mut lines)));
            let mut station = Station::new(service, &normal, slow_above[index].0);
            station.head_ppm = spec.sampling.head.ppm();
            station.tail_ppm = spec.sampling.tail.ppm();
            stations.push(station);
        }
        let mut plant = Queueing {
            head_set_ppm: vec![spec.sampling.head.ppm(); stations.len()],
            start_delay_bp: vec![10_000; stations.len()],
            traces: Traces::new(stations.len()),
            operations: Operations::of(&workloads, |service| slow_above[usize::from(service)].0),
            calls,
            calls_of,
            edges,
            lines,
            stations,
            hosts: spec.hosts.iter().map(Host::new).collect(),
            client_retries: workloads.iter().map(|workload| workload.retries.map(Retries::new)).collect(),
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
                Happening::ArriveAgain(client) => self.knock(now, client),
                Happening::WorkDone(visit) => self.work_done(now, visit),
                Happening::PatienceEnds(line) => self.patience_ends(now, line),
                Happening::CallAgain(visit) => self.call_again(now, visit),
                Happening::ConnectionFree(edge) => self.connection_free(now, edge.into()),
                Happening::ConnectionAwaited(edge) => self.connection_awaited(now, edge.into()),
                Happening::ReplicaStarts(service) => self.replica_starts(now, service),
                Happening::InstanceStarts(service, place) => self.instance_starts(now, service, place),
                Happening::HeadFetched(service, ppm) => self.stations[usize::from(service)].head_ppm = ppm,
                Happening::OperationHeadFetched(place, ppm) => self.operations.fetch_head(place, ppm),
            }
        }
    }

    /// Reads everything off and begins the next interval.
    pub(crate) fn read(&mut self, now: SimTime, readings: &mut Readings) {
        readings.services.clear();
        readings.instances.clear();
        self.hosts.iter_mut().for_each(|host| host.read(now));
        for (index, (spec, station)) in self.spec.services.iter().zip(&mut self.stations).enumerate() {
            let edges = self.calls_of[index]..self.calls_of[index] + spec.calls.len();
            readings.services.push(ServiceReadings {
                totals: station.totals,
                p50_us: percentile(&mut station.latencies, 5000),
                p99_us: percentile(&mut station.latencies, 9900),
                utilization_bp: station.take_utilization(now),
                host_utilization_bp: spec.host.and_then(|host| self.hosts[host].utilization_bp()),
                connections_missed: self.edges[edges].iter().map(calls::Edge::connections_missed).sum(),
                replicas: station.replicas.ready - station.instances.down(),
                replicas_wanted: station.replicas.wanted(),
                head_ppm: station.head_ppm,
                tail_ppm: station.tail_ppm,
                admission: spec.limit.map(|_| Admission { in_flight: station.in_flight, limit: station.limit }),
                dimmer_bp: spec.dims.then_some(station.dimmer_bp),
            });
            if spec.restarts {
                let instances = station.read_instances().into_iter();
                readings.instances.extend(instances.map(|instance| (index as ServiceIndex, instance)));
            }
            station.latencies.clear();
        }
        readings.calls.clone_from(&self.calls);
        readings.operations.clear();
        readings.operations.extend(self.operations.read().cloned());
    }

    /// Brings `service` to `count` instances; more of them start after their delay, fewer stop taking work at once.
    pub(crate) fn set_replicas(&mut self, now: SimTime, service: usize, count: u32) {
        let station = &mut self.stations[service];
        station.book(now);
        station.replicas.lost = 0;
        let starts = station.replicas.set(count);
        station.left_with();
        self.schedule_starts(now, service, starts);
    }

    /// Takes up to `count` instances away until [`Self::restore_replicas`]; what they work on is still finished.
    pub(crate) fn lose_replicas(&mut self, now: SimTime, service: usize, count: u32) {
        let station = &mut self.stations[service];
        station.book(now);
        let lost = count.min(station.replicas.ready);
        station.replicas.ready -= lost;
        station.replicas.lost += lost;
        station.left_with();
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

    /// The place of an operation of `service`, if a workload brings it.
    pub(crate) fn operation(&self, service: usize, name: &OperationName) -> Option<u16> {
        self.operations.find(service, name)
    }

    /// Samples the operation at `place` like this: the tail at once, the head when its SDK fetches it.
    pub(crate) fn set_operation_sampling(&mut self, now: SimTime, place: u16, sampling: ServiceSampling) {
        self.operations.set_sampling(place, sampling);
        let fetched = Happening::OperationHeadFetched(place, sampling.head.ppm());
        self.queue.push(now.after(self.spec.head_delay), fetched);
    }

    /// What was last set for the operation at `place`.
    pub(crate) fn operation_sampling_set(&self, place: u16) -> Option<ServiceSampling> {
        self.operations.set(place)
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

    /// What `service` remembers of answers is forgotten.
    pub(crate) fn flush_cache(&mut self, service: usize) {
        if let Some(cache) = self.stations[service].extras.as_mut().and_then(|extras| extras.cache.as_mut()) {
            cache.flush();
        }
    }

    /// From now on somebody else uses this many cores of `host`.
    pub(crate) fn set_neighbour(&mut self, now: SimTime, host: usize, cores: u32) {
        self.hosts[host].take(now, cores);
    }

    /// How long the requests answered since the last reading took, in microseconds.
    #[cfg(test)]
    pub(crate) fn latencies(&self, service: usize) -> &[u32] {
        &self.stations[service].latencies
    }

    #[cfg(test)]
    pub(crate) fn totals(&self, service: usize) -> crate::plants::station::Totals {
        self.stations[service].totals
    }

    /// Visits of all services since the start.
    pub(crate) fn visits_total(&self) -> u64 {
        self.stations.iter().map(|station| station.totals.requests).sum()
    }
}

/// Requests.
impl Queueing {
    /// Lets a request in: a worker takes it, it waits for one, or it is refused.
    fn enter(&mut self, now: SimTime, entrance: Entrance) -> Turn {
        let Entrance { service, line, parent, trace, client } = entrance;
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
            client,
            tries: 0,
            phase: Phase::Waiting,
            abandoned: false,
        });
        let (_, station) = self.of(service);
        if station.limit <= station.in_flight {
            station.totals.shed += 1;
            return self.refuse(visit);
        }
        if let Some(place) = self.swallower(service) {
            return self.hold(now, line, visit, place);
        }
        let (spec, station) = self.of(service);
        if station.busy < station.workers() {
            station.in_flight += 1;
            self.watch_patience(now, line, visit);
            self.begin(now, visit);
            return Turn::Waits;
        }
        if spec.queue_max as usize <= station.waiting.len() {
            return self.refuse(visit);
        }
        station.in_flight += 1;
        station.waiting.push_back(visit);
        self.watch_patience(now, line, visit);
        Turn::Waits
    }

    fn refuse(&mut self, visit: VisitId) -> Turn {
        self.visits[visit.0 as usize].phase = Phase::Refused;
        Turn::Over(visit, true)
    }

    fn begin(&mut self, now: SimTime, id: VisitId) {
        let visit = &mut self.visits[id.0 as usize];
        visit.phase = Phase::Working;
        let station = &mut self.stations[usize::from(visit.service)];
        station.book(now);
        station.busy += 1;
        let mut work_us = station.quantiles.draw(&mut self.dice.service) * station.time_factor_bp / 10_000;
        work_us = work_us * station.done_bp() / 10_000;
        if let Some(extras) = &mut station.extras {
            let course = extras.begin(now, station.replicas.ready, &mut self.hosts, &mut self.dice);
            work_us = work_us * course.time_bp / 10_000;
            if course.hit {
                visit.next_call = u16::MAX;
            }
        }
        self.queue.push(now.after(Micros(work_us)), Happening::WorkDone(id));
    }

    fn work_done(&mut self, now: SimTime, visit: VisitId) {
        let service = self.visits[visit.0 as usize].service;
        self.visits[visit.0 as usize].phase = Phase::Calling;
        let (spec, station) = self.of(service);
        let (error_ppm, while_calling) = (spec.error_ppm + station.extra_error_ppm, spec.while_calling);
        station.instances.finish();
        if let Some(host) = station.extras.as_ref().and_then(|extras| extras.host) {
            self.hosts[host].end(now);
        }
        if while_calling == WhileCalling::Release {
            self.release(now, service);
        }
        let failed = chance_ppm(&mut self.dice.errors, error_ppm);
        self.proceed(now, visit, failed);
    }

    /// Goes on with `visit`, whose work or call has ended.
    fn proceed(&mut self, now: SimTime, visit: VisitId, failed: bool) {
        let turn = if failed { Turn::Over(visit, true) } else { self.call_next(now, visit) };
        self.carry(now, turn);
    }

    /// Carries what is over up the chain of callers, as far as it completes them. Ends because every turn either takes one
    /// call off a finite list or closes one visit of a finite chain.
    fn carry(&mut self, now: SimTime, mut turn: Turn) {
        while let Turn::Over(visit, failed) = turn {
            let Some(parent) = self.close(now, visit, failed) else { return };
            turn = self.returned(now, parent, failed);
        }
    }

    /// Ends `visit`: frees its worker and place, counts it if anybody still waits, and says who.
    fn close(&mut self, now: SimTime, visit: VisitId, failed: bool) -> Option<VisitId> {
        let Visit { service, phase, abandoned, parent, .. } = self.visits[visit.0 as usize];
        if !abandoned {
            self.answer(now, visit, failed);
        }
        if phase != Phase::Refused && !self.is_dropped(visit) {
            self.stations[usize::from(service)].in_flight -= 1;
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
        let Visit { service, arrived, trace, parent, client, .. } = self.visits[visit.0 as usize];
        let latency_us = now.0 - arrived.0;
        self.stations[usize::from(service)].count(latency_us, failed);
        if failed && parent.is_none() {
            self.knock_again(now, client);
        }
        if let Some(trace) = trace {
            let station = &self.stations[usize::from(service)];
            let remarkable = failed || station.slow_above_us < latency_us;
            let spans = self.spec.services[usize::from(service)].spans_per_request;
            self.traces.leave(trace, Contribution { service, spans, remarkable }, &mut self.stations);
        }
        if parent.is_none() {
            let (source, head_ppm) = (client.source, self.head_ppm(client.source));
            let own_ppm = self.operations.tail_ppm(source);
            let (traces, dice, stations) = (&mut self.traces, &mut self.dice, &mut self.stations);
            let decided = trace.map(|trace| traces.decide(trace, own_ppm, &mut dice.sampling, stations));
            self.operations.count(source, Answered { latency_us, failed, head_ppm, decided });
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
            if self.is_dropped(visit) {
                self.vacate(visit);
            } else {
                self.begin(now, visit);
            }
        }
    }

    /// Whether nobody waits for `visit` any more, and its service knows.
    fn is_dropped(&self, visit: VisitId) -> bool {
        let Visit { abandoned, service, .. } = self.visits[visit.0 as usize];
        abandoned && self.spec.services[usize::from(service)].cancellation == Cancellation::Noticed
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
            let instances = station.replicas.ready;
            if let Some(extras) = &mut station.extras {
                extras.joined(now, instances);
            }
            self.fill(now, service);
        }
    }
}
