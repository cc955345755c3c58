//! Where the content of a request is worked on.
//!
//! Answers what became of a whole, plain request. Does not read sockets. Usual requests are taken in on the spot, because
//! handing them over would cost more than the work; a huge one would keep a serving thread from its other connections for
//! as long as it is read, so it goes to a thread of its own, a few at a time.

use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::body::Reserved;
use super::json;
use crate::config::Telemetry;
use crate::intake::{Accepted, Refusal};

/// From this size on a request gets a thread of its own: about a millisecond of work, and above any usual batch.
pub(crate) const LARGE_BYTES: usize = 1 << 20;

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
        Content::Protobuf(message) => (message, reserved),
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
    match content {
        Content::Protobuf(message) => Ok(message),
        Content::Json(text) => {
            reserved.grow(text.len())?;
            json::to_protobuf(kind, &text, reserved.request_bytes_max())
        }
    }
}
