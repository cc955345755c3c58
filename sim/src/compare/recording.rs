//! Recordings, read without being told their columns.
//!
//! Answers what a file of arrivals holds. A column of time stamps with other columns beside it is one request a row. Two
//! columns, a stamp and a number, are counts, and each row is played as so many seconds, with a straight line to the next.
//! One number a line without a heading is the gap since the request before. Counts whose file says `log` in its name are
//! logarithms, as in the data that ships with forecasting libraries.

use std::path::Path;

use crate::workloads::{RecordedError, Source, read_recording};

/// The rows of a recording of counts that are played; a run of them is bounded by its seconds as well.
const ROWS_MAX: usize = 100_000;

/// What was recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// Single requests.
    Requests {
        /// The file's name.
        name: String,
        /// Microseconds since the first.
        instants: Vec<u64>,
    },
    /// How many came when; only the proportions count.
    Rates {
        /// The file's name.
        name: String,
        /// What it is.
        about: String,
        /// Second by second, in a unit of its own.
        per_second: Vec<f64>,
    },
}

impl Recorded {
    /// Reads a file; a row of counts takes `row_s` seconds.
    pub fn from_path(path: &Path, row_s: usize) -> Result<Recorded, RecordedError> {
        let text = read_recording(path)?;
        let shown = path.display().to_string();
        let name = path.file_stem().map_or_else(|| shown.clone(), |stem| stem.to_string_lossy().into_owned());
        Recorded::read(&name, Source { path: &shown, text: &text }, row_s)
    }

    fn read(name: &str, source: Source<'_>, row_s: usize) -> Result<Recorded, RecordedError> {
        let header = source.text.lines().next().unwrap_or_default().trim_start_matches('\u{feff}');
        let columns: Vec<&str> = header.split(',').map(|column| column.trim().trim_matches('"')).collect();
        let name = name.to_owned();
        if columns.len() == 1 && columns[0].parse::<f64>().is_ok() {
            return Ok(Recorded::Requests { name, instants: source.gaps()? });
        }
        if let [at, count] = columns[..] {
            let rows = source.counts(at, count)?;
            return Ok(of_counts(name, &rows, row_s));
        }
        let stamps = columns.first().copied().unwrap_or_default();
        Ok(Recorded::Requests { name, instants: source.arrivals(stamps)? })
    }
}

fn of_counts(name: String, rows: &[(u64, f64)], row_s: usize) -> Recorded {
    let are_logarithms = name.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|word| word == "log");
    let value = |count: f64| if are_logarithms { count.min(700.0).exp() } else { count };
    let distance = rows.windows(2).map(|pair| pair[1].0 - pair[0].0).min().unwrap_or(1).max(1);
    let mut per_second = Vec::new();
    for pair in rows.windows(2) {
        let (from, to) = (value(pair[0].1), value(pair[1].1));
        let steps = ((pair[1].0 - pair[0].0) as f64 / distance as f64).round() as usize;
        let length = steps.clamp(1, ROWS_MAX) * row_s;
        if ROWS_MAX * row_s < per_second.len() + length {
            break;
        }
        per_second.extend((0..length).map(|second| from + (to - from) * second as f64 / length as f64));
    }
    let about = format!("{} counts, each played in {row_s} s", rows.len());
    Recorded::Rates { name, about, per_second }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Recorded {
        Recorded::read(name, Source { path: "t.csv", text }, 4).unwrap()
    }

    /// Scenario: requests with their sizes, counts, logarithms of counts with a day missing, and bare gaps.
    /// Guarantees: each is told apart by itself; counts become straight lines, and a gap is bridged by one.
    #[test]
    fn recordings_are_told_apart() {
        let Recorded::Requests { instants, .. } =
            read("a", "T,x,y\n2023-01-01 00:00:01.5,1,2\n2023-01-01 00:00:01,1,2\n")
        else {
            panic!("requests")
        };
        assert_eq!(instants, [0, 500_000]);
        let Recorded::Requests { instants, .. } = read("a", "0.5\n0.25\n0\n") else { panic!("gaps") };
        assert_eq!(instants, [500_000, 750_000, 750_000]);
        let rates = |name, text| match read(name, text) {
            Recorded::Rates { per_second, .. } => per_second,
            other => panic!("{other:?}"),
        };
        assert_eq!(rates("a", "ds,y\n2023-01-02,8\n2023-01-01,4\n"), [4.0, 5.0, 6.0, 7.0]);
        let logs = rates("wp_log_a", "ds,y\n2023-01-01,0\n2023-01-02,0\n2023-01-04,0\n");
        assert_eq!(logs, [1.0; 12]);
    }
}
