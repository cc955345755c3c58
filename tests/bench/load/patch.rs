//! What changes from request to request.
//!
//! Answers where ids and times lie in an encoded request, and writes new ones there. Does not know how requests are built.
//! Trace ids follow from the trace's number, so that all requests of a split trace agree without remembering anything.

use crate::Outcome;
use crate::template::Workload;
use crate::wire::{self, Malformed, SpanAt};

/// One place in a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch {
    at: u32,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// The id of the request's n-th trace.
    Trace(u32),
    /// The id of a span: of the request's n-th trace, at this depth.
    Span(u32, u32),
    /// So many nanoseconds ago.
    Ago(u64),
}

/// Finds all places of an encoded request. `spans_per_request`: how many spans in a row belong to one trace.
pub(crate) fn find(request: &[u8], workload: Workload, spans_per_request: usize) -> Outcome<Vec<Patch>> {
    let mut patches = Vec::new();
    let mut place = |at: usize, what: What| patches.push(Patch { at: at as u32, what });
    let mut index = 0;
    let found = wire::items(request, |service, item| {
        match workload {
            Workload::Whole | Workload::Split => {
                let first_depth = if workload == Workload::Split { number_in(service) * spans_per_request } else { 0 };
                let depth = (first_depth + index % spans_per_request) as u32;
                span_places(&wire::span(service, item)?, (index / spans_per_request) as u32, depth, &mut place);
                index += 1;
            }
            Workload::Logs => {
                place(wire::first_at(item, 1)?, What::Ago(0));
                place(wire::first_at(item, 11)?, What::Ago(0));
            }
            Workload::Metrics => wire::points(item, |point| {
                place(wire::first_at(point, 3)?, What::Ago(0));
                Ok(())
            })?,
        }
        Ok(())
    });
    found.map_err(|Malformed| "the request that was built cannot be read back")?;
    Ok(patches)
}

/// The number at the end of a service's name; the value is a message that holds the text.
fn number_in(service: &[u8]) -> usize {
    let digits = service.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let digits = &service[service.len() - digits..];
    digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

/// A chain of calls: each span is the parent of the next, and shorter by half a millisecond.
fn span_places(span: &SpanAt<'_>, trace: u32, depth: u32, place: &mut impl FnMut(usize, What)) {
    let nanos = 1_000_000 * (5 + u64::from(trace) * 7919 % 75) - 500_000 * u64::from(depth.min(9));
    place(span.trace_at, What::Trace(trace));
    place(span.span_at, What::Span(trace, depth));
    if span.parent_at != 0 {
        place(span.parent_at, What::Span(trace, depth.saturating_sub(1)));
    }
    place(span.start_at, What::Ago(nanos));
    place(span.end_at, What::Ago(0));
    if span.event_at != 0 {
        place(span.event_at, What::Ago(0));
    }
}

/// Spreads a number over all bits (the finalizer of splitmix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// Writes what changes. Traces are numbered from `first_trace`; `salt` keeps two runs apart.
pub(crate) fn write(request: &mut [u8], patches: &[Patch], salt: u64, first_trace: u64, now_unix_nano: u64) {
    let key = |trace: u32| mix((first_trace + u64::from(trace)).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt);
    for patch in patches {
        let at = patch.at as usize;
        match patch.what {
            What::Trace(trace) => {
                let low = key(trace);
                request[at..at + 8].copy_from_slice(&mix(low ^ 0x5851_F42D_4C95_7F2D).to_be_bytes());
                request[at + 8..at + 16].copy_from_slice(&low.to_be_bytes());
            }
            What::Span(trace, depth) => {
                let id = key(trace).wrapping_add(0x9E37_79B9 * (u64::from(depth) + 1));
                request[at..at + 8].copy_from_slice(&id.to_be_bytes());
            }
            What::Ago(nanos) => request[at..at + 8].copy_from_slice(&(now_unix_nano - nanos).to_le_bytes()),
        }
    }
}
