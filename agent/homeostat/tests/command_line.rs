//! The command line, as people and scripts meet it.
//!
//! Answers whether each way of ending has its exit code and says what to do next.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop loudly")]

mod common;

use std::net::TcpListener;

use common::{ended, homeostat, manifest, stderr, stdout};

/// Scenario: help for the program and for every command.
/// Guarantees: each is printed to stdout with exit code 0, and teaches with an example.
#[test]
fn every_command_teaches_itself() {
    let top = ended(&["--help"]);
    assert_eq!(top.status.code(), Some(0));
    for command in ["run", "check", "status", "explain", "journal", "approve", "reject", "replay", "man"] {
        assert!(stdout(&top).contains(command), "{command} is not in the help");
        let help = ended(&[command, "--help"]);
        assert_eq!(help.status.code(), Some(0), "{command}");
        assert!(stdout(&help).contains("Example"), "{command} has no example");
    }
    assert_eq!(ended(&["--version"]).status.code(), Some(0));
}

/// Scenario: an unknown command, an unknown option, an id that is none, no command at all.
/// Guarantees: wrong use ends with 2 and says what was wrong.
#[test]
fn wrong_use_ends_with_two() {
    for args in
        [&["fly"][..], &["run", "--fast"], &["explain", "17"], &["approve", "i-3"], &["journal", "--since", "ages"]]
    {
        let output = ended(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("error:"), "{args:?}");
    }
    assert_eq!(ended(&[]).status.code(), Some(2));
}

/// Scenario: a manifest with an unknown key and one with a wrong value is run, and checked.
/// Guarantees: `run` ends with 64, `check` with 1, and both name every key.
#[test]
fn an_unusable_manifest_names_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("manifest.yaml");
    std::fs::write(&file, manifest("  colour: green\n  automation:\n    scaling: Maybe\n")).unwrap();
    let path = file.to_str().unwrap();
    let run = homeostat().args(["run", "--manifest", path, "--state-dir"]).arg(dir.path()).output().unwrap();
    assert_eq!(run.status.code(), Some(64));
    let check = ended(&["check", path]);
    assert_eq!(check.status.code(), Some(1));
    for text in [stderr(&run), stdout(&check)] {
        assert!(text.contains("spec.colour") && text.contains("spec.automation.scaling"), "{text}");
    }
    let json = ended(&["check", path, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["good"].as_bool(), json["problems"].as_array().map(Vec::len)), (Some(false), Some(2)));
}

/// Scenario: a good manifest, and a file that is not there, are checked.
/// Guarantees: the first is good with exit code 0; the second is a clear no.
#[test]
fn a_good_manifest_is_good() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("manifest.yaml");
    std::fs::write(&file, manifest("")).unwrap();
    let check = ended(&["check", file.to_str().unwrap()]);
    assert_eq!(check.status.code(), Some(0));
    assert!(stdout(&check).contains("is good"));
    let missing = ended(&["check", dir.path().join("nothing.yaml").to_str().unwrap()]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(stdout(&missing).contains("cannot be read"), "{}", stdout(&missing));
}

/// Scenario: the port of each door in turn is taken by another program.
/// Guarantees: `run` ends with 1, names the address and says what to do; it never runs with half its doors.
#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for door in ["otlpGrpc", "otlpHttp", "remoteSamplingHttp", "remoteSamplingGrpc", "address", "metricsAddress"] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("manifest.yaml");
        std::fs::write(&file, manifest("").replace(&format!("{door}: 127.0.0.1:0"), &format!("{door}: {address}")))
            .unwrap();
        let run =
            homeostat().arg("run").arg("--manifest").arg(&file).arg("--state-dir").arg(dir.path()).output().unwrap();
        assert_eq!(run.status.code(), Some(1), "{door}: {}", stderr(&run));
        assert!(stderr(&run).contains(&address), "{door}: {}", stderr(&run));
    }
}

