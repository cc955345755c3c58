//! Kept records and what became of them.
//!
//! Answers where an export request lies on disk, and remembers which exporters have delivered it. The remembering is a small
//! file beside each segment that is deleted with it: a mark is twelve bytes, written as soon as the destination has said
//! yes, and need not survive a power cut, after which a request may be sent once more.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::record::HEAD_BYTES;
use super::segment::{Located, locate, sent_name};
use super::volume::{Medium, Volume};
use crate::config::Telemetry;

const MARK_BYTES: usize = 12;
/// A file of marks beyond this is damaged: a segment of 16 MiB has fewer records than this has bytes.
const MARKS_BYTES_MAX: u64 = 64 << 20;

/// An exporter across restarts: the checksum of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExporterId(u32);

impl ExporterId {
    pub(crate) fn of(name: &str) -> ExporterId {
        ExporterId(crc32fast::hash(name.as_bytes()))
    }
}

/// A segment of export requests.
#[derive(Debug)]
pub(crate) struct KeptSegment {
    pub(super) first: u64,
    pub(super) medium: Arc<dyn Medium>,
    volume: Arc<dyn Volume>,
    /// Pairs of record and exporter that are not settled.
    outstanding: AtomicU64,
    marks: Mutex<Option<(Arc<dyn Medium>, u64)>>,
}

impl KeptSegment {
    pub(super) fn new(first: u64, medium: Arc<dyn Medium>, volume: Arc<dyn Volume>) -> KeptSegment {
        KeptSegment { first, medium, volume, outstanding: AtomicU64::new(0), marks: Mutex::new(None) }
    }

    /// Keeps the segment until [`Self::release`]: something was written that no exporter knows of yet.
    pub(super) fn hold(&self) {
        self.outstanding.fetch_add(1, Relaxed);
    }

    pub(super) fn release(&self) {
        self.outstanding.fetch_sub(1, Relaxed);
    }

    pub(super) fn is_settled(&self) -> bool {
        self.outstanding.load(Relaxed) == 0
    }

    /// Which exporter has delivered which record, by the file beside the segment.
    pub(super) fn marks(&self) -> BTreeSet<(ExporterId, u64)> {
        let Ok(medium) = self.volume.open(&sent_name(self.first)) else { return BTreeSet::new() };
        let length = medium.bytes().unwrap_or(0).min(MARKS_BYTES_MAX);
        let mut bytes = vec![0; length as usize / MARK_BYTES * MARK_BYTES];
        if medium.read_at(0, &mut bytes).is_err() {
            return BTreeSet::new();
        }
        let marks = bytes.chunks_exact(MARK_BYTES).filter_map(|mark| self.read_mark(mark)).collect();
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner) = Some((medium, bytes.len() as u64));
        marks
    }

    fn read_mark(&self, bytes: &[u8]) -> Option<(ExporterId, u64)> {
        let mut words = bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let (exporter, index, crc) = (words.next()?, words.next()?, words.next()?);
        (crc == crc32fast::hash(&bytes[..8])).then(|| (ExporterId(exporter), self.first + u64::from(index)))
    }

    /// Writes that `exporter` needs `number` no more. A mark that cannot be written costs a duplicate after a crash, no loss.
    fn mark(&self, exporter: ExporterId, number: u64) {
        let mut bytes = [0; MARK_BYTES];
        bytes[..4].copy_from_slice(&exporter.0.to_le_bytes());
        bytes[4..8].copy_from_slice(&((number - self.first) as u32).to_le_bytes());
        let crc = crc32fast::hash(&bytes[..8]);
        bytes[8..].copy_from_slice(&crc.to_le_bytes());
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.is_none() {
            *marks = self.volume.create(&sent_name(self.first)).ok().map(|medium| (medium, 0));
        }
        if let Some((medium, end)) = &mut *marks
            && medium.write_at(*end, &bytes).is_ok()
        {
            *end += MARK_BYTES as u64;
        }
    }
}

/// An export request on disk.
#[derive(Clone, Debug)]
pub(crate) struct KeptRecord {
    pub(super) segment: Arc<KeptSegment>,
    pub(super) located: Located,
}

impl KeptRecord {
    pub(crate) fn kind(&self) -> Telemetry {
        self.located.head.kind
    }

    pub(crate) fn items(&self) -> u64 {
        u64::from(self.located.head.items)
    }

    pub(crate) fn bytes(&self) -> u64 {
        u64::from(self.located.head.body_bytes)
    }

    pub(super) fn number(&self) -> u64 {
        self.located.head.number
    }

    /// Reads it; `None` if it was damaged.
    pub(crate) fn load(&self) -> Option<Bytes> {
        self.located.body(&*self.segment.medium)
    }

    /// As many exporters are going to settle it.
    pub(crate) fn expect(&self, exporters: u64) {
        self.segment.outstanding.fetch_add(exporters, Relaxed);
    }

    /// `exporter` has delivered it or given it up.
    pub(crate) fn settle(&self, exporter: ExporterId) {
        self.segment.mark(exporter, self.number());
        self.segment.outstanding.fetch_sub(1, Relaxed);
    }
}

/// Records that follow each other in one segment. A backlog of any size is a few of these: what they stand for is read from
/// disk when its turn comes.
#[derive(Debug)]
pub(crate) struct Run {
    segment: Arc<KeptSegment>,
    /// Where the head of the next record lies.
    at: u64,
    end: u64,
    number: u64,
    records: u64,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
}

impl Run {
    pub(crate) fn of(record: &KeptRecord) -> Run {
        let at = record.located.body_at - HEAD_BYTES as u64;
        let end = at + record.located.head.record_bytes();
        let (items, bytes) = (record.items(), record.bytes());
        Run { segment: record.segment.clone(), at, end, number: record.number(), records: 1, items, bytes }
    }

    /// Takes the record in, if it is the next.
    pub(crate) fn extend(&mut self, record: &KeptRecord) -> bool {
        let follows = Arc::ptr_eq(&self.segment, &record.segment)
            && record.number() == self.number + self.records
            && record.located.body_at == self.end + HEAD_BYTES as u64;
        if follows {
            self.end += record.located.head.record_bytes();
            self.records += 1;
            self.items += record.items();
            self.bytes += record.bytes();
        }
        follows
    }

    /// The first record, when there is one that can be read; the rest is lost when there is not.
    pub(crate) fn pop(&mut self) -> Option<KeptRecord> {
        if self.records == 0 {
            return None;
        }
        let located = locate(&*self.segment.medium, self.at, self.number, self.end)?;
        let record = KeptRecord { segment: self.segment.clone(), located };
        self.at += located.head.record_bytes();
        self.number += 1;
        self.records -= 1;
        self.items = self.items.saturating_sub(record.items());
        self.bytes = self.bytes.saturating_sub(record.bytes());
        Some(record)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Settles every record in it without sending: they are damaged. Returns how many they were.
    pub(crate) fn give_up(&mut self, exporter: ExporterId) -> u64 {
        for number in self.number..self.number + self.records {
            self.segment.mark(exporter, number);
        }
        self.segment.outstanding.fetch_sub(self.records, Relaxed);
        std::mem::take(&mut self.records)
    }
}
