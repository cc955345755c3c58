//! The gRPC door.
//!
//! Answers the `Export` calls of OTLP's three services. Does not build messages: a frame's payload is handed on as bytes.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use bytes::{BufMut, Bytes, BytesMut};
use hyper::body::Incoming;
use tonic::{Code, Status};

use super::Door;
use super::answer::{self, Answer};
use super::body::{self, Reserved};
use crate::config::Telemetry;
use crate::intake::{Accepted, Intake, Refusal};
use crate::stats::Refused;

/// A gRPC frame's header: one byte says whether it is compressed, four how long it is.
const FRAME_HEADER: usize = 5;
const CONTENT_TYPE_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// OTLP over gRPC.
pub(crate) struct GrpcDoor(pub(crate) Arc<Intake>);

impl Door for GrpcDoor {
    async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        self.0.counters.requests.add(1);
        let is_grpc =
            request.headers().get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        if request.method() != Method::POST || !is_grpc {
            self.0.counters.refused.add(Refused::Unsupported, 1);
            return plain("this port speaks OTLP over gRPC; OTLP over HTTP has a port of its own, usually 4318\n");
        }
        let (kind, gzip) = match served(&request) {
            Ok(served) => served,
            Err(status) => {
                self.0.counters.refused.add(Refused::Unsupported, 1);
                return unimplemented(status);
            }
        };
        match self.take(request, kind, gzip).await {
            Ok(accepted) => success(&accepted),
            Err(refusal) => {
                self.0.counters.refused.add(refusal.reason(), 1);
                self.status(&refusal).into_http()
            }
        }
    }
}

impl GrpcDoor {
    async fn take(&self, request: Request<Incoming>, kind: Telemetry, gzip: bool) -> Result<Accepted, Refusal> {
        let limit = self.0.limits.request_bytes_max;
        let mut reserved = Reserved::none(&self.0);
        let body = body::read(request.into_body(), limit + FRAME_HEADER, &mut reserved).await?;
        let (compressed, message) = unframe(&body, limit)?;
        let message = match (compressed, gzip) {
            (false, _) => message,
            (true, true) => body::inflate(&message, &mut reserved)?,
            (true, false) => {
                return Err(Refusal::Malformed(
                    "message is marked compressed, but grpc-encoding is not gzip".to_owned(),
                ));
            }
        };
        self.0.receive(kind, &message).await
    }

    fn status(&self, refusal: &Refusal) -> Status {
        let message = refusal.to_string();
        match refusal {
            Refusal::Malformed(_) => Status::invalid_argument(message),
            Refusal::TooLarge { .. } => Status::resource_exhausted(message),
            Refusal::Timeout => Status::deadline_exceeded(message),
            Refusal::Overload(_) => {
                let pause = Duration::from_millis(self.0.limits.retry_after.0);
                let details = answer::overload_details(Code::Unavailable as i32, &message, pause);
                Status::with_details(Code::Unavailable, message, details.into())
            }
        }
    }
}

fn served(request: &Request<Incoming>) -> Result<(Telemetry, bool), Status> {
    let path = request.uri().path();
    let kind = Telemetry::ALL.into_iter().find(|kind| kind.method() == path);
    let kind = kind.ok_or_else(|| Status::unimplemented(format!("no such method: {path}")))?;
    match request.headers().get("grpc-encoding").map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok((kind, false)),
        Some(b"gzip") => Ok((kind, true)),
        Some(_) => Err(Status::unimplemented("grpc-encoding must be gzip or identity")),
    }
}

/// The one message of a unary call.
fn unframe(body: &Bytes, limit: usize) -> Result<(bool, Bytes), Refusal> {
    let malformed = |problem: &str| Err(Refusal::Malformed(format!("invalid gRPC frame: {problem}")));
    let Some((header, _)) = body.split_first_chunk::<FRAME_HEADER>() else {
        return malformed("shorter than its header");
    };
    let [flag, length @ ..] = *header;
    let length = u32::from_be_bytes(length) as usize;
    if length > limit {
        return Err(Refusal::TooLarge { limit });
    }
    match (flag, body.len() - FRAME_HEADER) {
        (2.., _) => malformed("unknown flag"),
        (_, held) if held < length => malformed("the message is cut short"),
        (_, held) if held > length => malformed("more than one message in a unary call"),
        _ => Ok((flag == 1, body.slice(FRAME_HEADER..))),
    }
}

fn success(accepted: &Accepted) -> Response<Answer> {
    let message = answer::response(accepted);
    let mut frame = BytesMut::with_capacity(FRAME_HEADER + message.len());
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(&message);
    let trailers: HeaderMap = [("grpc-status", "0")]
        .into_iter()
        .map(|(name, value)| (::http::HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let mut response = Response::new(Answer::with_trailers(frame.freeze(), trailers));
    response.headers_mut().insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
    response
}

fn unimplemented(status: Status) -> Response<Answer> {
    let mut response: Response<Answer> = status.into_http();
    response.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("gzip,identity"));
    response
}

fn plain(message: &'static str) -> Response<Answer> {
    let mut response = Response::new(Answer::data(Bytes::from_static(message.as_bytes())));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
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
        for bad in [&[][..], &[0, 0, 0, 0], &[9, 0, 0, 0, 0], &[0, 0, 0, 0, 2, 7], &[0, 0, 0, 0, 1, 7, 8]] {
            assert!(matches!(read(bad), Err(Refusal::Malformed(_))), "{bad:?}");
        }
    }
}
