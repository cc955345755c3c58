//! Connections to destinations.
//!
//! Answers a connection to the host of an address, encrypted where the exporter says so. Does not speak HTTP. Both
//! transports use this one, so that certificates are read, checked and renewed in one way.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ::http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio_rustls::{TlsConnector, TlsStream};
use tower_service::Service;

use crate::tls::{ExporterTls, MaybeTls};

/// Connects.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    tcp: HttpConnector,
    tls: Option<Arc<ExporterTls>>,
}

impl Connector {
    pub(super) fn new(tls: Option<Arc<ExporterTls>>) -> Connector {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        Connector { tcp, tls }
    }
}

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<MaybeTls>, ConnectError>> + Send>>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("cannot connect")]
    Tcp(#[source] Box<dyn Error + Send + Sync>),
    #[error("the host is no name a certificate could carry")]
    Name,
    #[error("TLS handshake failed")]
    Handshake(#[source] io::Error),
}

impl Service<Uri> for Connector {
    type Response = TokioIo<MaybeTls>;
    type Error = ConnectError;
    type Future = Connecting;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.tcp.poll_ready(cx).map_err(|error| ConnectError::Tcp(error.into()))
    }

    fn call(&mut self, to: Uri) -> Connecting {
        let connecting = self.tcp.call(to.clone());
        let tls = self.tls.as_ref().map(|tls| TlsConnector::from(tls.current()));
        Box::pin(async move {
            let stream = connecting.await.map_err(|error| ConnectError::Tcp(error.into()))?.into_inner();
            let Some(tls) = tls else {
                return Ok(TokioIo::new(MaybeTls::Plain(stream)));
            };
            let host = to.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Name)?;
            let stream = tls.connect(name, stream).await.map_err(ConnectError::Handshake)?;
            Ok(TokioIo::new(MaybeTls::Tls(Box::new(TlsStream::from(stream)))))
        })
    }
}
