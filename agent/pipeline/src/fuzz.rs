//! What fuzzing drives from outside.
//!
//! Answers what the parsers that are no public interface make of bytes. Does not judge: the oracles stand in `tests/fuzz`,
//! which this crate knows nothing of. One door for all of them, so that nothing else has to be public for it.

use bytes::Bytes;

use crate::config::Telemetry;
use crate::intake::Refusal;
use crate::receive::{self, Budget, Encoding};
use crate::sample::{Mark, Randomness, Rule, Threshold, read_tracestate};
use crate::wire::{Reader, Value, WireError};

pub use crate::store::{Found, Log};

/// Reads every field of `bytes`; the number of fields, and the bytes they cover.
pub fn wire(bytes: &[u8]) -> Result<(usize, usize), WireError> {
    let (mut reader, mut count, mut covered) = (Reader::new(bytes), 0, 0);
    while let Some(field) = reader.field()? {
        count += 1;
        covered += field.range().len();
        if let Value::Bytes(inner) = field.value {
            assert_eq!(inner, &bytes[field.payload..field.end], "a payload is where it is said to be");
        }
    }
    Ok((count, covered))
}

/// The message of a gRPC frame.
pub fn unframe(bytes: &[u8], limit: usize) -> Result<(bool, Bytes), Refusal> {
    receive::unframe(&Bytes::copy_from_slice(bytes), limit)
}

/// The protobuf of a JSON request.
pub fn json(kind: Telemetry, text: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    receive::to_protobuf(kind, text, limit)
}

/// The plain bytes of a gzip or zstd body, and how much memory was reserved for them.
pub async fn inflate(is_gzip: bool, bytes: &[u8], limit: usize) -> (Result<Bytes, Refusal>, usize) {
    struct Counted(usize, usize);
    impl Budget for Counted {
        fn request_bytes_max(&self) -> usize {
            self.0
        }
        fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
            self.1 += bytes;
            Ok(())
        }
    }
    let mut budget = Counted(limit, 0);
    let encoding = if is_gzip { Encoding::Gzip } else { Encoding::Zstd };
    let plain = receive::inflate(encoding, Bytes::copy_from_slice(bytes), &mut budget).await;
    (plain, budget.1)
}

/// A span as it is sent when its trace is kept with this threshold. Its own state is believed as the sampler does.
pub fn rewrite(span: &[u8], trace_state: &str, trace_id: &[u8; 16], threshold: Threshold) -> Vec<u8> {
    let sampled = read_tracestate(trace_state);
    let randomness = sampled.randomness.unwrap_or(Randomness::of(trace_id));
    let incoming = sampled.threshold.filter(|threshold| threshold.keeps(randomness)).unwrap_or(Threshold::ALWAYS);
    let mut out = Vec::new();
    Mark::new(threshold, Rule::Probability).write(&mut out, span, incoming);
    out
}
