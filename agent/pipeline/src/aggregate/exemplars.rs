//! Examples of what a series counts.
//!
//! Answers which spans stand for a series until it is next exported: at most two. Does not know what is kept, because that
//! is decided later; it prefers what is kept if anything is. Of the ordinary spans that is the one whose trace has most
//! randomness, for consistent probability keeps from there downwards; of the slow ones it is the slowest, for slow ones are
//! kept by rule. Errors have a series of their own and are kept by rule too. The latest span would be simpler, and most
//! often lead to a trace that was dropped.

use super::Counted;
use crate::sample::Randomness;

/// One span of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exemplar {
    pub(crate) trace: [u8; 16],
    pub(crate) span: [u8; 8],
    pub(crate) nanos: u64,
    pub(crate) end_unix_nano: u64,
}

/// The spans that stand for one series.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exemplars {
    likeliest: Option<(Randomness, Exemplar)>,
    slowest: Option<Exemplar>,
}

impl Exemplars {
    /// Looks at one span.
    pub(crate) fn offer(&mut self, span: &Counted<'_>, nanos: u64) {
        let randomness = Randomness::of(&span.ids.trace);
        if self.likeliest.is_none_or(|(most, _)| most < randomness) {
            self.likeliest = Some((randomness, exemplar(span, nanos)));
        }
        if span.slow && self.slowest.is_none_or(|slowest| slowest.nanos < nanos) {
            self.slowest = Some(exemplar(span, nanos));
        }
    }

    /// Those found since the last call.
    pub(crate) fn take(&mut self) -> Vec<Exemplar> {
        let likeliest = self.likeliest.take().map(|(_, exemplar)| exemplar);
        let slowest = self.slowest.take().filter(|slowest| Some(*slowest) != likeliest);
        likeliest.into_iter().chain(slowest).collect()
    }
}

fn exemplar(span: &Counted<'_>, nanos: u64) -> Exemplar {
    Exemplar { trace: span.ids.trace, span: span.ids.span, nanos, end_unix_nano: span.view.end_unix_nano }
}
