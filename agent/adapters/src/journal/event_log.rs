//! Event logs.
//!
//! Answers how one life is taken out of the journal as a file, and read back, so that it can be replayed: the same events
//! fed to a fresh loop must give the same records. It does not replay. JSON lines are used, one entry a line, because a
//! recorded incident becomes a regression test that people want to read and shorten.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use homeostat_core::{Event, TickRecord, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use super::streaming::{self, Events, Records};
use super::{JournalError, JournalReader, wire};

/// The format's name in the header line.
const FORMAT: &str = "homeostat-event-log";
/// The format's version. A newer one is refused.
const VERSION: u32 = 1;
/// The longest line read, as the largest journal entry inflates to 256 MiB. A longer one is refused with its number.
const LINE_BYTES_MAX: u64 = 257 << 20;

/// One life: what entered the loop, and the records that came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLog {
    /// The number of the life.
    pub life: u64,
    /// When, and what.
    pub entries: Vec<(Timestamp, Event)>,
    /// The records as [`wire::encode_record`] gives them.
    pub records: Vec<Vec<u8>>,
}

/// Why an event log cannot be read.
#[derive(Debug, Error)]
pub enum EventLogError {
    /// The file cannot be opened.
    #[error("cannot open the event log {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A line cannot be read as text.
    #[error("line {line} of {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The line's number, from one.
        line: usize,
        /// The cause.
        source: io::Error,
    },
    /// The file does not begin as an event log does.
    #[error("line 1 of {} is not the header of an event log; export one with `homeostat journal`", path.display())]
    Header {
        /// The file.
        path: PathBuf,
    },
    /// The file is newer than this program.
    #[error("{} has event log version {found}, this homeostat reads {VERSION}; use a newer one", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
    },
    /// A line is neither an event nor a record.
    #[error("line {line} of {} is neither an event nor a record", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from one.
        line: usize,
        /// The cause.
        source: serde_json::Error,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u32,
    life: u64,
}

/// One line. A record keeps its text as it stands, because replay compares it byte for byte.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    record: Option<Box<RawValue>>,
}

impl JournalReader {
    /// Writes `life` to the file `path`, for [`EventLog::read`].
    pub fn export_event_log(&self, path: &Path, life: u64) -> Result<(), JournalError> {
        let lives = self.lives()?;
        if !lives.iter().any(|known| known.number == life) {
            let known = lives.iter().map(|known| known.number.to_string()).collect::<Vec<_>>().join(", ");
            return Err(JournalError::UnknownLife { life, known });
        }
        let (events, records) = self.view(|txn| {
            let is_whole = streaming::is_whole(txn, life)?;
            let events = is_whole.then(|| Events::of(txn, life, self.path())).transpose()?;
            Ok((events, Records::of(txn, life)?))
        })?;
        let events = events.ok_or(JournalError::LifeIncomplete { life })?;
        let unwritten = |source| JournalError::Export { path: path.to_owned(), source };
        let mut file = EventLogFile::create(path, life).map_err(unwritten)?;
        for event in events {
            file.event(&event?).map_err(unwritten)?;
        }
        for record in records {
            let record = record.map_err(|trouble| trouble.at("read", self.path()))?;
            file.record(&record).map_err(unwritten)?;
        }
        file.finish().map_err(unwritten)
    }
}

impl EventLog {
    /// Reads a file that [`JournalReader::export_event_log`] wrote.
    pub fn read(path: &Path) -> Result<EventLog, EventLogError> {
        let file = File::open(path).map_err(|source| EventLogError::Open { path: path.to_owned(), source })?;
        let mut lines = Lines { reader: BufReader::new(file), path, number: 0 };
        let header = lines.next()?.and_then(|text| serde_json::from_str::<Header>(&text).ok());
        let header = header.filter(|header| header.format == FORMAT);
        let header = header.ok_or_else(|| EventLogError::Header { path: path.to_owned() })?;
        if header.version != VERSION {
            return Err(EventLogError::Version { path: path.to_owned(), found: header.version });
        }
        let mut log = EventLog { life: header.life, entries: Vec::new(), records: Vec::new() };
        while let Some(text) = lines.next()? {
            let number = lines.number;
            log.take(&text).map_err(|source| EventLogError::Line { path: path.to_owned(), line: number, source })?;
        }
        Ok(log)
    }

    fn take(&mut self, text: &str) -> Result<(), serde_json::Error> {
        if text.trim().is_empty() {
            return Ok(());
        }
        match serde_json::from_str(text)? {
            Line { at: Some(at), event: Some(event), record: None } => {
                self.entries.push((at, serde_json::from_str(event.get())?));
            }
            Line { at: None, event: None, record: Some(record) } => {
                serde_json::from_str::<TickRecord>(record.get())?;
                self.records.push(wire::pack(record.get()));
            }
            _ => return Err(serde::de::Error::custom("expected `at` with `event`, or `record` alone")),
        }
        Ok(())
    }
}

/// An event log being written.
struct EventLogFile(BufWriter<File>);

impl EventLogFile {
    fn create(path: &Path, life: u64) -> io::Result<EventLogFile> {
        let mut file = BufWriter::new(File::create(path)?);
        write_line(&mut file, &Header { format: FORMAT.into(), version: VERSION, life })?;
        Ok(EventLogFile(file))
    }

    fn event(&mut self, (at, event): &(Timestamp, Event)) -> io::Result<()> {
        let event = Some(serde_json::value::to_raw_value(event)?);
        write_line(&mut self.0, &Line { at: Some(*at), event, record: None })
    }

    fn record(&mut self, bytes: &[u8]) -> io::Result<()> {
        let record = RawValue::from_string(wire::text(bytes).map_err(io::Error::other)?)?;
        write_line(&mut self.0, &Line { at: None, event: None, record: Some(record) })
    }

    fn finish(self) -> io::Result<()> {
        self.0.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

fn write_line(file: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *file, line)?;
    file.write_all(b"\n")
}

struct Lines<'a> {
    reader: BufReader<File>,
    path: &'a Path,
    number: usize,
}

impl Lines<'_> {
    fn next(&mut self) -> Result<Option<String>, EventLogError> {
        self.number += 1;
        let mut text = String::new();
        let read = self.reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut text);
        match read {
            Ok(0) => Ok(None),
            Ok(length) if length as u64 == LINE_BYTES_MAX => Err(self.error(io::Error::other("the line is too long"))),
            Ok(_) => Ok(Some(text)),
            Err(source) => Err(self.error(source)),
        }
    }

    fn error(&self, source: io::Error) -> EventLogError {
        EventLogError::Read { path: self.path.to_owned(), line: self.number, source }
    }
}
