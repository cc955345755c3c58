//! The world.
//!
//! Answers what surrounds the loop during one run: it turns time, readings, reports and people into events, and carries the
//! loop's commands out. It does not judge; checkers do. The loop is the same as in production: if the world needed a
//! different one, it would prove nothing.

mod actuators;
mod hands;
mod sensors;
mod stopwatch;
mod story;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use homeostat_control::{CheckpointScope, ControlLoop};
use homeostat_core::{Checkpoint, Command, Effect, Event, Observation, Report, Seed, TickRecord, Timestamp};

use crate::checkers::Checkers;
use crate::conditions::Conditions;
use crate::digest::Digest;
use crate::plants::{Queueing, Readings};
use crate::queue::{Queue, SimTime};
use crate::scenario::{Options, Scenario};
use crate::series::Series;
use crate::world::actuators::{Actuators, Reach};
use crate::world::stopwatch::Stopwatch;
use crate::world::story::Story;

pub(crate) use sensors::Sensors;
pub use stopwatch::Timing;
pub use story::{ActionStory, IncidentStory};

/// Everything one run leaves behind.
#[derive(Debug)]
pub(crate) struct Aftermath {
    pub(crate) checkers: Checkers,
    pub(crate) series: Series,
    pub(crate) story: Story,
    pub(crate) digest: Digest,
    pub(crate) timing: Timing,
    pub(crate) records: Vec<TickRecord>,
    pub(crate) events: Vec<(Timestamp, Event)>,
}

/// One run under way.
pub(crate) struct World<'a> {
    scenario: &'a Scenario,
    options: &'a Options,
    agent: Agent,
    plant: Queueing,
    queue: Queue<Turn>,
    conditions: Conditions,
    sensors: Sensors,
    actuators: Actuators,
    readings: Readings,
    stopwatch: Stopwatch,
    after: Aftermath,
}

/// The agent's process.
enum Agent {
    Up(Box<ControlLoop>),
    Down(Box<Checkpoint>),
    /// An assertion failed.
    Stopped,
}

/// What the world does next.
enum Turn {
    /// A whole second has passed: faults change, people speak, readings are taken, the loop ticks.
    Second,
    /// An actuator has got round to it.
    Actuate(Effect),
    /// A late command reaches its actuator.
    ActuateLate(Effect),
    /// An actuator's answer arrives.
    Answer(Report),
    /// Readings arrive late.
    LateReadings(Vec<Observation>),
}

