//! Request bodies.
//!
//! Answers the bytes of a body, inflated, within its size limit, its deadline and the memory that all requests share.
//! Does not read their content. Bytes are reserved as they arrive, not as they are announced: a header costs nothing.

use std::io::{self, Read};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::intake::{Intake, Refusal};

/// How much of a body too large is read and thrown away, so that a sender in the middle of it gets to see the answer.
const DRAIN_BYTES_MAX: usize = 8 << 20;

/// Memory reserved for one request; given back when dropped.
pub(super) struct Reserved<'a> {
    intake: &'a Intake,
    bytes: usize,
}

impl<'a> Reserved<'a> {
    pub(super) fn none(intake: &'a Intake) -> Reserved<'a> {
        Reserved { intake, bytes: 0 }
    }

    fn grow(&mut self, bytes: usize) -> Result<(), Refusal> {
        let before = self.intake.in_flight.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
        if before + bytes > self.intake.limits.in_flight_bytes_max {
            return Err(Refusal::Overload("receive memory full"));
        }
        Ok(())
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.intake.in_flight.fetch_sub(self.bytes, Relaxed);
    }
}

/// Reads the whole body, at most `limit` bytes of it.
pub(super) async fn read(mut body: Incoming, limit: usize, reserved: &mut Reserved<'_>) -> Result<Bytes, Refusal> {
    let deadline = Duration::from_millis(reserved.intake.limits.body_deadline.0);
    let reading = collect(&mut body, limit, reserved);
    let result = tokio::time::timeout(deadline, reading).await.unwrap_or(Err(Refusal::Timeout));
    if let Err(Refusal::TooLarge { .. } | Refusal::Overload(_)) = result {
        drop(tokio::time::timeout(deadline, drain(&mut body)).await);
    }
    result
}

async fn collect(body: &mut Incoming, limit: usize, reserved: &mut Reserved<'_>) -> Result<Bytes, Refusal> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Malformed(format!("cannot read the request body: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(Refusal::TooLarge { limit: reserved.intake.limits.request_bytes_max });
        }
        reserved.grow(data.len())?;
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn drain(body: &mut Incoming) {
    let mut drained = 0;
    while drained < DRAIN_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        drained += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// Inflates gzip, stopping at the size limit.
pub(super) fn inflate(compressed: &[u8], reserved: &mut Reserved<'_>) -> Result<Bytes, Refusal> {
    let limit = reserved.intake.limits.request_bytes_max;
    let mut inflated = Vec::new();
    let mut decoder = MultiGzDecoder::new(compressed);
    let mut chunk = [0; 16 << 10];
    loop {
        let read = match decoder.read(&mut chunk) {
            Ok(0) => return Ok(inflated.into()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Refusal::Malformed(format!("cannot inflate the gzip body: {error}"))),
        };
        if inflated.len() + read > limit {
            return Err(Refusal::TooLarge { limit });
        }
        reserved.grow(read)?;
        inflated.extend_from_slice(&chunk[..read]);
    }
}
