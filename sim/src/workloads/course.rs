//! A rate written down second by second, or the instants of single requests.

use serde::Deserialize;

use crate::scenario::Problems;
use crate::workloads::arrivals::Arrivals;
use crate::workloads::{Shape, check_rate};

/// A rate written down second by second, or the instants of single requests.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Course {
    /// Thousandths of a request per second, second by second; silence afterwards.
    pub(crate) milli_per_second: Vec<u64>,
    /// Single requests; if there are any, the rates only say how many come in each second.
    #[serde(skip)]
    pub(crate) requests: Option<Arrivals>,
}

impl Course {
    /// Requests at these instants, in microseconds since the start, over `seconds`.
    pub(crate) fn of_requests(instants: Vec<u64>, seconds: usize) -> Course {
        let arrivals = Arrivals::new(instants);
        let count = |second| arrivals.within_second(second, 10_000) * 1000;
        Course { milli_per_second: (0..seconds as u64).map(count).collect(), requests: Some(arrivals) }
    }
}

impl Shape for Course {
    fn milli_per_second(&self, at_s: u64) -> u64 {
        self.milli_per_second.get(at_s as usize).copied().unwrap_or(0)
    }

    fn arrivals(&self) -> Option<(&Arrivals, u64)> {
        self.requests.as_ref().map(|requests| (requests, 10_000))
    }

    /// The end: what is written down changes as it likes.
    fn calm_from_s(&self) -> u64 {
        self.milli_per_second.len() as u64
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        let highest = self.milli_per_second.iter().max().map_or(0, |highest| highest.div_ceil(1000));
        check_rate(path, "milli_per_second", u32::try_from(highest).unwrap_or(u32::MAX), problems);
        if highest == 0 {
            problems.add(format!("{path}.milli_per_second"), "has no second in which a request comes".to_owned());
        }
    }
}
