//! A small HTTP client.
//!
//! Answers what a server at a URL says, within a time limit and a size limit. It does not know what is asked. It stands on
//! the HTTP library the agent already has rather than on a larger client, because GET, PUT and POST of small JSON over
//! plain HTTP are all that is needed.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The largest answer read. Honest ones have some hundred bytes; a larger one is an error.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How much of a refusing server's answer is shown to people.
const SHOWN_BYTES_MAX: usize = 200;

/// Why an HTTP exchange failed.
#[derive(Debug, Error)]
pub enum ExchangeError {
    /// There was no answer in time.
    #[error("{method} {url} was not answered within {} ms", limit.as_millis())]
    Timeout {
        /// What was asked.
        method: Method,
        /// Of whom.
        url: Uri,
        /// The limit.
        limit: Duration,
    },
    /// The server cannot be reached, or broke off.
    #[error("{method} {url} failed: {why}")]
    Unreachable {
        /// What was asked.
        method: Method,
        /// Of whom.
        url: Uri,
        /// The cause, with its own causes.
        why: String,
    },
    /// The server said no.
    #[error("{method} {url} was answered {status}: {body}")]
    Refused {
        /// What was asked.
        method: Method,
        /// Of whom.
        url: Uri,
        /// The status.
        status: StatusCode,
        /// The beginning of the answer.
        body: String,
    },
    /// The answer is not the JSON that was expected.
    #[error("{method} {url} gave an answer that cannot be used: {why}")]
    Answer {
        /// What was asked.
        method: Method,
        /// Of whom.
        url: Uri,
        /// What is wrong with it, with the field's name.
        why: String,
    },
}

impl ExchangeError {
    /// Whether the same request may succeed a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            ExchangeError::Timeout { .. } | ExchangeError::Unreachable { .. } => true,
            ExchangeError::Refused { status, .. } => {
                status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
            }
            ExchangeError::Answer { .. } => false,
        }
    }
}

/// A client with connection reuse. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct HttpClient {
    inner: Client<HttpConnector, Full<Bytes>>,
    limit: Duration,
}

/// One request, without its body.
struct Head<'a> {
    method: Method,
    url: &'a Uri,
}

impl HttpClient {
    /// A client whose every exchange, from connecting to the last byte of the answer, ends within `limit`.
    pub(crate) fn new(limit: Duration) -> HttpClient {
        HttpClient { inner: Client::builder(TokioExecutor::new()).build_http(), limit }
    }

    /// Asks for JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: &Uri) -> Result<T, ExchangeError> {
        let head = Head { method: Method::GET, url };
        let body = self.exchange(&head, Bytes::new()).await?;
        serde_json::from_slice(&body).map_err(|error| head.answer(&error))
    }

    /// Sends JSON; the answer's text is not looked at.
    pub(crate) async fn send(&self, method: Method, url: &Uri, body: &impl Serialize) -> Result<(), ExchangeError> {
        let head = Head { method, url };
        let body = serde_json::to_vec(body).map_err(|error| head.answer(&error))?;
        self.exchange(&head, body.into()).await.map(drop)
    }

    async fn exchange(&self, head: &Head<'_>, body: Bytes) -> Result<Bytes, ExchangeError> {
        match tokio::time::timeout(self.limit, self.exchange_unbounded(head, body)).await {
            Ok(result) => result,
            Err(_) => {
                Err(ExchangeError::Timeout { method: head.method.clone(), url: head.url.clone(), limit: self.limit })
            }
        }
    }

    async fn exchange_unbounded(&self, head: &Head<'_>, body: Bytes) -> Result<Bytes, ExchangeError> {
        let request = Request::builder()
            .method(head.method.clone())
            .uri(head.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("homeostat/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(body))
            .map_err(|error| head.unreachable(&error))?;
        let answer = self.inner.request(request).await.map_err(|error| head.unreachable(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| head.unreachable(&*error))?.to_bytes();
        if status.is_success() { Ok(body) } else { Err(head.refused(status, &body)) }
    }
}

impl Head<'_> {
    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ExchangeError {
        ExchangeError::Unreachable { method: self.method.clone(), url: self.url.clone(), why: with_causes(error) }
    }

    fn answer(&self, error: &serde_json::Error) -> ExchangeError {
        ExchangeError::Answer { method: self.method.clone(), url: self.url.clone(), why: error.to_string() }
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> ExchangeError {
        let shown = &body[..body.len().min(SHOWN_BYTES_MAX)];
        let body = String::from_utf8_lossy(shown).trim().to_owned();
        ExchangeError::Refused { method: self.method.clone(), url: self.url.clone(), status, body }
    }
}

/// The library's errors say little themselves ("client error (Connect)"); their causes say what happened.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
