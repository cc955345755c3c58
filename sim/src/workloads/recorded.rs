//! Recordings of load.
//!
//! Answers what a CSV file says of past arrivals: either one row per request, or one row per interval with its number of
//! requests. What cannot be read is refused with file, line and column rather than skipped, because a recording with a hole
//! is another recording.

use std::path::Path;

use thiserror::Error;

use crate::workloads::stamps;

/// The largest file that is read: some ten million requests.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Text of a bad field that is shown.
const SHOWN_MAX: usize = 40;

/// Why a recording cannot be played.
#[derive(Debug, Error)]
pub enum RecordedError {
    /// It cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It is larger than any recording.
    #[error("{path} has {found} bytes, expected at most {BYTES_MAX}; cut it")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size.
        found: u64,
    },
    /// Its first line does not name a column that is asked for.
    #[error("{path}:1: expected a column called {wanted}, found {found}")]
    Column {
        /// The file.
        path: String,
        /// The column.
        wanted: String,
        /// The columns there are.
        found: String,
    },
    /// A field is not what its column holds.
    #[error("{path}:{line}:{column}: expected {expected}, found `{found}`")]
    Field {
        /// The file.
        path: String,
        /// The line, from one.
        line: usize,
        /// The first character of the field, from one.
        column: usize,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// There is too little in it.
    #[error("{path}: expected at least {expected} below the names of the columns, found {found}")]
    Short {
        /// The file.
        path: String,
        /// What is needed.
        expected: &'static str,
        /// How many rows there are.
        found: usize,
    },
}

/// A text with its name, for errors.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
}

/// Reads the text of a recording.
pub(crate) fn read(path: &Path) -> Result<String, RecordedError> {
    let shown = path.display().to_string();
    let failed = |source| RecordedError::Read { path: shown.clone(), source };
    let found = std::fs::metadata(path).map_err(failed)?.len();
    if BYTES_MAX < found {
        return Err(RecordedError::TooLarge { path: shown, found });
    }
    // Lossy, so that a file of another kind is refused by its line and not by its encoding.
    Ok(String::from_utf8_lossy(&std::fs::read(path).map_err(failed)?).into_owned())
}

impl Source<'_> {
    /// When each request came: microseconds since the first of them, in ascending order.
    pub(crate) fn arrivals(self, column: &str) -> Result<Vec<u64>, RecordedError> {
        let [place] = self.places([column])?;
        let stamps: Result<Vec<i64>, _> = self.rows().map(|(line, row)| self.stamp(line, row, place)).collect();
        let mut stamps = stamps?;
        stamps.sort_unstable();
        let Some(first) = stamps.first().copied() else { return Err(self.short("one request", 0)) };
        Ok(stamps.into_iter().map(|stamp| stamp.abs_diff(first)).collect())
    }

    /// How many requests came in each interval: when it began, in microseconds since the first, and their number.
    pub(crate) fn counts(self, at: &str, count: &str) -> Result<Vec<(u64, f64)>, RecordedError> {
        let [at, count] = self.places([at, count])?;
        let row = |(line, row)| Ok((self.stamp(line, row, at)?, self.count(line, row, count)?));
        let mut rows = self.rows().map(row).collect::<Result<Vec<(i64, f64)>, _>>()?;
        rows.sort_by_key(|row| row.0);
        rows.dedup_by_key(|row| row.0);
        if rows.len() < 2 {
            return Err(self.short("two intervals", rows.len()));
        }
        let first = rows[0].0;
        Ok(rows.into_iter().map(|(stamp, count)| (stamp.abs_diff(first), count)).collect())
    }

    /// When each request came, of a file that has one number a line: the seconds since the request before.
    pub(crate) fn gaps(self) -> Result<Vec<u64>, RecordedError> {
        let mut at_s = 0.0;
        let mut gap = |(line, row)| {
            let parse = |text: &str| text.trim().parse().ok().filter(|gap: &f64| (0.0..1e9).contains(gap));
            at_s += self.field(line, row, 0, "seconds since the request before, such as 0.25", parse)?;
            Ok((at_s * 1e6) as u64)
        };
        let lines = self.text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty());
        lines.map(|(index, row)| gap((index + 1, row))).collect()
    }

    /// Where the columns of these names stand.
    fn places<const N: usize>(self, wanted: [&str; N]) -> Result<[usize; N], RecordedError> {
        let header = self.text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
        let names: Vec<&str> = fields(header).map(|(_, name)| name).collect();
        let mut places = [0; N];
        for (place, wanted) in places.iter_mut().zip(wanted) {
            let found = names.iter().position(|name| *name == wanted);
            *place = found.ok_or_else(|| RecordedError::Column {
                path: self.path.to_owned(),
                wanted: wanted.to_owned(),
                found: shown(&names.join(", ")),
            })?;
        }
        Ok(places)
    }

    /// Everything below the first line but blank lines, with its line's number.
    fn rows(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().skip(1);
        lines.filter(|(_, row)| !row.trim().is_empty()).map(|(index, row)| (index + 1, row))
    }

    fn stamp(&self, line: usize, row: &str, place: usize) -> Result<i64, RecordedError> {
        self.field(line, row, place, stamps::FORMS, stamps::parse)
    }

    fn count(&self, line: usize, row: &str, place: usize) -> Result<f64, RecordedError> {
        let parse = |text: &str| text.trim().parse().ok().filter(|count: &f64| count.is_finite() && 0.0 <= *count);
        self.field(line, row, place, "a number of requests, such as 120", parse)
    }

    fn field<T>(
        &self,
        line: usize,
        row: &str,
        place: usize,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, RecordedError> {
        let end = (row.len(), "");
        let (start, text) = fields(row).nth(place).unwrap_or(end);
        parse(text).ok_or_else(|| RecordedError::Field {
            path: self.path.to_owned(),
            line,
            column: row[..start].chars().count() + 1,
            expected,
            found: shown(text),
        })
    }

    pub(crate) fn short(&self, expected: &'static str, found: usize) -> RecordedError {
        RecordedError::Short { path: self.path.to_owned(), expected, found }
    }
}

