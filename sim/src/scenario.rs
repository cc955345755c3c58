//! Scenarios.
//!
//! Answers what a run consists of: a plant, its workload, what people want, what goes wrong, and what is expected. A scenario
//! is a file, so that an incident can be written down by somebody who does not write Rust. Expectations are envelopes rather
//! than exact curves, because the next seed gives another curve.

mod expect;
mod raw;
mod run;
mod shipped;
mod valid;

use std::fmt;
use std::path::Path;

use homeostat_core::{Micros, OperatorCommand, ServiceName, Settings};
use thiserror::Error;

use crate::faults::ScheduledFault;
use crate::plants::PlantSpec;
use crate::workloads::{RecordedError, Workload};

pub use expect::{Expectation, Indicator, Measured, Miss};
pub use run::{FaultSpan, Options, Perturbation, RunReport, run};
pub use shipped::{SHIPPED, shipped};

/// A valid scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Its name: the file's, without the ending.
    pub name: String,
    /// What it is about, in a sentence.
    pub about: String,
    /// How long it runs.
    pub duration_s: u64,
    /// The system.
    pub plant: PlantSpec,
    /// What people want of the loop.
    pub settings: Settings,
    pub(crate) names: Vec<ServiceName>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) faults: Vec<ScheduledFault>,
    pub(crate) operator: Vec<OperatorAt>,
    /// How long a change takes to reach the plant.
    pub(crate) actuator_delay: Micros,
    /// How often actuators look for work; zero means at once.
    pub(crate) actuator_round: Micros,
    pub(crate) expectations: Vec<Expectation>,
    /// Checkers that do not look.
    pub(crate) without: Vec<String>,
    pub(crate) liveness: Liveness,
}

/// A person says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OperatorAt {
    pub(crate) at_s: u64,
    pub(crate) command: OperatorCommand,
}

/// What is demanded once the faults are over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liveness {
    /// How long the loop may take to put things right.
    pub grace_s: u64,
    /// Changes it may still make afterwards.
    pub actions_max: u32,
    /// How often scaling may still turn round.
    pub reversals_max: u32,
}

/// Why a scenario cannot be run.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// The file could not be read.
    #[error("cannot read {path}")]
    Read {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not a scenario.
    #[error("{name} is not a scenario: {problem}")]
    Parse {
        /// Which scenario.
        name: String,
        /// Where and what.
        problem: String,
    },
    /// The text is a scenario that makes no sense.
    #[error("{name} cannot be simulated:\n{problems}")]
    Invalid {
        /// Which scenario.
        name: String,
        /// Everything that is wrong with it.
        problems: Problems,
    },
    /// A recording that it names cannot be played.
    #[error("{name} cannot be simulated")]
    Recorded {
        /// Which scenario.
        name: String,
        /// Why.
        source: RecordedError,
    },
    /// There is no shipped scenario of this name.
    #[error("there is no shipped scenario called {name}; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names there are.
        known: String,
    },
}

impl Scenario {
    /// Reads a scenario from a file.
    pub fn from_path(path: &Path) -> Result<Scenario, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.display().to_string(), source })?;
        let name = path.file_stem().map_or_else(|| "scenario".into(), |stem| stem.to_string_lossy());
        let mut raw = read(&name, &text)?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        for workload in &mut raw.workloads {
            let failed = |source| ScenarioError::Recorded { name: name.to_string(), source };
            workload.shape.load(folder).map_err(failed)?;
        }
        check(&name, raw)
    }

    /// Reads a scenario from text. Opens nothing, so a recording cannot be named in it.
    pub fn parse(name: &str, text: &str) -> Result<Scenario, ScenarioError> {
        check(name, read(name, text)?)
    }

    /// The services, in the order in which reports show them.
    pub fn names(&self) -> &[ServiceName] {
        &self.names
    }

    /// The second from which on nothing is done to the system any more.
    pub fn calm_from_s(&self) -> u64 {
        let faults = self.faults.iter().map(|fault| fault.to_s);
        let workloads = self.workloads.iter().map(|workload| workload.shape.shape().calm_from_s());
        let people = self.operator.iter().map(|command| command.at_s);
        faults.chain(workloads).chain(people).max().unwrap_or(0).min(self.duration_s)
    }

    pub(crate) fn slow_above(&self) -> Vec<Micros> {
        self.names.iter().map(|name| self.settings.objectives.of(name).latency_threshold).collect()
    }
}

fn read(name: &str, text: &str) -> Result<raw::RawScenario, ScenarioError> {
    serde_saphyr::from_str(text)
        .map_err(|error| ScenarioError::Parse { name: name.to_owned(), problem: error.to_string() })
}

fn check(name: &str, raw: raw::RawScenario) -> Result<Scenario, ScenarioError> {
    valid::validate(name, raw).map_err(|problems| ScenarioError::Invalid { name: name.to_owned(), problems })
}

/// Everything that is wrong with a text, each with the path of its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<(String, String)>);

impl Problems {
    pub(crate) fn add(&mut self, path: String, what: String) {
        self.0.push((path, what));
    }

    /// Each problem's path and text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, what)| (path.as_str(), what.as_str()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (path, what)) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}  {path}: {what}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
about: replays a file beside it
duration_s: 60
services:
  - name: a
    replicas: 1
    workers_per_replica: 1
    service_time: { exponential: { mean_us: 1000 } }
workloads:
  - { service: a, shape: { replay: { file: load.csv, arrivals: at } } }
";

    /// Scenario: a scenario names a recording beside it that is there, is not there, and has a bad line; and is no file.
    /// Guarantees: the recording is looked for beside the scenario and played; what is wrong is said with its place.
    #[test]
    fn a_recording_is_found_beside_its_scenario() {
        let folder = std::env::temp_dir().join(format!("homeostat-sim-recording-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (scenario, load) = (folder.join("day.yaml"), folder.join("load.csv"));
        std::fs::write(&scenario, TEXT).unwrap();
        let missing = Scenario::from_path(&scenario).unwrap_err();
        std::fs::write(&load, "at\n1\n2\nsoon\n").unwrap();
        let bad = Scenario::from_path(&scenario).unwrap_err();
        std::fs::write(&load, "at\n1\n2.5\n4\n").unwrap();
        let good = Scenario::from_path(&scenario);
        std::fs::remove_dir_all(&folder).unwrap();
        let cause =
            |error: &ScenarioError| std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        assert!(cause(&missing).starts_with("cannot read") && cause(&missing).ends_with("load.csv"), "{missing:?}");
        assert!(cause(&bad).contains("load.csv:4:1: expected seconds"), "{bad:?}");
        let report = run(&good.unwrap(), homeostat_core::Seed(1), &Options::default());
        assert_eq!(report.series.of(0).map(|sample| sample.requests).sum::<u32>(), 3);
        let text = Scenario::parse("day", TEXT).unwrap_err().to_string();
        assert!(text.contains("workloads[0].shape.replay.file: was not read"), "{text}");
    }
}