/// Scenario: nobody listens where the agent is asked for, with and without a journal at rest.
/// Guarantees: exit code 1 and what to do next.
#[test]
fn without_an_agent_the_next_step_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let api = format!("http://{free}");
    for args in [&["status"][..], &["hold"], &["resume"], &["approve", "a-1"]] {
        let output = homeostat().args(args).args(["--api", &api]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(stderr(&output).contains("homeostat run"), "{args:?}: {}", stderr(&output));
    }
    for args in [&["explain", "a-1"][..], &["journal"]] {
        let output = homeostat().args(args).args(["--api", &api, "--state-dir"]).arg(dir.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(stderr(&output).contains("--state-dir"), "{args:?}: {}", stderr(&output));
    }
    let odd = ended(&["status", "--api", "ftp://nowhere"]);
    assert!(stderr(&odd).contains("http://HOST:PORT"), "{}", stderr(&odd));
}

/// Scenario: completions for every shell, and the man pages.
/// Guarantees: they are produced and know the commands.
#[test]
fn completions_and_man_pages_are_produced() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = ended(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(stdout(&output).contains("resume"), "{shell}");
    }
    let dir = tempfile::tempdir().unwrap();
    let man = dir.path().join("man1");
    assert_eq!(ended(&["man", man.to_str().unwrap()]).status.code(), Some(0));
    for page in ["homeostat.1", "homeostat-run.1", "homeostat-sim-run.1", "homeostat-journal-export.1"] {
        let text = std::fs::read_to_string(man.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(".TH"), "{page}");
    }
}

/// Scenario: replay is given a file that is none, and a directory without a journal.
/// Guarantees: exit code 1 and a reason, never a panic.
#[test]
fn replay_refuses_what_is_no_recording() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("odd.events");
    std::fs::write(&file, "hello\n").unwrap();
    for path in [file.as_path(), dir.path(), &dir.path().join("nothing")] {
        let output = homeostat().arg("replay").arg(path).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", path.display());
        assert!(stderr(&output).starts_with("homeostat: "), "{}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
    }
}

