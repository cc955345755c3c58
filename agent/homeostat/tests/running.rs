//! A running agent, as telemetry, operators and strangers meet it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop loudly")]

mod common;

use std::time::Duration;

use common::scale_endpoint::ScaleEndpoint;
use common::{Running, ended, eventually, exchange, homeostat, manifest, stderr, stdout, traces};
use serde_json::Value;

fn service<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    status["services"].as_array()?.iter().find(|service| service["name"] == name)
}

/// Scenario: 300 requests of one service arrive over OTLP/HTTP, 30 of them failed; 7 of another.
/// Guarantees: the status, the aggregates and the metrics show exactly these counts.
#[test]
fn what_is_sent_is_counted_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Running::start(dir.path(), &manifest(""));
    let to = agent.door("otlp_http");
    let send = |service: &str, requests: &[(u64, bool)]| {
        let body = traces(service, requests).to_string();
        exchange(to, "POST", "/v1/traces", &[("content-type", "application/json")], &body).unwrap().0
    };
    let shop: Vec<(u64, bool)> = (0..300).map(|id| (id, id % 10 == 0)).collect();
    for chunk in shop.chunks(50) {
        assert_eq!(send("shop", chunk), 200);
    }
    assert_eq!(send("mail", &(1000..1007).map(|id| (id, false)).collect::<Vec<_>>()), 200);
    let status = eventually("the counts", || {
        let status = agent.status();
        (service(&status, "shop")?["totals"]["requests"] == 300 && service(&status, "mail").is_some()).then_some(status)
    });
    let totals = &service(&status, "shop").unwrap()["totals"];
    assert_eq!((totals["errors"].as_u64(), totals["slow"].as_u64()), (Some(30), Some(0)));
    assert_eq!(service(&status, "mail").unwrap()["totals"]["requests"], 7);
    assert_eq!(status["pipeline"]["spans_received"], 307);
    let (_, aggregates) = agent.get("/v1/aggregates").unwrap();
    let aggregates: Value = serde_json::from_str(&aggregates).unwrap();
    assert_eq!(aggregates["services"][1]["operations"][0]["requests"], 300, "{aggregates}");
    let (_, metrics) = exchange(agent.door("metrics"), "GET", "/metrics", &[], "").unwrap();
    for line in
        ["homeostat_requests_total{service=\"shop\"} 300", "homeostat_request_errors_total{service=\"shop\"} 30"]
    {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let text = stdout(&ended(&["status", "--api", &agent.api()]));
    assert!(text.contains("shop") && text.contains("300"), "{text}");
    assert_eq!(agent.stop(), Some(0));
}

/// Scenario: every family of the agent's metrics.
/// Guarantees: each has HELP and TYPE before its samples, no name twice, and counters end in `_total`.
#[test]
fn metrics_are_well_formed() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Running::start(dir.path(), &manifest(""));
    assert_eq!(agent.send_request("shop", 1, true).unwrap(), 200);
    let (_, text) = exchange(agent.door("metrics"), "GET", "/metrics", &[], "").unwrap();
    let mut families: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(!families.iter().any(|(known, _)| known == name), "{name} twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            families.push((name.to_owned(), kind.to_owned()));
        } else if !line.starts_with('#') {
            let (family, _) = families.last().unwrap();
            assert!(line.starts_with(family.as_str()), "{line} stands under {family}");
            assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
    assert_eq!(text.matches("# HELP ").count(), families.len());
    assert!(20 < families.len(), "{families:?}");
}

/// Scenario: an operator holds the agent, it is restarted, and the operator resumes.
/// Guarantees: each takes effect by the next tick, the hold survives the restart, and the journal has both.
#[test]
fn a_hold_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Running::start(dir.path(), &manifest(""));
    let hold = ended(&["hold", "--api", &agent.api()]);
    assert_eq!(hold.status.code(), Some(0), "{}", stderr(&hold));
    assert_eq!(agent.status()["regime"], "holding");
    agent.kill();
    let agent = Running::start(dir.path(), &manifest(""));
    assert_eq!(agent.status()["regime"], "holding");
    assert_eq!(agent.status()["agent"]["life"], 2);
    let resume = ended(&["resume", "--api", &agent.api()]);
    assert_eq!(resume.status.code(), Some(0), "{}", stderr(&resume));
    eventually("engagement", || (agent.status()["regime"] == "engaged").then_some(()));
    let journal = stdout(&ended(&["journal", "--api", &agent.api()]));
    assert!(journal.contains("operator: \"hold\"") && journal.contains("operator: \"resume\""), "{journal}");
}

/// Scenario: a web page the operator has open tries to steer the agent, and a name server points a foreign name at it.
/// Guarantees: neither gets in; the operator does.
#[test]
fn strangers_cannot_steer() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Running::start(dir.path(), &manifest(""));
    let api = agent.door("api");
    let post = |headers: &[(&str, &str)]| exchange(api, "POST", "/v1/hold", headers, "").unwrap().0;
    assert_eq!(post(&[("content-type", "text/plain")]), 403);
    assert_eq!(post(&[("host", "evil.example"), ("x-homeostat-operator", "1")]), 403);
    assert_eq!(exchange(api, "GET", "/v1/status", &[("host", "evil.example")], "").unwrap().0, 403);
    assert_eq!(agent.status()["regime"], "engaged");
    assert_eq!(post(&[("x-homeostat-operator", "1")]), 200);
    assert_eq!(agent.status()["regime"], "holding");
    let (code, page) = agent.get("/").unwrap();
    assert_eq!(code, 200);
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "the page loads something from elsewhere");
}

