//! Request bodies.
//!
//! Answers the bytes of a body, within its size limit, its deadline and the memory that all requests share. Does not read
//! their content. Bytes are reserved as they arrive, not as they are announced: a header costs nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::encoding::Budget;
use super::frame;
use crate::intake::{Intake, Refusal};

/// How much of a body too large is read and thrown away, so that a sender in the middle of it gets to see the answer.
const DRAIN_BYTES_MAX: usize = 8 << 20;
/// Room is made for so much at once, at most, on the word of a sender who may never send it.
const PIECE_BYTES: usize = 1 << 20;
/// Bodies smaller than this are copied: they are parts of a connection's read buffer, and a hundred bytes that wait in a
/// queue would keep all of it.
const SMALL_BYTES: usize = 16 << 10;

/// Memory reserved for one request; given back when dropped.
pub(super) struct Reserved {
    intake: Arc<Intake>,
    bytes: usize,
}

impl Reserved {
    pub(super) fn none(intake: &Arc<Intake>) -> Reserved {
        Reserved { intake: intake.clone(), bytes: 0 }
    }

    pub(super) fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }
}

impl Budget for Reserved {
    fn request_bytes_max(&self) -> usize {
        self.intake.limits.request_bytes_max
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let before = self.intake.in_flight.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
        let most = self.intake.limits.in_flight_bytes_max;
        match (before + bytes > most, self.bytes > most) {
            (false, _) => Ok(()),
            (true, false) => Err(Refusal::Overload("receive memory full")),
            // It would not fit alone either: to come back later would not help.
            (true, true) => Err(Refusal::TooLarge { limit: self.intake.limits.request_bytes_max }),
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.intake.in_flight.fetch_sub(self.bytes, Relaxed);
    }
}

/// Who says how long a body will be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Announced {
    /// A header, perhaps.
    ByHeader(Option<u64>),
    /// The frame header that a gRPC body begins with.
    ByFrame,
}

/// Reads the whole body, at most as many bytes as one request may have.
pub(super) async fn read(mut body: Incoming, announced: Announced, reserved: &mut Reserved) -> Result<Bytes, Refusal> {
    let deadline = Duration::from_millis(reserved.intake.limits.body_deadline.0);
    let reading = collect(&mut body, announced, reserved);
    let result = tokio::time::timeout(deadline, reading).await.unwrap_or(Err(Refusal::Timeout));
    if let Err(Refusal::TooLarge { .. } | Refusal::Overload(_)) = result {
        drop(tokio::time::timeout(deadline, drain(&mut body)).await);
    }
    result
}

async fn collect(body: &mut Incoming, announced: Announced, reserved: &mut Reserved) -> Result<Bytes, Refusal> {
    let limit = reserved.request_bytes_max();
    let most = match announced {
        Announced::ByHeader(Some(length)) if length > limit as u64 => return Err(Refusal::TooLarge { limit }),
        Announced::ByHeader(_) => limit,
        Announced::ByFrame => limit + frame::HEADER,
    };
    let mut gathered = Gathered::Nothing;
    while let Some(part) = body.frame().await {
        let part = part.map_err(|error| Refusal::Malformed(format!("cannot read the request body: {error}")))?;
        let Ok(data) = part.into_data() else { continue };
        // Many clients end a body with a part of nothing, which must not cost a copy of the rest.
        if data.is_empty() {
            continue;
        }
        reserved.grow(data.len())?;
        let length = gathered.len() + data.len();
        gathered = gathered.join(data, announced);
        let expected = announced.length(gathered.begun()).unwrap_or(0);
        if length.max(expected) > most {
            return Err(Refusal::TooLarge { limit });
        }
    }
    Ok(gathered.whole().await)
}

impl Announced {
    fn length(self, begun: &[u8]) -> Option<usize> {
        match self {
            Announced::ByHeader(length) => usize::try_from(length?).ok(),
            Announced::ByFrame => frame::length(begun),
        }
    }
}