/// Scenario: the harness lists its scenarios, runs one with a report, and is given a name and a file that are none.
/// Guarantees: 0 with a report that loads nothing from elsewhere; 2 for an unknown name with the known ones; 64 for a bad file.
#[test]
fn the_harness_runs_a_scenario() {
    let list = ended(&["sim", "list"]);
    assert_eq!(list.status.code(), Some(0));
    assert!(stdout(&list).contains("steady_state"));
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("run.html");
    let run = ended(&["sim", "run", "kill_switch", "--seed", "5", "--report", report.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(0), "{}{}", stdout(&run), stderr(&run));
    assert!(stdout(&run).contains("every promise was kept"), "{}", stdout(&run));
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(page.contains("<svg") && !page.contains("src=\"http"), "the report is not self-contained");
    let unknown = ended(&["sim", "run", "nothing"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("steady_state"), "{}", stderr(&unknown));
    let file = dir.path().join("odd.yaml");
    std::fs::write(&file, "about: 7\nservices: none\n").unwrap();
    assert_eq!(ended(&["sim", "run", file.to_str().unwrap()]).status.code(), Some(64));
}

/// Scenario: the plant SWIM runs on a small trace, as a table and as JSON, then on a trace with a bad line, without a trace,
/// and with a scenario as well.
/// Guarantees: both utilities and late minutes are shown, the same seed prints the same text; a bad line is named with 64;
/// wrong use ends with 2.
#[test]
fn a_trace_is_managed_minute_by_minute() {
    let dir = tempfile::tempdir().unwrap();
    let trace = dir.path().join("even.delta");
    std::fs::write(&trace, "0.5\n".repeat(12_600)).unwrap();
    let swim = ["sim", "run", "--plant", "swim", "--config", "small", "--boot", "60", "--seeds", "2", "--trace"];
    let told = |file: &std::path::Path, more: &[&str]| ended(&[&swim[..], &[file.to_str().unwrap()], more].concat());
    let table = told(&trace, &["--manager", "static", "--servers", "2", "--dimmer", "1", "--periods"]);
    assert_eq!(table.status.code(), Some(0), "{}", stderr(&table));
    assert!(stdout(&table).contains("SEAMS'17") && stdout(&table).contains("ICAC'16"), "{}", stdout(&table));
    let json = told(&trace, &["--manager", "static", "--servers", "2", "--json"]);
    let found: serde_json::Value = serde_json::from_str(&stdout(&json)).unwrap();
    // Ninety minutes of two full replies a second and one of three servers to spare: 90 · (2 · 1.5 + 10).
    assert!((found["managers"][0]["seams2017"]["mean"].as_f64().unwrap() - 1170.0).abs() < 1.0, "{found}");
    assert_eq!(found["managers"][0]["late"]["mean"], 0.0);
    let again = told(&trace, &["--manager", "static", "--servers", "2", "--json"]);
    assert_eq!(stdout(&json), stdout(&again));
    std::fs::write(&trace, "0.5\nsoon\n").unwrap();
    let bad = told(&trace, &[]);
    assert_eq!(bad.status.code(), Some(64));
    assert!(stderr(&bad).contains("even.delta:2: expected the seconds"), "{}", stderr(&bad));
    assert_eq!(ended(&["sim", "run", "--plant", "swim"]).status.code(), Some(2));
    assert_eq!(told(&trace, &["steady_state"]).status.code(), Some(2));
}

/// Scenario: a recording of requests becomes a trace, which the plant SWIM then runs on; a missing column is asked for.
/// Guarantees: the trace is one that can be run, and what it is like is said; the mistake is named with 64.
#[test]
fn a_recording_becomes_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (recording, trace) = (path("requests.csv"), path("arrivals.delta"));
    let rows: String = (0..600).map(|second| format!("{second}\n")).collect();
    std::fs::write(&recording, format!("at\n{rows}")).unwrap();
    let made = ended(&["sim", "trace", &recording, "--time", "at", "--peak", "5", "--out", &trace]);
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert!(stdout(&made).contains("requests in 105 minutes"), "{}", stdout(&made));
    let run = ended(&["sim", "run", "--plant", "swim", "--trace", &trace, "--seeds", "1", "--manager", "nothing"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let wrong = ended(&["sim", "trace", &recording, "--time", "when", "--out", &trace]);
    assert_eq!(wrong.status.code(), Some(64));
    assert!(stderr(&wrong).contains("a column called when"), "{}", stderr(&wrong));
}

/// Scenario: the sampler is measured on generated traffic and on a file, and given a broken file and a budget that is none.
/// Guarantees: figures for people and as JSON; a mistake is named by line and column with exit code 64; wrong use ends with 2.
#[test]
fn the_sampler_is_measured() {
    let generated = ended(&["bench", "sampling", "--count", "2000", "--runs", "2"]);
    assert_eq!(generated.status.code(), Some(0), "{}", stderr(&generated));
    assert!(stdout(&generated).contains("shapes kept, trees"), "{}", stdout(&generated));
    let dir = tempfile::tempdir().unwrap();
    let (file, report) = (dir.path().join("spans.csv"), dir.path().join("report.json"));
    let header = "trace_id,span_id,parent_id,service,operation,start_ns,end_ns,status\n";
    std::fs::write(&file, format!("{header}a,1,,shop,pay,0,9,ok\na,2,1,db,ask,1,2,error\n")).unwrap();
    let arguments = ["bench", "sampling", "--budget", "5%", "--traces", file.to_str().unwrap(), "--json"];
    let output = homeostat().args(arguments).arg(&report).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!((json["traffic"]["spans"].as_u64(), json["judged"]["error_traces"].as_f64()), (Some(2), Some(1.0)));
    std::fs::write(&file, format!("{header}a,1,,shop,pay,0,later,ok\n")).unwrap();
    let broken = homeostat().args(arguments).arg("-").output().unwrap();
    assert_eq!(broken.status.code(), Some(64));
    assert!(stderr(&broken).contains("line 2, column end_ns"), "{}", stderr(&broken));
    assert_eq!(ended(&["bench", "sampling", "--budget", "5"]).status.code(), Some(2));
}
