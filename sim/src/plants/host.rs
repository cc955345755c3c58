//! Hosts.
//!
//! Answers how much longer work takes because others work on the same processors. A worker uses one core while it works; when
//! more are busy than there are cores, each gets its share. The share is taken at the moment work begins and kept to its
//! end: exact sharing would touch every piece of work under way with every change, and the mean differs little while
//! work is short against changes of load.

use crate::queue::SimTime;

/// Processors that services share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpec {
    /// Its name.
    pub name: String,
    /// How many cores it has.
    pub cores: u32,
}

/// One host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    cores: u32,
    /// Cores that somebody else uses.
    taken: u32,
    busy: u32,
    used_us: u64,
    since: SimTime,
    read: SimTime,
    utilization_bp: Option<u64>,
}

impl Host {
    pub(crate) fn new(spec: &HostSpec) -> Host {
        let start = SimTime(0);
        let cores = spec.cores.max(1);
        Host { cores, taken: 0, busy: 0, used_us: 0, since: start, read: start, utilization_bp: None }
    }

    /// A worker begins; says how many ten-thousandths of its time its work takes.
    pub(crate) fn begin(&mut self, now: SimTime) -> u64 {
        self.book(now);
        self.busy += 1;
        (u64::from(self.busy + self.taken) * 10_000 / u64::from(self.cores)).max(10_000)
    }

    /// A worker is done.
    pub(crate) fn end(&mut self, now: SimTime) {
        self.book(now);
        self.busy -= 1;
    }

    /// Somebody who is not a service of the plant uses this many cores.
    pub(crate) fn take(&mut self, now: SimTime, cores: u32) {
        self.book(now);
        self.taken = cores;
    }

    /// Ends an interval of [`Self::utilization_bp`].
    pub(crate) fn read(&mut self, now: SimTime) {
        self.book(now);
        let available_us = (now.0 - self.read.0) * u64::from(self.cores);
        self.read = now;
        self.utilization_bp = (std::mem::take(&mut self.used_us) * 10_000).checked_div(available_us);
    }

    /// The share of the cores that was used in the last interval; none if it had no length.
    pub(crate) fn utilization_bp(&self) -> Option<u64> {
        self.utilization_bp
    }

    #[cfg(test)]
    pub(crate) fn busy(&self) -> u32 {
        self.busy
    }

    fn book(&mut self, now: SimTime) {
        let used = (self.busy + self.taken).min(self.cores);
        self.used_us += (now.0 - self.since.0) * u64::from(used);
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: four cores; two workers, then a neighbour on four cores, then two more workers.
    /// Guarantees: nobody is slowed while there are cores enough; then each takes as long as its share says, and the host
    /// is never more than full.
    #[test]
    fn work_slows_down_once_cores_are_scarce() {
        let mut host = Host::new(&HostSpec { name: "a".to_owned(), cores: 4 });
        let used = |host: &mut Host, at| {
            host.read(SimTime(at));
            host.utilization_bp()
        };
        assert_eq!(host.begin(SimTime(0)), 10_000);
        assert_eq!(host.begin(SimTime(0)), 10_000);
        assert_eq!(used(&mut host, 1000), Some(5000));
        host.take(SimTime(1000), 4);
        assert_eq!(host.begin(SimTime(1000)), 17_500);
        assert_eq!(host.begin(SimTime(1000)), 20_000);
        assert_eq!(used(&mut host, 2000), Some(10_000));
        (0..4).for_each(|_| host.end(SimTime(2000)));
        host.take(SimTime(2000), 1);
        assert_eq!(used(&mut host, 3000), Some(2500));
        assert_eq!(used(&mut host, 3000), None);
    }
}