/// Scenario: scaling needs approval, and a service is too busy.
/// Guarantees: the agent asks; nothing is done before the answer; approved, it is done once and can be explained.
#[test]
fn an_approved_action_is_done_once_and_explained() {
    let (dir, endpoint) = (tempfile::tempdir().unwrap(), ScaleEndpoint::start(Duration::ZERO));
    let agent = Running::start(dir.path(), &scaling(&endpoint, "Approve"));
    let id = eventually("a question", || {
        drop(agent.send_request("shop", 1, false));
        let status = agent.status();
        let trial =
            status["trials"].as_array()?.iter().find(|trial| trial["state"].get("awaiting_approval").is_some())?;
        Some(format!("a-{}", trial["request"]["id"]))
    });
    assert_eq!(endpoint.requests(), []);
    let approve = ended(&["approve", &id, "--api", &agent.api()]);
    assert_eq!(approve.status.code(), Some(0), "{}", stderr(&approve));
    eventually("the action", || endpoint.requests().iter().any(|(request, _)| *request == id).then_some(()));
    let text = eventually("an explanation with its life", || {
        let text = stdout(&ended(&["explain", &id, "--api", &agent.api()]));
        text.contains("settling").then_some(text)
    });
    for part in ["why ", "guards   passed", "way back run shop with 2 replicas", "awaiting approval"] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let again = ended(&["approve", &id, "--api", &agent.api()]);
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("does not wait"), "{}", stderr(&again));
    assert_eq!(endpoint.requests().iter().filter(|(request, _)| *request == id).count(), 1);
    assert_eq!(agent.stop(), Some(0));
    let at_rest =
        homeostat().args(["explain", &id, "--api", "http://127.0.0.1:1", "--state-dir"]).arg(dir.path()).output();
    assert!(stdout(&at_rest.unwrap()).contains("way back run shop with 2 replicas"));
}

/// Scenario: the manifest is replaced by one with problems and the agent is told to reload; then by a good one.
/// Guarantees: the first changes nothing and every problem is logged; the second is in force at the next tick.
#[test]
fn a_reload_keeps_the_last_good_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Running::start(dir.path(), &manifest(""));
    let file = dir.path().join("manifest.yaml");
    std::fs::write(&file, manifest("  automation:\n    sampling: Perhaps\n  colour: green\n")).unwrap();
    agent.signal("HUP");
    eventually("the problems in the log", || agent.log().contains("last good manifest stays in force").then_some(()));
    assert!(agent.log().contains("spec.automation.sampling") && agent.log().contains("spec.colour"), "{}", agent.log());
    assert_eq!(agent.status()["autonomy"]["sampling"], "act");
    std::fs::write(&file, manifest("  automation:\n    sampling: Observe\n")).unwrap();
    agent.signal("HUP");
    eventually("the new settings", || (agent.status()["autonomy"]["sampling"] == "observe").then_some(()));
    assert_eq!(agent.stop(), Some(0));
    let replay = homeostat().arg("replay").arg(dir.path()).output().unwrap();
    assert_eq!(replay.status.code(), Some(0), "{}", stdout(&replay));
}

fn scaling(endpoint: &ScaleEndpoint, autonomy: &str) -> String {
    let url = endpoint.url(0);
    manifest(&format!(
        "  automation:
    scaling: {autonomy}
    services:
      shop:
        scale:
          url: {url}
          min: 1
          max: 64
"
    ))
}

/// Scenario: an agent is asked for its own spans, and another agent is its trace exporter.
/// Guarantees: the other one receives spans; without an exporter the wish is refused with 64 and the key to set.
#[test]
fn own_spans_are_sent_on_request() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let receiver = Running::start(other.path(), &manifest(""));
    let exporter = format!(
        "  tracing:\n    exporters:\n      - type: otlp\n        endpoint: {}\n        protocol: grpc\n",
        receiver.door("otlp_grpc")
    );
    let sender = Running::start_with(dir.path(), &manifest(&exporter), &["--self-tracing"]);
    eventually("own spans", || (0 < receiver.status()["pipeline"]["spans_received"].as_u64()?).then_some(()));
    assert_eq!(sender.stop(), Some(0));
    let third = tempfile::tempdir().unwrap();
    let file = third.path().join("manifest.yaml");
    std::fs::write(&file, manifest("")).unwrap();
    let refused = homeostat()
        .args(["run", "--self-tracing", "--manifest"])
        .arg(&file)
        .arg("--state-dir")
        .arg(third.path())
        .output();
    let refused = refused.unwrap();
    assert_eq!(refused.status.code(), Some(64));
    assert!(stderr(&refused).contains("spec.tracing.exporters"), "{}", stderr(&refused));
}
