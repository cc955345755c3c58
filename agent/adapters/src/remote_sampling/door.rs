//! One open door.
//!
//! Answers who may come in, how many at once, and for how long: it accepts connections and serves a router, HTTP/1 and
//! HTTP/2 alike. It does not know what is asked. The framework's own accept loop is not used because it lets a slow client
//! hold a connection for ever.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::StartError;

/// Connections at once. Samplers ask about once a minute and may keep their connection; at the limit new ones wait.
const CONNECTIONS_MAX: usize = 1024;

/// A client that has not sent its headers by then is cut off.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// Both directions of a connection together last at most this long; samplers connect again. It bounds idle HTTP/2 clients.
const CONNECTION_LASTS_MAX: Duration = Duration::from_secs(3600);

/// After a failed accept (out of file descriptors) this pause keeps the loop from spinning.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// How long exchanges may go on after the door is closed.
const FINISH_WITHIN: Duration = Duration::from_secs(2);

/// A listening socket and the task that serves it.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    /// Dropped or fired: no more guests.
    close: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Door {
    /// Listens on `address` and serves `router` there.
    pub(super) fn open(door: &'static str, address: SocketAddr, router: Router) -> Result<Door, StartError> {
        let error = |source| StartError { door, address, source };
        let listener = listen(address).map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        let (close, closed) = oneshot::channel();
        Ok(Door { address, close, task: tokio::spawn(serve(listener, router, closed)) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nobody in any more, and waits until those inside have left or their time is over.
    pub(super) async fn close(self) {
        let Door { close, task, .. } = self;
        drop(close);
        // The task ends by itself within `FINISH_WITHIN`; if it panicked, the door is closed as well.
        let _ended = task.await;
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn serve(listener: TcpListener, router: Router, mut closed: oneshot::Receiver<()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let guests = GracefulShutdown::new();
    loop {
        tokio::select! {
            (stream, place) = accept(&listener, &places) => welcome(stream, place, &router, &guests),
            _ = &mut closed => break,
        }
    }
    drop(listener);
    let _late = tokio::time::timeout(FINISH_WITHIN, guests.shutdown()).await;
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

fn welcome(stream: TcpStream, place: OwnedSemaphorePermit, router: &Router, guests: &GracefulShutdown) {
    // Small answers must not wait for the other side's acknowledgement; without it they are merely slower.
    let _slower = stream.set_nodelay(true);
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN);
    builder.http2().timer(TokioTimer::new());
    let service = TowerToHyperService::new(router.clone());
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let guest = guests.watch(connection);
    tokio::spawn(async move {
        if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_LASTS_MAX, guest).await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}
