//! How good the sampler is.
//!
//! Answers, for recorded or generated traffic and a budget: which structures, failures and operations survive sampling, how
//! well what is kept estimates what was there, and what deciding costs. Runs the very judge that decides in production; it
//! knows nothing of buffers and doors, which have their own tests. A sampler that is measured by another program than the
//! one that runs is not measured.

mod csv;
mod estimate;
mod generate;
mod intervals;
mod replay;
mod report;
mod traffic;

pub use csv::{CsvError, read as read_csv};
pub use generate::{Profile, generate};
pub use report::{Cost, Coverage, Evaluation, IntervalReport, Kept, OperationRow, TrafficSummary, evaluate};
pub use traffic::Traffic;

/// What is asked of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The share of traces, and of spans, that may be kept; failures count.
    pub budget: f64,
    /// How often sampling is repeated with other dice to see whether intervals cover; 0: not at all.
    pub runs: u32,
    /// The first die's seed.
    pub seed: u64,
}
