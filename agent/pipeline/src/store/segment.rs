//! One segment, read.
//!
//! Answers which records a segment holds, in order, and where it is damaged. Never fails on its content: what cannot be read
//! is reported as lost, and everything before it is given. A damaged head ends the segment, because a length that cannot be
//! trusted leads anywhere.

use std::sync::Arc;

use bytes::Bytes;

use super::record::{HEAD_BYTES, Head, SegmentHead, Stream};
use super::volume::Medium;

/// No segment begins with this number or beyond: a billion requests a second take nearly three centuries to get there, and what
/// counts on from below it does not overflow.
const FIRST_END: u64 = 1 << 63;

/// The name of a segment's file.
pub(super) fn log_name(stream: Stream, first: u64) -> String {
    format!("{}-{first:016x}.log", stream.as_str())
}

/// The name of the file that says which records of a kept segment were delivered.
pub(super) fn sent_name(first: u64) -> String {
    format!("{}-{first:016x}.sent", Stream::Kept.as_str())
}

/// The stream and first record of a segment's file, if the name is one: exactly as [`log_name`] writes it.
pub(super) fn parse_log_name(name: &str) -> Option<(Stream, u64)> {
    let (stream, rest) = name.split_once('-')?;
    let stream = Stream::ALL.into_iter().find(|known| known.as_str() == stream)?;
    let first = u64::from_str_radix(rest.strip_suffix(".log")?, 16).ok()?;
    (first < FIRST_END && log_name(stream, first) == name).then_some((stream, first))
}

/// A record and where its body lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) head: Head,
    pub(super) body_at: u64,
}

impl Located {
    /// Its body; `None` if it cannot be read or is not what was written.
    pub(super) fn body(&self, medium: &dyn Medium) -> Option<Bytes> {
        let mut body = vec![0; self.head.body_bytes as usize];
        medium.read_at(self.body_at, &mut body).ok()?;
        (crc32fast::hash(&body) == self.head.body_crc).then(|| Bytes::from(body))
    }
}

/// The head of the record at `at`, if there is one with this number whose body is inside the first `end` bytes.
pub(super) fn locate(medium: &dyn Medium, at: u64, number: u64, end: u64) -> Option<Located> {
    let body_at = at + HEAD_BYTES as u64;
    let mut bytes = [0; HEAD_BYTES];
    if body_at > end || medium.read_at(at, &mut bytes).is_err() {
        return None;
    }
    let head = Head::decode(&bytes).filter(|head| head.number == number)?;
    (at + head.record_bytes() <= end).then_some(Located { head, body_at })
}

/// A segment that is being read.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) head: SegmentHead,
    pub(super) medium: Arc<dyn Medium>,
    pub(super) bytes: u64,
    pub(super) records: Vec<Located>,
    /// Bytes at the end that are no records.
    pub(super) lost_bytes: u64,
}

impl Segment {
    /// Reads the heads of all records. `None`: not a segment of this stream and number.
    pub(super) fn read(medium: Arc<dyn Medium>, stream: Stream, first: u64) -> Option<Segment> {
        let bytes = medium.bytes().ok()?;
        let mut head = [0; HEAD_BYTES];
        medium.read_at(0, &mut head).ok()?;
        let head = SegmentHead::decode(&head).filter(|head| head.stream == stream && head.first == first)?;
        let (mut at, mut records) = (HEAD_BYTES as u64, Vec::new());
        // Ends with the file: every round advances by at least the size of a head.
        while let Some(located) = locate(&*medium, at, first + records.len() as u64, bytes) {
            at += located.head.record_bytes();
            records.push(located);
        }
        Some(Segment { head, medium, bytes, records, lost_bytes: bytes - at })
    }

    /// The number of the record after its last.
    pub(super) fn end(&self) -> u64 {
        self.head.first + self.records.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Telemetry;
    use crate::store::memory::MemoryFile;

    fn written(bodies: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
        let mut bytes = SegmentHead { stream: Stream::Kept, first: 5, received_next: 0 }.encode().to_vec();
        let mut ends = Vec::new();
        for (number, body) in (5..).zip(bodies) {
            bytes.extend_from_slice(&Head::of(Telemetry::Traces, 1, number, body).encode());
            bytes.extend_from_slice(body);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    /// What can be read of these bytes: records by position, where their bodies are whole.
    fn readable(bytes: Vec<u8>) -> Vec<Option<Bytes>> {
        let medium: Arc<dyn Medium> = Arc::new(MemoryFile::of(bytes));
        let Some(segment) = Segment::read(medium, Stream::Kept, 5) else { return Vec::new() };
        segment.records.iter().map(|record| record.body(&*segment.medium)).collect()
    }

    fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
        proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..12)
    }

    proptest! {
        /// Scenario: a segment of any content is cut at any byte.
        /// Guarantees: exactly the records that lie whole before the cut are read, and the rest is reported.
        #[test]
        fn a_cut_loses_only_what_lies_behind_it(bodies in bodies(), cut in any::<prop::sample::Index>()) {
            let (mut bytes, ends) = written(&bodies);
            bytes.truncate(cut.index(bytes.len() + 1));
            let is_begun = bytes.len() >= HEAD_BYTES;
            let whole = ends.iter().filter(|end| is_begun && **end <= bytes.len()).count();
            let read = readable(bytes);
            prop_assert_eq!(read.len(), whole);
            for (read, body) in read.iter().zip(&bodies) {
                prop_assert_eq!(read.as_deref(), Some(&body[..]));
            }
        }

        /// Scenario: any bits of a segment are turned over, and garbage follows it.
        /// Guarantees: nothing panics, nothing is invented, and every record before the first damage is read.
        #[test]
        fn damage_invents_nothing(
            bodies in bodies(),
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..6),
            tail in proptest::collection::vec(any::<u8>(), 0..70),
        ) {
            let (mut bytes, ends) = written(&bodies);
            let mut first = bytes.len();
            let good = bytes.clone();
            for (at, bit) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            if let Some(at) = bytes.iter().zip(&good).position(|(now, then)| now != then) {
                first = at;
            }
            bytes.extend(tail);
            let read = readable(bytes);
            prop_assert!(read.len() <= bodies.len());
            for (read, body) in read.iter().zip(&bodies) {
                prop_assert!(read.as_ref().is_none_or(|read| read[..] == body[..]));
            }
            if first >= HEAD_BYTES {
                let before = ends.iter().filter(|end| **end <= first).count();
                prop_assert!(read.iter().take(before).flatten().count() == before);
            }
        }
    }

    /// Scenario: names of segments, good and bad.
    /// Guarantees: what is written is read; nothing else is taken for a segment.
    #[test]
    fn names_are_read_strictly() {
        for stream in Stream::ALL {
            assert_eq!(parse_log_name(&log_name(stream, 255)), Some((stream, 255)));
        }
        for bad in ["lock", "kept-00.log", "kept-00000000000000zz.log", "other-0000000000000000.log", &sent_name(1)] {
            assert_eq!(parse_log_name(bad), None, "{bad}");
        }
        for bad in ["kept-+0000000000000ff.log", "kept-00000000000000FF.log", "kept-8000000000000000.log"] {
            assert_eq!(parse_log_name(bad), None, "{bad}: nobody writes it so");
        }
    }
}
