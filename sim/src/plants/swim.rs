//! The plant of the SEAMS exemplar SWIM.
//!
//! Answers what a recorded sequence of requests meets at a web site of one to a dozen servers: round robin, queues,
//! time-outs, cold caches, servers that take minutes to boot, and a dimmer that says how often the full reply is given.
//! Does not know who manages it, nor what its minutes are worth. It is a plant of its own rather than a configuration of
//! the queueing plant because its servers share their processor among all threads, and because it is to agree with a
//! published model (Moreno, Schmerl, Garlan: "SWIM: an exemplar for evaluation and comparison of self-adaptation
//! approaches for web applications", SEAMS 2018) request for request.
//!
//! Instants are seconds as floating point, as in the published model: service shares of a processor are no whole
//! microseconds, and rounding them would change which request ends first.

mod server;
mod service;

use std::sync::Arc;

use homeostat_core::Seed;

pub(crate) use service::{COLD_FULL_S, MEAN_BASIC_S, MEAN_FULL_S, WARM_AFTER, uniform};

use server::{Job, Server};
use service::ServiceTimes;

/// One minute: the length of a period, and of the window of every probe.
pub(crate) const PERIOD_S: f64 = 60.0;

/// The end of a run: 105 periods.
pub(crate) const PERIODS: usize = 105;

/// What every run begins with, whatever the configuration.
const SERVERS_AT_START: usize = 3;

/// What the dimmer says at first.
const DIMMER_AT_START: f64 = 0.9;

/// How large the site can grow, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SwimConfig {
    /// The most servers there can be; it also sets the penalty of a late period.
    pub max_servers: usize,
    /// Positions of the dimmer, from 0 to 1.
    pub dimmer_levels: u32,
    /// How long a server takes to boot.
    pub boot_s: f64,
}

impl SwimConfig {
    /// The configuration that is shipped with the exemplar: three servers, five positions.
    pub const fn small(boot_s: f64) -> SwimConfig {
        SwimConfig { max_servers: 3, dimmer_levels: 5, boot_s }
    }

    /// The configuration of the published comparison of planners: twelve servers, ten positions.
    pub const fn large(boot_s: f64) -> SwimConfig {
        SwimConfig { max_servers: 12, dimmer_levels: 10, boot_s }
    }

    /// The distance between two positions of the dimmer.
    pub(crate) fn dimmer_step(&self) -> f64 {
        1.0 / f64::from(self.dimmer_levels.saturating_sub(1).max(1))
    }
}

/// What one minute was like: the row that is scored, and what a manager can read at its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Period {
    /// The instant at which it ended, in seconds since the start.
    pub ended_s: f64,
    /// Requests that arrived, per second.
    pub arrivals_per_s: f64,
    /// The mean response time of what ended in it, in seconds; none when nothing ended.
    pub response_s: Option<f64>,
    /// The dimmer, averaged over the minute.
    pub dimmer_mean: f64,
    /// The dimmer at its end.
    pub dimmer: f64,
    /// Servers that cost, booting ones included, averaged over the minute.
    pub servers_mean: f64,
    /// Servers that cost at its end.
    pub servers: usize,
    /// Servers that take requests at its end.
    pub active: usize,
    /// Whether one is booting at its end.
    pub booting: bool,
    /// The busy shares of all servers, added up: two servers busy half the time are 1.
    pub utilization: f64,
    /// Requests that left unserved because they had queued for too long.
    pub timed_out: u64,
}

/// A change of the number of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Boot one more.
    Add,
    /// Take one away.
    Remove,
}

/// What a manager wants changed now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Orders {
    /// One server more or less.
    pub scale: Option<Scale>,
    /// A new position of the dimmer, from 0 to 1.
    pub dimmer: Option<f64>,
}

/// The plant.
pub(crate) struct Swim {
    config: SwimConfig,
    arrivals: Arc<[f64]>,
    next_arrival: usize,
    now: f64,
    dimmer: f64,
    boot_ends: Option<f64>,
    servers: Vec<Server>,
    round: usize,
    jobs: u64,
    times: ServiceTimes,
    minute: Minute,
}

/// Sums since the minute began.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    arrived: u64,
    ended: u64,
    timed_out: u64,
    response_s: f64,
    dimmer_s: f64,
    server_s: f64,
    booked_to: f64,
}

/// What happens next.
enum Happening {
    WorkDone(usize),
    Booted,
    Arrival,
    MinuteOver,
}

impl Swim {
    /// `arrivals` are instants in seconds since the start, in order.
    pub(crate) fn new(config: SwimConfig, arrivals: Arc<[f64]>, seed: Seed) -> Swim {
        Swim {
            config,
            arrivals,
            next_arrival: 0,
            now: 0.0,
            dimmer: DIMMER_AT_START,
            boot_ends: None,
            servers: (0..SERVERS_AT_START.min(config.max_servers)).map(|name| Server::new(name, 0.0)).collect(),
            round: 0,
            jobs: 0,
            times: ServiceTimes::new(config.max_servers, seed),
            minute: Minute::default(),
        }
    }

    /// As if it had run for hours: every cache warm, `servers` of them up, the dimmer at `dimmer`.
    pub(crate) fn warm(config: SwimConfig, arrivals: Arc<[f64]>, seed: Seed, servers: usize, dimmer: f64) -> Swim {
        let mut plant = Swim::new(config, arrivals, seed);
        plant.servers = (0..servers).map(|name| Server::new(name, 0.0)).collect();
        plant.times.warm_up();
        plant.dimmer = dimmer;
        plant
    }

