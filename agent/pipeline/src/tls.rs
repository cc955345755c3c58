//! TLS.
//!
//! Answers with which certificates a door proves itself, whose it demands, and whom an exporter trusts. Does not open
//! connections. rustls with the ring provider is used on both sides, TLS 1.2 and 1.3 and nothing older; files are read
//! again when they change, and a connection keeps what it began with.

mod stream;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

use crate::config::{ClientTls, ServerTls};
use crate::watched::Watched;

pub(crate) use stream::MaybeTls;

/// The largest file read: a bundle of all public authorities is a quarter of it.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why certificates or keys cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that should hold certificates holds none.
    #[error("{path} holds no certificate in PEM form")]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file that should hold a private key holds none.
    #[error("{path} holds no private key in PEM form")]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate authority cannot be used.
    #[error("{path} holds a certificate that cannot be trusted as an authority")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// Certificate and key do not fit each other.
    #[error("certificate {path} and its key cannot be used together")]
    Pair {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
    /// Clients cannot be checked.
    #[error("cannot check the certificates of clients")]
    Verifier(#[source] VerifierBuilderError),
    /// A certificate without its key, or the reverse.
    #[error("a client's certificate needs both its certificate file and its key file")]
    Half,
    /// The machine trusts nobody.
    #[error("this system has no certificate authorities; name a CA file")]
    NoSystemRoots,
    /// The library cannot speak TLS.
    #[error("cannot speak TLS")]
    Protocol(#[source] rustls::Error),
}

/// What a door proves itself with, as of now.
pub(crate) type DoorTls = Watched<ServerConfig, TlsError>;

/// Whom an exporter trusts and what it proves itself with, as of now.
pub(crate) type ExporterTls = Watched<ClientConfig, TlsError>;

/// Reads a door's files.
pub(crate) fn door(config: &ServerTls) -> Result<DoorTls, TlsError> {
    let mut files = vec![config.cert_file.clone(), config.key_file.clone()];
    files.extend(config.client_ca_file.clone());
    let config = config.clone();
    Watched::load(files, move || server_config(&config))
}

/// Reads an exporter's files; it will speak `protocol`.
pub(crate) fn exporter(config: &ClientTls, protocol: &'static [u8]) -> Result<ExporterTls, TlsError> {
    let files = [&config.ca_file, &config.cert_file, &config.key_file];
    let files = files.into_iter().flatten().cloned().collect();
    let config = config.clone();
    Watched::load(files, move || client_config(&config, protocol))
}

fn server_config(config: &ServerTls) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(TlsError::Protocol)?;
    let builder = match &config.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let roots = Arc::new(roots(authorities)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(TlsError::Verifier)?)
        }
    };
    let pair = builder.with_single_cert(certificates(&config.cert_file)?, key(&config.key_file)?);
    let mut server = pair.map_err(|source| TlsError::Pair { path: config.cert_file.clone(), source })?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(server)
}

fn client_config(config: &ClientTls, protocol: &[u8]) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let roots = config.ca_file.as_deref().map_or_else(system_roots, roots)?;
    let builder = builder.map_err(TlsError::Protocol)?.with_root_certificates(roots);
    let mut client = match (&config.cert_file, &config.key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(path), Some(key_file)) => builder
            .with_client_auth_cert(certificates(path)?, key(key_file)?)
            .map_err(|source| TlsError::Pair { path: path.clone(), source })?,
        _ => return Err(TlsError::Half),
    };
    client.alpn_protocols = vec![protocol.to_vec()];
    Ok(client)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The authorities this system trusts. Its own store rather than one that is built in, so that a company's authority is
/// trusted where its machines trust it, and a withdrawn one is not.
fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    // Systems keep old certificates that no library parses; the others still count.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() { Err(TlsError::NoSystemRoots) } else { Ok(store) }
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|source| TlsError::Authority { path: path.to_owned(), source })?;
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.unwrap_or_default();
    if certificates.is_empty() { Err(TlsError::NoCertificate { path: path.to_owned() }) } else { Ok(certificates) }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| TlsError::NoKey { path: path.to_owned() })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    let reading = std::fs::File::open(path)
        .and_then(|file| io::Read::read_to_end(&mut io::Read::take(file, FILE_BYTES_MAX), &mut bytes));
    reading.map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    Ok(bytes)
}
