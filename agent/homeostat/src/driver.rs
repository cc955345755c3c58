//! The driver: the small live program around `handle(now, event)`.
//!
//! Answers when the loop thinks and that its words become deeds in the right order: a record is on disk before any effect
//! that it explains. Does not think itself. One task owns the loop, so there is no lock and no second writer; everything
//! that may be slow lives in other tasks and talks to it through bounded channels.
//!
//! Events wait in five places, and are taken in this order: reports (a trial may hang on them), what an operator says (the
//! kill switch), new settings, readings of sources, the tick. Each of the first four is bounded and quick, so the tick is
//! never starved.

mod book;
mod collector;
mod hands;
mod hold_file;
mod mind;
mod sampler;

pub(crate) use book::{Book, NotWritten};
pub(crate) use collector::BATCHES_MAX;
pub(crate) use collector::start as start_collector;
pub(crate) use hands::{Done, Hands, IN_FLIGHT_MAX};
pub(crate) use hold_file::HoldFile;
pub(crate) use mind::Mind;
pub(crate) use sampler::{Sampler, plan};

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use homeostat_adapters::SystemClock;
use homeostat_control::CheckpointScope;
use homeostat_core::{
    Command, Effect, Event, Habit, Knowledge, Observation, OperatorCommand, Regime, Report, ReportKind, Settings,
    Streak, TickRecord, Timestamp, TrialStage,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior};

use crate::own_spans::OwnSpans;
use crate::view::{ANY_TARGET, Disarmed, LoopCounts, LoopView, Trouble, remember};

/// Between ticks.
const TICK_EVERY: Duration = Duration::from_secs(1);

/// A checkpoint carries the long windows every so many ticks: they are large, and a minute of them can be spared.
const COUNTS_EVERY_TICKS: u64 = 60;

/// After the order to stop, answers from the outside are waited for this long. Shorter than the ten seconds that container
/// runtimes grant between SIGTERM and SIGKILL, with room for the data plane's own ending.
const DRAIN_WITHIN: Duration = Duration::from_secs(4);

/// Between ticks while draining.
const DRAIN_TICK_EVERY: Duration = Duration::from_millis(250);

/// What an operator can have said between two ticks. More callers wait.
pub(crate) const OPERATOR_MAX: usize = 16;

/// Reads what can be observed inside this process, at once.
pub(crate) type Perceive = Box<dyn FnMut(Timestamp) -> Vec<Observation> + Send>;

/// Where events wait for the loop.
pub(crate) struct Inbox {
    /// What became of effects.
    pub(crate) done: mpsc::Receiver<Done>,
    /// What operators say.
    pub(crate) operator: mpsc::Receiver<OperatorCommand>,
    /// What the manifest says after a reload.
    pub(crate) settings: mpsc::Receiver<Box<Settings>>,
    /// What sources outside say.
    pub(crate) observations: mpsc::Receiver<Vec<Observation>>,
    /// The order to stop.
    pub(crate) stop: oneshot::Receiver<()>,
}

/// Where the loop can be watched.
pub(crate) struct Outlook {
    /// How it stands.
    pub(crate) views: watch::Sender<Arc<LoopView>>,
    /// What it wrote.
    pub(crate) records: broadcast::Sender<Arc<TickRecord>>,
    /// Its own spans.
    pub(crate) spans: OwnSpans,
}

/// Owns the loop.
pub(crate) struct Driver {
    clock: SystemClock,
    mind: Mind,
    book: Book,
    hands: Hands,
    hold_file: HoldFile,
    perceive: Perceive,
    outlook: Outlook,
    dropped: Arc<AtomicU64>,
    counts: LoopCounts,
    record: Option<Arc<TickRecord>>,
    decisions: VecDeque<crate::view::Decision>,
    knowledge: Arc<Knowledge>,
    counts_in_every_checkpoint: bool,
}

/// What a driver is made of.
pub(crate) struct Parts {
    /// The clock.
    pub(crate) clock: SystemClock,
    /// The loop.
    pub(crate) mind: Mind,
    /// Where records go.
    pub(crate) book: Book,
    /// Who carries effects out.
    pub(crate) hands: Hands,
    /// The file that holds the agent.
    pub(crate) hold_file: HoldFile,
    /// What is observed at every tick.
    pub(crate) perceive: Perceive,
    /// Where the loop can be watched.
    pub(crate) outlook: Outlook,
    /// Readings the loop had no room for.
    pub(crate) dropped: Arc<AtomicU64>,
}

impl Driver {
    /// A driver that has not begun.
    pub(crate) fn new(parts: Parts) -> Driver {
        let Parts { clock, mind, book, hands, hold_file, perceive, outlook, dropped } = parts;
        let knowledge = Arc::new(shown(mind.control().knowledge()));
        Driver {
            clock,
            mind,
            book,
            hands,
            hold_file,
            perceive,
            outlook,
            dropped,
            counts: LoopCounts::default(),
            record: None,
            decisions: VecDeque::new(),
            knowledge,
            counts_in_every_checkpoint: false,
        }
    }

