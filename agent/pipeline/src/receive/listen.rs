//! Listening.
//!
//! Answers connections on one address until it is told to close. Does not read requests. Small packets leave at once and
//! HTTP/2 windows hold megabytes: without either, a few connections stall at 40 ms a round trip.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use homeostat_core::Millis;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::answer::Answer;
use crate::config::Limits;

/// HTTP/2 flow-control windows: a recommended largest request would need 64 MiB, a usual one fits whole.
const WINDOW_BYTES: u32 = 4 << 20;
/// Headers of one request; OTLP senders need a few hundred bytes.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// How often an idle HTTP/2 connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long its answer may take.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// The pause after a failed accept, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Something that answers requests.
pub(crate) trait Door: Send + Sync + 'static {
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Answer>> + Send;
}

/// A bound address.
pub(crate) struct Listener {
    socket: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Listener {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = TcpListener::bind(address).await?;
        Ok(Listener { address: socket.local_addr()?, socket })
    }

    /// Serves until `closing` turns true, then finishes the requests at hand.
    pub(crate) async fn serve(self, door: Arc<impl Door>, limits: Limits, mut closing: watch::Receiver<bool>) {
        let graceful = GracefulShutdown::new();
        let permits = Arc::new(Semaphore::new(limits.connections_max));
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                stream = accept(&self.socket, &permits) => stream,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                _ = closing.wait_for(|closing| *closing) => break,
            };
            let (stream, permit) = stream;
            let (door, watcher) = (door.clone(), graceful.watcher());
            connections.spawn(async move {
                let _permit = permit;
                let spoken = Arc::new(Notify::new());
                let silence = silence(limits.header_deadline, spoken.clone());
                let service = service_fn(move |request| {
                    spoken.notify_one();
                    answer(door.clone(), request)
                });
                let connection = builder(limits).serve_connection(TokioIo::new(stream), service).into_owned();
                tokio::select! {
                    ended = watcher.watch(connection) => if let Err(error) = ended {
                        tracing::debug!(%error, "connection ended early");
                    },
                    () = silence => tracing::debug!("connection closed: no request in time"),
                }
            });
        }
        drop(self.socket);
        graceful.shutdown().await;
    }
}

/// Ends when the first request has not come by `deadline`; the server library's own deadline begins only after it knows
/// which version of HTTP is spoken.
async fn silence(deadline: Millis, spoken: Arc<Notify>) {
    let deadline = Duration::from_millis(deadline.0);
    if tokio::time::timeout(deadline, spoken.notified()).await.is_ok() {
        std::future::pending::<()>().await;
    }
}

async fn answer(door: Arc<impl Door>, request: Request<Incoming>) -> Result<Response<Answer>, Infallible> {
    Ok(door.answer(request).await)
}

async fn accept(socket: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = permits.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match socket.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot set TCP_NODELAY");
                }
                return (stream, permit);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.header_deadline.0))
        .max_buf_size(HEADER_BYTES_MAX as usize * 2);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(limits.streams_per_connection_max)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
