//! Spans in a text file.
//!
//! Answers what a file with one span a line says, or in which line and column it says something that is none. Columns are
//! found by their names, in any order, and others are passed over. Fields may be quoted as RFC 4180 has it. Read by hand
//! because the place of a mistake must be told in the words of this format.

use std::collections::HashMap;
use std::io::{self, BufRead};

use thiserror::Error;

use super::traffic::{SpanRow, Traffic, key_of};

/// The columns that a file must have.
const COLUMNS: [&str; 8] = ["trace_id", "span_id", "parent_id", "service", "operation", "start_ns", "end_ns", "status"];
/// The most spans that are read: at 56 bytes each, below 2 GB.
const SPANS_MAX: usize = 30_000_000;
/// The longest line, in bytes.
const LINE_MAX: u64 = 1 << 20;

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum CsvError {
    /// It cannot be read.
    #[error("cannot read the file")]
    Read(#[from] io::Error),
    /// A column is missing.
    #[error("line 1 has no column {column}; the columns are {}", COLUMNS.join(","))]
    Column {
        /// Its name.
        column: &'static str,
    },
    /// A field says nothing that can be understood.
    #[error("line {line}, column {column}: {problem}, found {found:?}")]
    Field {
        /// Counted from one.
        line: u64,
        /// Its name.
        column: &'static str,
        /// What it must be.
        problem: &'static str,
        /// What it is, cut.
        found: String,
    },
    /// A line cannot be cut into fields.
    #[error("line {line}, character {character}: {problem}")]
    Line {
        /// Counted from one.
        line: u64,
        /// Counted from one.
        character: usize,
        /// What is wrong.
        problem: &'static str,
    },
    /// It has no spans.
    #[error("the file has no spans")]
    Empty,
    /// It has too many.
    #[error("the file has more than {SPANS_MAX} spans; cut it into parts")]
    TooLong,
}

/// Reads spans, and puts them together to traces in the order in which they completed.
pub fn read(mut from: impl BufRead) -> Result<Traffic, CsvError> {
    let mut lines = Lines::default();
    if !lines.next(&mut from)? {
        return Err(CsvError::Empty);
    }
    let places = places(&lines.fields)?;
    let mut reading = Reading::default();
    while lines.next(&mut from)? {
        let fields = &lines.fields;
        if fields.len() == 1 && fields[0].is_empty() {
            continue;
        }
        if reading.rows.len() == SPANS_MAX {
            return Err(CsvError::TooLong);
        }
        let mut row = [""; COLUMNS.len()];
        for (field, (place, column)) in row.iter_mut().zip(places.iter().zip(COLUMNS)) {
            *field = fields.get(*place).ok_or_else(|| missing(lines.number, column))?;
        }
        reading.add(lines.number, row)?;
    }
    if reading.rows.is_empty() { Err(CsvError::Empty) } else { Ok(reading.finish()) }
}

fn missing(line: u64, column: &'static str) -> CsvError {
    CsvError::Field { line, column, problem: "the line ends before it", found: String::new() }
}

/// Where each column stands.
fn places(header: &[String]) -> Result<[usize; COLUMNS.len()], CsvError> {
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let is_it = |name: &String| name.trim().trim_start_matches('\u{feff}').eq_ignore_ascii_case(column);
        *place = header.iter().position(is_it).ok_or(CsvError::Column { column })?;
    }
    Ok(places)
}

/// Lines cut into fields; memory is used again.
#[derive(Default)]
struct Lines {
    number: u64,
    line: Vec<u8>,
    fields: Vec<String>,
}

impl Lines {
    /// Cuts the next line into `fields`; false at the end.
    fn next(&mut self, from: &mut impl BufRead) -> Result<bool, CsvError> {
        self.line.clear();
        self.number += 1;
        let read = io::Read::take(&mut *from, LINE_MAX).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(false);
        }
        if read as u64 == LINE_MAX {
            return Err(CsvError::Line { line: self.number, character: read, problem: "the line is too long" });
        }
        let text = std::str::from_utf8(&self.line).map_err(|error| CsvError::Line {
            line: self.number,
            character: error.valid_up_to() + 1,
            problem: "not UTF-8",
        })?;
        let text = text.trim_end_matches(['\n', '\r']);
        self.fields.clear();
        let cut = cut(text, &mut self.fields);
        cut.map_err(|(character, problem)| CsvError::Line { line: self.number, character, problem })?;
        Ok(true)
    }
}

/// Cuts a line into fields. Quoted fields end in the line they begin in.
fn cut(line: &str, fields: &mut Vec<String>) -> Result<(), (usize, &'static str)> {
    let mut rest = line;
    loop {
        let at = || line.len() - rest.len() + 1;
        let Some(quoted) = rest.strip_prefix('"') else {
            let Some((field, after)) = rest.split_once(',') else {
                fields.push(rest.to_owned());
                return Ok(());
            };
            fields.push(field.to_owned());
            rest = after;
            continue;
        };
        let (field, after) = unquote(quoted).ok_or((at(), "a quote is opened here and not closed"))?;
        fields.push(field);
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(()),
            None => return Err((line.len() - after.len() + 1, "a comma must follow the closing quote")),
        }
    }
}

/// The text up to the closing quote, with doubled quotes made single, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        field.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Some((field, after)),
        }
    }
}

/// What has been read.
#[derive(Default)]
struct Reading {
    rows: Vec<SpanRow>,
    traces: HashMap<String, u32>,
    keys: Vec<u64>,
    numbers: HashMap<(String, String), u32>,
    operations: Vec<(String, String)>,
}

