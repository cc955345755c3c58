//! Where the content of a request is worked on.
//!
//! Answers what became of a whole, plain request. Does not read sockets. Usual requests are taken in on the spot, because
//! handing them over would cost more than the work; a huge one would keep a serving thread from its other connections for
//! as long as it is read, so it goes to a thread of its own, a few at a time.

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::body::Reserved;
use super::encoding::Budget;
use super::json;
use crate::config::Telemetry;
use crate::intake::{Accepted, Refusal};
use crate::wire::{Value, fields};

/// From this size on a request gets a thread of its own: about a millisecond of work, and above any usual batch.
pub(crate) const LARGE_BYTES: usize = 1 << 20;

/// From this size on the spans of a request are counted before they are read: a span may be two bytes long, and what is
/// noted of each while the request is worked on is a hundred times that.
const CROWDED_BYTES: usize = 256 << 10;
/// What is noted of each span, rounded up.
const SPAN_COST: usize = 256;

/// The plain content of a request.
pub(super) enum Content {
    Protobuf(Bytes),
    Json(Bytes),
}

impl Content {
    fn len(&self) -> usize {
        match self {
            Content::Protobuf(bytes) | Content::Json(bytes) => bytes.len(),
        }
    }
}

/// Takes the content in. Its memory stays reserved until that is done, even if the sender hangs up meanwhile.
pub(super) async fn take(kind: Telemetry, content: Content, reserved: Reserved) -> Result<Accepted, Refusal> {
    if reserved.intake().outlet.store().is_some() {
        return take_durably(kind, content, reserved).await;
    }
    if content.len() < LARGE_BYTES {
        return take_here(kind, content, reserved);
    }
    let intake = reserved.intake().clone();
    let turn = intake.large_requests.clone().acquire_owned().await.expect("the semaphore is never closed");
    let worked = spawn_blocking(move || {
        let _turn = turn;
        take_here(kind, content, reserved)
    });
    let worked = worked.await;
    worked.unwrap_or(Err(Refusal::Overload("worker threads full")))
}

/// The same where it is written to disk first. The reading is left to the end of that, which knows large ones too.
async fn take_durably(kind: Telemetry, content: Content, mut reserved: Reserved) -> Result<Accepted, Refusal> {
    let intake = reserved.intake().clone();
    let (message, reserved) = match content {
        Content::Protobuf(_) => (plain(kind, content, &mut reserved)?, reserved),
        Content::Json(text) => {
            let turn = intake.large_requests.clone().acquire_owned().await.expect("the semaphore is never closed");
            let worked = spawn_blocking(move || {
                let _turn = turn;
                plain(kind, Content::Json(text), &mut reserved).map(|message| (message, reserved))
            });
            worked.await.unwrap_or(Err(Refusal::Overload("worker threads full")))?
        }
    };
    intake.receive(kind, message, reserved).await
}

fn take_here(kind: Telemetry, content: Content, mut reserved: Reserved) -> Result<Accepted, Refusal> {
    let message = plain(kind, content, &mut reserved)?;
    reserved.intake().take(kind, &message)
}

fn plain(kind: Telemetry, content: Content, reserved: &mut Reserved) -> Result<Bytes, Refusal> {
    let message = match content {
        Content::Protobuf(message) => message,
        Content::Json(text) => {
            reserved.grow(text.len())?;
            json::to_protobuf(kind, &text, reserved.request_bytes_max())?
        }
    };
    if kind == Telemetry::Traces && message.len() >= CROWDED_BYTES {
        reserved.grow(spans_in(&message).saturating_mul(SPAN_COST))?;
    }
    Ok(message)
}

/// How many spans a request claims to hold, by their headers alone.
fn spans_in(request: &[u8]) -> usize {
    let inner = |message, number| {
        fields(message).filter_map(move |field| match field.value {
            Value::Bytes(bytes) if field.number == number => Some(bytes),
            _ => None,
        })
    };
    inner(request, 1).flat_map(|resource| inner(resource, 2)).map(|scope| inner(scope, 2).count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: a request of two resources with three scopes, among other fields, and bytes that are no request.
    /// Guarantees: spans are counted over all of them, and nonsense has none.
    #[test]
    fn spans_are_counted_by_their_headers() {
        let scope = [0x12, 0, 0x12, 2, 0x32, 0, 0x1a, 1, b'u'];
        let two = [&[0x12, 9][..], &scope, &[0x12, 9], &scope].concat();
        let one = [&[0x0a, 0, 0x12, 9][..], &scope].concat();
        let request = [&[0x0a, two.len() as u8][..], &two, &[0x0a, one.len() as u8], &one].concat();
        assert_eq!((spans_in(&request), spans_in(&[0xff; 9]), spans_in(&[])), (6, 0, 0));
    }
}
