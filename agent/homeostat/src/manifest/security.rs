//! Certificates and tokens.
//!
//! Answers with what the OTLP doors and the exporters prove themselves, and whom they trust. Does not open the files: they
//! are read, and read again, by whoever speaks TLS.

use std::path::PathBuf;

use super::Report;
use super::scalars;
use super::section::{Field, Section};

/// How the OTLP doors prove themselves, and whom they let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DoorSecurity {
    /// Their certificate; `None`: connections are plain.
    pub(crate) tls: Option<DoorTls>,
    /// Where the accepted bearer tokens are; `None`: no token is asked for.
    pub(crate) tokens: Option<Tokens>,
}

impl DoorSecurity {
    /// Whether anybody who reaches a door may use it.
    pub(super) fn is_open(&self) -> bool {
        *self == DoorSecurity::default()
    }
}

/// The doors' certificate and key, and the authority of their clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoorTls {
    /// PEM: the certificate and those between it and its authority.
    pub(crate) cert_file: PathBuf,
    /// PEM: its private key.
    pub(crate) key_file: PathBuf,
    /// PEM: when given, clients must have a certificate of one of these authorities.
    pub(crate) client_ca_file: Option<PathBuf>,
}

/// Where accepted bearer tokens are, one on each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// A file, read again when it changes.
    File(PathBuf),
    /// An environment variable, read at start.
    Variable(String),
}

/// Whom an exporter trusts, and with what it proves itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExporterTls {
    /// PEM: the destination's authorities; `None`: those the system trusts.
    pub(crate) ca_file: Option<PathBuf>,
    /// PEM: the exporter's own certificate.
    pub(crate) cert_file: Option<PathBuf>,
    /// PEM: its private key.
    pub(crate) key_file: Option<PathBuf>,
}

/// Reads `tls` and `bearerTokens` of `spec.receivers`.
pub(super) fn read(receivers: &mut Section<'_>, report: &mut Report) -> DoorSecurity {
    let tls = receivers.section("tls", report).and_then(|mut section| {
        let cert_file = section.require("certFile", report).and_then(|field| path(&field, report));
        let key_file = section.require("keyFile", report).and_then(|field| path(&field, report));
        let client_ca_file = section.take("clientCaFile").and_then(|field| path(&field, report));
        section.close(report);
        Some(DoorTls { cert_file: cert_file?, key_file: key_file?, client_ca_file })
    });
    let tokens = receivers.take("bearerTokens").and_then(|field| read_tokens(&field, report));
    DoorSecurity { tls, tokens }
}

fn read_tokens(field: &Field<'_>, report: &mut Report) -> Option<Tokens> {
    let mut section = Section::open(field, report);
    let file = section.take("file").and_then(|field| path(&field, report)).map(Tokens::File);
    let variable = section.get("env", report, scalars::text).map(Tokens::Variable);
    section.close(report);
    match (file, variable) {
        (Some(one), None) | (None, Some(one)) => Some(one),
        _ => {
            field.problem("must have either file or env; tokens never stand in the manifest", report);
            None
        }
    }
}

/// Reads `caFile`, `certFile` and `keyFile` of an exporter that sends to `endpoint`.
pub(super) fn read_exporter(section: &mut Section<'_>, endpoint: Option<&str>, report: &mut Report) -> ExporterTls {
    let fields = ["caFile", "certFile", "keyFile"].map(|key| section.take(key));
    if let Some(field) = fields.iter().flatten().next()
        && endpoint.is_some_and(|endpoint| endpoint.starts_with("http://"))
    {
        field.problem("needs an endpoint that begins with https://", report);
    }
    if let [_, Some(alone), None] | [_, None, Some(alone)] = &fields {
        alone.problem("certFile and keyFile need each other", report);
    }
    let [ca_file, cert_file, key_file] = fields.map(|field| field.and_then(|field| path(&field, report)));
    ExporterTls { ca_file, cert_file, key_file }
}

fn path(field: &Field<'_>, report: &mut Report) -> Option<PathBuf> {
    field.read(report, scalars::text).map(PathBuf::from)
}
