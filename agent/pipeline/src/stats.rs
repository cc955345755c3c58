//! What the pipeline counts about itself.
//!
//! Answers what was received, refused, kept, dropped and sent, each with its reason. Does not name services: those are
//! aggregates. Reasons are enums with one counter each, so that no path can drop a span without saying why.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sample::Rehearsed;

/// A closed set of reasons to count by.
pub(crate) trait Reason: Copy + 'static {
    /// All of them with their names; the position is the counter's.
    const ALL: &'static [(Self, &'static str)];
    fn index(self) -> usize;
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// The name in statistics.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The one of this name.
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().find(|(_, name)| *name == text).map(|(reason, _)| *reason)
            }
        }

        impl Reason for $name {
            const ALL: &'static [(Self, &'static str)] = &[$(($name::$variant, $text)),+];
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

reasons! {
    /// Which rule kept a span.
    Rule {
        /// A span of its trace failed.
        Error = "error",
        /// An entry span of its trace was slow.
        Slow = "slow",
        /// The model found it important.
        Importance = "importance",
        /// Its structure had not been kept yet, or there are few of its kind.
        Rare = "rare",
        /// Chance.
        Probability = "probability",
    }
}

impl Rule {
    /// Whether what this rule keeps comes on top of the share of ordinary traffic, instead of out of it.
    pub const fn is_beside_share(self) -> bool {
        matches!(self, Rule::Error | Rule::Slow)
    }
}

reasons! {
    /// Why a trace was decided when it was.
    Due {
        /// It had an error or a slow entry span.
        Certain = "certain",
        /// All its spans came together, as they always do for its operation.
        Complete = "complete",
        /// Its root, or what stands for it, had arrived and lagging spans had their time.
        Root = "root",
        /// It had waited long enough.
        Waited = "waited",
        /// The buffer was full.
        Memory = "memory",
        /// The agent was stopped.
        Shutdown = "shutdown",
    }
}

reasons! {
    /// Why an accepted span was not kept.
    Unsampled {
        /// Chance.
        Probability = "probability",
        /// Its trace had been dropped before it came.
        Late = "late",
        /// More was kept than the cap allows.
        Cap = "cap",
    }
}

reasons! {
    /// Why a request was refused as a whole.
    Refused {
        /// Not a message of its kind.
        Malformed = "malformed",
        /// Above the size limit, before or after inflation.
        TooLarge = "too_large",
        /// Buffers or queues are full; the sender is asked to come back.
        Overload = "overload",
        /// The body did not arrive in time.
        Timeout = "timeout",
        /// A content type, encoding, method or path that is not served.
        Unsupported = "unsupported",
        /// No bearer token that is accepted.
        Unauthenticated = "unauthenticated",
    }
}

reasons! {
    /// Why an exporter gave up what it was to send.
    Lost {
        /// Its queue was full.
        QueueFull = "queue_full",
        /// The destination refused it for good.
        Refused = "refused",
        /// The destination took the request but rejected some of it.
        Rejected = "rejected",
        /// Retried for as long as is allowed.
        GaveUp = "gave_up",
        /// The agent was stopped.
        Shutdown = "shutdown",
        /// What was read back from disk was not what had been written.
        Damaged = "damaged",
    }
}

/// How an exporter stands to its destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CircuitState {
    /// It is sent to.
    #[default]
    Closed,
    /// It failed several times in a row and is left alone for a while.
    Open,
    /// One request tries whether it answers again.
    HalfOpen,
}

impl CircuitState {
    /// The name in statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            CircuitState::Closed => "closed",
            CircuitState::Open => "open",
            CircuitState::HalfOpen => "half_open",
        }
    }
}

/// One counter per reason.
#[derive(Debug)]
pub(crate) struct Tally<R> {
    counters: Vec<AtomicU64>,
    of: PhantomData<R>,
}

impl<R: Reason> Default for Tally<R> {
    fn default() -> Self {
        Tally { counters: R::ALL.iter().map(|_| AtomicU64::new(0)).collect(), of: PhantomData }
    }
}

impl<R: Reason> Tally<R> {
    pub(crate) fn add(&self, reason: R, count: u64) {
        self.counters[reason.index()].fetch_add(count, Relaxed);
    }

