//! The memory governor.
//!
//! Answers how tight memory is, and what that means: which telemetry is still taken in, and how large the trace buffer may
//! be. Does not free anything itself. It looks at what the pipeline knows it holds and at what the system says the process
//! occupies: the first cannot see what was forgotten to be counted, the second does not fall when memory is given back
//! to an allocator that keeps it.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::config::{PipelineConfig, Telemetry};

/// The default is never more: beyond it, a sidecar is no sidecar.
const DEFAULT_MAX: usize = 512 << 20;
/// And never less: with a tenth of it nothing could be received.
const DEFAULT_MIN: usize = 64 << 20;
/// Where a level begins, in percent of the limit, and how far below it ends: without a gap, a level would flutter.
const BEGINS: [(Level, u64); 3] = [(Level::Hard, 90), (Level::Lean, 80), (Level::Soft, 70)];
const GAP: u64 = 5;
/// Refusing can only free what is held; below this share of the limit there is nothing worth freeing.
const WORTH_FREEING: u64 = 8;

/// How tight memory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// There is enough.
    #[default]
    Normal,
    /// The trace buffer gives way.
    Soft,
    /// Traces alone are taken in.
    Lean,
    /// Nothing is taken in.
    Hard,
}

impl Level {
    const ALL: [Level; 4] = [Level::Normal, Level::Soft, Level::Lean, Level::Hard];

    /// The name in statistics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Level::Normal => "normal",
            Level::Soft => "soft",
            Level::Lean => "lean",
            Level::Hard => "hard",
        }
    }

    /// Whether a request of `kind` may be read. Traces are what the agent decides about; the others can wait at their
    /// senders, who are told so.
    pub(crate) fn takes(self, kind: Telemetry) -> bool {
        match self {
            Level::Normal | Level::Soft => true,
            Level::Lean => kind == Telemetry::Traces,
            Level::Hard => false,
        }
    }

    /// How much of its configured size the trace buffer may have, in percent.
    pub(crate) fn buffer_share(self) -> usize {
        match self {
            Level::Normal => 100,
            Level::Soft => 50,
            Level::Lean => 25,
            Level::Hard => 10,
        }
    }
}

/// Watches memory.
#[derive(Debug)]
pub(crate) struct Governor {
    limit: u64,
    level: AtomicU8,
    held: AtomicU64,
    resident: AtomicU64,
}

impl Governor {
    pub(crate) fn new(limit: usize) -> Governor {
        let zero = || AtomicU64::new(0);
        Governor { limit: limit as u64, level: AtomicU8::new(0), held: zero(), resident: zero() }
    }

    pub(crate) fn level(&self) -> Level {
        Level::ALL[usize::from(self.level.load(Relaxed)).min(3)]
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// What the pipeline held when last looked.
    pub(crate) fn held(&self) -> u64 {
        self.held.load(Relaxed)
    }

    /// What the process occupied when last looked.
    pub(crate) fn resident(&self) -> u64 {
        self.resident.load(Relaxed)
    }

    /// Looks again: `held` bytes are in buffers and queues, the process occupies `resident`.
    pub(crate) fn look(&self, held: u64, resident: u64) -> Level {
        let before = self.level();
        let grown = resident > self.resident.swap(resident, Relaxed);
        self.held.store(held, Relaxed);
        // A process that occupies much while it holds little has an allocator that keeps pages for the next request. To
        // refuse that request would free nothing, and might go on for ever.
        let helps = grown || held.saturating_mul(WORTH_FREEING) >= self.limit;
        let by_resident = self.level_of(resident, before).min(if helps { Level::Hard } else { Level::Lean });
        let level = self.level_of(held, before).max(by_resident);
        if level != before {
            self.level.store(level as u8, Relaxed);
            let (from, to, limit) = (before.as_str(), level.as_str(), self.limit);
            tracing::info!(from, to, held, resident, limit, "memory level changed");
        }
        level
    }

    fn level_of(&self, bytes: u64, before: Level) -> Level {
        let reached = |(level, percent): &(Level, u64)| {
            let percent = if before >= *level { percent - GAP } else { *percent };
            bytes.saturating_mul(100) >= self.limit.saturating_mul(percent)
        };
        BEGINS.iter().find(|begin| reached(begin)).map_or(Level::Normal, |(level, _)| *level)
    }
}

/// Fits the sizes of all buffers into the limit: a quarter for requests being received, one for the trace buffer, one for
/// all queues, and one for everything else. Returns the limit.
pub(crate) fn fit(config: &mut PipelineConfig) -> usize {
    let limit = config.memory_max.unwrap_or_else(default_limit);
    let quarter = limit / 4;
    let limits = &mut config.limits;
    limits.in_flight_bytes_max = limits.in_flight_bytes_max.min(quarter);
    limits.request_bytes_max = limits.request_bytes_max.min(limits.in_flight_bytes_max / 2);
    config.buffer.bytes_max = config.buffer.bytes_max.min(quarter);
    config.buffer.queue_bytes_max = config.buffer.queue_bytes_max.min(quarter / config.exporters.len().max(1));
    limit
}

/// Four fifths of what a container may use, or a quarter of the machine's memory, within reason.
fn default_limit() -> usize {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let container = read("/proc/self/cgroup").lines().find_map(|line| {
        let inside = line.strip_prefix("0::")?;
        let own = read(&format!("/sys/fs/cgroup{inside}/memory.max"));
        // Inside a container its own group is the root.
        own.trim().parse::<usize>().ok().or_else(|| read("/sys/fs/cgroup/memory.max").trim().parse().ok())
    });
    let container = container.or_else(|| read("/sys/fs/cgroup/memory/memory.limit_in_bytes").trim().parse().ok());
    let machine = kib(&read("/proc/meminfo"), "MemTotal:").unwrap_or(DEFAULT_MAX * 4);
    let limit = container.map_or(machine / 4, |container| (container / 5 * 4).min(machine / 4));
    limit.clamp(DEFAULT_MIN, DEFAULT_MAX)
}

/// What the process occupies; zero where the system does not say.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    kib(&status, "VmRSS:").unwrap_or(0) as u64
}

