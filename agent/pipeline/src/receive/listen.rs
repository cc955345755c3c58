//! Listening.
//!
//! Answers connections on one address until it is told to close. Does not read requests. Small packets leave at once and
//! HTTP/2 windows hold megabytes: without either, a few connections stall at 40 ms a round trip.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, timeout};
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::answer::Answer;
use super::connections::{Connections, Leave, Place};
use crate::clock::Clock;
use crate::config::Limits;
use crate::tls::{DoorTls, MaybeTls};

/// HTTP/2 flow-control windows: a recommended largest request would need 64 MiB, a usual one fits whole.
const WINDOW_BYTES: u32 = 4 << 20;
/// Largest HTTP/2 frame: a usual request arrives in one piece, is handed on without a copy, and is read while it is still
/// in the processor's cache. Each connection may hold one such frame before its bytes are counted.
const FRAME_BYTES_MAX: u32 = 256 << 10;
/// Headers of one request; OTLP senders need a few hundred bytes.
const HEADER_BYTES_MAX: u32 = 64 << 10;
/// How often an idle HTTP/2 connection is asked whether it lives.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// How long its answer may take.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams reset by the sender before they were answered, and by the door for the sender's errors: beyond it the
/// connection is closed. Both are what an attack looks like; no sender comes near.
const RESET_STREAMS_MAX: usize = 64;
/// Connections that may wait to be taken in; the system may allow fewer. Behind the usual 128 a burst of a few hundred leaves
/// no place, and whoever finds none tries again only after a second.
const WAITING_MAX: u32 = 1024;
/// The pause after a failed accept, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often idle connections are looked for.
const IDLE_SWEEP: Duration = Duration::from_secs(1);
/// Connections above the limit that may be on their way out while new ones are taken in.
const LEAVING_MAX: usize = 64;
/// How long an idle connection that is told to close may take to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// Something that answers requests.
pub(crate) trait Door: Send + Sync + 'static {
    fn answer(&self, request: Request<Incoming>) -> impl Future<Output = Response<Answer>> + Send;
}

/// A bound address.
pub(crate) struct Listener {
    socket: TcpListener,
    pub(crate) address: SocketAddr,
}

/// What every connection of a listener shares.
struct House<D> {
    door: D,
    limits: Limits,
    tls: Option<Arc<DoorTls>>,
    clock: Clock,
    connections: Arc<Connections>,
    closing: watch::Receiver<bool>,
}

impl Listener {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Listener> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(WAITING_MAX)?;
        Ok(Listener { address: socket.local_addr()?, socket })
    }

    /// Serves until `closing` turns true, then finishes the requests at hand.
    pub(crate) async fn serve(
        self,
        door: impl Door,
        limits: Limits,
        tls: Option<Arc<DoorTls>>,
        mut closing: watch::Receiver<bool>,
    ) {
        let connections = Arc::new(Connections::default());
        let clock = Clock::start();
        let house = Arc::new(House { door, limits, tls, clock, connections, closing: closing.clone() });
        let mut tasks = JoinSet::new();
        let mut sweep = tokio::time::interval(IDLE_SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let has_room = tasks.len() < limits.connections_max + LEAVING_MAX;
            tokio::select! {
                stream = house.accept(&self.socket), if has_room => {
                    let place = house.connections.enter(house.clock.now());
                    tasks.spawn(house.clone().attend(stream, place));
                }
                Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
                _ = sweep.tick() => house.connections.close_idle(house.clock.now(), limits.idle_max),
                _ = closing.wait_for(|closing| *closing) => break,
            };
            house.connections.make_room(house.clock.now(), limits.connections_max);
        }
        drop(self.socket);
        // Each connection sees the same signal and ends when its requests have.
        while tasks.join_next().await.is_some() {}
    }
}

impl<D: Door> House<D> {
    async fn accept(&self, socket: &TcpListener) -> TcpStream {
        loop {
            match socket.accept().await {
                Ok((stream, _)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "cannot set TCP_NODELAY");
                    }
                    return stream;
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection, the longest idle one is closed");
                    self.connections.make_room(self.clock.now(), self.connections.count().saturating_sub(1));
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// One connection, from its first byte to its last.
    async fn attend(self: Arc<Self>, stream: TcpStream, place: Place) {
        let greeted = tokio::select! {
            greeted = self.greet(stream) => greeted,
            _ = place.connection.told() => None,
        };
        if let Some(stream) = greeted {
            self.converse(stream, &place).await;
        }
    }

    /// The TLS handshake, where there is one.
    async fn greet(&self, stream: TcpStream) -> Option<MaybeTls> {
        let Some(tls) = &self.tls else {
            return Some(MaybeTls::Plain(stream));
        };
        let handshake = TlsAcceptor::from(tls.current()).accept(stream);
        match timeout(Duration::from_millis(self.limits.header_deadline.0), handshake).await {
            Ok(Ok(stream)) => Some(MaybeTls::Tls(Box::new(TlsStream::from(stream)))),
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!("connection closed: no TLS handshake in time");
                None
            }
        }
    }

    async fn converse(self: &Arc<Self>, stream: MaybeTls, place: &Place) {
        let spoken = Arc::new(Notify::new());
        let service = service_fn(|request| {
            spoken.notify_one();
            let (house, connection) = (self.clone(), place.connection.clone());
            async move {
                let _busy = Busy::begin(&house.clock, &connection);
                Ok::<_, Infallible>(house.door.answer(request).await)
            }
        });
        let builder = builder(self.limits);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut closing = self.closing.clone();
        let leaves = tokio::select! {
            ended = &mut connection => return ended.unwrap_or_else(|error| tracing::debug!(error, "connection ended early")),
            () = self.silence(&spoken) => return tracing::debug!("connection closed: no request in time"),
            how = place.connection.told() => match how {
                Leave::Now => return,
                Leave::Politely => Some(FAREWELL),
            },
            _ = closing.wait_for(|closing| *closing) => None,
        };
        connection.as_mut().graceful_shutdown();
        match leaves {
            Some(within) => drop(timeout(within, connection).await),
            None => drop(connection.await),
        }
    }

    /// Ends when the first request has not come by its deadline; the server library's own deadline begins only after it
    /// knows which version of HTTP is spoken.
    async fn silence(&self, spoken: &Notify) {
        let deadline = Duration::from_millis(self.limits.header_deadline.0);
        if timeout(deadline, spoken.notified()).await.is_ok() {
            std::future::pending::<()>().await;
        }
    }
}

/// A request being answered; it has ended when this is dropped, also when the sender hangs up.
struct Busy<'a> {
    clock: &'a Clock,
    connection: &'a super::connections::Connection,
}

impl<'a> Busy<'a> {
    fn begin(clock: &'a Clock, connection: &'a super::connections::Connection) -> Busy<'a> {
        connection.begin();
        Busy { clock, connection }
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.connection.end(self.clock.now());
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
        .max_frame_size(FRAME_BYTES_MAX)
        .max_concurrent_streams(limits.streams_per_connection_max)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_local_error_reset_streams(RESET_STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
