//! What the agent costs its host.
//!
//! Answers how much memory and processor time this process uses, from `/proc`. Does not judge it. Elsewhere than on Linux
//! the answer is unknown, and the metrics are left out rather than zero.

/// What one look at the process found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ProcessCost {
    /// Resident memory in bytes.
    pub(crate) resident_bytes: Option<u64>,
    /// Processor time used since start, user and system, in seconds.
    pub(crate) cpu_seconds: Option<f64>,
}

/// Looks.
pub(crate) fn read() -> ProcessCost {
    let text = |path| std::fs::read_to_string(path).unwrap_or_default();
    ProcessCost {
        resident_bytes: resident_bytes(&text("/proc/self/status")),
        cpu_seconds: cpu_seconds(&text("/proc/self/stat")),
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Fields 14 and 15 of `/proc/PID/stat`, in ticks of 1/100 s: the unit Linux fixes for user space on every architecture Rust
/// supports. The command, field 2, may hold spaces and parentheses, so counting begins after the last parenthesis.
fn cpu_seconds(stat: &str) -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the kernel's text, with a command name made to mislead, and text that is none.
    /// Guarantees: the right fields are read; nonsense is unknown, not zero.
    #[test]
    fn the_right_fields_are_read() {
        assert_eq!(resident_bytes("VmPeak:\t  9 kB\nVmRSS:\t    2048 kB\n"), Some(2 * 1024 * 1024));
        assert_eq!(resident_bytes("nothing"), None);
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 5 6 7";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (x"), None);
    }
}