    pub(crate) fn read(&self) -> BTreeMap<&'static str, u64> {
        R::ALL.iter().map(|(reason, name)| (*name, self.counters[reason.index()].load(Relaxed))).collect()
    }
}

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What the door counts.
#[derive(Debug, Default)]
pub(crate) struct DoorCounters {
    pub(crate) requests: Counter,
    pub(crate) refused: Tally<Refused>,
    pub(crate) spans_received: Counter,
    pub(crate) spans_accepted: Counter,
    pub(crate) spans_rejected: Counter,
    pub(crate) data_points: Counter,
    pub(crate) log_records: Counter,
    pub(crate) profiles: Counter,
}

/// What the pipeline has done since it was started. Maps name every reason, also those that never occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipelineStats {
    /// Requests that reached the door, refused ones included.
    pub requests: u64,
    /// Requests refused as a whole, by reason.
    pub requests_refused: BTreeMap<&'static str, u64>,
    /// Spans in well-formed requests that were not refused.
    pub spans_received: u64,
    /// Those with valid ids; these are what the aggregates count.
    pub spans_accepted: u64,
    /// Those with invalid ids, reported to their senders.
    pub spans_rejected: u64,
    /// Metric data points accepted.
    pub data_points_accepted: u64,
    /// Log records accepted.
    pub log_records_accepted: u64,
    /// Profiles accepted.
    pub profiles_accepted: u64,
    /// Spans kept, by rule.
    pub spans_kept: BTreeMap<&'static str, u64>,
    /// Accepted spans that were not kept, by reason.
    pub spans_unsampled: BTreeMap<&'static str, u64>,
    /// What the rules in dry run would have kept that no earlier rule kept.
    pub rehearsed: BTreeMap<&'static str, Rehearsed>,
    /// Spans whose trace is not decided yet.
    pub spans_undecided: u64,
    /// Traces not decided yet.
    pub traces_undecided: u64,
    /// Traces decided, by what made the decision due.
    pub traces_decided: BTreeMap<&'static str, u64>,
    /// Bytes of undecided traces, shared parts counted once for each trace.
    pub buffer_bytes: u64,
    /// How tight memory is.
    pub memory: MemoryStats,
    /// In the order of the configuration.
    pub exporters: Vec<ExporterStats>,
    /// The durable log, if there is one.
    pub store: Option<StoreStats>,
}

/// How the durable log stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Bytes in it.
    pub bytes: u64,
    /// Bytes it may have.
    pub bytes_max: u64,
    /// Segments of requests whose traces are not all decided.
    pub received_segments: u64,
    /// Segments of requests that are not delivered everywhere.
    pub kept_segments: u64,
    /// Whether it cannot be written at present.
    pub is_failing: bool,
    /// Writes that failed.
    pub write_failures: u64,
    /// Damaged records that were skipped, at least.
    pub records_lost: u64,
    /// Their bytes.
    pub bytes_lost: u64,
    /// Undecided spans of a former life that went back to the sampler; accepted in that life, decided in this one.
    pub spans_recovered: u64,
    /// Requests that had been taken in before although their senders were not told; answered, not taken in again.
    pub requests_repeated: u64,
}

/// How tight memory is, as of the last tenth of a second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStats {
    /// What the process should stay within.
    pub limit_bytes: u64,
    /// What requests being received, the trace buffer and the queues hold.
    pub held_bytes: u64,
    /// What the process occupies, by the system's count.
    pub resident_bytes: u64,
    /// `normal`, `soft`, `lean` (traces alone are taken in) or `hard` (nothing is).
    pub level: &'static str,
}

/// What one exporter has done. An *item* is a span, a data point, a log record or a profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExporterStats {
    /// Its configured name.
    pub name: String,
    /// Items that the destination accepted.
    pub items_exported: u64,
    /// Requests that the destination accepted.
    pub requests_exported: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Attempts made again after a failure.
    pub retries: u64,
    /// Items given up, by reason.
    pub items_dropped: BTreeMap<&'static str, u64>,
    /// Items waiting or being sent.
    pub items_queued: u64,
    /// Bytes waiting or being sent.
    pub queue_bytes: u64,
    /// How it stands to its destination.
    pub circuit: CircuitState,
    /// How often it found the destination down.
    pub circuit_opened: u64,
}

impl PipelineStats {
    /// Spans kept, for whatever reason.
    pub fn kept(&self) -> u64 {
        self.spans_kept.values().sum()
    }

    /// Spans kept on top of the share of ordinary traffic.
    pub fn kept_by_rule(&self) -> u64 {
        let kept = |rule: &Rule| self.spans_kept.get(rule.as_str()).copied().unwrap_or(0);
        [Rule::Error, Rule::Slow].iter().map(kept).sum()
    }
}
