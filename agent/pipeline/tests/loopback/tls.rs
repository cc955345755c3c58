//! Certificates and tokens, between two agents.

use std::path::{Path, PathBuf};

use homeostat_pipeline::{
    ClientTls, DoorSecurity, ExportProtocol, ExporterConfig, Pipeline, PipelineConfig, Secret, ServerTls, StartError,
    Telemetry, TokenSource,
};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sink::PATIENCE;
use crate::spans::{config, exporter, plan};

/// An authority and what it has signed, in a folder that vanishes.
struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Authority { dir: tempfile::tempdir().unwrap(), issuer };
        std::fs::write(authority.file("ca.pem"), authority.issuer.pem()).unwrap();
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Signs a certificate for this host, into two files.
    fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let (cert_file, key_file) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        self.sign_into(&cert_file, &key_file);
        (cert_file, key_file)
    }

    fn sign_into(&self, cert_file: &Path, key_file: &Path) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        std::fs::write(cert_file, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(key_file, key.serialize_pem()).unwrap();
    }
}

fn secured(tls: Option<ServerTls>, tokens: Option<&str>) -> PipelineConfig {
    let given = |text: &str| TokenSource::Given { place: "test".to_owned(), text: Secret::new(text.to_owned()) };
    PipelineConfig { security: DoorSecurity { tls, tokens: tokens.map(given) }, ..config(vec![]) }
}

fn records() -> bytes::Bytes {
    let scope_logs = vec![ScopeLogs { log_records: vec![LogRecord::default(); 3], ..Default::default() }];
    let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

fn to(receiver: &Pipeline, protocol: ExportProtocol, tls: &ClientTls, token: &str) -> ExporterConfig {
    let address = match protocol {
        ExportProtocol::Grpc => receiver.grpc_addr(),
        ExportProtocol::HttpProtobuf => receiver.http_addr(),
    };
    ExporterConfig {
        endpoint: format!("https://{}", address.unwrap()),
        headers: vec![("authorization".to_owned(), format!("Bearer {token}"))],
        tls: tls.clone(),
        ..exporter(protocol, address.unwrap())
    }
}

/// Sends three records once, patiently or not; returns what arrived and what was dropped for good.
async fn sent(exporter: ExporterConfig) -> (u64, u64) {
    let mut config = config(vec![exporter]);
    config.buffer.retry_give_up = homeostat_core::Millis(200);
    let sender = Pipeline::start(config, plan(0)).await.unwrap();
    sender.ingest(Telemetry::Logs, &records()).unwrap();
    let stats = sender.shutdown(PATIENCE).await;
    let out = &stats.exporters[0];
    (out.items_exported, out.items_dropped["refused"] + out.items_dropped["gave_up"])
}

/// Scenario: an agent whose doors demand a client's certificate and one of two tokens is sent to over both protocols: by
/// one who has both, by some who lack one or the other, and by one who trusts another authority.
/// Guarantees: only the first gets through, the connection is refused without a certificate and the request without a
/// token, and every refused request is counted.
#[tokio::test]
async fn only_who_is_known_gets_through() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let (cert_file, key_file) = authority.sign("server");
    let tls = ServerTls { cert_file, key_file, client_ca_file: Some(authority.file("ca.pem")) };
    let receiver = Pipeline::start(secured(Some(tls), Some("old\nnew")), plan(0)).await.unwrap();
    let (cert_file, key_file) = authority.sign("client");
    let known =
        ClientTls { ca_file: Some(authority.file("ca.pem")), cert_file: Some(cert_file), key_file: Some(key_file) };
    let bare = ClientTls { cert_file: None, key_file: None, ..known.clone() };
    let distrusting = ClientTls { ca_file: Some(stranger.file("ca.pem")), ..known.clone() };
    for protocol in [ExportProtocol::Grpc, ExportProtocol::HttpProtobuf] {
        assert_eq!(sent(to(&receiver, protocol, &known, "old")).await, (3, 0));
        assert_eq!(sent(to(&receiver, protocol, &known, "new")).await, (3, 0));
        assert_eq!(sent(to(&receiver, protocol, &known, "guess")).await, (0, 3));
        assert_eq!(sent(to(&receiver, protocol, &bare, "new")).await, (0, 3));
        assert_eq!(sent(to(&receiver, protocol, &distrusting, "new")).await, (0, 3));
    }
    let stats = receiver.stats();
    assert_eq!((stats.log_records_accepted, stats.requests_refused["unauthenticated"]), (12, 2));
}

