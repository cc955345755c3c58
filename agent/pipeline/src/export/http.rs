//! OTLP out over HTTP.
//!
//! Answers how a destination took a request, by its HTTP status and its `Retry-After`. Bodies are protobuf: they are the
//! bytes that were received.

use std::io::Write;
use std::time::SystemTime;

use ::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::connect::Connector;
use super::exporter::{Destination, rejected_items};
use super::queue::Item;
use super::retry::{Attempt, retry_after};
use crate::config::Compression;
use crate::watched::chain;

/// How much of an answer is read; an export response is a count and a sentence.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How much of an answer's text is repeated in a message.
const EXCERPT_CHARS_MAX: usize = 200;

#[derive(Debug)]
pub(super) struct HttpTransport {
    client: Client<Connector, Full<Bytes>>,
    base: String,
    headers: HeaderMap,
    compression: Compression,
}

impl HttpTransport {
    pub(super) fn new(destination: Destination) -> HttpTransport {
        let scheme = if destination.tls.is_some() { "https" } else { "http" };
        let authority = destination.endpoint.authority().map_or("", |authority| authority.as_str());
        HttpTransport {
            client: Client::builder(TokioExecutor::new()).build(Connector::new(destination.tls.clone())),
            base: format!("{scheme}://{authority}{}", destination.prefix),
            headers: destination.headers,
            compression: destination.compression,
        }
    }

    pub(super) async fn send(&self, item: &Item) -> Attempt {
        let request = match self.request(item) {
            Ok(request) => request,
            Err(error) => return Attempt::Refused(error.to_string()),
        };
        let failed = |why: String| Attempt::Failed { why, after: None };
        let (parts, body) = match self.client.request(request).await {
            Ok(response) => Response::into_parts(response),
            Err(error) => return failed(chain(&error)),
        };
        let answer = match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(_) => Bytes::new(),
        };
        judge(parts.status, &parts.headers, &answer)
    }

    fn request(&self, item: &Item) -> Result<Request<Full<Bytes>>, ::http::Error> {
        let mut request = Request::builder().method(Method::POST).uri(format!("{}{}", self.base, item.kind.path()));
        if let Some(headers) = request.headers_mut() {
            headers.extend(self.headers.clone());
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
            let encoding = match self.compression {
                Compression::None => None,
                Compression::Gzip => Some("gzip"),
                Compression::Zstd => Some("zstd"),
            };
            headers.extend(encoding.map(|name| (CONTENT_ENCODING, HeaderValue::from_static(name))));
        }
        request.body(Full::new(compressed(self.compression, &item.bytes)))
    }
}

/// OTLP specification, "Failures" and "Retryable Response Codes".
fn judge(status: StatusCode, headers: &HeaderMap, answer: &[u8]) -> Attempt {
    if status.is_success() {
        return Attempt::Accepted { rejected: rejected_items(answer) };
    }
    let excerpt: String = String::from_utf8_lossy(answer).chars().take(EXCERPT_CHARS_MAX).collect();
    let why = format!("{status}: {}", excerpt.escape_debug());
    match status.as_u16() {
        429 | 502 | 503 | 504 => {
            let asked = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            Attempt::Failed { why, after: asked.and_then(|text| retry_after(text, wall_clock())) }
        }
        _ => Attempt::Refused(why),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a date in Retry-After is wall-clock time, whatever the agent's own clock says"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// At the fastest level of each: what is saved beyond it costs more than it is worth between machines of one network.
fn compressed(compression: Compression, bytes: &Bytes) -> Bytes {
    match compression {
        Compression::None => bytes.clone(),
        Compression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), flate2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory does not fail").into()
        }
        Compression::Zstd => zstd::bulk::compress(bytes, 1).expect("memory of the bound's size is enough").into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Scenario: every status a destination may answer with.
    /// Guarantees: exactly OTLP's four are retried, with the pause asked for; rejected items are counted.
    #[test]
    fn only_retryable_statuses_are_retried() {
        let headers: HeaderMap = [(RETRY_AFTER, HeaderValue::from_static("3"))].into_iter().collect();
        for code in 200..600 {
            let status = StatusCode::from_u16(code).unwrap();
            match judge(status, &headers, &[0x0a, 2, 0x08, 5]) {
                Attempt::Accepted { rejected } => assert!(status.is_success() && rejected == 5),
                Attempt::Failed { after, .. } => {
                    assert!([429, 502, 503, 504].contains(&code) && after == Some(Duration::from_secs(3)));
                }
                Attempt::Refused(_) => assert!(!status.is_success() && ![429, 502, 503, 504].contains(&code)),
            }
        }
    }
}