    /// Hands an event to the loop before `run`: what the journal held, and what people want.
    pub(crate) fn begin_with(&mut self, event: Event) {
        self.absorb(event);
    }

    /// The loop, to look at.
    pub(crate) fn control(&self) -> &homeostat_control::ControlLoop {
        self.mind.control()
    }

    /// Drives the loop until it is told to stop and has drained.
    pub(crate) async fn run(mut self, mut inbox: Inbox) {
        let mut ticks = tokio::time::interval(TICK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut last: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                Some(done) = inbox.done.recv() => self.take_report(done),
                Some(said) = inbox.operator.recv() => self.obey(said),
                Some(settings) = inbox.settings.recv() => self.reconfigure(settings),
                Some(seen) = inbox.observations.recv() => self.absorb(Event::Observed(seen)),
                due = ticks.tick() => {
                    self.counts.ticks_skipped += skipped(last.replace(due), due);
                    self.tick();
                }
                _ = &mut inbox.stop => break,
            }
        }
        self.drain(&mut inbox).await;
    }

    /// Finishes what is open, for a bounded time, and leaves a complete checkpoint.
    async fn drain(mut self, inbox: &mut Inbox) {
        let deadline = Instant::now() + DRAIN_WITHIN;
        self.counts_in_every_checkpoint = true;
        self.absorb(Event::Drain);
        self.tick();
        while self.waits_for_the_outside() && Instant::now() < deadline {
            match tokio::time::timeout(DRAIN_TICK_EVERY, inbox.done.recv()).await {
                Ok(Some(done)) => self.take_report(done),
                Ok(None) => break,
                Err(_) => self.tick(),
            }
        }
        self.tick();
    }

    fn waits_for_the_outside(&self) -> bool {
        let trials = self.mind.control().trials();
        let waits = |stage| matches!(stage, TrialStage::Requested | TrialStage::Undoing);
        self.mind.stopped().is_none() && trials.iter().any(|trial| waits(trial.state.stage()))
    }

    fn obey(&mut self, said: OperatorCommand) {
        if let (OperatorCommand::Resume, Some(path)) = (&said, self.hold_file.holds()) {
            tracing::warn!("an operator said resume, but {} is there and holds the agent; remove it", path.display());
            return;
        }
        tracing::info!("an operator said: {}", serde_json::to_string(&said).unwrap_or_default());
        self.absorb(Event::Operator(said));
        self.publish();
    }

    fn reconfigure(&mut self, settings: Box<Settings>) {
        self.absorb(Event::Reconfigured(settings));
        let control = self.mind.control();
        self.hands.sampler.follow(control.settings(), control.in_force());
        self.publish();
    }

    fn take_report(&mut self, done: Done) {
        let counts = &mut self.counts.effects[done.kind as usize];
        if done.failed() {
            counts.failed += 1;
            tracing::warn!("{}: {}", done.report.id, failure(&done.report));
        } else {
            counts.done += 1;
        }
        self.absorb(Event::Reported(done.report));
    }

    fn tick(&mut self) {
        let began = (self.outlook.spans.now(), Instant::now());
        self.look_at_hold_file();
        let seen = (self.perceive)(self.clock.now());
        if !seen.is_empty() {
            self.absorb(Event::Observed(seen));
        }
        self.absorb(Event::Tick);
        self.counts.ticks += 1;
        self.counts.tick_durations.observe(began.1.elapsed().as_secs_f64());
        if let Some(record) = &self.record {
            self.outlook.spans.tick(began.0, record);
        }
        self.publish();
    }

    fn look_at_hold_file(&mut self) {
        let held = self.mind.control().is_held();
        if let Some(said) = self.hold_file.look(held) {
            tracing::warn!(
                "the file hold in the state directory says: {}",
                serde_json::to_string(&said).unwrap_or_default()
            );
            self.absorb(Event::Operator(said));
        }
    }

    /// Hands one event to the loop and does what it says, and whatever follows from doing so at once.
    fn absorb(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        // Each round handles one event; an effect carried out inside the process adds its report, which triggers nothing.
        while let Some(event) = events.pop_front() {
            if self.mind.stopped().is_some() {
                return;
            }
            let now = self.clock.now();
            self.book.note(now, &event);
            let mut recorded = true;
            for command in self.mind.handle(now, event) {
                match command {
                    Command::Record(record) => recorded = self.keep(record, &mut events),
                    Command::Effect(effect) if recorded => events.extend(self.carry_out(effect)),
                    Command::Effect(effect) => events.push_back(not_done(&effect)),
                }
            }
        }
    }

    /// Writes a record durably. Returns whether it is on disk; if it is not, the loop is put on hold.
    fn keep(&mut self, record: Box<TickRecord>, events: &mut VecDeque<Event>) -> bool {
        let scope = match self.counts_in_every_checkpoint || record.tick.0.is_multiple_of(COUNTS_EVERY_TICKS) {
            true => CheckpointScope::StateAndBulk,
            false => CheckpointScope::State,
        };
        let checkpoint = self.mind.control().checkpoint(scope);
        let shared = Arc::new(TickRecord::clone(&record));
        let was_in_trouble = self.book.trouble().is_some();
        let written = tokio::task::block_in_place(|| self.book.commit(record, checkpoint));
        self.take_over(shared);
        match written {
            Ok(()) => self.counts.commits += 1,
            Err(NotWritten) => {
                self.counts.commit_errors += 1;
                if !was_in_trouble {
                    events.push_back(Event::Operator(OperatorCommand::Hold));
                }
            }
        }
        written.is_ok()
    }

    fn take_over(&mut self, record: Arc<TickRecord>) {
        remember(&mut self.decisions, &record);
        record.outcomes.iter().for_each(|outcome| self.counts.count_verdict(outcome.verdict));
        for request in &record.plan.requests {
            tracing::info!("{} decided: {} ({})", request.id, request.action.actuation, request.why);
        }
        for outcome in &record.outcomes {
            tracing::info!("{} {}: {} of {}", outcome.id, outcome.verdict, outcome.kind, outcome.target);
        }
        // Nobody listening is no trouble.
        drop(self.outlook.records.send(record.clone()));
        self.record = Some(record);
    }

    fn carry_out(&mut self, effect: Effect) -> Option<Event> {
        let done = self.hands.begin(effect)?;
        let counts = &mut self.counts.effects[done.kind as usize];
        *(if done.failed() { &mut counts.failed } else { &mut counts.done }) += 1;
        Some(Event::Reported(done.report))
    }

    fn publish(&mut self) {
        let refused = self.record.as_ref().map_or(0, |record| record.snapshot.overflow);
        self.counts.observations_dropped = self.dropped.load(Ordering::Relaxed) + refused;
        let control = self.mind.control();
        if control.knowledge().generation != self.knowledge.generation {
            self.knowledge = Arc::new(shown(control.knowledge()));
        }
        let stopped = self.mind.stopped().map(|why| Trouble::LoopStopped { why: why.to_owned() });
        let unwritten = self.book.trouble().map(|why| Trouble::JournalNotWritable { why: why.to_owned() });
        let view = LoopView {
            regime: if stopped.is_some() { Regime::Holding } else { control.regime() },
            record: self.record.clone(),
            trials: control.trials().iter().filter(|trial| trial.is_open()).cloned().collect(),
            decisions: Arc::new(self.decisions.clone()),
            settings: Arc::new(control.settings().clone()),
            in_force: Arc::new(control.in_force().clone()),
            knowledge: self.knowledge.clone(),
            hold_file: self.hold_file.holds().map(Path::to_owned),
            disarmed: disarmed(control),
            trouble: stopped.or(unwritten),
            counts: self.counts.clone(),
        };
        self.outlook.views.send_replace(Arc::new(view));
    }
}

