//! Running a scenario.
//!
//! Answers how one seed of one scenario went. The seed decides everything; options only decide what is kept and measured.

use std::time::Duration;

use homeostat_control::ControlLoop;
use homeostat_core::{Event, Learner, Policy, Seed, ServiceName, TickRecord, Timestamp};

use crate::checkers::Complaint;
use crate::digest::DigestScope;
use crate::scenario::{Measured, Miss, Scenario};
use crate::series::Series;
use crate::swarm::perturb;
use crate::world::{ActionStory, ClockReading, IncidentStory, Keep, Timing, World};

/// How a scenario is run.
#[derive(Clone, Copy)]
pub struct Options {
    /// The policies the loop is given.
    pub policies: &'static [&'static dyn Policy],
    /// The learner that the loop asks instead of the one that ships.
    pub learner: Option<&'static dyn Learner>,
    /// A guard that is taken out, to see what it is for.
    pub without_guard: Option<&'static str>,
    /// Whether the seed also changes the scenario.
    pub perturbation: Perturbation,
    /// How much goes into the digest.
    pub digest: DigestScope,
    /// What is kept besides the report.
    pub keep: Keep,
    /// A monotonic clock, if it is to be measured where the time goes.
    pub stopwatch: Option<ClockReading>,
}

impl Default for Options {
    /// The shipped policies, the scenario as it is written, and nothing that costs time.
    fn default() -> Self {
        Options {
            policies: homeostat_policies::CATALOGUE,
            learner: None,
            without_guard: None,
            perturbation: Perturbation::None,
            digest: DigestScope::Effects,
            keep: Keep::Nothing,
            stopwatch: None,
        }
    }
}

impl Options {
    /// A loop that has seen nothing.
    pub(crate) fn control(&self) -> ControlLoop {
        let control = match self.learner {
            Some(learner) => ControlLoop::with_learner(self.policies, learner),
            None => ControlLoop::new(self.policies),
        };
        self.without_guard.into_iter().fold(control, ControlLoop::without_guard)
    }
}

/// Whether the seed also changes the scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Perturbation {
    /// As it is written.
    #[default]
    None,
    /// Rates, service times, delays and faults are moved within bounds; envelopes are not held against the result, because
    /// they were written for the original.
    Bounded,
}

/// How a run went.
#[derive(Debug)]
pub struct RunReport {
    /// The scenario as it was run, perturbations included.
    pub scenario: Scenario,
    /// The seed that decided everything.
    pub seed: Seed,
    /// Whether the seed changed the scenario.
    pub perturbation: Perturbation,
    /// Broken promises, the first ones.
    pub complaints: Vec<Complaint>,
    /// Broken promises in all.
    pub complaints_total: u64,
    /// What was found for every expectation; empty for a perturbed run.
    pub measured: Vec<Measured>,
    /// How the plant stood, second by second.
    pub series: Series,
    /// What was decided.
    pub actions: Vec<ActionStory>,
    /// What was wrong.
    pub incidents: Vec<IncidentStory>,
    /// What was done to the system.
    pub faults: Vec<FaultSpan>,
    /// Equal for equal runs.
    pub digest: u64,
    /// Where the time went.
    pub timing: Timing,
    /// The journal, if it was kept.
    pub records: Vec<TickRecord>,
    /// The event log, if it was kept.
    pub events: Vec<(Timestamp, Event)>,
}

/// A fault as it was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultSpan {
    /// Its first second.
    pub from_s: u64,
    /// The second in which it is over.
    pub to_s: u64,
    /// In a few words.
    pub what: String,
    /// The service it concerns; none means all.
    pub service: Option<ServiceName>,
}

impl RunReport {
    /// Whether nothing was complained about and every expectation was met.
    pub fn is_good(&self) -> bool {
        self.complaints_total == 0 && self.misses().next().is_none()
    }

    /// Expectations that were not met.
    pub fn misses(&self) -> impl Iterator<Item = &Miss> {
        self.measured.iter().filter(|measured| !measured.met)
    }

    /// The first thing that went wrong, in a sentence.
    pub fn first_problem(&self) -> Option<String> {
        let complaint = self.complaints.first().map(ToString::to_string);
        complaint.or_else(|| self.misses().next().map(ToString::to_string))
    }

    /// The command that repeats this run.
    pub fn command(&self) -> String {
        let perturbed = match self.perturbation {
            Perturbation::None => "",
            Perturbation::Bounded => " --perturbed",
        };
        format!("homeostat sim run {} --seed {}{perturbed}", self.scenario.name, self.seed.0)
    }

    /// How many times faster than real time it ran; none if nothing was measured.
    pub fn speed(&self) -> Option<f64> {
        let simulated = Duration::from_secs(self.scenario.duration_s);
        (Duration::ZERO < self.timing.total).then(|| simulated.as_secs_f64() / self.timing.total.as_secs_f64())
    }
}

/// Runs one seed of a scenario.
pub fn run(scenario: &Scenario, seed: Seed, options: &Options) -> RunReport {
    let scenario = match options.perturbation {
        Perturbation::None => scenario.clone(),
        Perturbation::Bounded => perturb(scenario, seed),
    };
    let after = World::new(&scenario, seed, options).run();
    let measured = match options.perturbation {
        Perturbation::None => scenario.expectations.iter().map(|expected| expected.measure(&after.series)).collect(),
        Perturbation::Bounded => Vec::new(),
    };
    RunReport {
        seed,
        perturbation: options.perturbation,
        complaints: after.checkers.complaints,
        complaints_total: after.checkers.complaints_total,
        measured,
        series: after.series,
        actions: after.story.actions,
        incidents: after.story.incidents,
        faults: fault_spans(&scenario),
        digest: after.digest.value(),
        timing: after.timing,
        records: after.records,
        events: after.events,
        scenario,
    }
}

fn fault_spans(scenario: &Scenario) -> Vec<FaultSpan> {
    let span = |scheduled: &crate::faults::ScheduledFault| {
        let fault = scheduled.fault.fault();
        FaultSpan {
            from_s: scheduled.from_s,
            to_s: scheduled.to_s,
            what: fault.describe(),
            service: fault.service().map(ServiceName::from),
        }
    };
    scenario.faults.iter().map(span).collect()
}