impl<'a> World<'a> {
    pub(crate) fn new(scenario: &'a Scenario, seed: Seed, options: &'a Options) -> World<'a> {
        let names = scenario.names();
        let mut world = World {
            scenario,
            options,
            agent: Agent::Up(Box::new(options.control())),
            plant: Queueing::new(scenario.plant.clone(), scenario.workloads.clone(), &scenario.slow_above(), seed),
            queue: Queue::new(),
            conditions: Conditions::good(names.len()),
            sensors: Sensors::new(names, seed),
            actuators: Actuators::new(scenario, seed),
            readings: Readings::default(),
            stopwatch: Stopwatch::new(options.stopwatch),
            after: Aftermath {
                checkers: Checkers::new(scenario),
                series: Series::new(names),
                story: Story::default(),
                digest: Digest::new(options.digest),
                timing: Timing::default(),
                records: Vec::new(),
                events: Vec::new(),
            },
        };
        world.tell(SimTime(0), Event::Reconfigured(Box::new(scenario.settings.clone())));
        world.queue.push(SimTime::from_secs(1), Turn::Second);
        world
    }

    /// Runs to the end. Ends because the last second schedules no other.
    pub(crate) fn run(mut self) -> Aftermath {
        let end = SimTime::from_secs(self.scenario.duration_s);
        while self.queue.next_at().is_some_and(|at| at <= end) {
            let Some((now, turn)) = self.queue.pop() else { break };
            self.plant.advance(now);
            match turn {
                Turn::Second => self.second(now),
                Turn::Actuate(effect) => self.actuate(now, effect),
                Turn::ActuateLate(effect) => self.carry_out(now, effect),
                Turn::Answer(report) => self.tell(now, Event::Reported(report)),
                Turn::LateReadings(batch) => self.observe(now, batch),
            }
        }
        if let Agent::Up(agent) = &self.agent {
            self.after.checkers.end(end, agent.trials());
        }
        self.after.timing = self.stopwatch.stop(self.plant.visits_total());
        self.after
    }

    fn second(&mut self, now: SimTime) {
        let at_s = now.as_secs();
        self.change_conditions(now);
        self.other_hands(now);
        let scenario = self.scenario;
        for command in scenario.operator.iter().filter(|command| command.at_s == at_s) {
            self.after.checkers.operator(&command.command);
            self.tell(now, Event::Operator(command.command.clone()));
        }
        self.plant.read(now, &mut self.readings);
        let (fresh, late) = self.sensors.read(now, &self.readings, &self.conditions);
        for (delay, batch) in late {
            self.queue.push(SimTime(now.0 + delay.0 * 1000), Turn::LateReadings(batch));
        }
        self.observe(now, fresh);
        self.tell(now, Event::Tick);
        self.take_down(now);
        self.queue.push(SimTime::from_secs(at_s + 1), Turn::Second);
    }

    /// Books the second in the series and lets the checkers look at the world.
    fn take_down(&mut self, now: SimTime) {
        let regime = match &self.agent {
            Agent::Up(agent) => Some(agent.regime()),
            Agent::Down(_) | Agent::Stopped => None,
        };
        let incidents = self.after.story.incidents_open();
        self.after.series.push(&self.readings, regime, incidents, self.actuators.take_applied());
        self.after.digest.plant(&self.readings);
        self.after.checkers.second(now, &self.readings);
    }

    /// Applies the faults that are active in the second that begins now.
    fn change_conditions(&mut self, now: SimTime) {
        let at_s = now.as_secs();
        let scenario = self.scenario;
        if !scenario.faults.iter().any(|fault| fault.from_s == at_s || fault.to_s == at_s) {
            return;
        }
        let mut next = Conditions::good(scenario.names().len());
        for scheduled in scenario.faults.iter().filter(|fault| fault.is_active(at_s)) {
            scheduled.fault.fault().apply(scenario.names(), &mut next);
        }
        let before = std::mem::replace(&mut self.conditions, next);
        self.change_plant(now, &before);
        self.change_hosts(now);
        self.change_agent(now);
    }

    /// Somebody else sets what they want to another value than it has.
    fn other_hands(&mut self, now: SimTime) {
        for index in 0..self.conditions.services.len() {
            let Some(wanted) = self.conditions.services[index].other_hand else { continue };
            if self.plant.replicas_wanted(index) != wanted {
                self.plant.set_replicas(now, index, wanted);
                self.after.checkers.other_hand(&self.scenario.names()[index], now);
            }
        }
    }

    fn change_plant(&mut self, now: SimTime, before: &Conditions) {
        for (index, (service, old)) in self.conditions.services.iter().zip(&before.services).enumerate() {
            self.plant.set_time_factor(index, service.time_factor_bp);
            self.plant.set_extra_errors(index, service.extra_error_ppm);
            self.plant.set_start_delay_factor(index, service.start_delay_factor_bp);
            if service.cache_flushed && !old.cache_flushed {
                self.plant.flush_cache(index);
            }
            if old.lost_replicas < service.lost_replicas {
                self.plant.lose_replicas(now, index, service.lost_replicas - old.lost_replicas);
            }
            if old.wedged_instances < service.wedged_instances {
                self.plant.wedge(now, index, service.wedged_instances - old.wedged_instances);
            }
            if service.wedged_instances == 0 && 0 < old.wedged_instances {
                self.plant.unwedge(now, index);
            }
            if service.lost_replicas == 0 && 0 < old.lost_replicas {
                self.plant.restore_replicas(now, index);
            }
        }
    }

    /// A host is used by the neighbours of all services on it.
    fn change_hosts(&mut self, now: SimTime) {
        let mut cores = vec![0; self.scenario.plant.hosts.len()];
        for (service, conditions) in self.scenario.plant.services.iter().zip(&self.conditions.services) {
            if let Some(host) = service.host {
                cores[host] += conditions.neighbour_cores;
            }
        }
        for (host, cores) in cores.into_iter().enumerate() {
            self.plant.set_neighbour(now, host, cores);
        }
    }

    fn change_agent(&mut self, now: SimTime) {
        match (&self.agent, self.conditions.agent_down) {
            (Agent::Up(agent), true) => {
                self.agent = Agent::Down(Box::new(agent.checkpoint(CheckpointScope::StateAndBulk)));
            }
            (Agent::Down(checkpoint), false) => {
                let checkpoint = checkpoint.clone();
                self.agent = Agent::Up(Box::new(self.options.control()));
                self.tell(now, Event::Recovered(checkpoint));
                self.tell(now, Event::Reconfigured(Box::new(self.scenario.settings.clone())));
            }
            _ => {}
        }
    }

    fn observe(&mut self, now: SimTime, batch: Vec<Observation>) {
        if batch.is_empty() || !matches!(self.agent, Agent::Up(_)) {
            return;
        }
        self.after.checkers.observed(&batch);
        self.tell(now, Event::Observed(batch));
    }

    /// Hands an event to the loop and carries out what it commands. While the agent is down, events are lost.
    fn tell(&mut self, now: SimTime, event: Event) {
        let Agent::Up(agent) = &mut self.agent else { return };
        if self.options.keep.events() {
            self.after.events.push((now.wall(), event.clone()));
        }
        self.stopwatch.loop_begins();
        // As in production, a failed assertion stops the loop for good and nothing else. Unwind safety is asserted because
        // nothing that it may have left half changed is used afterwards.
        let answer = catch_unwind(AssertUnwindSafe(|| agent.handle(now.wall(), event)));
        self.stopwatch.loop_ends();
        let commands = match answer {
            Ok(commands) => commands,
            Err(panic) => {
                self.agent = Agent::Stopped;
                return self.after.checkers.assertion(now, said(panic.as_ref()));
            }
        };
        if commands.is_empty() {
            return;
        }
        self.after.checkers.batch_begins(now);
        for command in commands {
            match command {
                Command::Record(record) => self.record(now, *record),
                Command::Effect(effect) => self.effect(now, effect),
            }
        }
        self.after.checkers.batch_ends();
        self.stopwatch.checkers_end();
    }

    fn record(&mut self, now: SimTime, record: TickRecord) {
        self.after.checkers.record(&record);
        self.after.story.record(now, &record);
        self.after.digest.record(&record);
        if self.options.keep.records() {
            self.after.records.push(record);
        }
    }

    fn effect(&mut self, now: SimTime, effect: Effect) {
        self.after.checkers.effect(&effect);
        self.after.story.effect(&effect);
        let at = self.actuators.due(now);
        self.queue.push(at, Turn::Actuate(effect));
    }

    fn actuate(&mut self, now: SimTime, effect: Effect) {
        match self.actuators.reach(now, &effect, &self.conditions) {
            Reach::Now => self.carry_out(now, effect),
            Reach::Later(at) => self.queue.push(at, Turn::ActuateLate(effect)),
            Reach::Never => {}
        }
    }

    fn carry_out(&mut self, now: SimTime, effect: Effect) {
        for report in self.actuators.perform(now, effect, &mut self.plant, &self.conditions) {
            if let Some(at) = self.actuators.answer_at(now, &self.conditions) {
                self.queue.push(at, Turn::Answer(report));
            }
        }
    }
}

/// What a failed assertion said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}

/// What is kept of a run besides its report. Records and events grow with the length of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Neither.
    #[default]
    Nothing,
    /// Every record: the journal.
    Records,
    /// Every record and every event: what a replay needs.
    RecordsAndEvents,
}

impl Keep {
    fn records(self) -> bool {
        self != Keep::Nothing
    }

    fn events(self) -> bool {
        self == Keep::RecordsAndEvents
    }
}

/// A monotonic reading, given by those who may look at a clock.
pub type ClockReading = fn() -> Duration;
