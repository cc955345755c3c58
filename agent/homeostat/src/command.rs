//! The command line room: what each command does.
//!
//! Answers how a command ends: what is printed, and with which exit code. Holds no domain logic; it asks the agent, the
//! journal, the loop or the harness, and writes the answer for people or for scripts.

mod bench;
mod check;
mod demo;
mod evaluate;
mod goals;
mod journal;
mod look;
mod print;
mod replay;
mod run;
mod simulate;
mod steer;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use homeostat_adapters::JournalError;
use homeostat_sim::ScenarioError;
use thiserror::Error;

use crate::cli::{Cli, Command};
use crate::client::ClientError;
use crate::state_dir::{Surroundings, choose};
use crate::wiring::StartError;

/// How a command ended that did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Good.
    Yes,
    /// The answer is no: a check found something, a replay differs, a checker complains.
    No,
}

/// Why a command could not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum CommandError {
    /// The manifest cannot be used.
    #[error("{0}\nrun `homeostat check FILE` until it finds nothing")]
    Manifest(crate::manifest::Problems),
    /// The agent cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The running agent did not help.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Neither did the journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// No agent answers, and the journal at rest did not help.
    #[error(
        "no agent answers at {api}, and {why}: start one with `homeostat run`, or pass --state-dir to read a journal at rest"
    )]
    Nobody {
        /// Who was asked.
        api: String,
        /// What the journal said.
        why: String,
    },
    /// The thing asked about is not known.
    #[error("{0}")]
    Unknown(String),
    /// An event log cannot be read.
    #[error(transparent)]
    EventLog(#[from] homeostat_adapters::journal::EventLogError),
    /// The demo could not be shown.
    #[error(transparent)]
    Demo(crate::demo::DemoError),
    /// There is no such scenario, or it makes no sense.
    #[error(transparent)]
    Scenario(ScenarioError),
    /// Recorded arrivals cannot be used.
    #[error(transparent)]
    Trace(homeostat_sim::swim::TraceError),
    /// A workload cannot be read.
    #[error("{}", path.display())]
    Recording {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: homeostat_sim::RecordedError,
    },
    /// A log shows too little to make a scenario of.
    #[error(transparent)]
    Record(homeostat_sim::record::RecordError),
    /// Recorded spans cannot be used.
    #[error("{}", path.display())]
    Spans {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: homeostat_pipeline::evaluate::CsvError,
    },
    /// A file cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The answer cannot be printed.
    #[error("cannot print the answer")]
    Print(#[from] io::Error),
    /// The runtime cannot be started.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
}

impl CommandError {
    /// 64 for an unusable configuration, 2 for wrong use that only this room can see, 1 for everything else.
    fn exit_code(&self) -> ExitCode {
        match self {
            CommandError::Manifest(_) => ExitCode::from(64),
            CommandError::Start(StartError::Endpoint { .. } | StartError::OwnSpans(_)) => ExitCode::from(64),
            CommandError::Start(StartError::DataPlane(homeostat_pipeline::StartError::Exporter(_))) => {
                ExitCode::from(64)
            }
            CommandError::Scenario(ScenarioError::Unknown { .. }) => ExitCode::from(2),
            CommandError::Scenario(_)
            | CommandError::Recording { .. }
            | CommandError::Spans { .. }
            | CommandError::Trace(_)
            | CommandError::Record(_) => ExitCode::from(64),
            _ => ExitCode::from(1),
        }
    }

    /// Whether the reader of stdout has gone, as in `homeostat journal | head`. That is no trouble.
    fn is_broken_pipe(&self) -> bool {
        matches!(self, CommandError::Print(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Does what was typed and says with which exit code it ended.
pub(crate) fn perform(cli: Cli) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let ended = dispatch(cli.command, &mut out).and_then(|answer| Ok(out.flush().map(|()| answer)?));
    match ended {
        Ok(Answer::Yes) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            // If even stderr is gone, the exit code is all that is left to say.
            drop(writeln!(io::stderr(), "homeostat: {}", with_causes(&error)));
            error.exit_code()
        }
    }
}

fn dispatch(command: Command, out: &mut dyn Write) -> Result<Answer, CommandError> {
    match command {
        Command::Run(args) => run::run(args, out),
        Command::Demo => demo::demo(),
        Command::Check(args) => check::check(args, out),
        Command::Status(args) => look::status(args, out),
        Command::Goals(args) => goals::goals(args, out),
        Command::Explain(args) => look::explain(args, out),
        Command::Journal(args) => journal::journal(args, out),
        Command::Hold(args) => steer::hold(args, out),
        Command::Resume(args) => steer::resume(args, out),
        Command::Arm(args) => steer::arm(args, out),
        Command::Approve(args) => steer::approve(args, out),
        Command::Reject(args) => steer::reject(args, out),
        Command::Replay(args) => replay::replay(args, out),
        Command::Evaluate(args) => evaluate::evaluate_policy(args, out),
        Command::Sim(command) => simulate::simulate(command, out),
        Command::Bench(command) => bench::bench(command, out),
        Command::Completions { shell } => print::completions(shell, out),
        Command::Man { dir } => print::man(&dir, out),
    }
}

/// Everything a command prints about an error: it, and what lies behind it.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}

/// The state directory asked for, or the default.
fn state_dir(asked: Option<PathBuf>) -> PathBuf {
    choose(asked, &Surroundings::read())
}

/// A small runtime for commands that ask one question.
fn asking<T>(question: impl Future<Output = Result<T, ClientError>>) -> Result<T, CommandError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CommandError::Runtime)?;
    Ok(runtime.block_on(question)?)
}

/// Writes a value as indented JSON.
fn write_json(out: &mut dyn Write, value: &impl serde::Serialize) -> Result<(), CommandError> {
    serde_json::to_writer_pretty(&mut *out, value).map_err(io::Error::from)?;
    Ok(writeln!(out)?)
}
