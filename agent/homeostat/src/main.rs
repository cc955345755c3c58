//! The binary.
//!
//! Answers what the operating system asks of a program: arguments in, exit code out. Everything else has a room of its own:
//! `cli` says what can be typed, `command` does it, `wiring` and `driver` are the running agent.

mod cli;
mod command;

mod client;
mod logging;
mod manifest;
mod state_dir;
mod wall_time;

mod data_plane;
mod doors;
mod driver;
mod own_spans;
mod view;
mod wiring;

mod api;
mod explain;
mod goals;
mod journal_at_rest;
mod metrics;

mod demo;

use std::process::ExitCode;

use clap::Parser;

/// Chosen by measurement (see ARCHITECTURE.md, "Runtime shape"): requests are received on one thread and what is kept of
/// them is freed on another, which the system's allocator does badly.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::perform(cli::Cli::parse())
}
