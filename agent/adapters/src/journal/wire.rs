//! The versioned wire form of the journal.
//!
//! Answers how a record, an event or a checkpoint is written as bytes: one version byte, then zlib-compressed JSON of the
//! core types. It does not know where the bytes are kept. JSON rather than a compact binary form, because a journal is read
//! years later by people with other tools, and compression takes back what the names cost; zlib rather than raw deflate,
//! because its checksum finds a flipped bit.
//!
//! Every map in the core types is ordered, so equal values give equal bytes.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use homeostat_core::{Bulk, Checkpoint, Event, TickRecord, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The version written. Older versions stay readable; a newer one is refused.
pub const VERSION: u8 = 1;

/// No entry inflates to more. The largest honest one is the bulk of a checkpoint: about 30 KiB for each of a few thousand
/// services. At the limit the entry is refused, so a damaged length cannot eat the machine's memory.
const INFLATED_BYTES_MAX: u64 = 256 << 20;

/// Why bytes are not an entry.
#[derive(Debug, Error)]
pub enum WireError {
    /// There is nothing.
    #[error("the entry is empty")]
    Empty,
    /// The version byte is unknown.
    #[error("the entry has wire version {found}, this homeostat reads up to {VERSION}; use a newer one")]
    Version {
        /// The version found.
        found: u8,
    },
    /// The compressed bytes are damaged.
    #[error("the entry cannot be decompressed")]
    Inflate(#[source] io::Error),
    /// The entry inflates beyond every honest size.
    #[error("the entry inflates to more than {INFLATED_BYTES_MAX} bytes")]
    TooLarge,
    /// The text is not what was expected.
    #[error("the entry is not what it should be")]
    Json(#[source] serde_json::Error),
}

/// A record as bytes.
pub fn encode_record(record: &TickRecord) -> Vec<u8> {
    encode(record)
}

/// Reads what [`encode_record`] wrote.
pub fn decode_record(bytes: &[u8]) -> Result<TickRecord, WireError> {
    decode(bytes)
}

/// An event and when it was handed to the loop, as bytes.
pub fn encode_event(at: Timestamp, event: &Event) -> Vec<u8> {
    encode(&(at, event))
}

/// Reads what [`encode_event`] wrote.
pub fn decode_event(bytes: &[u8]) -> Result<(Timestamp, Event), WireError> {
    decode(bytes)
}

/// A checkpoint as bytes.
pub fn encode_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    encode(checkpoint)
}

/// Reads what [`encode_checkpoint`] wrote.
pub fn decode_checkpoint(bytes: &[u8]) -> Result<Checkpoint, WireError> {
    decode(bytes)
}

pub(super) fn encode_bulk(bulk: &Bulk) -> Vec<u8> {
    encode(bulk)
}

pub(super) fn decode_bulk(bytes: &[u8]) -> Result<Bulk, WireError> {
    decode(bytes)
}

/// The JSON inside an encoded entry, for people and for comparing entries written by different builds.
pub fn text(bytes: &[u8]) -> Result<String, WireError> {
    String::from_utf8(inflate(bytes)?)
        .map_err(|error| WireError::Inflate(io::Error::new(io::ErrorKind::InvalidData, error)))
}

/// The encoded entry whose JSON is `text`: the inverse of [`text`].
pub(super) fn pack(text: &str) -> Vec<u8> {
    deflate(text.as_bytes())
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    deflate(&serde_json::to_vec(value).expect("core types have text keys and finite numbers"))
}

fn deflate(json: &[u8]) -> Vec<u8> {
    let mut out = ZlibEncoder::new(vec![VERSION], Compression::default());
    out.write_all(json).and_then(|()| out.finish()).expect("writing to memory does not fail")
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice(&inflate(bytes)?).map_err(WireError::Json)
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let (&version, packed) = bytes.split_first().ok_or(WireError::Empty)?;
    if version != VERSION {
        return Err(WireError::Version { found: version });
    }
    let mut json = Vec::new();
    ZlibDecoder::new(packed).take(INFLATED_BYTES_MAX + 1).read_to_end(&mut json).map_err(WireError::Inflate)?;
    if INFLATED_BYTES_MAX < json.len() as u64 {
        return Err(WireError::TooLarge);
    }
    Ok(json)
}
