//! The gRPC door.
//!
//! Answers the `Export` calls of OTLP's four services. Does not build messages: a frame's payload is handed on as bytes.

use std::sync::Arc;
use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;
use tonic::{Code, Status};

use super::Door;
use super::answer::{self, Answer};
use super::body::{self, Announced, Reserved};
use super::encoding::{self, Encoding};
use super::frame;
use super::work::{self, Content};
use crate::config::Telemetry;
use crate::intake::{Accepted, Intake, Refusal};
use crate::stats::Refused;

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
        if let Err(refusal) = self.0.admit(request.headers()) {
            return self.refuse(&refusal);
        }
        let (kind, encoding) = match served(&request) {
            Ok(served) => served,
            Err(status) => {
                self.0.counters.refused.add(Refused::Unsupported, 1);
                return unimplemented(status);
            }
        };
        match self.take(request, kind, encoding).await {
            Ok(accepted) => success(&accepted),
            Err(refusal) => self.refuse(&refusal),
        }
    }
}

impl GrpcDoor {
    async fn take(&self, request: Request<Incoming>, kind: Telemetry, encoding: Encoding) -> Result<Accepted, Refusal> {
        self.0.has_memory(kind)?;
        let mut reserved = Reserved::none(&self.0);
        let body = body::read(request.into_body(), Announced::ByFrame, &mut reserved).await?;
        let (compressed, message) = frame::unframe(&body, self.0.limits.request_bytes_max)?;
        if compressed && encoding == Encoding::Identity {
            let problem = "message is marked compressed, but grpc-encoding names no compression";
            return Err(Refusal::Malformed(problem.to_owned()));
        }
        let encoding = if compressed { encoding } else { Encoding::Identity };
        let message = encoding::inflate(encoding, message, &mut reserved).await?;
        work::take(kind, Content::Protobuf(message), reserved).await
    }

    fn refuse(&self, refusal: &Refusal) -> Response<Answer> {
        self.0.counters.refused.add(refusal.reason(), 1);
        self.status(refusal).into_http()
    }

    fn status(&self, refusal: &Refusal) -> Status {
        let message = refusal.to_string();
        match refusal {
            Refusal::Malformed(_) => Status::invalid_argument(message),
            Refusal::TooLarge { .. } => Status::resource_exhausted(message),
            Refusal::Timeout => Status::deadline_exceeded(message),
            Refusal::Unauthenticated => Status::unauthenticated(message),
            Refusal::Overload(_) => {
                let pause = Duration::from_millis(self.0.limits.retry_after.0);
                let details = answer::overload_details(Code::Unavailable as i32, &message, pause);
                Status::with_details(Code::Unavailable, message, details.into())
            }
        }
    }
}

fn served(request: &Request<Incoming>) -> Result<(Telemetry, Encoding), Status> {
    let path = request.uri().path();
    let kind = Telemetry::ALL.into_iter().find(|kind| kind.method() == path);
    let kind = kind.ok_or_else(|| Status::unimplemented(format!("no such method: {path}")))?;
    let encoding = Encoding::named(request.headers().get("grpc-encoding"));
    let unknown = || Status::unimplemented("grpc-encoding must be gzip, zstd or identity");
    Ok((kind, encoding.ok_or_else(unknown)?))
}

fn success(accepted: &Accepted) -> Response<Answer> {
    let message = answer::response(accepted);
    let trailers: HeaderMap = [("grpc-status", "0")]
        .into_iter()
        .map(|(name, value)| (::http::HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect();
    let mut response = Response::new(Answer::with_trailers(frame::frame(&message), trailers));
    response.headers_mut().insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
    response
}

fn unimplemented(status: Status) -> Response<Answer> {
    let mut response: Response<Answer> = status.into_http();
    response.headers_mut().insert("grpc-accept-encoding", Encoding::ACCEPTED);
    response
}

fn plain(message: &'static str) -> Response<Answer> {
    let mut response = Response::new(Answer::data(Bytes::from_static(message.as_bytes())));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}