    /// Runs to the end of the minute that ends at `until`.
    pub(crate) fn run_minute(&mut self, until: f64) -> Period {
        loop {
            let (at, happening) = self.next(until);
            self.now = at;
            match happening {
                Happening::WorkDone(index) => self.work_done(index),
                Happening::Booted => self.booted(),
                Happening::Arrival => self.arrive(),
                Happening::MinuteOver => return self.close_minute(),
            }
        }
    }

    /// Carries out what can be carried out: one boot at a time, never above the most, never below one server, and none
    /// taken away during a boot. What cannot is ignored.
    pub(crate) fn obey(&mut self, orders: Orders) {
        self.book();
        if let Some(dimmer) = orders.dimmer {
            self.dimmer = dimmer.clamp(0.0, 1.0);
        }
        match orders.scale {
            Some(Scale::Add) if self.boot_ends.is_none() && self.costing() < self.config.max_servers => {
                self.boot_ends = Some(self.now + self.config.boot_s);
            }
            Some(Scale::Remove) if self.boot_ends.is_none() && 1 < self.active() => self.remove(),
            _ => {}
        }
    }

    /// The next event. Of several at one instant, work ends first, then a boot, then a request arrives.
    fn next(&self, until: f64) -> (f64, Happening) {
        let mut next = (until, Happening::MinuteOver);
        if let Some(at) = self.arrivals.get(self.next_arrival).filter(|at| **at <= next.0) {
            next = (*at, Happening::Arrival);
        }
        if let Some(at) = self.boot_ends.filter(|at| *at <= next.0) {
            next = (at, Happening::Booted);
        }
        let done = self.servers.iter().enumerate().filter_map(|(index, server)| Some((server.next_done()?, index)));
        let first = done.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        if let Some((at, index)) = first.filter(|(at, _)| *at <= next.0) {
            next = (at, Happening::WorkDone(index));
        }
        next
    }

    fn arrive(&mut self) {
        self.next_arrival += 1;
        self.minute.arrived += 1;
        let active = self.active();
        let turn = self.round % active;
        self.round += 1;
        let taking = self.servers.iter().enumerate().filter(|(_, server)| !server.draining);
        let index = taking.map(|(index, _)| index).nth(turn).expect("one server always takes requests");
        let server = &mut self.servers[index];
        server.advance(self.now);
        server.waiting.push_back(self.now);
        self.fill(index);
    }

    fn work_done(&mut self, index: usize) {
        let now = self.now;
        let server = &mut self.servers[index];
        server.advance(now);
        while let Some(job) = server.take_done() {
            self.minute.ended += 1;
            self.minute.response_s += now - job.arrived;
        }
        self.fill(index);
        if self.servers[index].draining && self.servers[index].is_idle() {
            self.servers.remove(index);
        }
    }

    /// Gives free threads to those who wait; who has waited for too long leaves.
    fn fill(&mut self, index: usize) {
        let server = &mut self.servers[index];
        while let Some(arrived) = server.next_waiting() {
            if server::PATIENCE_S <= self.now - arrived {
                self.minute.ended += 1;
                self.minute.timed_out += 1;
                self.minute.response_s += self.now - arrived;
                continue;
            }
            let work_s = self.times.draw(server.name, self.dimmer);
            server.start(Job::new(server.progress(), work_s, self.jobs, arrived));
            self.jobs += 1;
        }
    }

    fn booted(&mut self) {
        self.book();
        self.boot_ends = None;
        // A server is called by its number, and the cache is that of the name: who comes back finds what it left.
        self.servers.push(Server::new(self.active(), self.now));
    }

    /// The youngest goes: at once if it is idle, else when it has finished what it has.
    fn remove(&mut self) {
        let youngest = self.servers.iter().rposition(|server| !server.draining);
        let index = youngest.expect("one server always takes requests");
        self.servers[index].draining = true;
        if self.servers[index].is_idle() {
            self.servers.remove(index);
        }
    }

    fn active(&self) -> usize {
        self.servers.iter().filter(|server| !server.draining).count()
    }

    fn costing(&self) -> usize {
        self.active() + usize::from(self.boot_ends.is_some())
    }

    /// Adds up what has lasted since the last change. To be called before the dimmer or the number of servers changes.
    fn book(&mut self) {
        let span = self.now - self.minute.booked_to;
        self.minute.dimmer_s += self.dimmer * span;
        self.minute.server_s += self.costing() as f64 * span;
        self.minute.booked_to = self.now;
    }

    fn close_minute(&mut self) -> Period {
        self.book();
        let Minute { arrived, ended, timed_out, response_s, dimmer_s, server_s, .. } = self.minute;
        self.minute = Minute { booked_to: self.now, ..Minute::default() };
        let now = self.now;
        Period {
            ended_s: now,
            arrivals_per_s: arrived as f64 / PERIOD_S,
            response_s: (0 < ended).then(|| response_s / ended as f64),
            dimmer_mean: dimmer_s / PERIOD_S,
            dimmer: self.dimmer,
            servers_mean: server_s / PERIOD_S,
            servers: self.costing(),
            active: self.active(),
            booting: self.boot_ends.is_some(),
            utilization: self.servers.iter_mut().map(|server| server.take_busy_s(now)).sum::<f64>() / PERIOD_S,
            timed_out,
        }
    }
}

#[cfg(test)]
mod tests;
