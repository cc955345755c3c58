//! One round: so many ticks with so many services.
//!
//! Answers what each tick cost. The loop is the agent's own; around it stands what the agent's driver does, and nothing else:
//! events in, the record kept until the next tick, and, if wanted, the journal on disk.

use std::time::Duration;

use homeostat_adapters::{Entry, Journal, Retention};
use homeostat_control::{CheckpointScope, ControlLoop};
use homeostat_core::{Command, Event, Report, TickRecord, Timestamp};

use crate::figures::{Busy, Figures};
use crate::fleet::Fleet;
use crate::gauges::{self, Stopwatch};

/// Ticks before the first that is measured: the short windows are full, and trouble has begun.
const WARM_UP: usize = 75;

/// With the journal every so manyth tick carries the bulk of the checkpoint, as in the agent.
const BULK_EVERY: usize = 60;

pub(crate) struct Round {
    pub(crate) services: usize,
    pub(crate) ticks: usize,
    pub(crate) journal: bool,
    /// Whether the default bound on services holds; else there is room for all.
    pub(crate) bounded: bool,
}

impl Round {
    pub(crate) fn arguments(&self) -> [String; 5] {
        let Round { services, ticks, journal, bounded } = self;
        ["--round".into(), services.to_string(), ticks.to_string(), journal.to_string(), bounded.to_string()]
    }

    pub(crate) fn parse(arguments: &[String]) -> Option<Round> {
        let [_, services, ticks, journal, bounded] = arguments else { return None };
        Some(Round {
            services: services.parse().ok()?,
            ticks: ticks.parse().ok()?,
            journal: journal.parse().ok()?,
            bounded: bounded.parse().ok()?,
        })
    }

    pub(crate) fn run(&self) -> Figures {
        let mut course = Course::begin(self);
        for tick in 1..=WARM_UP + self.ticks {
            let cost = course.tick(tick);
            if WARM_UP < tick {
                course.costs.push(cost);
            }
        }
        course.end(self.services)
    }
}

/// What one tick cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// Observations and reports taken in.
    pub(crate) absorbing: Duration,
    /// The five rooms.
    pub(crate) thinking: Duration,
    /// Both, on the wall.
    pub(crate) wall: Duration,
    /// The journal: processor time, and on the wall with the disk.
    pub(crate) journal: Duration,
    pub(crate) journal_wall: Duration,
}

/// A round under way.
struct Course {
    fleet: Fleet,
    control: ControlLoop,
    /// The last record lives until the next one, as in the driver.
    record: Option<Box<TickRecord>>,
    reports: Vec<Report>,
    journal: Option<(Journal, tempfile::TempDir)>,
    costs: Vec<Cost>,
    busy: Busy,
    resident_before: u64,
}

impl Course {
    fn begin(round: &Round) -> Course {
        let mut fleet = Fleet::of(round.services);
        // One second is observed beforehand, so that the harness's own memory does not count.
        fleet.observe(0);
        let resident_before = gauges::resident();
        let mut control = ControlLoop::new(homeostat_policies::CATALOGUE);
        let mut settings = fleet.settings();
        if !round.bounded {
            // Every service, and the agent itself.
            settings.perception.targets_max = settings.perception.targets_max.max(round.services as u32 + 1);
        }
        control.handle(Timestamp(0), Event::Reconfigured(Box::new(settings)));
        let journal = round.journal.then(|| {
            let dir = tempfile::tempdir().expect("a directory for the journal");
            (Journal::open(dir.path(), Retention::default()).expect("a new journal opens").0, dir)
        });
        let (record, reports, costs, busy) = (None, Vec::new(), Vec::new(), Busy::default());
        Course { fleet, control, record, reports, journal, costs, busy, resident_before }
    }

    fn tick(&mut self, tick: usize) -> Cost {
        let now = Timestamp(tick as u64 * 1000);
        let mut events = vec![Event::Observed(self.fleet.observe(tick as u64))];
        events.extend(self.reports.drain(..).map(Event::Reported));
        let noted = self.journal.is_some().then(|| events.iter().map(|event| (now, event.clone())).collect());
        let absorbing = Stopwatch::start();
        for event in events {
            self.control.handle(now, event);
        }
        let (absorbed, absorbed_wall) = (absorbing.processor(), absorbing.wall());
        let thinking = Stopwatch::start();
        let mut effects = Vec::new();
        for command in self.control.handle(now, Event::Tick) {
            match command {
                Command::Record(record) => self.record = Some(record),
                Command::Effect(effect) => effects.push(effect),
            }
        }
        let (thought, wall) = (thinking.processor(), absorbed_wall + thinking.wall());
        self.reports.extend(effects.iter().map(|effect| self.fleet.carry_out(effect)));
        let (journal, journal_wall) = self.write(tick, noted);
        if let Some(record) = &self.record {
            self.busy.note(record);
        }
        Cost { absorbing: absorbed, thinking: thought, wall, journal, journal_wall }
    }

    fn write(&mut self, tick: usize, noted: Option<Vec<(Timestamp, Event)>>) -> (Duration, Duration) {
        let (Some((journal, _)), Some(mut events)) = (&mut self.journal, noted) else { return Default::default() };
        events.push((Timestamp(tick as u64 * 1000), Event::Tick));
        let watch = Stopwatch::start();
        let scope = match tick.is_multiple_of(BULK_EVERY) {
            true => CheckpointScope::StateAndBulk,
            false => CheckpointScope::State,
        };
        let checkpoint = self.control.checkpoint(scope);
        let record = self.record.as_ref().expect("every tick leaves a record");
        journal.commit(Entry { record, checkpoint: &checkpoint, events: &events }).expect("the journal can be written");
        (watch.processor(), watch.wall())
    }

    fn end(self, services: usize) -> Figures {
        let snapshot = self.record.as_ref().map(|record| record.snapshot.clone()).unwrap_or_default();
        let (followed, shed) = (snapshot.counts.len(), snapshot.overflow);
        let memory = (gauges::resident().saturating_sub(self.resident_before), gauges::peak());
        Figures::of(services, self.costs, self.busy, memory, (followed, shed))
    }
}
