//! How much is taken in.
//!
//! Answers the bounds an operator has set for requests, connections and memory. Does not know the defaults: they depend on
//! the machine, and the data plane finds them.

use super::Report;
use super::scalars;
use super::section::Section;

/// Bounds; `None` where the data plane chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intake {
    /// The largest request, before and after inflation.
    pub(crate) request_bytes_max: Option<usize>,
    /// Connections of each OTLP door.
    pub(crate) connections_max: Option<usize>,
    /// Memory of the whole process.
    pub(crate) memory_bytes_max: Option<usize>,
}

impl Intake {
    /// Reads `limits` of `spec.receivers`.
    pub(super) fn read_limits(&mut self, receivers: &mut Section<'_>, report: &mut Report) {
        let Some(mut limits) = receivers.section("limits", report) else {
            return;
        };
        self.request_bytes_max = limits.get("request", report, scalars::bytes);
        self.connections_max = limits.get("connections", report, scalars::count).map(|count| count as usize);
        limits.close(report);
    }

    /// Reads `spec.memory`.
    pub(super) fn read_memory(&mut self, spec: &mut Section<'_>, report: &mut Report) {
        let Some(mut memory) = spec.section("memory", report) else {
            return;
        };
        self.memory_bytes_max = memory.get("limit", report, scalars::bytes);
        memory.close(report);
    }
}
