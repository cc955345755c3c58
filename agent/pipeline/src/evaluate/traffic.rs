//! Recorded traffic, ready to be judged again and again.
//!
//! Answers what each trace consists of, in the order in which they completed. Does not keep names twice, nor the ids of
//! spans: only what the judge and the estimates look at.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use homeostat_core::{SamplingProbability, Seed, Timestamp};
use rand::Rng;

use crate::sample::threshold::Randomness;
use crate::sample::{Facts, Node, Shape, Shaper, mix};

/// What a span takes in OTLP on average; files do not say.
const SPAN_BYTES: u32 = 334;

/// One span as it is read or made.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanRow {
    pub(super) trace: u32,
    /// Hash of its id.
    pub(super) span: u64,
    /// Hash of its parent's id; 0: none.
    pub(super) parent: u64,
    pub(super) operation: u32,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) error: bool,
}

/// What estimates look at.
#[derive(Clone, Copy, Debug)]
pub(super) struct SpanFact {
    pub(super) operation: u32,
    pub(super) error: bool,
    pub(super) duration_ns: u64,
}

/// One trace.
#[derive(Clone, Debug)]
pub(super) struct TraceFact {
    /// From which its dice are drawn.
    pub(super) key: u64,
    pub(super) spans: Range<usize>,
    pub(super) completed_ns: u64,
    pub(super) shape: Shape,
    pub(super) root_operation: u32,
    pub(super) duration_ns: u64,
    pub(super) error: bool,
}

/// Traces in the order in which they completed.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Service and operation by number.
    pub(super) operations: Vec<(String, String)>,
    pub(super) spans: Vec<SpanFact>,
    pub(super) traces: Vec<TraceFact>,
    pub(super) began_ns: u64,
}

impl Traffic {
    /// Groups spans by trace. `keys` are the traces' own, from which their dice are drawn.
    pub(super) fn new(operations: Vec<(String, String)>, mut rows: Vec<SpanRow>, keys: &[u64]) -> Traffic {
        rows.sort_by_key(|row| (row.trace, row.start_ns));
        let ops: Vec<u64> = operations.iter().map(|(service, operation)| operation_key(service, operation)).collect();
        let began_ns = rows.iter().map(|row| row.start_ns).min().unwrap_or(0);
        let mut traffic = Traffic { operations, spans: Vec::with_capacity(rows.len()), traces: Vec::new(), began_ns };
        let (mut shaper, mut nodes) = (Shaper::default(), Vec::new());
        for rows in rows.chunk_by(|left, right| left.trace == right.trace) {
            nodes.clear();
            nodes.extend(rows.iter().map(|row| node(row, &ops)));
            let first = traffic.spans.len();
            traffic.spans.extend(rows.iter().map(|row| SpanFact {
                operation: row.operation,
                error: row.error,
                duration_ns: row.end_ns.saturating_sub(row.start_ns),
            }));
            let whole = rows.iter().find(|row| row.parent == 0).unwrap_or(&rows[0]);
            let longest = |row: &SpanRow| row.end_ns.saturating_sub(row.start_ns);
            let measured = if whole.parent == 0 { Some(whole) } else { rows.iter().max_by_key(|row| longest(row)) };
            traffic.traces.push(TraceFact {
                key: keys[rows[0].trace as usize],
                spans: first..traffic.spans.len(),
                completed_ns: rows.iter().map(|row| row.end_ns.max(row.start_ns)).max().unwrap_or(0),
                shape: shaper.shape(&nodes),
                root_operation: whole.operation,
                duration_ns: measured.map_or(0, longest),
                error: rows.iter().any(|row| row.error),
            });
        }
        traffic.traces.sort_by_key(|trace| (trace.completed_ns, trace.key));
        traffic
    }

    /// How many traces there are.
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    /// When a trace completed, from the beginning of the traffic.
    pub(super) fn completed(&self, trace: &TraceFact) -> Timestamp {
        Timestamp(trace.completed_ns.saturating_sub(self.began_ns) / 1_000_000)
    }

    /// How long it lasts, at least a millisecond.
    pub(super) fn seconds(&self) -> f64 {
        let ended = self.traces.last().map_or(0, |trace| trace.completed_ns);
        (ended.saturating_sub(self.began_ns) as f64 / 1e9).max(1e-3)
    }

    /// What the judge is told of a trace.
    pub(super) fn facts(&self, trace: &TraceFact, share: SamplingProbability, randomness: Randomness) -> Facts {
        let spans = u32::try_from(trace.spans.len()).unwrap_or(u32::MAX);
        let (service, operation) = &self.operations[trace.root_operation as usize];
        Facts {
            randomness,
            spans,
            bytes: spans.saturating_mul(SPAN_BYTES),
            error: trace.error,
            slow: false,
            root: operation_key(service, operation),
            duration_nanos: trace.duration_ns,
            shape: trace.shape,
            share,
            is_promised: false,
        }
    }

    /// Distinct structures among `traces`, as sets of edges and as trees.
    pub(super) fn shapes<'a>(traces: impl Iterator<Item = &'a TraceFact>) -> (BTreeSet<u64>, BTreeSet<u64>) {
        traces.map(|trace| (trace.shape.coarse, trace.shape.tree)).unzip()
    }

    /// How many services there are.
    pub(super) fn services(&self) -> usize {
        self.operations.iter().map(|(service, _)| service).collect::<BTreeSet<_>>().len()
    }

    /// The spans of each operation, with the number of their trace.
    pub(super) fn by_operation(&self) -> BTreeMap<u32, u64> {
        let mut counts = BTreeMap::new();
        self.spans.iter().for_each(|span| *counts.entry(span.operation).or_default() += 1);
        counts
    }
}

/// The die of a trace in one run. Files' ids are often not random, so it is drawn from them instead of read from them.
pub(super) fn die(key: u64, seed: u64, run: u32) -> Randomness {
    let drawn = mix(mix(key, seed), u64::from(run) ^ 0x6469_6573);
    let mut id = [0; 16];
    id[8..].copy_from_slice(&drawn.to_be_bytes());
    Randomness::of(&id)
}

/// A key for `text`, above zero.
pub(super) fn key_of(text: &[u8]) -> u64 {
    // FNV-1a, mixed once more so that every bit counts.
    let hash = text
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    mix(hash, text.len() as u64).max(1)
}

/// Random keys for generated traces.
pub(super) fn random_keys(seed: u64, count: usize) -> Vec<u64> {
    let mut stream = Seed(seed).stream("evaluate/keys");
    (0..count).map(|_| stream.next_u64()).collect()
}

fn operation_key(service: &str, operation: &str) -> u64 {
    mix(key_of(service.as_bytes()), key_of(operation.as_bytes()))
}

fn node(row: &SpanRow, ops: &[u64]) -> Node {
    Node { span: row.span, parent: row.parent, op: ops[row.operation as usize], error: row.error }
}
