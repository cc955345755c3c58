//! Answers.
//!
//! Answers what an OTLP response or error looks like in each format: a response message, `google.rpc.Status`, its JSON.
//! Does not choose status codes. The messages are a handful of fields, written by hand in a few lines.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::HeaderMap;
use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::config::Telemetry;
use crate::intake::Accepted;
use crate::wire::{put_bytes, put_number};

/// A response body: some bytes, then perhaps trailers.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Answer {
    pub(super) fn data(data: Bytes) -> Answer {
        Answer { data: Some(data).filter(|data| !data.is_empty()), trailers: None }
    }

    pub(super) fn with_trailers(data: Bytes, trailers: HeaderMap) -> Answer {
        Answer { data: Some(data), trailers: Some(trailers) }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take().map(Frame::data);
        let frame = data.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.data.as_ref().map_or(0, |data| data.len() as u64);
        if self.trailers.is_none() { SizeHint::with_exact(length) } else { SizeHint::default() }
    }
}

/// An export response; `partial_success` is set only when something was rejected. The same layout for every kind.
pub(super) fn response(accepted: &Accepted) -> Vec<u8> {
    let mut out = Vec::new();
    if accepted.rejected > 0 {
        let mut partial = Vec::new();
        put_number(&mut partial, 1, accepted.rejected);
        put_bytes(&mut partial, 2, accepted.message.as_bytes());
        put_bytes(&mut out, 1, &partial);
    }
    out
}

/// The same as JSON; 64-bit numbers are strings there.
pub(super) fn response_json(kind: Telemetry, accepted: &Accepted) -> Vec<u8> {
    if accepted.rejected == 0 {
        return b"{}".to_vec();
    }
    let rejected = match kind {
        Telemetry::Traces => "rejectedSpans",
        Telemetry::Metrics => "rejectedDataPoints",
        Telemetry::Logs => "rejectedLogRecords",
        Telemetry::Profiles => "rejectedProfiles",
    };
    let partial = serde_json::json!({ rejected: accepted.rejected.to_string(), "errorMessage": accepted.message });
    serde_json::json!({ "partialSuccess": partial }).to_string().into_bytes()
}

/// A `google.rpc.Status`.
pub(super) fn status(code: i32, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, u64::from(code.unsigned_abs()));
    put_bytes(&mut out, 2, message.as_bytes());
    out
}

/// The same as JSON.
pub(super) fn status_json(code: i32, message: &str) -> Vec<u8> {
    serde_json::json!({ "code": code, "message": message }).to_string().into_bytes()
}

/// A `google.rpc.Status` with a `google.rpc.RetryInfo`: how a gRPC sender is told when to come back.
pub(crate) fn overload_details(code: i32, message: &str, retry_after: Duration) -> Vec<u8> {
    let (mut duration, mut info, mut any) = (Vec::new(), Vec::new(), Vec::new());
    put_number(&mut duration, 1, retry_after.as_secs());
    put_number(&mut duration, 2, u64::from(retry_after.subsec_nanos()));
    put_bytes(&mut info, 1, &duration);
    put_bytes(&mut any, 1, b"type.googleapis.com/google.rpc.RetryInfo");
    put_bytes(&mut any, 2, &info);
    let mut out = status(code, message);
    put_bytes(&mut out, 3, &any);
    out
}
