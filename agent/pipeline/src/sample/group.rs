//! The traces of one request.
//!
//! Answers which spans of a request belong to one trace, and what they say about it together. Does not know spans that
//! came earlier. Traces are looked up once per request instead of once per span: most senders put spans of a trace side by
//! side.

use hashbrown::HashTable;
use homeostat_core::SamplingProbability;

use super::Source;
use super::threshold::Randomness;
use super::tracestate;
use crate::aggregate::Counted;
use crate::views::SpanView;

/// The end of a chain.
const NONE: u32 = u32::MAX;

/// What a trace hangs on: the span after which the others are expected within a time that can be learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) standing: Standing,
    /// Of the earliest span of this standing.
    pub(super) start_unix_nano: u64,
    /// Its operation, with service and kind.
    pub(super) operation: u64,
    /// Its service.
    pub(super) service: u64,
    pub(super) duration_nanos: u64,
}

/// How near to the top of its trace a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// Somewhere inside.
    Inner,
    /// Where the trace enters a service.
    Entry,
    /// The top.
    Root,
}

impl Anchor {
    fn of(span: &Counted<'_>, source: &Source<'_>) -> Anchor {
        let standing = match (span.ids.parent, span.view.is_served()) {
            (None, _) => Standing::Root,
            (_, true) => Standing::Entry,
            _ => Standing::Inner,
        };
        Anchor {
            standing,
            start_unix_nano: span.view.start_unix_nano,
            operation: span.operation,
            service: source.service.key,
            duration_nanos: span.view.duration_nanos(),
        }
    }

    /// The one nearer to the top; of equals the earlier.
    pub(super) fn better(self, other: Anchor) -> Anchor {
        let rank = |anchor: &Anchor| (anchor.standing, std::cmp::Reverse(anchor.start_unix_nano));
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// The spans of one trace in one request.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) trace: [u8; 16],
    pub(super) hash: u64,
    pub(super) spans: u32,
    pub(super) bytes: usize,
    pub(super) error: bool,
    pub(super) slow: bool,
    pub(super) randomness: Randomness,
    pub(super) anchor: Anchor,
    /// The highest tail probability among the services it touches.
    pub(super) share: SamplingProbability,
    first: u32,
    last: u32,
}

/// All traces of one request, in order of their first span.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// For each span the next one of its trace.
    next: Vec<u32>,
}

impl Groups {
    pub(super) fn of(spans: &[Counted<'_>], sources: &[Source<'_>]) -> Groups {
        let mut groups = Groups { groups: Vec::with_capacity(spans.len() / 4 + 1), next: vec![NONE; spans.len()] };
        let mut table: HashTable<u32> = HashTable::new();
        let mut current = NONE;
        for (index, span) in (0_u32..).zip(spans) {
            let source = &sources[span.source as usize];
            let same = |group: &u32| groups.groups[*group as usize].trace == span.ids.trace;
            if current == NONE || !same(&current) {
                current = table.find(span.trace_hash, same).copied().unwrap_or(NONE);
            }
            if current != NONE {
                groups.join(current, index, span, source);
                continue;
            }
            current = groups.groups.len() as u32;
            groups.groups.push(Group::new(index, span, source));
            table.insert_unique(span.trace_hash, current, |group| groups.groups[*group as usize].hash);
        }
        groups
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter()
    }

    /// The indices of a trace's spans, in order.
    pub(super) fn spans(&self, group: &Group) -> impl Iterator<Item = usize> + Clone {
        let first = Some(group.first);
        std::iter::successors(first, |index| Some(self.next[*index as usize]).filter(|next| *next != NONE))
            .map(|index| index as usize)
    }

    fn join(&mut self, group: u32, index: u32, span: &Counted<'_>, source: &Source<'_>) {
        let group = &mut self.groups[group as usize];
        self.next[group.last as usize] = index;
        group.last = index;
        group.spans += 1;
        group.bytes += span.view.raw.len();
        group.error |= span.view.is_error();
        group.slow |= span.slow;
        group.anchor = group.anchor.better(Anchor::of(span, source));
        group.share = group.share.max(source.share);
        if let Some(randomness) = explicit_randomness(span.view) {
            group.randomness = randomness;
        }
    }
}

impl Group {
    fn new(index: u32, span: &Counted<'_>, source: &Source<'_>) -> Group {
        Group {
            trace: span.ids.trace,
            hash: span.trace_hash,
            spans: 1,
            bytes: span.view.raw.len(),
            error: span.view.is_error(),
            slow: span.slow,
            randomness: explicit_randomness(span.view).unwrap_or(Randomness::of(&span.ids.trace)),
            anchor: Anchor::of(span, source),
            share: source.share,
            first: index,
            last: index,
        }
    }
}

fn explicit_randomness(span: &SpanView<'_>) -> Option<Randomness> {
    if span.trace_state.is_empty() { None } else { tracestate::read(span.trace_state).randomness }
}
