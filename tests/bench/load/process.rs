//! What a process used.
//!
//! Answers CPU seconds and resident memory of a process, and how busy the machine was besides, from Linux's `/proc`. Where
//! that does not exist, or the process is gone, it answers nothing rather than zero.

use std::fs::read_to_string;

/// Ticks per second of `/proc`, which the kernel fixes at 100 towards user space on every current architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of a process since its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cpu {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

/// CPU time of `pid`, or of this process.
pub(crate) fn cpu(pid: Option<u32>) -> Option<Cpu> {
    let name = pid.map_or("self".to_owned(), |pid| pid.to_string());
    let text = read_to_string(format!("/proc/{name}/stat")).ok()?;
    // The second field is the name in brackets, which may hold anything.
    let fields: Vec<&str> = text[text.rfind(')')? + 2..].split(' ').collect();
    let seconds = |index: usize| Some(fields.get(index)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
    Some(Cpu { user: seconds(11)?, system: seconds(12)? })
}

/// Resident memory in MiB: (now, the most ever).
pub(crate) fn memory(pid: u32) -> Option<(f64, f64)> {
    let text = read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mib = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
    };
    Some((mib("VmRSS:")?, mib("VmHWM:")?))
}

/// CPU seconds of everything on the machine: (busy, stolen by the host).
pub(crate) fn machine() -> Option<(f64, f64)> {
    let text = read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> = text.lines().next()?.split_whitespace().skip(1).filter_map(|t| t.parse().ok()).collect();
    let [user, nice, system, _, _, irq, soft, steal, ..] = ticks[..] else {
        return None;
    };
    Some(((user + nice + system + irq + soft) / TICKS_PER_SECOND, steal / TICKS_PER_SECOND))
}
