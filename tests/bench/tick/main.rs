//! What one tick of the loop costs, and how that grows with the number of services.
//!
//! Answers for the whole loop, from observations to commands, with every policy, and a hundred to a hundred thousand services
//! of ten signals each: how long a tick takes on one core, whether that grows faster than n log n, how much memory a service
//! costs, what is shed beyond the bounds, and what the journal adds. Each size has a process of its own, so that memory is
//! its own. Times are the thread's processor time, because a shared machine would otherwise measure its other guests; the
//! longest wall time is told beside it. It fails when a limit is missed; in the short form, which has few ticks and often
//! a busy machine, it only says so.
//!
//! `cargo bench -p homeostat-tests --bench tick [-- --quick]`; `taskset -c 0` keeps it on one core.

mod figures;
mod fleet;
mod gauges;
mod round;

use std::process::{Command, ExitCode};

use crate::figures::Figures;
use crate::round::Round;

/// The agent's own allocator, so that memory is measured as the agent has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Services of each round, and how many of its ticks are measured: enough at ten thousand for a 99th percentile.
const ROUNDS: [(usize, usize); 4] = [(100, 1000), (1000, 600), (10_000, 400), (100_000, 100)];

/// The same in short, for every change.
const ROUNDS_QUICK: [(usize, usize); 3] = [(100, 200), (1000, 200), (10_000, 200)];

/// Ticks measured with the journal: one of them carries the bulk of the checkpoint.
const TICKS_WITH_JOURNAL: usize = 61;

/// The journal is measured up to so many services; in the short form up to a thousand.
const SERVICES_WITH_JOURNAL_MAX: usize = 10_000;
const SERVICES_WITH_JOURNAL_QUICK: usize = 1000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match Round::parse(&arguments) {
        Some(round) => {
            report(&round.run().to_line());
            ExitCode::SUCCESS
        }
        None => compare(arguments.iter().any(|argument| argument == "--quick")),
    }
}

/// Runs every size, prints one line for each and says which limits were missed.
fn compare(quick: bool) -> ExitCode {
    let rounds: &[(usize, usize)] = if quick { &ROUNDS_QUICK } else { &ROUNDS };
    let (mut missed, mut before) = (Vec::new(), None);
    report(figures::HEAD);
    for &(services, ticks) in rounds {
        let found = in_a_process(&Round { services, ticks, journal: false, bounded: false });
        report(&found.row(before.as_ref()));
        missed.extend(found.missed(before.as_ref()));
        before = Some(found);
    }
    report("");
    if let Some(&(services, ticks)) = rounds.last() {
        let found =
            in_a_process(&Round { services, ticks: ticks.min(TICKS_WITH_JOURNAL), journal: false, bounded: true });
        report(&found.shed_row());
    }
    let journalled_max = if quick { SERVICES_WITH_JOURNAL_QUICK } else { SERVICES_WITH_JOURNAL_MAX };
    for &(services, _) in rounds.iter().filter(|(services, _)| *services <= journalled_max) {
        let found = in_a_process(&Round { services, ticks: TICKS_WITH_JOURNAL, journal: true, bounded: false });
        report(&found.journal_row());
    }
    report("");
    match missed.is_empty() {
        true => report("meets its limits"),
        false => report(&missed.join("\n")),
    }
    if missed.is_empty() || quick { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn in_a_process(round: &Round) -> Figures {
    let program = std::env::current_exe().expect("a benchmark knows where it lies");
    let output = Command::new(program).args(round.arguments()).output().expect("a benchmark can start itself");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    Figures::parse(&said).unwrap_or_else(|| panic!("a round of {} services failed: {complaint}", round.services))
}

#[expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
fn report(line: &str) {
    println!("{line}");
}
