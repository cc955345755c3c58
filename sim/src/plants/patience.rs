//! Patience.
//!
//! Answers who gives up next. Everybody in one line waits equally long, so those who give up next are first in line and one
//! timer per line is enough. Each service has a line, and each call with a timeout of its own.

use std::collections::VecDeque;

use homeostat_core::Micros;

use crate::plants::queueing::VisitId;
use crate::queue::SimTime;

/// What a caller waits for, at most until `at`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) at: SimTime,
    pub(crate) visit: VisitId,
    pub(crate) generation: u32,
}

/// Callers that wait equally long.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) timeout: Micros,
    pub(crate) callers: VecDeque<Patience>,
    pub(crate) timer_set: bool,
}

impl Line {
    pub(crate) fn new(timeout: Micros) -> Line {
        Line { timeout, callers: VecDeque::new(), timer_set: false }
    }
}
