//! What delivery withstands, and what it costs.
//!
//! Answers, against a real process in an optimised build, what arrives when the agent is killed every few seconds, when the
//! destination is away, when the disk fills up and when writes are torn; then the cost of the log and the time to go on with
//! a large one. Fails when an acknowledged kept span is missing or too many come twice.
//!
//! ```text
//! cargo bench -p homeostat --bench delivery -- [--seconds N] [--rate SPANS_PER_SECOND] [kill|outage|full|torn|cost|recovery]…
//! ```

#![expect(clippy::unwrap_used, reason = "a trial that cannot go on must stop loudly")]
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use common::delivery::{Keeping, Load, Sink, mixed, pass};
use common::{Running, eventually, manifest};

/// The share of spans that may come twice, in parts per million.
const DUPLICATES_PPM_MAX: u64 = 1000;

/// Clock ticks of `/proc/PID/stat` per second: the kernel's USER_HZ, the same on every architecture Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

struct Options {
    seconds: u64,
    rate: u64,
    trials: Vec<String>,
}

fn options() -> Options {
    let mut options = Options { seconds: 60, rate: 20_000, trials: Vec::new() };
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("a number follows");
        match argument.as_str() {
            "--seconds" => options.seconds = number(),
            "--rate" => options.rate = number(),
            _ => options.trials.push(argument),
        }
    }
    if options.trials.is_empty() {
        options.trials = ["kill", "outage", "full", "torn", "cost", "recovery"].map(str::to_owned).to_vec();
    }
    options
}

fn main() -> ExitCode {
    let options = options();
    let span = Duration::from_secs((options.seconds / options.trials.len() as u64).max(4));
    let mut failures = 0;
    for trial in &options.trials {
        let outcome = match trial.as_str() {
            "kill" => kill(span, options.rate, Torn::No),
            "torn" => kill(span, options.rate, Torn::Yes),
            "outage" => outage(span, options.rate),
            "full" => full(span, options.rate),
            "cost" => cost(span),
            "recovery" => recovery(options.rate),
            other => Err(format!("there is no trial {other}")),
        };
        let (word, text) = match outcome {
            Ok(text) => ("ok", text),
            Err(text) => ("FAILED", text),
        };
        failures += u32::from(word != "ok");
        println!("{word:<7} {trial:<9} {text}");
    }
    ExitCode::from(u8::from(failures > 0))
}

#[expect(clippy::disallowed_methods, reason = "real processes are measured, in real time")]
fn now() -> Instant {
    Instant::now()
}

/// A manifest that sends to `sink`.
fn text(sink: &Sink, sampling: &str, delivery: &str) -> String {
    manifest(&format!(
        "  tracing:\n    sampling: {sampling}\n    exporters: [{{ type: otlp, protocol: http, endpoint: \"{}\" }}]\n  \
         delivery: {{ {delivery} }}\n",
        sink.address
    ))
}

const ALL: &str = "{ strategy: always }";
const DISK: &str = "durability: disk";

/// Waits until everything has arrived, and says how many came twice.
fn settled(sink: &Sink, expected: &[u64]) -> Result<String, String> {
    let missing = || expected.iter().filter(|number| sink.tally.times(**number) == 0).count();
    let (mut last, mut since) = (missing(), now());
    while last > 0 {
        pass(Duration::from_millis(200));
        let still = missing();
        if still < last {
            (last, since) = (still, now());
        } else if since.elapsed_secs() > 60.0 {
            return Err(format!("{still} of {} acknowledged spans never arrived", expected.len()));
        }
    }
    let duplicates = sink.tally.duplicates.load(Relaxed);
    let ppm = duplicates * 1_000_000 / (expected.len() as u64).max(1);
    let text =
        format!("{} spans acknowledged, all arrived, {duplicates} twice ({} %)", expected.len(), ppm as f64 / 1e4);
    if ppm > DUPLICATES_PPM_MAX { Err(text) } else { Ok(text) }
}

trait Elapsed {
    fn elapsed_secs(&self) -> f64;
}

impl Elapsed for Instant {
    fn elapsed_secs(&self) -> f64 {
        now().duration_since(*self).as_secs_f64()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Torn {
    No,
    Yes,
}

/// `kill -9` every three to seven seconds under load.
fn kill(span: Duration, rate: u64, torn: Torn) -> Result<String, String> {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::start());
    let text = text(&sink, ALL, DISK);
    let load = Load::start(4, Some(rate));
    let (begun, mut kills, mut slowest) = (now(), 0, 0.0_f64);
    while begun.elapsed_secs() < span.as_secs_f64() {
        let starting = now();
        let agent = Running::start(dir.path(), &text);
        slowest = slowest.max(starting.elapsed_secs());
        load.aim(Some(agent.door("otlp_http")));
        pass(Duration::from_millis(3000 + mixed(kills) % 4000));
        agent.kill();
        load.aim(None);
        kills += 1;
        if torn == Torn::Yes {
            tear(&dir.path().join("delivery"), kills);
        }
    }
    let agent = Running::start(dir.path(), &text);
    load.aim(Some(agent.door("otlp_http")));
    let expected = load.stop(Keeping::All);
    let said = settled(&sink, &expected);
    let lost = agent.status()["pipeline"]["log"]["records_lost"].clone();
    agent.stop();
    let more = format!("; {kills} kills, slowest start {slowest:.2} s, damaged tails found in the last {lost}");
    said.map(|text| text + &more).map_err(|text| text + &more)
}

/// Adds to each newest segment what a write that was cut short leaves behind.
fn tear(log: &Path, seed: u64) {
    for stream in ["received-", "kept-"] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.file_name().unwrap().to_string_lossy().starts_with(stream));
        files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
        files.sort();
        if let Some(newest) = files.last() {
            let start = std::fs::read(newest).unwrap();
            // The head of a record and a part of its body, or garbage.
            let piece = match seed % 2 {
                0 => start.get(32..32 + 200).unwrap_or_default().to_vec(),
                _ => (0..seed * 37 % 5000).map(|at| mixed(at) as u8).collect(),
            };
            std::fs::File::options().append(true).open(newest).unwrap().write_all(&piece).unwrap();
        }
    }
}

