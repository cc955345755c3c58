//! The bytes of the log.
//!
//! Answers what a record and the head of a segment look like, and whether bytes are one. Does not read files. Head and body
//! of a record have checksums of their own, so that a damaged body costs one record and not all that follow it.

use crate::config::Telemetry;

/// Bytes before the body of a record, and at the start of a segment.
pub(super) const HEAD_BYTES: usize = 32;
/// The largest body: far above what a door lets in, and small enough that a wrong length is noticed.
pub(super) const BODY_BYTES_MAX: usize = 1 << 30;

const RECORD_MAGIC: u32 = 0x5d1e_70a7;
const SEGMENT_MAGIC: u32 = 0x5d1e_5e60;
/// Changes when the layout does; another version's segments are left alone.
const VERSION: u8 = 1;

/// Which of the two logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stream {
    /// Trace requests as they came, until all of their traces are decided.
    Received,
    /// Export requests, until every exporter has delivered them.
    Kept,
}

impl Stream {
    pub(super) const ALL: [Stream; 2] = [Stream::Received, Stream::Kept];

    /// How its files are called.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Stream::Received => "received",
            Stream::Kept => "kept",
        }
    }
}

/// What stands before a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) kind: Telemetry,
    /// Spans, data points or log records in the body.
    pub(super) items: u32,
    pub(super) body_bytes: u32,
    /// Counted up through all segments of a stream.
    pub(super) number: u64,
    pub(super) body_crc: u32,
}

impl Head {
    /// The head of `body`.
    pub(super) fn of(kind: Telemetry, items: u64, number: u64, body: &[u8]) -> Head {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let body_bytes = u32::try_from(body.len()).expect("doors and batches are bounded far below 4 GiB");
        Head { kind, items, body_bytes, number, body_crc: crc32fast::hash(body) }
    }

    /// Bytes of the whole record.
    pub(super) fn record_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.body_bytes)
    }

    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let kind = Telemetry::ALL.iter().position(|kind| *kind == self.kind).expect("ALL has every kind") as u8;
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..4].copy_from_slice(&RECORD_MAGIC.to_le_bytes());
        bytes[4] = kind;
        bytes[8..12].copy_from_slice(&self.items.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.body_crc.to_le_bytes());
        sealed(bytes)
    }

    /// The head, if these bytes are one.
    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Option<Head> {
        if !is_sealed(bytes) || number32(bytes, 0) != RECORD_MAGIC || bytes[5..8] != [0; 3] {
            return None;
        }
        let kind = *Telemetry::ALL.get(usize::from(bytes[4]))?;
        let head = Head {
            kind,
            items: number32(bytes, 8),
            body_bytes: number32(bytes, 12),
            number: number64(bytes, 16),
            body_crc: number32(bytes, 24),
        };
        (head.body_bytes as usize <= BODY_BYTES_MAX).then_some(head)
    }
}

/// What stands at the start of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHead {
    pub(super) stream: Stream,
    /// The number of its first record; also its name.
    pub(super) first: u64,
    /// The number that the next received record had when the segment was begun.
    pub(super) received_next: u64,
}

impl SegmentHead {
    pub(super) fn encode(&self) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[0..4].copy_from_slice(&SEGMENT_MAGIC.to_le_bytes());
        bytes[4] = VERSION;
        bytes[5] = self.stream as u8;
        bytes[8..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.received_next.to_le_bytes());
        sealed(bytes)
    }

    /// The head, if these bytes are one.
    pub(super) fn decode(bytes: &[u8; HEAD_BYTES]) -> Option<SegmentHead> {
        if !is_sealed(bytes) || number32(bytes, 0) != SEGMENT_MAGIC || bytes[4] != VERSION {
            return None;
        }
        let stream = Stream::ALL.into_iter().find(|stream| *stream as u8 == bytes[5])?;
        Some(SegmentHead { stream, first: number64(bytes, 8), received_next: number64(bytes, 16) })
    }
}

fn sealed(mut bytes: [u8; HEAD_BYTES]) -> [u8; HEAD_BYTES] {
    let crc = crc32fast::hash(&bytes[..HEAD_BYTES - 4]);
    bytes[HEAD_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn is_sealed(bytes: &[u8; HEAD_BYTES]) -> bool {
    number32(bytes, HEAD_BYTES - 4) == crc32fast::hash(&bytes[..HEAD_BYTES - 4])
}

fn number32(bytes: &[u8; HEAD_BYTES], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

fn number64(bytes: &[u8; HEAD_BYTES], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: heads are written and read; then every single bit of them is turned over.
    /// Guarantees: what was written is read, and no turned bit goes unnoticed.
    #[test]
    fn a_head_is_itself_or_nothing() {
        for kind in Telemetry::ALL {
            let head = Head::of(kind, 7, 42, b"body");
            let bytes = head.encode();
            assert_eq!(Head::decode(&bytes), Some(head));
            assert_eq!(SegmentHead::decode(&bytes), None);
            for bit in 0..HEAD_BYTES * 8 {
                let mut turned = bytes;
                turned[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Head::decode(&turned), None, "bit {bit}");
            }
        }
        let head = SegmentHead { stream: Stream::Kept, first: 9, received_next: 11 };
        assert_eq!(SegmentHead::decode(&head.encode()), Some(head));
        assert_eq!(Head::decode(&head.encode()), None);
        assert_eq!(Head::decode(&[0; HEAD_BYTES]), None);
    }
}