/// The fields of a row, each with where it begins. A comma within quotation marks belongs to the field.
fn fields(row: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut quoted = false;
    let pieces = row.split(move |letter| {
        quoted ^= letter == '"';
        letter == ',' && !quoted
    });
    let mut start = 0;
    pieces.map(move |piece| {
        let at = start;
        start += piece.len() + 1;
        (at, piece.trim().trim_matches('"'))
    })
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source<'_> {
        Source { path: "t.csv", text }
    }

    /// Scenario: one row per request with other columns beside, and one row per day, quoted and out of order.
    /// Guarantees: the right columns are read, and time begins with the first.
    #[test]
    fn both_kinds_of_recordings_are_read() {
        let requests = "TIMESTAMP,Tokens\r\n2023-11-16 18:17:03.5,4808\r\n2023-11-16 18:17:04.25,3180\r\n";
        assert_eq!(source(requests).arrivals("TIMESTAMP").unwrap(), [0, 750_000]);
        let days = "\"ds\",\"y\"\n\"2008-01-31\",6.5\n\n\"2008-01-30\",5\n";
        assert_eq!(source(days).counts("ds", "y").unwrap(), [(0, 5.0), (86_400_000_000, 6.5)]);
    }

    /// Scenario: a missing column, fields of the wrong kind, a row that ends early, and too few rows.
    /// Guarantees: each is refused with what was expected and where, counted in characters.
    #[test]
    fn what_cannot_be_read_is_refused_where_it_stands() {
        let check = |text: &str, expected: &str| {
            let error = source(text).counts("at", "n").unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("at,m\n1,2\n", "t.csv:1: expected a column called n, found at, m");
        check("at,n\n1,2\n2,x\n", "t.csv:3:3: expected a number of requests, such as 120, found `x`");
        check("name,at,n\nä,later,2\n", "t.csv:2:3: expected seconds such as 12.5");
        check("at,n\n1\n", "t.csv:2:2: expected a number of requests");
        check("at,n\n1,-2\n", "found `-2`");
        check("at,n\n1,2\n", "expected at least two intervals below the names of the columns, found 1");
        check("", "expected a column called at");
        assert!(source("at\n").arrivals("at").unwrap_err().to_string().contains("one request"));
        assert!(matches!(read(Path::new("/nowhere/t.csv")), Err(RecordedError::Read { .. })));
    }
}