impl Reading {
    fn add(&mut self, line: u64, row: [&str; COLUMNS.len()]) -> Result<(), CsvError> {
        let [trace, span, parent, service, operation, start, end, status] = row.map(str::trim);
        let refuse = |at: usize, problem| {
            let found = row[at].chars().take(40).collect();
            CsvError::Field { line, column: COLUMNS[at], problem, found }
        };
        for (at, text) in [(0, trace), (1, span)] {
            if text.is_empty() {
                return Err(refuse(at, "must not be empty"));
            }
        }
        let time = |at: usize, text: &str| {
            text.parse::<u64>().map_err(|_| refuse(at, "must be a whole number of nanoseconds since 1970"))
        };
        let row = SpanRow {
            span: key_of(span.as_bytes()),
            parent: if is_none(parent) { 0 } else { key_of(parent.as_bytes()) },
            start_ns: time(5, start)?,
            end_ns: time(6, end)?,
            error: is_error(status).ok_or_else(|| refuse(7, "must be ok, error, unset or an HTTP status"))?,
            trace: self.trace(trace),
            operation: self.operation(service, operation),
        };
        self.rows.push(row);
        Ok(())
    }

    fn trace(&mut self, id: &str) -> u32 {
        if let Some(number) = self.traces.get(id) {
            return *number;
        }
        let number = self.keys.len() as u32;
        self.traces.insert(id.to_owned(), number);
        self.keys.push(key_of(id.as_bytes()));
        number
    }

    fn operation(&mut self, service: &str, operation: &str) -> u32 {
        let name = (service.to_owned(), operation.to_owned());
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = self.operations.len() as u32;
        self.numbers.insert(name.clone(), number);
        self.operations.push(name);
        number
    }

    fn finish(self) -> Traffic {
        Traffic::new(self.operations, self.rows, &self.keys)
    }
}

/// How files say "no parent".
fn is_none(parent: &str) -> bool {
    parent.bytes().all(|byte| byte == b'0')
        || ["null", "none", "nan", "-1", "root"].iter().any(|none| parent.eq_ignore_ascii_case(none))
}

/// Whether a status says "failed": by OpenTelemetry's names or numbers, or as an HTTP status. `None`: neither.
fn is_error(status: &str) -> Option<bool> {
    let lower = status.to_ascii_lowercase();
    match lower.strip_prefix("status_code_").unwrap_or(&lower) {
        "" | "ok" | "unset" | "success" | "false" => Some(false),
        "error" | "err" | "fail" | "failed" | "failure" | "true" => Some(true),
        number => match number.parse::<u32>().ok()? {
            0 | 1 => Some(false),
            2 => Some(true),
            http => (100..600).contains(&http).then_some(500 <= http),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEADER: &str = "trace_id,span_id,parent_id,service,operation,start_ns,end_ns,status\n";

    fn parse(rows: &str) -> Result<Traffic, CsvError> {
        read(format!("{HEADER}{rows}").as_bytes())
    }

    /// Scenario: two traces whose lines are mixed, with quotes, other spellings of status and no parent, Windows line ends.
    /// Guarantees: spans find their traces, traces come in the order in which they completed, names are unquoted.
    #[test]
    fn spans_are_put_together() {
        let traffic = parse(
            "b,1,,shop,\"GET \"\"/a,b\"\"\",10,90,OK\r\na,1,0,shop,pay,0,50,STATUS_CODE_ERROR\r\nb,2,1,db,q,20,30,503\r\n\n",
        )
        .unwrap();
        let sizes: Vec<_> =
            traffic.traces.iter().map(|trace| (trace.spans.len(), trace.duration_ns, trace.error)).collect();
        assert_eq!(sizes, [(1, 50, true), (2, 80, true)]);
        assert!(traffic.operations.contains(&("shop".into(), "GET \"/a,b\"".into())));
    }

    /// Scenario: files with a missing column, broken numbers, unknown status, open quotes, short lines, nothing.
    /// Guarantees: each is refused with its line and column in words that say what to do.
    #[test]
    fn mistakes_are_located() {
        let check = |text: &str, expected: &str| {
            let error = read(text.as_bytes()).expect_err(text);
            assert_eq!(error.to_string(), expected);
        };
        check("", "the file has no spans");
        check(HEADER, "the file has no spans");
        check(
            "trace_id,span_id\n",
            "line 1 has no column parent_id; the columns are trace_id,span_id,parent_id,service,operation,start_ns,end_ns,status",
        );
        let row = |row: &str| format!("{HEADER}a,1,,s,o,1,2,ok\n{row}\n");
        check(
            &row("a,2,1,s,o,1.5,2,ok"),
            "line 3, column start_ns: must be a whole number of nanoseconds since 1970, found \"1.5\"",
        );
        check(
            &row("a,2,1,s,o,1,2,maybe"),
            "line 3, column status: must be ok, error, unset or an HTTP status, found \"maybe\"",
        );
        check(&row("a,2,1,s,o,1,2"), "line 3, column status: the line ends before it, found \"\"");
        check(&row(",2,1,s,o,1,2,ok"), "line 3, column trace_id: must not be empty, found \"\"");
        check(&row("a,2,1,\"s,o,1,2,ok"), "line 3, character 7: a quote is opened here and not closed");
        check(&row("a,2,1,\"s\"x,o,1,2,ok"), "line 3, character 10: a comma must follow the closing quote");
    }

    proptest! {
        /// Scenario: any bytes at all after a good header.
        /// Guarantees: they are read or refused; nothing panics.
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[a-c0-9,\"\n]{0,200}") {
            let with_header = [HEADER.as_bytes(), &bytes].concat();
            drop(read(&*with_header));
            drop(read(&*bytes));
            drop(parse(&text));
        }
    }
}
