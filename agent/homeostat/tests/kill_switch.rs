//! The kill switch, by every hand that can reach it.
//!
//! Answers whether a running agent stops acting when the API cannot be asked: by a file and by a signal, across a restart, and
//! visible to whoever scrapes it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop loudly")]

mod common;

use common::{Running, ended, eventually, exchange, manifest, stderr};

/// A manifest whose API is off.
fn without_api() -> String {
    manifest("").replace("  api:\n    address: 127.0.0.1:0", "  api:\n    address: off")
}

/// Whether the metrics say that the agent is in `regime`.
fn is(agent: &Running, regime: &str) -> Option<()> {
    let (_, text) = exchange(agent.door("metrics"), "GET", "/metrics", &[], "").ok()?;
    text.contains(&format!("homeostat_regime{{regime=\"{regime}\"}} 1")).then_some(())
}

fn ticks(agent: &Running) -> Option<u64> {
    let (_, text) = exchange(agent.door("metrics"), "GET", "/metrics", &[], "").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("homeostat_ticks_total "))?;
    line.parse().ok()
}

fn metric(agent: &Running, line: &str) -> Option<()> {
    let (_, text) = exchange(agent.door("metrics"), "GET", "/metrics", &[], "").ok()?;
    text.contains(line).then_some(())
}

/// Scenario: an agent without an API; a file called hold is made in its state directory; it is killed and started again; the
/// file is removed.
/// Guarantees: it is held while the file is there, also after the restart, the metrics say so, and it acts again afterwards.
#[test]
fn a_file_holds_the_agent_without_the_api() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Running::start(dir.path(), &without_api());
    eventually("engagement", || is(&agent, "engaged"));
    let file = dir.path().join("hold");
    std::fs::write(&file, "").unwrap();
    eventually("the hold", || is(&agent, "holding"));
    eventually("the file in the metrics", || metric(&agent, "homeostat_hold_file 1"));
    agent.kill();
    let agent = Running::start(dir.path(), &without_api());
    eventually("the hold after the restart", || is(&agent, "holding"));
    std::fs::remove_file(&file).unwrap();
    eventually("engagement again", || is(&agent, "engaged"));
    assert_eq!(agent.stop(), Some(0));
}

/// Scenario: an agent without an API is told to hold by SIGUSR1, killed, started again, and told to resume by SIGUSR2.
/// Guarantees: each takes effect, and the hold survives the restart.
#[test]
fn a_signal_holds_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let agent = Running::start(dir.path(), &without_api());
    eventually("engagement", || is(&agent, "engaged"));
    agent.signal("USR1");
    eventually("the hold", || is(&agent, "holding"));
    // What an operator says is in the journal with the next tick.
    let before = ticks(&agent).unwrap();
    eventually("two more ticks", || ticks(&agent).filter(|ticks| before + 1 < *ticks));
    agent.kill();
    let agent = Running::start(dir.path(), &without_api());
    eventually("the hold after the restart", || is(&agent, "holding"));
    agent.signal("USR2");
    eventually("engagement again", || is(&agent, "engaged"));
    assert_eq!(agent.stop(), Some(0));
}

/// Scenario: a file holds the agent, and an operator says resume; something is to be armed that is not disarmed.
/// Guarantees: the first is refused and names the file, the second is refused and says that nothing is.
#[test]
fn resume_does_not_overrule_the_file() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hold"), "").unwrap();
    let agent = Running::start(dir.path(), &manifest(""));
    eventually("the hold", || (agent.status()["regime"] == "holding").then_some(()));
    let resume = ended(&["resume", "--api", &agent.api()]);
    assert_eq!(resume.status.code(), Some(1));
    assert!(stderr(&resume).contains("hold holds the agent; remove it"), "{}", stderr(&resume));
    assert_eq!(agent.status()["regime"], "holding");
    let arm = ended(&["arm", "shop", "scale_replicas", "--api", &agent.api()]);
    assert!(stderr(&arm).contains("scale_replicas of shop is not disarmed; nothing is"), "{}", stderr(&arm));
    assert_eq!(agent.stop(), Some(0));
}
