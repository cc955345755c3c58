//! What the agent costs.
//!
//! Answers how much processor time the agent's own threads have used, apart from the shop's and the screen's, which share its
//! process in the demo; and how much memory the whole process holds, which cannot be told apart. From `/proc`, so elsewhere
//! than on Linux the answer is unknown rather than zero.

use std::time::Duration;

/// The name of the agent's threads in the demo.
pub(crate) const AGENT_THREADS: &str = "agent";

/// Threads looked at; the demo has some thirty.
const THREADS_MAX: usize = 1000;

/// What the agent's threads have used since they began.
pub(crate) fn agent_cpu() -> Option<Duration> {
    let threads = std::fs::read_dir("/proc/self/task").ok()?;
    let stats = threads.take(THREADS_MAX).flatten();
    let used = stats.filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
    Some(used.filter_map(|stat| cpu_of(&stat, AGENT_THREADS)).sum())
}

/// Resident memory of the whole process, in bytes.
pub(crate) fn process_memory() -> Option<u64> {
    crate::metrics::process::read().resident_bytes
}

/// Fields 14 and 15 of a thread's stat, in Linux's fixed ticks of 10 ms, if the thread is called `name`. The name stands in
/// parentheses and may itself hold some, so fields are counted after the last one.
fn cpu_of(stat: &str, name: &str) -> Option<Duration> {
    let (before, after) = stat.rsplit_once(')')?;
    if before.split_once('(')?.1 != name {
        return None;
    }
    let mut fields = after.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: an agent's thread, another's, and nonsense.
    /// Guarantees: only the agent's is counted, and in the kernel's unit.
    #[test]
    fn only_the_agents_threads_count() {
        let stat = |name: &str| format!("7 ({name}) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 5 6 7");
        assert_eq!(cpu_of(&stat("agent"), "agent"), Some(Duration::from_secs(3)));
        assert_eq!(cpu_of(&stat("shop"), "agent"), None);
        assert_eq!(cpu_of("nonsense", "agent"), None);
    }
}
