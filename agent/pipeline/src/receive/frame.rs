//! gRPC frames.
//!
//! Answers the one message in the body of a unary call. Does not inflate it. The library's own framing is not used because
//! its size check answers `OUT_OF_RANGE`, which OTLP calls retryable.

use bytes::{BufMut, Bytes, BytesMut};

use crate::intake::Refusal;

/// A frame's header: one byte says whether the message is compressed, four how long it is.
pub(super) const HEADER: usize = 5;

/// How long the frame is that `begun` begins, header included; `None` while the header is incomplete.
pub(super) fn length(begun: &[u8]) -> Option<usize> {
    let [_, length @ ..] = begun.first_chunk::<HEADER>()?;
    (u32::from_be_bytes(*length) as usize).checked_add(HEADER)
}

/// The one message of a unary call, and whether it is compressed.
pub(crate) fn unframe(body: &Bytes, limit: usize) -> Result<(bool, Bytes), Refusal> {
    let malformed = |problem: &str| Err(Refusal::Malformed(format!("invalid gRPC frame: {problem}")));
    let (Some(expected), Some(flag)) = (length(body), body.first()) else {
        return malformed("shorter than its header");
    };
    if expected - HEADER > limit {
        return Err(Refusal::TooLarge { limit });
    }
    match (flag, body.len()) {
        (2.., _) => malformed("unknown flag"),
        (_, held) if held < expected => malformed("the message is cut short"),
        (_, held) if held > expected => malformed("more than one message in a unary call"),
        _ => Ok((*flag == 1, body.slice(HEADER..))),
    }
}

/// The frame of an uncompressed message.
pub(super) fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEADER + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(message);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: frames good and bad.
    /// Guarantees: one whole message is handed on; everything else says what is wrong, and a large one is too large even
    /// before it has arrived.
    #[test]
    fn a_frame_is_one_message() {
        let read = |bytes: &'static [u8]| unframe(&Bytes::from_static(bytes), 10);
        assert_eq!(read(&[1, 0, 0, 0, 2, 7, 8]), Ok((true, Bytes::from_static(&[7, 8]))));
        assert_eq!(read(&[0, 0, 0, 0, 0]), Ok((false, Bytes::new())));
        assert_eq!(read(&[0, 0, 0, 0, 11]), Err(Refusal::TooLarge { limit: 10 }));
        assert_eq!(unframe(&frame(b"abc"), 10), Ok((false, Bytes::from_static(b"abc"))));
        for bad in [&[][..], &[0, 0, 0, 0], &[9, 0, 0, 0, 0], &[0, 0, 0, 0, 2, 7], &[0, 0, 0, 0, 1, 7, 8]] {
            assert!(matches!(read(bad), Err(Refusal::Malformed(_))), "{bad:?}");
        }
    }
}
