//! The HTTP door.
//!
//! Answers `POST /v1/traces`, `/v1/metrics`, `/v1/logs` and `/v1development/profiles`, protobuf or JSON, in the format the
//! request came in. Does not read content. A router is not used: there are four paths.

use std::sync::Arc;

use ::http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::Door;
use super::answer::{self, Answer};
use super::body::{self, Announced, Reserved};
use super::encoding::{self, Encoding};
use super::work::{self, Content};
use crate::config::Telemetry;
use crate::intake::{Accepted, Intake, Refusal};
use crate::stats::Refused;

/// OTLP over HTTP.
pub(crate) struct HttpDoor(pub(crate) Arc<Intake>);

/// The format of a request and of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

/// What is not served at all, before any content is looked at.
struct Unserved {
    status: StatusCode,
    message: String,
}

impl Door for HttpDoor {
    async fn answer(&self, request: Request<Incoming>) -> Response<Answer> {
        self.0.counters.requests.add(1);
        let format = format(request.headers());
        let answering = format.unwrap_or(Format::Protobuf);
        if let Err(refusal) = self.0.admit(request.headers()) {
            return self.refuse(answering, &refusal);
        }
        let (kind, format, encoding) = match served(&request, format) {
            Ok(served) => served,
            Err(unserved) => {
                self.0.counters.refused.add(Refused::Unsupported, 1);
                return error(answering, unserved.status, &unserved.message);
            }
        };
        match self.take(request, kind, format, encoding).await {
            Ok(accepted) => success(kind, format, &accepted),
            Err(refusal) => self.refuse(format, &refusal),
        }
    }
}

impl HttpDoor {
    async fn take(
        &self,
        request: Request<Incoming>,
        kind: Telemetry,
        format: Format,
        encoding: Encoding,
    ) -> Result<Accepted, Refusal> {
        self.0.has_memory(kind)?;
        let mut reserved = Reserved::none(&self.0);
        let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = body::read(request.into_body(), Announced::ByHeader(length), &mut reserved).await?;
        let body = encoding::inflate(encoding, body, &mut reserved).await?;
        let content = match format {
            Format::Protobuf => Content::Protobuf(body),
            Format::Json => Content::Json(body),
        };
        work::take(kind, content, reserved).await
    }

    fn refuse(&self, format: Format, refusal: &Refusal) -> Response<Answer> {
        self.0.counters.refused.add(refusal.reason(), 1);
        let status = match refusal {
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Overload(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Timeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::Unauthenticated => StatusCode::UNAUTHORIZED,
        };
        let mut response = error(format, status, &refusal.to_string());
        if let Refusal::Overload(_) = refusal {
            let seconds = self.0.limits.retry_after.0.div_ceil(1000);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if *refusal == Refusal::Unauthenticated {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

fn served(request: &Request<Incoming>, format: Option<Format>) -> Result<(Telemetry, Format, Encoding), Unserved> {
    let unserved = |status, message: String| Err(Unserved { status, message });
    let Some(kind) = Telemetry::ALL.into_iter().find(|kind| kind.path() == request.uri().path()) else {
        let message =
            "no such path; OTLP is served at /v1/traces, /v1/metrics, /v1/logs and /v1development/profiles".to_owned();
        return unserved(StatusCode::NOT_FOUND, message);
    };
    if request.method() != Method::POST {
        return unserved(StatusCode::METHOD_NOT_ALLOWED, format!("method {} not allowed, use POST", request.method()));
    }
    let Some(format) = format else {
        let message = "content-type must be application/x-protobuf or application/json".to_owned();
        return unserved(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    };
    match Encoding::named(request.headers().get(CONTENT_ENCODING)) {
        Some(encoding) => Ok((kind, format, encoding)),
        None => {
            let message = "content-encoding must be gzip, zstd or identity".to_owned();
            unserved(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
        }
    }
}

fn format(headers: &HeaderMap) -> Option<Format> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Some(Format::Protobuf),
        "application/json" => Some(Format::Json),
        _ => None,
    }
}

fn success(kind: Telemetry, format: Format, accepted: &Accepted) -> Response<Answer> {
    match format {
        Format::Protobuf => respond(format, StatusCode::OK, answer::response(accepted)),
        Format::Json => respond(format, StatusCode::OK, answer::response_json(kind, accepted)),
    }
}

fn error(format: Format, status: StatusCode, message: &str) -> Response<Answer> {
    // google.rpc.Code: the gRPC door's code for the same case.
    let code = match status {
        StatusCode::PAYLOAD_TOO_LARGE => 8,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => 12,
        _ => 3,
    };
    let mut response = match format {
        Format::Protobuf => respond(format, status, answer::status(code, message)),
        Format::Json => respond(format, status, answer::status_json(code, message)),
    };
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

fn respond(format: Format, status: StatusCode, body: Vec<u8>) -> Response<Answer> {
    let content_type = match format {
        Format::Protobuf => "application/x-protobuf",
        Format::Json => "application/json",
    };
    let mut response = Response::new(Answer::data(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
