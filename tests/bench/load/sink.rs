//! A receiver for comparison.
//!
//! Answers what receiving costs at least, and what a forwarder let through: `raw` only takes the bytes, `scan` also walks
//! every span and reads what a sampler needs, `count` also remembers every trace. Does not keep or forward anything.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::io::Read;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use flate2::read::GzDecoder;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::transport::PREFIX;
use crate::wire::{self, Malformed, Reader};
use crate::{Outcome, say};

/// Traces that are told apart; at some 50 bytes each, under half a gigabyte. What comes beyond is counted as such.
const TRACES_MAX: usize = 8_000_000;

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Where to listen, gRPC and HTTP alike; port 0 lets the machine choose
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// What is done with a request
    #[arg(long, value_enum, default_value = "count")]
    mode: Mode,
    /// Threads that serve
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// HTTP/2 window of a stream; the connection gets twice that
    #[arg(long, default_value_t = 4096)]
    window_kib: u32,
    /// Largest HTTP/2 frame that senders may send
    #[arg(long, default_value_t = 16)]
    frame_kib: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Take the bytes
    Raw,
    /// Walk every span
    Scan,
    /// Remember every trace
    Count,
}

/// What came so far.
#[derive(Debug, Default)]
struct Seen {
    requests: u64,
    bytes: u64,
    spans: u64,
    error_spans: u64,
    records: u64,
    points: u64,
    malformed: u64,
    compressed: u64,
    spans_beyond: u64,
    /// Of all span fields that were read, so that reading them cannot be left out.
    digest: u64,
    traces: HashMap<[u8; 16], u32>,
}

struct Sink {
    mode: Mode,
    seen: Mutex<Seen>,
}

/// Serves until the process is ended.
pub(crate) async fn serve(options: Options) -> Outcome<()> {
    let listener = TcpListener::bind(options.listen).await?;
    say(&json!({ "listening": listener.local_addr()?.to_string() }))?;
    let sink = Arc::new(Sink { mode: options.mode, seen: Mutex::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let sink = sink.clone();
        let (window, frame) = (options.window_kib << 10, options.frame_kib << 10);
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            server.http2().initial_stream_window_size(window).initial_connection_window_size(window * 2);
            server.http2().max_frame_size(frame);
            let answer = service_fn(|request| answer(sink.clone(), request));
            // A sender that goes away in the middle has its own account of that.
            let _ = server.serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(sink: Arc<Sink>, request: Request<Incoming>) -> Result<Response<Reply>, hyper::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if path == "/stats" {
        return Ok(reply(Bytes::from(sink.stats().to_string()), None));
    }
    let content_type = head.headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let is_grpc = content_type.starts_with(b"application/grpc");
    let is_understood = match sink.mode {
        Mode::Raw => sink.take(body).await?,
        Mode::Scan | Mode::Count => {
            let bytes = body.collect().await?.to_bytes();
            let gzip = head.headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
            match (is_grpc, bytes.split_at_checked(PREFIX)) {
                (true, Some((prefix, message))) => sink.read(path, message, prefix[0] == 1),
                (true, None) => false,
                (false, _) => sink.read(path, &bytes, gzip),
            }
        }
    };
    Ok(match (is_understood, is_grpc) {
        (true, true) => reply(Bytes::from_static(&[0; PREFIX]), Some("0")),
        (true, false) => reply(Bytes::new(), None),
        (false, _) => refusal(is_grpc),
    })
}

impl Sink {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("no holder panics")
    }

    async fn take(&self, mut body: Incoming) -> Result<bool, hyper::Error> {
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame?.data_ref().map_or(0, Bytes::len);
        }
        let mut seen = self.seen();
        seen.requests += 1;
        seen.bytes += bytes as u64;
        Ok(true)
    }

    fn read(&self, path: &str, received: &[u8], is_compressed: bool) -> bool {
        let mut inflated = Vec::new();
        let is_inflated = !is_compressed || GzDecoder::new(received).read_to_end(&mut inflated).is_ok();
        let message = if is_compressed { &inflated } else { received };
        let mut seen = self.seen();
        seen.requests += 1;
        seen.bytes += received.len() as u64;
        seen.compressed += u64::from(is_compressed);
        let remembers = self.mode == Mode::Count;
        let read = wire::items(message, |service, item| match path {
            _ if path.contains("race") => seen.span(service, item, remembers),
            _ if path.contains("etrics") => wire::points(item, |_| {
                seen.points += 1;
                Ok(())
            }),
            _ => {
                seen.records += 1;
                Ok(())
            }
        });
        let is_understood = is_inflated && read.is_ok();
        seen.malformed += u64::from(!is_understood);
        is_understood
    }

    fn stats(&self) -> Value {
        let seen = self.seen();
        let mut traces_by_spans: BTreeMap<String, u64> = BTreeMap::new();
        for spans in seen.traces.values() {
            *traces_by_spans.entry(spans.to_string()).or_default() += 1;
        }
        json!({
            "requests": seen.requests,
            "bytes": seen.bytes,
            "spans": seen.spans,
            "error_spans": seen.error_spans,
            "traces": seen.traces.len(),
            "traces_by_spans": traces_by_spans,
            "spans_of_traces_beyond_bound": seen.spans_beyond,
            "log_records": seen.records,
            "data_points": seen.points,
            "malformed": seen.malformed,
            "compressed": seen.compressed,
            "digest": seen.digest,
        })
    }
}

impl Seen {
    fn span(&mut self, service: &[u8], item: Reader<'_>, remembers: bool) -> Result<(), Malformed> {
        let span = wire::span(service, item)?;
        let trace: [u8; 16] = span.trace.try_into().map_err(|_| Malformed)?;
        self.spans += 1;
        self.error_spans += u64::from(span.is_error);
        let word = u64::from(trace[15]) ^ span.nanos ^ span.service.len() as u64 ^ u64::from(span.parent_at == 0);
        self.digest = self.digest.rotate_left(1) ^ word;
        if remembers && (self.traces.len() < TRACES_MAX || self.traces.contains_key(&trace)) {
            *self.traces.entry(trace).or_default() += 1;
        } else if remembers {
            self.spans_beyond += 1;
        }
        Ok(())
    }
}

fn reply(data: Bytes, grpc_status: Option<&'static str>) -> Response<Reply> {
    let kind = match grpc_status {
        Some(_) => "application/grpc",
        None if data.is_empty() => "application/x-protobuf",
        None => "application/json",
    };
    let trailers = grpc_status.map(|status| HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static(status))]));
    let mut response = Response::new(Reply { data: Some(data).filter(|data| !data.is_empty()), trailers });
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Invalid argument, or 400.
fn refusal(is_grpc: bool) -> Response<Reply> {
    let mut response = reply(Bytes::new(), is_grpc.then_some("3"));
    if !is_grpc {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    response
}

const GRPC_STATUS: header::HeaderName = header::HeaderName::from_static("grpc-status");

/// A short answer, with trailers for gRPC.
struct Reply {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.data.take().map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none()
    }
}
