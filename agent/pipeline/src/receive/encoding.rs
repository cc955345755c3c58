//! Content encodings.
//!
//! Answers the plain bytes of a compressed body, within the size limit and the shared memory while it inflates. Does not
//! know which header named the encoding. zstd is libzstd behind the `zstd` crate rather than a decoder in Rust: it is
//! what senders compress with, it is fuzzed upstream all the time, and the gRPC library brings it for exporting anyway.

use std::io::{self, Read};

use ::http::HeaderValue;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use crate::intake::Refusal;

/// Largest zstd window, as a power of two: RFC 9659 binds content encodings to 8 MiB, so no sender may need more.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Inflated at once. Between pieces the limits are checked.
const PIECE: usize = 64 << 10;
/// After so much output the thread is offered to other requests: a bomb must not delay its neighbours.
const YIELD_EVERY: usize = 1 << 20;

/// What an inflated body may use.
pub(crate) trait Budget {
    /// Bytes of one request.
    fn request_bytes_max(&self) -> usize;
    /// Takes more of the memory that all requests share.
    fn grow(&mut self, bytes: usize) -> Result<(), Refusal>;
}

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    /// What is taken, as a gRPC header lists it.
    pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("gzip,zstd,identity");

    /// The encoding a header names; `None` if it is not served.
    pub(super) fn named(header: Option<&HeaderValue>) -> Option<Encoding> {
        match header.map(HeaderValue::as_bytes) {
            None | Some(b"" | b"identity") => Some(Encoding::Identity),
            Some(b"gzip") => Some(Encoding::Gzip),
            Some(b"zstd") => Some(Encoding::Zstd),
            Some(_) => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Encoding::Identity => "identity",
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
        }
    }
}

/// The plain bytes, at most as many as one request may have.
pub(crate) async fn inflate(encoding: Encoding, body: Bytes, reserved: &mut impl Budget) -> Result<Bytes, Refusal> {
    let broken = |error: io::Error| Refusal::Malformed(format!("cannot inflate the {} body: {error}", encoding.name()));
    match encoding {
        Encoding::Identity => Ok(body),
        Encoding::Gzip => drive(MultiGzDecoder::new(&*body), encoding, reserved).await,
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(&*body).map_err(broken)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(broken)?;
            drive(decoder, encoding, reserved).await
        }
    }
}

async fn drive(mut decoder: impl Read, encoding: Encoding, reserved: &mut impl Budget) -> Result<Bytes, Refusal> {
    let limit = reserved.request_bytes_max();
    let (mut plain, mut filled, mut rested) = (Vec::new(), 0, 0);
    loop {
        if plain.len() < filled + PIECE {
            plain.resize(filled + PIECE, 0);
        }
        match decoder.read(&mut plain[filled..]) {
            Ok(0) => break,
            Ok(read) => {
                // libzstd keeps its last window beside what it gives out.
                let copies = if encoding == Encoding::Zstd && filled < 1 << ZSTD_WINDOW_LOG_MAX { 2 } else { 1 };
                reserved.grow(read * copies)?;
                filled += read;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(Refusal::Malformed(format!("cannot inflate the {} body: {error}", encoding.name())));
            }
        }
        if filled > limit {
            return Err(Refusal::TooLarge { limit });
        }
        if filled - rested >= YIELD_EVERY {
            rested = filled;
            tokio::task::yield_now().await;
        }
    }
    plain.truncate(filled);
    Ok(plain.into())
}
