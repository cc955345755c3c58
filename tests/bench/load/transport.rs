//! The client's side of OTLP's transports.
//!
//! Answers what a receiver said to one request over gRPC or HTTP. Does not retry and does not know what was sent. Built on
//! plain HTTP rather than on a gRPC library, because the request's bytes then go to the socket without being copied.

use std::net::SocketAddr;

use bytes::{BufMut, Bytes, BytesMut};
use clap::ValueEnum;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::Outcome;
use crate::template::Workload;
use crate::wire::Reader;

/// How a receiver is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// HTTP/2, many requests at once on a connection.
    Grpc,
    /// HTTP/1.1 with protobuf bodies, one request at a time on a connection.
    Http,
}

/// Before each message of gRPC: not compressed, and its length.
pub(crate) const PREFIX: usize = 5;

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Taken, except for so many items.
    Accepted { rejected: u64 },
    /// Refused, to be tried again.
    Refused(String),
    /// Refused for good.
    Failed(String),
}

/// One sender's way to the receiver.
#[derive(Clone)]
pub(crate) struct Client {
    link: Link,
    uri: String,
}

#[derive(Clone)]
enum Link {
    Grpc(http2::SendRequest<Full<Bytes>>),
    Http(std::sync::Arc<tokio::sync::Mutex<http1::SendRequest<Full<Bytes>>>>),
}

impl Client {
    /// Opens a connection; clones share it.
    pub(crate) async fn connect(to: SocketAddr, protocol: Protocol, workload: Workload) -> Outcome<Client> {
        let stream = TcpStream::connect(to).await.map_err(|error| format!("cannot connect to {to}: {error}"))?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        let link = match protocol {
            Protocol::Grpc => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Link::Grpc(sender)
            }
            Protocol::Http => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Link::Http(std::sync::Arc::new(tokio::sync::Mutex::new(sender)))
            }
        };
        Ok(Client { link, uri: uri(to, protocol, workload) })
    }

    /// Sends a message that has its gRPC prefix before it.
    pub(crate) async fn send(&mut self, prefixed: Bytes) -> Outcome<Answer> {
        let request = Request::builder().method(Method::POST).uri(&self.uri);
        match &mut self.link {
            Link::Grpc(sender) => {
                let request = request.header(header::CONTENT_TYPE, "application/grpc").header(header::TE, "trailers");
                grpc_answer(sender.send_request(request.body(Full::new(prefixed))?).await?).await
            }
            Link::Http(sender) => {
                let request =
                    request.header(header::CONTENT_TYPE, "application/x-protobuf").header(header::HOST, "bench");
                let request = request.body(Full::new(prefixed.slice(PREFIX..)))?;
                let mut sender = sender.lock().await;
                sender.ready().await?;
                http_answer(sender.send_request(request).await?).await
            }
        }
    }
}

/// HTTP/2 needs the whole address, HTTP/1.1 only the path.
fn uri(to: SocketAddr, protocol: Protocol, workload: Workload) -> String {
    let (package, service, path) = match workload {
        Workload::Whole | Workload::Split => ("trace", "Trace", "/v1/traces"),
        Workload::Logs => ("logs", "Logs", "/v1/logs"),
        Workload::Metrics => ("metrics", "Metrics", "/v1/metrics"),
    };
    match protocol {
        Protocol::Grpc => format!("http://{to}/opentelemetry.proto.collector.{package}.v1.{service}Service/Export"),
        Protocol::Http => path.to_owned(),
    }
}

/// The buffer of a request, with its prefix.
pub(crate) fn fill(buffer: &mut BytesMut, message: &[u8]) {
    buffer.clear();
    buffer.reserve(PREFIX + message.len());
    buffer.put_u8(0);
    buffer.put_u32(message.len() as u32);
    buffer.put_slice(message);
}

async fn grpc_answer(response: Response<Incoming>) -> Outcome<Answer> {
    let status = response.status();
    let early = response.headers().clone();
    let body = response.into_body().collect().await?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let said = |headers: &HeaderMap, key: &str| Some(headers.get(key)?.to_str().unwrap_or("?").to_owned());
    let code = said(&trailers, "grpc-status").or_else(|| said(&early, "grpc-status"));
    match code.as_deref() {
        Some("0") => Ok(Answer::Accepted { rejected: rejected(body.to_bytes().get(PREFIX..).unwrap_or_default()) }),
        // Cancelled, deadline exceeded, resource exhausted, aborted, out of range, unavailable, data loss.
        Some(code @ ("1" | "4" | "8" | "10" | "11" | "14" | "15")) => {
            Ok(Answer::Refused(format!("gRPC status {code}")))
        }
        Some(code) => Ok(Answer::Failed(format!("gRPC status {code}"))),
        None => Ok(Answer::Failed(format!("HTTP status {status} without gRPC status"))),
    }
}

async fn http_answer(response: Response<Incoming>) -> Outcome<Answer> {
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok(match status {
        StatusCode::OK => Answer::Accepted { rejected: rejected(&body) },
        _ if matches!(status.as_u16(), 429 | 502 | 503 | 504) => Answer::Refused(format!("HTTP status {status}")),
        _ => Answer::Failed(format!("HTTP status {status}")),
    })
}

/// The rejected items of a partial success, which all three responses keep in the same place.
fn rejected(response: &[u8]) -> u64 {
    let mut reader = Reader::new(response);
    while let Ok(Some(field)) = reader.field() {
        let mut partial = reader.inside(&field);
        while let Ok(Some(inner)) = partial.field() {
            if (field.number, inner.number) == (1, 1) {
                return inner.number_value;
            }
        }
    }
    0
}
