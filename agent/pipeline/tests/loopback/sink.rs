//! A destination that remembers what it was sent, over gRPC and HTTP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding;
use tonic::{Request, Status};

/// Far beyond what any step takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: Vec<ExportTraceServiceRequest>,
    pub(crate) logs: u64,
    pub(crate) profiles: Vec<Vec<u8>>,
    pub(crate) tenants: Vec<String>,
    pub(crate) encodings: Vec<String>,
    pub(crate) fail_next: u32,
    pub(crate) refuse: bool,
}

impl Seen {
    pub(crate) fn spans(&self) -> Vec<(String, Span)> {
        let resources = self.requests.iter().flat_map(|request| &request.resource_spans);
        let named = resources.flat_map(|resource| {
            let attribute = &resource.resource.as_ref().unwrap().attributes[0];
            let service = format!("{:?}", attribute.value.as_ref().unwrap().value);
            resource.scope_spans.iter().flat_map(move |scope| {
                let service = service.clone();
                scope.spans.iter().map(move |span| (service.clone(), span.clone()))
            })
        });
        named.collect()
    }

    fn note(&mut self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        self.tenants.push(text("x-tenant"));
        self.encodings.push(text("grpc-encoding") + &text("content-encoding"));
    }
}

#[derive(Clone, Default)]
pub(crate) struct Sink {
    pub(crate) seen: Arc<Mutex<Seen>>,
    changed: Arc<Notify>,
}

/// A served sink; stops when dropped.
pub(crate) struct Served {
    pub(crate) sink: Sink,
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sink {
    pub(crate) async fn grpc(self) -> Served {
        self.grpc_on(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn grpc_on(self, listener: TcpListener) -> Served {
        let (sink, address) = (self.clone(), listener.local_addr().unwrap());
        let service = TraceServiceServer::new(self).accept_compressed(CompressionEncoding::Gzip);
        let service = service.accept_compressed(CompressionEncoding::Zstd);
        let server = tonic::transport::Server::builder().add_service(service);
        let serving = server.serve_with_incoming(TcpListenerStream::new(listener));
        Served { sink, address, task: tokio::spawn(async { serving.await.unwrap() }) }
    }

    pub(crate) async fn http(self) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (sink, address) = (self.clone(), listener.local_addr().unwrap());
        let router = axum::Router::new()
            .route("/v1/traces", post(http_traces))
            .route("/v1/logs", post(http_logs))
            .route("/v1development/profiles", post(http_profiles))
            .with_state(self);
        let task = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Served { sink, address, task }
    }

    pub(crate) fn failing(times: u32) -> Sink {
        let sink = Sink::default();
        sink.seen.lock().unwrap().fail_next = times;
        sink
    }

    /// Waits until at least `count` spans have come.
    pub(crate) async fn spans(&self, count: usize) -> Vec<(String, Span)> {
        self.wait(|seen| Some(seen.spans()).filter(|spans| spans.len() >= count)).await
    }

    /// Waits until `look` finds something.
    pub(crate) async fn wait<T>(&self, mut look: impl FnMut(&Seen) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if let Some(found) = look(&self.seen.lock().unwrap()) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the sink was sent what was expected")
    }

    fn take(&self, headers: &HeaderMap, store: impl FnOnce(&mut Seen)) -> Result<(), bool> {
        let mut seen = self.seen.lock().unwrap();
        seen.note(headers);
        if seen.refuse {
            return Err(false);
        }
        if seen.fail_next > 0 {
            seen.fail_next -= 1;
            return Err(true);
        }
        store(&mut seen);
        self.changed.notify_waiters();
        Ok(())
    }
}

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        match self.take(&metadata.into_headers(), |seen| seen.requests.push(message)) {
            Ok(()) => Ok(tonic::Response::new(ExportTraceServiceResponse::default())),
            Err(true) => Err(Status::unavailable("not now")),
            Err(false) => Err(Status::permission_denied("never")),
        }
    }
}

async fn http_traces(State(sink): State<Sink>, headers: HeaderMap, body: Bytes) -> Response {
    let body = inflated(&headers, &body);
    let message = ExportTraceServiceRequest::decode(&*body).unwrap();
    answer(sink.take(&headers, |seen| seen.requests.push(message)))
}

async fn http_logs(State(sink): State<Sink>, headers: HeaderMap, body: Bytes) -> Response {
    let message = ExportLogsServiceRequest::decode(&*inflated(&headers, &body)).unwrap();
    answer(sink.take(&headers, |seen| seen.logs += message.resource_logs.len() as u64))
}

async fn http_profiles(State(sink): State<Sink>, headers: HeaderMap, body: Bytes) -> Response {
    let body = inflated(&headers, &body);
    answer(sink.take(&headers, |seen| seen.profiles.push(body)))
}

fn inflated(headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
    match headers.get("content-encoding").map(|value| value.as_bytes()) {
        None => return body.to_vec(),
        Some(b"zstd") => return zstd::decode_all(body).unwrap(),
        Some(_) => {}
    }
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(body), &mut out).unwrap();
    out
}

fn answer(taken: Result<(), bool>) -> Response {
    match taken {
        Ok(()) => StatusCode::OK.into_response(),
        Err(true) => (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response(),
        Err(false) => (StatusCode::BAD_REQUEST, "never").into_response(),
    }
}
