//! A load generator and a sink for OTLP.
//!
//! Answers how fast a receiver accepts telemetry and at what cost: `send` offers load and reads the receiver's CPU time and
//! memory, `sink` is the receiver that costs least, and the one that counts what a forwarder lets through. Does not judge
//! and does not start servers; `run.py` does. A program of its own instead of an SDK, because SDKs cost more than what they
//! would measure: batches are encoded once, and only ids and times are written anew for each request.

mod latency;
mod patch;
mod process;
mod send;
mod sink;
mod template;
mod transport;
mod wire;

use std::error::Error;
use std::io::{self, Write};
use std::time::Instant;

use clap::{Parser, Subcommand};
use tokio::runtime::Runtime;

/// What goes wrong is said once and ends the program.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
#[command(about = "Offers OTLP load, or takes it")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Offers load and prints one line of JSON
    Send(send::Options),
    /// Takes load; GET /stats tells what came
    Sink(sink::Options),
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn clock() -> Instant {
    Instant::now()
}

fn say(line: &serde_json::Value) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// One thread runs everything on it, which costs less than one worker beside an idle main thread.
fn runtime(threads: usize) -> io::Result<Runtime> {
    match threads {
        0 | 1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        _ => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    }
}

fn main() -> Outcome<()> {
    match Cli::parse().command {
        Command::Send(options) => say(&runtime(options.threads)?.block_on(send::run(options))?)?,
        Command::Sink(options) => runtime(options.threads)?.block_on(sink::serve(options))?,
    }
    Ok(())
}