/// What of the knowledge is shown: not what is kept of each signal, which is much, and nobody asks for it.
fn shown(knowledge: &Knowledge) -> Knowledge {
    let Knowledge { generation, efficacy, baselines: _, histories: _, choices, starts } = knowledge;
    let (efficacy, choices, starts) = (efficacy.clone(), choices.clone(), starts.clone());
    Knowledge { generation: *generation, efficacy, choices, starts, ..Knowledge::default() }
}

/// What was taken back too often to be tried again, in order.
fn disarmed(control: &homeostat_control::ControlLoop) -> Vec<Disarmed> {
    let bound = control.settings().guards.disarm;
    let now = control.now();
    let one = |(habit, streak): (&Habit, &Streak)| Disarmed {
        kind: habit.kind.clone(),
        target: habit.target.as_ref().map_or_else(|| ANY_TARGET.to_owned(), ToString::to_string),
        on: habit.target.clone(),
        way: habit.way,
        undone: streak.count,
        until: streak.last + bound.rearm_after,
    };
    control.caution().undone.disarmed(bound, now).map(one).collect()
}

/// How many ticks fell out between two that did not.
fn skipped(last: Option<Instant>, due: Instant) -> u64 {
    let between = last.map_or(Duration::ZERO, |last| due.saturating_duration_since(last));
    (between.as_millis() / TICK_EVERY.as_millis()).saturating_sub(1) as u64
}

fn not_done(effect: &Effect) -> Event {
    let why = "the journal cannot be written, so nothing was done".to_owned();
    Event::Reported(Report { id: hands::id_of(effect), kind: ReportKind::Failed { why } })
}

fn failure(report: &Report) -> &str {
    match &report.kind {
        ReportKind::Failed { why } => why,
        _ => "done",
    }
}

#[cfg(test)]
mod tests;
