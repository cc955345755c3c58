//! Recorded arrivals.
//!
//! Answers when each request arrives. A `.delta` file has one number a line: the seconds since the request before it. What
//! is not such a number is refused with its line rather than skipped, because a trace with a hole is another trace.

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

use crate::plants::{PERIOD_S, PERIODS};

/// The largest file that is read. A run's 105 minutes at a thousand requests a second are a quarter of this.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Text of a bad line that is shown.
const SHOWN_MAX: usize = 40;

/// Why a trace cannot be used.
#[derive(Debug, Error)]
pub enum TraceError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It is larger than any trace.
    #[error(
        "{path} has {found} bytes, expected at most {BYTES_MAX}: a run uses the first {RUN_S} seconds only, cut it"
    )]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        found: u64,
    },
    /// A line is no gap.
    #[error("{path}:{line}: expected the seconds since the request before, such as 0.0125, found `{found}`")]
    Line {
        /// The file.
        path: String,
        /// The line, from one.
        line: usize,
        /// What stands there.
        found: String,
    },
    /// There is nothing in it.
    #[error("{path}: expected one number a line, the seconds since the request before, found no request")]
    Empty {
        /// The file.
        path: String,
    },
}

/// The end of a run, in seconds.
const RUN_S: f64 = PERIOD_S * PERIODS as f64;

/// The arrivals of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    instants: Arc<[f64]>,
}

impl Trace {
    /// Reads a `.delta` file.
    pub fn from_path(path: &Path) -> Result<Trace, TraceError> {
        let shown = path.display().to_string();
        let failed = |source| TraceError::Read { path: shown.clone(), source };
        let found = std::fs::metadata(path).map_err(failed)?.len();
        if BYTES_MAX < found {
            return Err(TraceError::TooLarge { path: shown, found });
        }
        // Lossy, so that a file of another kind is refused by its line and not by its encoding.
        let bytes = std::fs::read(path).map_err(failed)?;
        Trace::parse(&shown, &String::from_utf8_lossy(&bytes))
    }

    /// Reads the text of a `.delta` file; `path` is for errors.
    pub fn parse(path: &str, text: &str) -> Result<Trace, TraceError> {
        let mut instants = Vec::new();
        let mut at = 0.0;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            let gap = line.parse().ok().filter(|gap: &f64| gap.is_finite() && 0.0 <= *gap);
            let Some(gap) = gap else {
                let found = line.chars().take(SHOWN_MAX).collect();
                return Err(TraceError::Line { path: path.to_owned(), line: index + 1, found });
            };
            at += gap;
            // Later lines are still checked, but nobody sees those requests.
            if at <= RUN_S {
                instants.push(at);
            }
        }
        if instants.is_empty() {
            return Err(TraceError::Empty { path: path.to_owned() });
        }
        Ok(Trace { instants: instants.into() })
    }

    /// Of instants in seconds since the start, in order.
    pub(crate) fn of(instants: Vec<f64>) -> Trace {
        Trace { instants: instants.into() }
    }

    /// The text of a `.delta` file.
    pub fn to_delta(&self) -> String {
        let before = std::iter::once(&0.0).chain(self.instants.iter());
        self.instants.iter().zip(before).map(|(at, before)| format!("{:.6}\n", at - before)).collect()
    }

    /// When requests arrive, in seconds since the start, in order; what comes after the end of a run is left out.
    pub fn instants(&self) -> &Arc<[f64]> {
        &self.instants
    }

    /// Arrivals per second in each minute of a run.
    pub fn rates(&self) -> Vec<f64> {
        let mut rates = vec![0.0; PERIODS];
        for at in self.instants.iter() {
            // A request at the very end of a minute belongs to it, as in the plant.
            let minute = ((at / PERIOD_S).ceil() as usize).clamp(1, PERIODS) - 1;
            rates[minute] += 1.0 / PERIOD_S;
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: three gaps, a blank line, and a request after the end of a run.
    /// Guarantees: instants are sums of gaps, the blank is nothing, and what nobody would see is left out.
    #[test]
    fn gaps_add_up() {
        let trace = Trace::parse("t.delta", "0.5\n\n1.5\n59\n1e9\n").unwrap();
        assert_eq!(&trace.instants()[..], &[0.5, 2.0, 61.0]);
        assert!((trace.rates()[0] - 2.0 / 60.0).abs() < 1e-12);
        assert!((trace.rates()[1] - 1.0 / 60.0).abs() < 1e-12);
        assert_eq!(Trace::parse("t.delta", &trace.to_delta()).unwrap(), trace);
    }

    /// Scenario: text, negative, endless and undefined gaps, and a file without any.
    /// Guarantees: each is refused with file, line and what is expected.
    #[test]
    fn what_is_no_gap_is_refused_with_its_line() {
        for wrong in ["x", "-1", "inf", "NaN", "1,5", "0.1 0.2", "\u{fffd}"] {
            let error = Trace::parse("t.delta", &format!("0.1\n{wrong}\n")).unwrap_err().to_string();
            assert!(error.starts_with("t.delta:2: expected the seconds"), "{error}");
            assert!(error.ends_with(&format!("found `{wrong}`")), "{error}");
        }
        assert!(matches!(Trace::parse("t.delta", "\n\n"), Err(TraceError::Empty { .. })));
        assert!(matches!(Trace::from_path(Path::new("/nowhere/t.delta")), Err(TraceError::Read { .. })));
    }
}
