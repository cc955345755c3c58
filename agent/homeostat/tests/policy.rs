//! Operator rules on the command line.
//!
//! Answers whether a rule can be checked, tested and listed as the help says, and whether each way of ending has its code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop loudly")]

mod common;

use std::path::Path;

use common::{ended, stderr, stdout};

/// What stands behind `marker` in the help of `policy test`, without its indentation.
fn example(marker: &str) -> String {
    let help = stdout(&ended(&["policy", "test", "--help"]));
    let (_, after) = help.split_once(marker).unwrap();
    let lines = after.lines().skip(2).take_while(|line| line.is_empty() || line.starts_with("  "));
    lines.map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
}

/// The rule and the test that the help shows, in a folder.
fn folder(dir: &Path) {
    std::fs::write(dir.join("busy_checkout.yaml"), example("A rule (")).unwrap();
    std::fs::write(dir.join("busy_checkout_test.yaml"), example("Its test (")).unwrap();
}

/// Scenario: somebody new copies the rule and its test from the help, checks both, and runs the test.
/// Guarantees: what the help teaches works, and ends with 0.
#[test]
fn the_example_in_the_help_works() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path());
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    for file in ["busy_checkout.yaml", "busy_checkout_test.yaml"] {
        let check = ended(&["check", &path(file)]);
        assert_eq!(check.status.code(), Some(0), "{}", stdout(&check));
    }
    let test = ended(&["policy", "test", &path("")]);
    assert_eq!(test.status.code(), Some(0), "{}{}", stdout(&test), stderr(&test));
    assert!(stdout(&test).ends_with("1 passed, 0 failed\n"), "{}", stdout(&test));
    let list = ended(&["policy", "list", "--rules", &path("")]);
    assert!(stdout(&list).contains("busy-checkout (dry run, priority 0"), "{}", stdout(&list));
}

/// Scenario: the rule's threshold is moved so that its test fails; then the rule gets a mistake; then the folder is empty.
/// Guarantees: a failing test ends with 1 and shows what was expected and found; a mistake ends with 64 and its place; no
/// test at all is not taken for success.
#[test]
fn a_failing_test_shows_the_difference() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path());
    let rule = dir.path().join("busy_checkout.yaml");
    let good = std::fs::read_to_string(&rule).unwrap();
    std::fs::write(&rule, good.replace("> 0.8", "> 0.99")).unwrap();
    let path = dir.path().to_str().unwrap();
    let test = ended(&["policy", "test", path]);
    assert_eq!(test.status.code(), Some(1));
    let text = stdout(&test);
    for expected in
        ["FAIL", "at 30 s", "- busy-checkout for checkout: run checkout with 3 replicas (dry run)", "+ no proposal"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let json: serde_json::Value = serde_json::from_slice(&ended(&["policy", "test", path, "--json"]).stdout).unwrap();
    assert_eq!(
        (json["failed"].as_u64(), json["tests"][0]["differences"][0]["at_ms"].as_u64()),
        (Some(1), Some(30_000))
    );

    std::fs::write(&rule, good.replace("service.slow_ratio >", "service.slow_rate >")).unwrap();
    let test = ended(&["policy", "test", path]);
    assert_eq!(test.status.code(), Some(64), "{}", stderr(&test));
    assert!(stderr(&test).contains("did you mean service.slow_ratio?") && stderr(&test).contains('^'));

    let empty = tempfile::tempdir().unwrap();
    assert_eq!(ended(&["policy", "test", empty.path().to_str().unwrap()]).status.code(), Some(1));
}
