//! The client of the agent's API.
//!
//! Answers what a running agent says. Does not interpret it. It speaks plain HTTP/1.1 over one connection per question,
//! because the API is on loopback and asked a few times a minute.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::api::OPERATOR_HEADER;

/// An agent that does not answer in this time is not going to.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// No answer is larger: ten thousand records of a few kilobytes each fit.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum ClientError {
    /// The address is none.
    #[error("{api} is not an address of an agent; expected http://HOST:PORT")]
    Address {
        /// What was given.
        api: String,
    },
    /// Nobody listens, or the connection broke.
    #[error("no agent answers at {api}: start one with `homeostat run`, or name another address with --api")]
    NoAgent {
        /// Who was asked.
        api: String,
    },
    /// It took too long.
    #[error("the agent at {api} did not answer within {} s; see its log", ANSWER_WITHIN.as_secs())]
    TooLate {
        /// Who was asked.
        api: String,
    },
    /// It said no.
    #[error("{answer}")]
    Refused {
        /// How.
        status: StatusCode,
        /// Why.
        answer: String,
    },
    /// It said something else.
    #[error("what answers at {api} does not speak this homeostat's API: {why}; are the versions the same?")]
    Strange {
        /// Who was asked.
        api: String,
        /// What is strange.
        why: String,
    },
}

/// Asks the agent at one address.
pub(crate) struct AgentClient {
    api: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl AgentClient {
    /// A client of the agent at `api`, for example `http://127.0.0.1:4390`.
    pub(crate) fn new(api: &str) -> AgentClient {
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        AgentClient { api: api.trim_end_matches('/').to_owned(), client }
    }

    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let body = self.ask(Method::GET, path).await?;
        let strange = |error: serde_json::Error| ClientError::Strange { api: self.api.clone(), why: error.to_string() };
        serde_json::from_slice(&body).map_err(strange)
    }

    /// Steers.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let body = self.ask(Method::POST, path).await?;
        let strange = |error: serde_json::Error| ClientError::Strange { api: self.api.clone(), why: error.to_string() };
        serde_json::from_slice(&body).map_err(strange)
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Bytes, ClientError> {
        let address = || ClientError::Address { api: self.api.clone() };
        if !self.api.starts_with("http://") {
            return Err(address());
        }
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.api))
            .header(OPERATOR_HEADER, "1")
            .header(header::ACCEPT, "application/json")
            .body(Full::default())
            .map_err(|_| address())?;
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.exchange(request)).await;
        let (status, body) = answer.map_err(|_| ClientError::TooLate { api: self.api.clone() })??;
        if status.is_success() {
            return Ok(body);
        }
        Err(ClientError::Refused { status, answer: String::from_utf8_lossy(&body).trim().to_owned() })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), ClientError> {
        let response = self.client.request(request).await;
        let response = response.map_err(|_| ClientError::NoAgent { api: self.api.clone() })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let strange = |error: Box<dyn std::error::Error + Send + Sync>| ClientError::Strange {
            api: self.api.clone(),
            why: error.to_string(),
        };
        Ok((status, body.map_err(strange)?.to_bytes()))
    }
}
