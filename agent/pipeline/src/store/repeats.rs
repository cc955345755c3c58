//! Requests that may come twice.
//!
//! Answers whether a request was taken in before although its sender was not told: the connection broke before the answer,
//! or the agent was killed between the two. Such a sender comes back with the same bytes. Whole requests are compared
//! rather than span ids, because some tracers give a call's two ends one id, and of these none may be lost; requests that
//! were answered are not remembered, because whoever sends the same bytes again after an answer means it.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, PoisonError};

use homeostat_core::{Millis, Timestamp};
use tokio::sync::watch;

use crate::config::Telemetry;
use crate::intake::{Accepted, Refusal};

/// Requests remembered; at 32 bytes each a few megabytes.
const REMEMBERED_MAX: usize = 100_000;
/// For how long at least. The SDKs of OpenTelemetry give up within a minute or two.
const REMEMBERED: Millis = Millis::from_secs(150);
/// Bytes at each end of a request that are hashed beside its checksum: they hold ids and times.
const EDGE_BYTES: usize = 512;

/// A request by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    kind: Telemetry,
    length: usize,
    crc: u32,
    edges: u64,
}

impl RequestKey {
    /// The checksum covers every byte; it alone would take one request in four billion for another.
    pub(crate) fn of(kind: Telemetry, body: &[u8]) -> RequestKey {
        let mut hasher = DefaultHasher::new();
        hasher.write(&body[..body.len().min(EDGE_BYTES)]);
        hasher.write(&body[body.len().saturating_sub(EDGE_BYTES)..]);
        RequestKey { kind, length: body.len(), crc: crc32fast::hash(body), edges: hasher.finish() }
    }
}

/// What came of a request, when it is known.
pub(crate) type Outcome = watch::Receiver<Option<Result<Accepted, Refusal>>>;

/// A request that was seen before.
#[derive(Clone, Debug)]
pub(crate) enum Repeat {
    /// It is in the log.
    Taken,
    /// It is still being worked on.
    InProgress(Outcome),
}

#[derive(Debug, Default)]
struct Known {
    young: HashSet<RequestKey>,
    old: HashSet<RequestKey>,
    turned: Timestamp,
    in_progress: HashMap<RequestKey, Outcome>,
}

impl Known {
    fn remember(&mut self, now: Timestamp, key: RequestKey) {
        if self.young.len() >= REMEMBERED_MAX / 2 || now.since(self.turned) >= REMEMBERED {
            self.turned = now;
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key);
    }
}

/// Requests whose senders do not know what came of them.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Mutex<Known>);

impl Repeats {
    /// Whether the request was seen before. A metric or log is recognised once, because a gauge at rest may be sent in the
    /// same bytes again and mean it; two spans of the same bytes are one.
    pub(crate) fn find(&self, key: &RequestKey) -> Option<Repeat> {
        let mut known = self.lock();
        if let Some(outcome) = known.in_progress.get(key) {
            return Some(Repeat::InProgress(outcome.clone()));
        }
        let is_known = match key.kind {
            Telemetry::Traces => known.young.contains(key) || known.old.contains(key),
            _ => known.young.remove(key) || known.old.remove(key),
        };
        is_known.then_some(Repeat::Taken)
    }

    /// It is in the log, and its sender may not know.
    pub(crate) fn remember(&self, now: Timestamp, key: RequestKey) {
        self.lock().remember(now, key);
    }

    /// Its sender went away before the answer. What is in progress is bounded by the requests that are in memory at once.
    pub(crate) fn abandon(&self, now: Timestamp, key: RequestKey, outcome: Outcome) {
        let mut known = self.lock();
        let result = outcome.borrow().clone();
        match result {
            None => drop(known.in_progress.insert(key, outcome)),
            Some(Ok(_)) => known.remember(now, key),
            Some(Err(_)) => {}
        }
    }

    /// The outcome of a request is known; to be called after it was told.
    pub(crate) fn end(&self, now: Timestamp, key: RequestKey) {
        let mut known = self.lock();
        let outcome = known.in_progress.remove(&key);
        if outcome.is_some_and(|outcome| matches!(*outcome.borrow(), Some(Ok(_)))) {
            known.remember(now, key);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: requests that differ in one byte at the start, in the middle or at the end.
    /// Guarantees: each has a key of its own, and equal ones have the same.
    #[test]
    fn every_byte_counts() {
        let body = vec![7_u8; 4096];
        let key = RequestKey::of(Telemetry::Traces, &body);
        assert_eq!(key, RequestKey::of(Telemetry::Traces, &body.clone()));
        assert_ne!(key, RequestKey::of(Telemetry::Logs, &body));
        for at in [0, 2048, 4095] {
            let mut other = body.clone();
            other[at] ^= 1;
            assert_ne!(key, RequestKey::of(Telemetry::Traces, &other), "{at}");
        }
    }

    /// Scenario: a trace request and a log request are remembered, and each comes twice more; then time passes.
    /// Guarantees: the spans are recognised each time until they are forgotten, the log once.
    #[test]
    fn a_repeat_is_recognised() {
        let (repeats, traces) = (Repeats::default(), RequestKey::of(Telemetry::Traces, b"x"));
        let logs = RequestKey::of(Telemetry::Logs, b"x");
        for key in [traces, logs] {
            repeats.remember(Timestamp(1), key);
            assert!(matches!(repeats.find(&key), Some(Repeat::Taken)));
        }
        assert!(repeats.find(&traces).is_some() && repeats.find(&logs).is_none());
        for turn in [1, 2] {
            repeats
                .remember(Timestamp(1) + Millis(turn * REMEMBERED.0), RequestKey::of(Telemetry::Logs, &[turn as u8]));
        }
        assert!(repeats.find(&traces).is_none());
    }
}