/// What has arrived. A body of one part is handed on as it came. One of several is copied once, into room of its size; a
/// large one in pieces first, because what grows by doubling copies tens of megabytes at once while others wait.
enum Gathered {
    Nothing,
    One(Bytes),
    Several { full: Vec<BytesMut>, last: BytesMut, length: usize },
}

impl Gathered {
    fn len(&self) -> usize {
        match self {
            Gathered::Nothing => 0,
            Gathered::One(bytes) => bytes.len(),
            Gathered::Several { length, .. } => *length,
        }
    }

    /// The beginning, at least as long as a frame's header if so much has come.
    fn begun(&self) -> &[u8] {
        match self {
            Gathered::Nothing => &[],
            Gathered::One(bytes) => bytes,
            Gathered::Several { full, last, .. } => full.first().unwrap_or(last),
        }
    }

    fn join(self, data: Bytes, announced: Announced) -> Gathered {
        let held = self.len();
        match self {
            Gathered::Nothing => Gathered::One(data),
            Gathered::One(first) => {
                let mut last = BytesMut::with_capacity(room(announced.length(&first), held + data.len()));
                last.extend_from_slice(&first);
                Gathered::Several { full: Vec::new(), last, length: held }.join(data, announced)
            }
            Gathered::Several { mut full, mut last, length } => {
                let length = length + data.len();
                if last.capacity() - last.len() < data.len() && last.len() >= PIECE_BYTES {
                    let piece = BytesMut::with_capacity(data.len().max(PIECE_BYTES));
                    full.push(std::mem::replace(&mut last, piece));
                }
                last.extend_from_slice(&data);
                Gathered::Several { full, last, length }
            }
        }
    }

    async fn whole(self) -> Bytes {
        match self {
            Gathered::Nothing => Bytes::new(),
            Gathered::One(bytes) if bytes.len() < SMALL_BYTES => Bytes::copy_from_slice(&bytes),
            Gathered::One(bytes) => bytes,
            Gathered::Several { full, last, .. } if full.is_empty() => last.freeze(),
            Gathered::Several { full, last, length } => {
                let mut whole = BytesMut::with_capacity(length);
                for piece in full.into_iter().chain([last]) {
                    whole.extend_from_slice(&piece);
                    tokio::task::yield_now().await;
                }
                whole.freeze()
            }
        }
    }
}

/// Room for what is announced, but not far ahead of what is there; without an announcement, for twice as much as is there.
fn room(announced: Option<usize>, arrived: usize) -> usize {
    announced.unwrap_or(arrived * 2).clamp(arrived, arrived.max(PIECE_BYTES))
}

async fn drain(body: &mut Incoming) {
    let mut drained = 0;
    while drained < DRAIN_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        drained += frame.data_ref().map_or(0, Bytes::len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: bodies whose length is announced rightly, absurdly, too small and not at all, in one part, in a few, in
    /// many, and byte by byte.
    /// Guarantees: the bytes are what was sent, one part is not copied, and room is never made far ahead of what arrived.
    #[tokio::test]
    async fn room_follows_what_arrives() {
        let many: Vec<Bytes> = (0..200_u8).map(|part| vec![part; 20_000].into()).collect();
        let bytewise: Vec<Bytes> = (0..100).map(|part| vec![part].into()).collect();
        for parts in [&many[..], &many[..3], &bytewise] {
            let sum: usize = parts.iter().map(Bytes::len).sum();
            for length in [None, Some(sum as u64), Some(u64::MAX), Some(3)] {
                let announced = Announced::ByHeader(length);
                let mut gathered = Gathered::Nothing;
                for part in parts {
                    gathered = gathered.join(part.clone(), announced);
                    if let Gathered::Several { full, last, .. } = &gathered {
                        let room: usize = full.iter().map(BytesMut::capacity).sum::<usize>() + last.capacity();
                        assert!(room <= gathered.len() * 2 + PIECE_BYTES, "{length:?}: {room} for {}", gathered.len());
                    }
                }
                assert_eq!(gathered.whole().await, parts.concat());
            }
        }
        let one = Gathered::Nothing.join(many[0].clone(), Announced::ByFrame).whole().await;
        assert_eq!(one.as_ptr(), many[0].as_ptr(), "handed on, not copied");
    }
}