/// Scenario: tokens without TLS; a request without one carries a body.
/// Guarantees: it is told which way to prove itself, before its body is read.
#[tokio::test]
async fn a_token_is_asked_for_by_name() {
    let receiver = Pipeline::start(secured(None, Some("secret")), plan(0)).await.unwrap();
    let mut stream = TcpStream::connect(receiver.http_addr().unwrap()).await.unwrap();
    let head = b"POST /v1/logs HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut answer = [0; 4096];
    let length = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).to_lowercase();
    assert!(answer.starts_with("http/1.1 401 ") && answer.contains("www-authenticate: bearer\r\n"), "{answer}");
    assert!(!format!("{receiver:?}").contains("secret"));
}

/// Scenario: the doors' certificate is first replaced by nonsense, then by one of another authority.
/// Guarantees: after the nonsense the old one still serves; the new one serves without a restart.
#[tokio::test]
async fn certificates_are_renewed_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let (cert_file, key_file) = old.sign("server");
    let tls = ServerTls { cert_file: cert_file.clone(), key_file: key_file.clone(), client_ca_file: None };
    let receiver = Pipeline::start(secured(Some(tls), None), plan(0)).await.unwrap();
    let trusting = |authority: &Authority| {
        let tls = ClientTls { ca_file: Some(authority.file("ca.pem")), ..ClientTls::default() };
        sent(to(&receiver, ExportProtocol::HttpProtobuf, &tls, "any"))
    };
    std::fs::write(&cert_file, "nonsense").unwrap();
    assert_eq!(trusting(&old).await, (3, 0));
    new.sign_into(&cert_file, &key_file);
    let renewed = async { while trusting(&new).await != (3, 0) {} };
    tokio::time::timeout(PATIENCE, renewed).await.expect("the new certificate is served");
    assert_eq!(trusting(&old).await, (0, 3), "the old authority did not sign the new one");
}

/// Scenario: plain text, and the first bytes of a handshake that is never finished, come to an encrypted door; a handshake
/// comes to a plain one.
/// Guarantees: each connection ends, and a good sender is served beside them.
#[tokio::test]
async fn the_wrong_language_ends_the_connection() {
    let authority = Authority::new();
    let (cert_file, key_file) = authority.sign("server");
    let tls = ServerTls { cert_file, key_file, client_ca_file: None };
    let mut config = secured(Some(tls), None);
    config.limits.header_deadline = homeostat_core::Millis(200);
    let encrypted = Pipeline::start(config.clone(), plan(0)).await.unwrap();
    config.security.tls = None;
    let plain = Pipeline::start(config, plan(0)).await.unwrap();
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    for door in [encrypted.grpc_addr(), encrypted.http_addr()] {
        for bytes in [&b"POST /v1/logs HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &hello, b""] {
            ended(door.unwrap(), bytes).await;
        }
    }
    for door in [plain.grpc_addr(), plain.http_addr()] {
        ended(door.unwrap(), &hello).await;
    }
    let tls = ClientTls { ca_file: Some(authority.file("ca.pem")), ..ClientTls::default() };
    assert_eq!(sent(to(&encrypted, ExportProtocol::Grpc, &tls, "any")).await, (3, 0));
    assert_eq!((encrypted.stats().requests, plain.stats().requests), (1, 0));
}

async fn ended(door: std::net::SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(door).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the connection ends");
}

/// Scenario: doors are to open with a key of another certificate, with files that are not there, and without any token.
/// Guarantees: the agent does not start, and says which file and why.
#[tokio::test]
async fn unusable_security_is_refused_at_start() {
    let authority = Authority::new();
    let ((cert_file, _), (_, key_file)) = (authority.sign("one"), authority.sign("other"));
    let mut tls = ServerTls { cert_file, key_file, client_ca_file: None };
    let said = async |tls: &ServerTls| {
        let error = Pipeline::start(secured(Some(tls.clone()), None), plan(0)).await.unwrap_err();
        assert!(matches!(error, StartError::Tls(_)));
        error.to_string()
    };
    let text = said(&tls).await;
    assert!(text.contains("one.pem and its key cannot be used together"), "{text}");
    tls.key_file = authority.file("missing.key");
    let text = said(&tls).await;
    assert!(text.contains("missing.key: No such file"), "{text}");
    let error = Pipeline::start(secured(None, Some("# none\n")), plan(0)).await.unwrap_err().to_string();
    assert!(error.contains("no bearer token in test"), "{error}");
}
