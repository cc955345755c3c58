//! What is known about a trace when it is decided.
//!
//! Answers nothing by itself: it is the one noun between the buffer, which knows spans, and the judge, which knows traces.

use homeostat_core::SamplingProbability;

use super::shape::Shape;
use super::threshold::Randomness;

/// What is known about a trace when it is decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// Its own die.
    pub(crate) randomness: Randomness,
    /// How many spans it has.
    pub(crate) spans: u32,
    /// How many bytes they take.
    #[expect(dead_code, reason = "for the cap, which the sampler does not ask yet")]
    pub(crate) bytes: u32,
    /// Whether a span failed.
    pub(crate) error: bool,
    /// Whether an entry span was above its service's threshold.
    pub(crate) slow: bool,
    /// Key of service and operation of the root, or of the earliest span if no root arrived.
    pub(crate) root: u64,
    /// Of the root, or of the longest span.
    pub(crate) duration_nanos: u64,
    /// Its structure.
    pub(crate) shape: Shape,
    /// The share of ordinary traffic that may be kept: the highest tail probability among the services touched.
    pub(crate) share: SamplingProbability,
    /// Whether the share was decided for the root's operation by itself. It is then the least with which the trace is kept, and
    /// nothing of it is spent on others.
    pub(crate) is_promised: bool,
}