/// A line like `VmRSS:     1234 kB`, in bytes.
fn kib(text: &str, name: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Scenario: what is held rises to the limit and falls again.
    /// Guarantees: levels come one after the other, and each ends lower than it began.
    #[test]
    fn levels_rise_early_and_fall_late() {
        let governor = Governor::new(1000);
        let levels = |held: &[u64]| held.iter().map(|held| governor.look(*held, 0)).collect::<Vec<_>>();
        use Level::{Hard, Lean, Normal, Soft};
        assert_eq!(levels(&[0, 699, 700, 799, 800, 899, 900]), [Normal, Normal, Soft, Soft, Lean, Lean, Hard]);
        assert_eq!(levels(&[850, 849, 750, 749, 650, 649]), [Hard, Lean, Lean, Soft, Soft, Normal]);
    }

    /// Scenario: the process occupies its limit, growing at first, while much, little and nothing is held.
    /// Guarantees: all is refused as long as that can help, and traces are taken in when it cannot.
    #[test]
    fn kept_pages_do_not_lock_the_door() {
        let governor = Governor::new(1000);
        assert_eq!(governor.look(0, 950), Level::Hard, "it grew");
        assert_eq!(governor.look(200, 950), Level::Hard, "there is something to free");
        assert_eq!(governor.look(0, 950), Level::Lean, "there is not");
        assert_eq!(governor.look(0, 990), Level::Hard, "it grew again");
        assert_eq!(governor.look(0, 300), Level::Normal);
    }

    /// Scenario: the least valuable goes first.
    /// Guarantees: traces are taken in at every level but the last, the others before; the buffer only shrinks.
    #[test]
    fn the_least_valuable_goes_first() {
        let taken = Level::ALL.map(|level| Telemetry::ALL.map(|kind| level.takes(kind)));
        assert_eq!(taken, [[true; 4], [true; 4], [true, false, false, false], [false; 4]]);
        assert!(Level::ALL.windows(2).all(|pair| pair[0].buffer_share() > pair[1].buffer_share()));
    }

    /// Scenario: a small limit and a large one, and lines of the kernel's tables.
    /// Guarantees: buffers fit into the limit together, a request fits twice among those received, and sizes are bytes.
    #[test]
    fn buffers_fit_into_the_limit() {
        for limit in [1 << 20, 64 << 20, 1 << 34] {
            let mut config = PipelineConfig { memory_max: Some(limit), ..PipelineConfig::default() };
            assert_eq!(fit(&mut config), limit);
            let (limits, buffer) = (config.limits, config.buffer);
            assert!(limits.in_flight_bytes_max + buffer.bytes_max + buffer.queue_bytes_max <= limit / 4 * 3);
            assert!(limits.request_bytes_max * 2 <= limits.in_flight_bytes_max);
        }
        assert!((DEFAULT_MIN..=DEFAULT_MAX).contains(&default_limit()));
        assert_eq!(kib("VmPeak:  9 kB\nVmRSS:\t    1234 kB\n", "VmRSS:"), Some(1234 * 1024));
        assert_eq!(kib("VmRSS: many\n", "VmRSS:"), None);
        assert!(resident() > 0);
    }

    proptest! {
        /// Scenario: any course of memory.
        /// Guarantees: a level is never lower than what is held demands, and at rest it depends on nothing before.
        #[test]
        fn held_memory_is_never_underestimated(course in prop::collection::vec((0_u64..1200, 0_u64..1200), 1..50)) {
            let governor = Governor::new(1000);
            for (held, resident) in course {
                let level = governor.look(held, resident);
                prop_assert!(held < 900 || level == Level::Hard);
                prop_assert!(held < 800 || level >= Level::Lean);
                prop_assert!(held >= 650 || resident >= 650 || level == Level::Normal);
            }
        }
    }
}
