//! An agent with a log on disk that is killed under load.
//!
//! Answers whether every acknowledged span that is kept arrives, and how many arrive twice.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop loudly")]

mod common;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::delivery::{Keeping, Load, Sink, mixed, pass};
use common::{Running, eventually, manifest};

/// Times the agent is killed.
const KILLS: u64 = 3;
/// Spans a second: what a debug build takes in beside other tests.
const RATE: u64 = 4000;

fn durable(sink: &Sink, sampling: &str) -> String {
    manifest(&format!(
        "  tracing:
    sampling: {sampling}
    exporters: [{{ type: otlp, protocol: http, endpoint: \"{}\" }}]
  delivery: {{ durability: disk, diskMax: 1GiB }}
",
        sink.address
    ))
}

/// Kills and restarts the agent under load, lets everything arrive, and returns how many spans had to and how many came twice.
fn killed_again_and_again(sampling: &str, keeping: Keeping) -> (u64, u64) {
    let (dir, sink) = (tempfile::tempdir().unwrap(), Sink::start());
    let (text, load) = (durable(&sink, sampling), Load::start(4, Some(RATE)));
    for kill in 0..KILLS {
        let agent = Running::start(dir.path(), &text);
        load.aim(Some(agent.door("otlp_http")));
        pass(Duration::from_millis(900 + mixed(kill) % 900));
        agent.kill();
        load.aim(None);
    }
    let agent = Running::start(dir.path(), &text);
    load.aim(Some(agent.door("otlp_http")));
    let before = load.acknowledged();
    eventually("a request in the last life", || (before < load.acknowledged()).then_some(()));
    let expected = load.stop(keeping);
    assert!(KILLS * RATE / 4 < before, "too little was sent to say anything: {before} spans");
    let missing = || expected.iter().filter(|number| sink.tally.times(**number) == 0).count();
    eventually("every acknowledged kept span", || (missing() == 0).then_some(()));
    assert_eq!(agent.stop(), Some(0));
    (expected.len() as u64, sink.tally.duplicates.load(Relaxed))
}

/// Scenario: every span is kept; the agent is killed three times at odd moments under load, and senders repeat whatever was
/// not answered.
/// Guarantees: every acknowledged span arrives. Twice come at most the spans that were on their way to the destination at a
/// kill: no more than one batch for each sender of the exporter, and in all far fewer than without a log of what was sent.
#[test]
fn every_acknowledged_span_survives_being_killed() {
    let (expected, duplicates) = killed_again_and_again("{ strategy: always }", Keeping::All);
    println!("{expected} spans, {duplicates} of them twice");
    assert!(duplicates <= KILLS * 4 * 1000, "{duplicates} of {expected} spans came twice");
}

/// Scenario: one trace in ten is kept by chance and failed ones always.
/// Guarantees: every span of those arrives, whether its trace was decided before the kill or after it.
#[test]
fn kept_traces_survive_whole() {
    let sampling = "{ strategy: probabilistic, rate: 0.1 }";
    let (expected, duplicates) = killed_again_and_again(sampling, Keeping::OneIn(10));
    println!("{expected} spans, {duplicates} of them twice");
}