/// The destination is away for most of the time.
fn outage(span: Duration, rate: u64) -> Result<String, String> {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::start());
    let agent = Running::start(dir.path(), &text(&sink, ALL, DISK));
    let load = Load::start(4, Some(rate));
    load.aim(Some(agent.door("otlp_http")));
    pass(Duration::from_secs(2));
    sink.set_down(true);
    pass(span);
    let (resident, waiting) = (resident_bytes(agent.pid()), log_bytes(&dir));
    sink.set_down(false);
    let draining = now();
    eventually("the first span after the outage", || {
        (sink.tally.spans.load(Relaxed) as f64 > rate as f64 * 2.5).then_some(())
    });
    let resumed = draining.elapsed_secs();
    let expected = load.stop(Keeping::All);
    let said = settled(&sink, &expected)?;
    let drained = draining.elapsed_secs();
    agent.stop();
    Ok(format!(
        "{said}; away {} s, {} MB waited on disk, {} MB resident, resumed after {resumed:.1} s, drained after {drained:.1} s",
        span.as_secs(),
        waiting >> 20,
        resident >> 20
    ))
}

/// The disk is full: a small file system of its own where this machine allows one.
fn full(span: Duration, rate: u64) -> Result<String, String> {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::start());
    let small = dir.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=64m", "tmpfs"];
    let is_mounted = Command::new("mount").args(mount).arg(&small).status().is_ok_and(|status| status.success());
    let delivery = if is_mounted { DISK } else { "durability: disk, diskMax: 64MiB" };
    let result = filled(&small, &sink, delivery, (span, rate));
    if is_mounted {
        drop(Command::new("umount").arg(&small).status());
    }
    let how =
        if is_mounted { "tmpfs of 64 MB" } else { "SKIPPED the full file system (cannot mount); diskMax of 64 MiB" };
    result.map(|said| format!("{said}; {how}"))
}

fn filled(dir: &Path, sink: &Sink, delivery: &str, (span, rate): (Duration, u64)) -> Result<String, String> {
    let agent = Running::start(dir, &text(sink, ALL, delivery));
    sink.set_down(true);
    let load = Load::start(4, Some(rate));
    load.aim(Some(agent.door("otlp_http")));
    eventually("a refusal", || (load.refused.load(Relaxed) > 20).then_some(()));
    pass(span / 4);
    let refused = load.acknowledged();
    sink.set_down(false);
    eventually("room again", || (load.acknowledged() > refused + 2 * rate).then_some(()));
    let is_said = agent.log().contains("cannot write the delivery log");
    let expected = load.stop(Keeping::All);
    let said = settled(sink, &expected)?;
    agent.stop();
    Ok(format!("{said}; {refused} taken before it was full, then refused; the log says so: {is_said}"))
}

/// Processor time for a million spans, with the log in memory and on disk.
fn cost(span: Duration) -> Result<String, String> {
    let sampling = "{ strategy: probabilistic, rate: 0.1 }";
    let mut said = Vec::new();
    for delivery in ["durability: memory", DISK] {
        let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::start());
        let agent = Running::start(dir.path(), &text(&sink, sampling, delivery));
        let load = Load::start(8, None);
        load.aim(Some(agent.door("otlp_http")));
        pass(Duration::from_secs(1));
        let (from, cpu, begun) = (load.acknowledged(), cpu_seconds(agent.pid()), now());
        pass(span / 2);
        let (spans, cpu) = (load.acknowledged() - from, cpu_seconds(agent.pid()) - cpu);
        let rate = spans as f64 / begun.elapsed_secs();
        load.stop(Keeping::All);
        said.push(format!("{delivery}: {:.2} CPU s per million spans at {rate:.0} spans/s", cpu * 1e6 / spans as f64));
        agent.stop();
    }
    Ok(said.join("; "))
}

/// A backlog of about 400 MB is found at the start.
fn recovery(rate: u64) -> Result<String, String> {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::start());
    let text = text(&sink, ALL, DISK);
    sink.set_down(true);
    let agent = Running::start(dir.path(), &text);
    let load = Load::start(4, Some(rate * 4));
    load.aim(Some(agent.door("otlp_http")));
    eventually("a backlog", || (log_bytes_at(dir.path()) > 400 << 20).then_some(()));
    let expected = load.stop(Keeping::All);
    agent.kill();
    let waiting = log_bytes(&dir);
    let starting = now();
    let agent = Running::start(dir.path(), &text);
    let (started, resident) = (starting.elapsed_secs(), resident_bytes(agent.pid()));
    sink.set_down(false);
    let said = settled(&sink, &expected)?;
    let drained = starting.elapsed_secs();
    agent.stop();
    Ok(format!(
        "{said}; {} MB found, ready after {started:.2} s with {} MB resident, delivered after {drained:.1} s",
        waiting >> 20,
        resident >> 20
    ))
}

fn log_bytes(dir: &tempfile::TempDir) -> u64 {
    log_bytes_at(dir.path())
}

fn log_bytes_at(dir: &Path) -> u64 {
    let files = std::fs::read_dir(dir.join("delivery")).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS_PER_SECOND
}

fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}
