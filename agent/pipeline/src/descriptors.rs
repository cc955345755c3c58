//! File descriptors.
//!
//! Answers how many connections a door may hold without using up the process's file descriptors. Does not count those in
//! use. The kernel's table is read as text, because asking with a system call would take `unsafe` or one more crate.

/// When the limit cannot be read: what nearly every system grants at least.
const USUAL: usize = 1024;

/// Three eighths for each of two doors leave a quarter for exporters, journals and everything else.
pub(crate) fn for_each_door() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    open_files(&limits).unwrap_or(USUAL).saturating_mul(3) / 8
}

/// The soft limit; `None` where it is missing. `unlimited` is as good as any number.
fn open_files(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(usize::MAX),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: the kernel's table with a number, with no limit, and without the line.
    /// Guarantees: the soft limit is read, and the usual one is assumed where there is none.
    #[test]
    fn the_soft_limit_is_read() {
        let table = |soft: &str| {
            format!("Limit  Soft  Hard  Units\nMax processes  7  8  processes\nMax open files {soft} 4096 files\n")
        };
        let read = |soft: &str| open_files(&table(soft));
        assert_eq!((read("1024"), read("unlimited"), open_files("")), (Some(1024), Some(usize::MAX), None));
        assert!(for_each_door() > 0);
    }
}
