//! How many traces SDKs begin.
//!
//! Answers with which head probabilities the spans of SDKs that can be steered fit into what the others leave. Does not know
//! what the agent keeps of them. Services move together, by one factor, because a callee's spans depend on its callers'
//! probabilities; operations that a goal names come first, the most important before the others, because what a head loses no
//! tail brings back.

use homeostat_core::{Importance, SamplingProbability, SamplingSettings};

use super::allotment::{part, scale};
use super::streams::{Steerable, Stream};
use super::two_digits;

/// Operations leave this much of what they find to the others, as a divisor.
const LEFT_TO_OTHERS: u64 = 10;

/// A head probability for each stream.
pub(super) fn heads(streams: &[Stream<'_>], settings: &SamplingSettings) -> Vec<SamplingProbability> {
    let received = |is_steered: bool| -> u64 {
        streams
            .iter()
            .filter(|stream| (stream.steerable != Steerable::No) == is_steered)
            .map(|stream| stream.received)
            .sum()
    };
    let allowed = settings.received_spans_per_second_max * 1000;
    let left = allowed.saturating_sub(received(false)).max(allowed / 10);
    let settled = streams.iter().all(|stream| stream.steerable != Steerable::NotYetFetched);
    let granted = granted(streams, left);
    let taken: u64 =
        streams.iter().zip(&granted).filter_map(|(stream, head)| Some(part((*head)?, stream.begun()))).sum();
    let ungranted = |(stream, head): (&Stream<'_>, &Option<SamplingProbability>)| match (stream.steerable, head) {
        (Steerable::Yes | Steerable::NotYetFetched, None) => stream.received,
        _ => 0,
    };
    let others: u64 = streams.iter().zip(&granted).map(ungranted).sum();
    let next =
        |(stream, granted): (&Stream<'_>, &Option<SamplingProbability>)| match (stream.steerable, settled, granted) {
            (Steerable::Yes, true, Some(head)) => two_digits(*head).max(settings.floor),
            (Steerable::Yes, true, None) if 0 < others => {
                two_digits(scale(stream.in_force.head, left.saturating_sub(taken), others)).max(settings.floor)
            }
            _ => stream.in_force.head,
        };
    streams.iter().zip(&granted).map(next).collect()
}

/// What goals need, most important first, as far as `left` goes; everything, where everything fits.
fn granted(streams: &[Stream<'_>], left: u64) -> Vec<Option<SamplingProbability>> {
    let mut granted = vec![None; streams.len()];
    let steered = streams.iter().filter(|stream| stream.steerable != Steerable::No);
    let everything_fits = steered.map(Stream::begun).sum::<u64>() <= left;
    let mut left = left;
    for class in Importance::FIRST_TO_LAST {
        for (stream, head) in streams.iter().zip(&mut granted).filter(|(stream, _)| stream.class == class) {
            let (Some(demand), Some(_), false) = (stream.demand, stream.operation, stream.steerable == Steerable::No)
            else {
                continue;
            };
            let wanted = if everything_fits { SamplingProbability::ALWAYS } else { demand.head() };
            let (costs, most) = (part(wanted, stream.begun()), left - left / LEFT_TO_OTHERS);
            let fits = if costs <= most { wanted } else { scale(wanted, most, costs) };
            left -= part(fits, stream.begun()).min(left);
            *head = Some(fits);
        }
    }
    granted
}

impl Stream<'_> {
    /// What would be received if SDKs began every trace.
    fn begun(&self) -> u64 {
        let begun = u128::from(self.received) * 1_000_000 / u128::from(self.in_force.head.ppm().max(1));
        u64::try_from(begun).unwrap_or(u64::MAX)
    }
}
