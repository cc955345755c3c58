//! An agent that is killed.
//!
//! Answers whether the journal, and what was done outside, survive `kill -9` at any moment.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop loudly")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use common::scale_endpoint::ScaleEndpoint;
use common::{Running, eventually, for_about, homeostat, manifest, stdout};
use serde_json::Value;

/// Times the agent is killed.
const KILLS: u64 = 5;

/// Services that become too busy one after the other, four a second, so that some action is under way at every kill.
const SERVICES: u32 = 120;

/// Scenario: under load, with services that want scaling, the agent is killed five times at odd moments and started again.
/// Guarantees: every tick that was ever shown is in the journal, ticks have no gap, no request id reaches the outside twice,
/// and each life replays byte for byte.
#[test]
fn nothing_is_lost_and_nothing_is_done_twice() {
    let (dir, endpoint) = (tempfile::tempdir().unwrap(), ScaleEndpoint::start(Duration::from_millis(250)));
    let text = scaling(&endpoint);
    let mut shown = 0;
    let mut sent = 0;
    for kill in 0..KILLS {
        let agent = Running::start(dir.path(), &text);
        assert_eq!(agent.status()["agent"]["life"], kill + 1);
        // The moments are spread over two ticks; which one it is does not matter, so nothing depends on how exact it is.
        for_about(Duration::from_millis(1200 + kill * 377 % 2000), || {
            sent += u64::from(agent.send_request("shop", sent, sent % 50 == 0).is_ok());
            shown = agent.try_status().and_then(|status| status["tick"].as_u64()).unwrap_or(shown).max(shown);
        });
        agent.kill();
    }
    let agent = Running::start(dir.path(), &text);
    let before = endpoint.requests().len();
    assert!(5 < before, "too little was under way when the agent was killed: {before} requests");
    eventually("another action", || (before < endpoint.requests().len()).then_some(()));
    eventually("the last life's ticks", || (shown + 2 < agent.status()["tick"].as_u64()?).then_some(()));
    assert_eq!(agent.stop(), Some(0));

    let ticks = ticks(dir.path());
    let expected: Vec<u64> = (1..=ticks.len() as u64).collect();
    assert_eq!(ticks, expected, "the journal has a gap");
    assert!(shown <= *ticks.last().unwrap(), "tick {shown} was shown and is not in the journal");
    assert_no_request_twice(&endpoint);
    let replay = homeostat().arg("replay").arg(dir.path()).output().unwrap();
    let text = stdout(&replay);
    assert_eq!(replay.status.code(), Some(0), "{text}");
    assert_eq!(text.matches("identical").count() as u64, KILLS + 1, "{text}");
}

fn scaling(endpoint: &ScaleEndpoint) -> String {
    let service = |number: u32| {
        let url = endpoint.url(number);
        format!("      shop-{number}:\n        scale: {{ url: \"{url}\", min: 1, max: 1000 }}\n")
    };
    let services: String = (0..SERVICES).map(service).collect();
    let budget = "{ actions: 1000, within: 1m }";
    manifest(&format!(
        "  automation:\n    scaling: Act\n    services:\n{services}  guards:\n    scaling: {budget}\n    global: {budget}\n"
    ))
}

fn ticks(dir: &Path) -> Vec<u64> {
    let output = homeostat()
        .args(["journal", "--json", "--limit", "10000", "--api", "http://127.0.0.1:1", "--state-dir"])
        .arg(dir)
        .output()
        .unwrap();
    let records = stdout(&output);
    records.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["tick"].as_u64().unwrap()).collect()
}

fn assert_no_request_twice(endpoint: &ScaleEndpoint) {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for (id, _) in endpoint.requests() {
        *times.entry(id).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| 1 < **times).collect();
    assert!(twice.is_empty(), "requests that were sent again: {twice:?}");
}

/// Scenario: one life of a journal is exported, and a record in the file is changed by hand.
/// Guarantees: the file replays identically as it was written, and the change is found.
#[test]
fn an_exported_life_replays_and_a_forged_one_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Running::start(dir.path(), &manifest(""));
    eventually("a few ticks", || {
        drop(agent.send_request("shop", 7, false));
        (3 <= agent.status()["tick"].as_u64()?).then_some(())
    });
    assert_eq!(agent.stop(), Some(0));
    let file = dir.path().join("life.events");
    let export = homeostat()
        .args(["journal", "export", "--life", "1", "--state-dir"])
        .arg(dir.path())
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(export.status.code(), Some(0), "{export:?}");
    let replay = homeostat().arg("replay").arg(&file).output().unwrap();
    assert_eq!(replay.status.code(), Some(0), "{}", stdout(&replay));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replacen("\"regime\":\"engaged\"", "\"regime\":\"blind\"", 1)).unwrap();
    let replay = homeostat().arg("replay").arg(&file).output().unwrap();
    assert_eq!(replay.status.code(), Some(1));
    assert!(stdout(&replay).contains("differs") && stdout(&replay).contains("blind"), "{}", stdout(&replay));
}
