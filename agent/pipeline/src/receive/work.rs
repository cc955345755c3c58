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
use crate::views::SPAN_BYTES_MIN;
use crate::wire::{Value, fields};

/// From this size on a request gets a thread of its own: about a millisecond of work, and above any usual batch.
pub(crate) const LARGE_BYTES: usize = 1 << 20;

/// From this size on it is counted before a request is read what will be noted of it while it is worked on: up to twelve times
/// its own size, where spans are as short as can be.
const CROWDED_BYTES: usize = 256 << 10;
/// What is noted of each span that may be accepted, rounded up.
const SPAN_COST: usize = 256;
/// What is noted of each scope with such a span, rounded up.
const SCOPE_COST: usize = 128;

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
        reserved.grow(noted_of(&message))?;
    }
    Ok(message)
}

/// What will be noted of a request, by the headers of its scopes and spans alone. Spans too short to be accepted are only
/// counted, and cost nothing.
fn noted_of(request: &[u8]) -> usize {
    let inner = |message, number| {
        fields(message).filter_map(move |field| match field.value {
            Value::Bytes(bytes) if field.number == number => Some(bytes),
            _ => None,
        })
    };
    let spans = |scope| inner(scope, 2).filter(|span| span.len() >= SPAN_BYTES_MIN).count();
    let scopes = inner(request, 1).flat_map(|resource| inner(resource, 2)).map(spans);
    scopes.filter(|spans| *spans > 0).map(|spans| SCOPE_COST + spans * SPAN_COST).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::put_bytes;

    /// Scenario: a request of two resources with three scopes and one more without long spans, among other fields, and bytes
    /// that are no request.
    /// Guarantees: what is noted is counted over all of them, short spans cost nothing, and nonsense neither.
    #[test]
    fn what_is_noted_is_counted_by_headers() {
        let message = |number, content: &[&[u8]]| {
            let mut out = Vec::new();
            put_bytes(&mut out, number, &content.concat());
            out
        };
        let long = message(2, &[&[0x32; SPAN_BYTES_MIN]]);
        let short = message(2, &[&[0x32; SPAN_BYTES_MIN - 1]]);
        let scope = message(2, &[&short, &long, &[0x12, 0], &long, &[0x1a, 1, b'u']]);
        let (two, one) = (message(1, &[&scope, &scope]), message(1, &[&[0x0a, 0], &scope, &message(2, &[&short])]));
        assert_eq!(noted_of(&[two, one].concat()), 3 * SCOPE_COST + 6 * SPAN_COST);
        assert_eq!((noted_of(&[0xff; 9]), noted_of(&[])), (0, 0));
    }
}
