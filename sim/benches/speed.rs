//! How much faster than real time the simulator runs.
//!
//! Answers for the steady scenario (five services, fifty requests a second, each simulated one by one) over a simulated day
//! on one core, and says where the time goes. A harness of its own is used because the figure is one long run, not many
//! short ones.

#![expect(clippy::disallowed_methods, reason = "it measures real time")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use homeostat_core::Seed;
use homeostat_sim::{Options, run, shipped};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

fn clock() -> Duration {
    START.elapsed()
}

/// The demand: a simulated second in at most a hundred microseconds.
const FASTER_THAN_REAL_TIME: f64 = 10_000.0;

#[expect(clippy::print_stdout, reason = "a benchmark reports on standard output")]
fn main() {
    let hours = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(24_u64);
    let text = homeostat_sim::SHIPPED.iter().find(|(name, _)| *name == "steady_state").map(|(_, text)| *text);
    let text = text
        .expect("the steady scenario is shipped")
        .replace("duration_s: 900", &format!("duration_s: {}", hours * 3600));
    let scenario = homeostat_sim::Scenario::parse("steady_state", &text).expect("a longer steady state is valid");
    let options = Options { stopwatch: Some(clock), ..Options::default() };
    run(&shipped("steady_state").expect("the steady scenario is valid"), Seed(1), &options);
    let report = run(&scenario, Seed(1), &options);
    let (timing, seconds) = (report.timing, scenario.duration_s as f64);
    let per_second = |part: Duration| part.as_secs_f64() * 1e6 / seconds;
    println!("simulated        {hours} h of {} services, {} requests", scenario.names().len(), timing.visits);
    println!("took             {:.3} s", timing.total.as_secs_f64());
    println!("per second       {:.1} us", per_second(timing.total));
    println!("  plant          {:.1} us", per_second(timing.plant()));
    println!("  loop           {:.1} us", per_second(timing.agent));
    println!("  checkers       {:.1} us", per_second(timing.checkers));
    println!("per request      {:.0} ns of plant", timing.plant().as_nanos() as f64 / timing.visits as f64);
    let speed = report.speed().unwrap_or(0.0);
    let verdict = if FASTER_THAN_REAL_TIME <= speed { "meets" } else { "misses" };
    println!("speed            {speed:.0}x real time, {verdict} the demand of {FASTER_THAN_REAL_TIME:.0}x");
}
