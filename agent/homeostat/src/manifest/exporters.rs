//! Exporters, and the sections of the telemetry kinds that carry them.
//!
//! Answers where kept telemetry is sent. Does not connect to anything. Entries that name the same receiver in the same way
//! become one exporter for several telemetry kinds, so that a collector gets one connection rather than three.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Report;
use super::scalars;
use super::section::{Field, Section};
use super::security::{self, ExporterTls};
use super::text::Value;

/// Exporters a manifest may name. Each costs a connection and a queue.
const EXPORTERS_MAX: usize = 16;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TelemetryKind {
    /// Spans.
    Traces,
    /// Metrics.
    Metrics,
    /// Logs.
    Logs,
    /// Profiles.
    Profiles,
}

/// How OTLP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Protocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP with protobuf bodies.
    Http,
}

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// What every receiver understands.
    Gzip,
    /// Smaller and cheaper than gzip, where the receiver understands it.
    Zstd,
}

/// A header's value, which may be a credential: it is sent, never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HeaderValue(String);

impl HeaderValue {
    /// The value, for the wire.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// One receiver of kept telemetry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExporterSpec {
    /// Its name in logs and metrics: the manifest's `name`, or its host and port.
    pub(crate) name: String,
    /// How it is spoken to.
    pub(crate) protocol: Protocol,
    /// `http://host:port` or `https://host:port`; over HTTP, `/v1/traces` and its like are appended.
    pub(crate) endpoint: String,
    /// For `https://` alone.
    pub(crate) tls: ExporterTls,
    /// Sent with every request.
    pub(crate) headers: BTreeMap<String, HeaderValue>,
    /// How bodies are compressed.
    pub(crate) compression: Compression,
    /// What it receives, in the order of [`TelemetryKind`], at least one.
    pub(crate) signals: Vec<TelemetryKind>,
}

/// Collects exporters over the sections of all telemetry kinds.
#[derive(Default)]
pub(super) struct Exporters {
    list: Vec<ExporterSpec>,
}

impl Exporters {
    /// All exporters; says so if there are none.
    pub(super) fn finish(self, report: &mut Report) -> Vec<ExporterSpec> {
        if !self.list.iter().any(|exporter| exporter.signals.contains(&TelemetryKind::Traces)) {
            report.remark("spec.tracing.exporters", "none: kept spans are counted and dropped");
        }
        self.list
    }

    /// Reads `exporters` of one section; `other` is the type that is accepted beside OTLP but not acted on yet.
    pub(super) fn read(
        &mut self,
        section: &mut Section<'_>,
        kind: TelemetryKind,
        other: Option<&'static str>,
        report: &mut Report,
    ) {
        let enabled = section.get("enabled", report, scalars::flag).unwrap_or(true);
        let Some(field) = section.take("exporters") else {
            return;
        };
        for item in field.items(report) {
            let Some(exporter) = read_one(&item, kind, other, report) else {
                continue;
            };
            if enabled {
                self.add(exporter, &item, report);
            }
        }
        if !enabled {
            report.remark(&section.path_of("enabled"), "false: still received and counted, nothing is sent on");
        }
    }

    fn add(&mut self, new: ExporterSpec, item: &Field<'_>, report: &mut Report) {
        let same = |old: &&mut ExporterSpec| {
            (old.protocol, &old.endpoint, &old.tls, &old.headers, old.compression)
                == (new.protocol, &new.endpoint, &new.tls, &new.headers, new.compression)
        };
        if let Some(old) = self.list.iter_mut().find(same) {
            let repeated = new.signals.iter().any(|kind| old.signals.contains(kind));
            if repeated {
                return item.problem("the same exporter as one above; everything would be sent twice", report);
            }
            return old.signals.extend(new.signals);
        }
        if self.list.iter().any(|old| old.name == new.name) {
            return item.problem(format!("another exporter is already called {}; give it a name", new.name), report);
        }
        if self.list.len() == EXPORTERS_MAX {
            return item.problem(format!("too many exporters: at most {EXPORTERS_MAX}"), report);
        }
        self.list.push(new);
    }
}

/// One entry of a list of exporters; `None` where it is wrong or not acted on yet.
fn read_one(
    item: &Field<'_>,
    kind: TelemetryKind,
    other: Option<&'static str>,
    report: &mut Report,
) -> Option<ExporterSpec> {
    let mut section = Section::open(item, report);
    let type_field = section.require("type", report);
    let endpoint_field = section.require("endpoint", report);
    let endpoint = endpoint_field.as_ref().and_then(|field| field.read(report, scalars::exporter_endpoint));
    let name = section.get("name", report, scalars::text);
    let protocol = section.get("protocol", report, protocol);
    let headers = read_headers(&mut section, report);
    let compression = section.get("compression", report, compression);
    let tls = security::read_exporter(&mut section, endpoint.as_deref(), report);
    section.close(report);

    let type_name = type_field.as_ref().and_then(|field| field.read(report, scalars::text))?;
    if Some(type_name.as_str()) == other {
        report.not_yet(item.node.at, &format!("{} ({type_name})", item.path));
        return None;
    }
    if type_name != "otlp" {
        let known = other.map_or("otlp".to_owned(), |other| format!("otlp or {other}"));
        type_field?.problem(format!("must be {known}, found \"{type_name}\""), report);
        return None;
    }
    let endpoint = endpoint?;
    if endpoint.contains("/v1/") {
        endpoint_field?.problem("must be the base address: /v1/traces and its like are appended", report);
        return None;
    }
    Some(ExporterSpec {
        name: name.unwrap_or_else(|| endpoint.split_once("://").map_or("", |(_, rest)| rest).to_owned()),
        protocol: protocol.unwrap_or_else(|| usual_protocol(&endpoint)),
        endpoint,
        tls,
        headers,
        compression: compression.unwrap_or(Compression::None),
        signals: vec![kind],
    })
}

/// Port 4318 is OTLP over HTTP by convention; gRPC there would only ever fail.
fn usual_protocol(endpoint: &str) -> Protocol {
    if endpoint.ends_with(":4318") { Protocol::Http } else { Protocol::Grpc }
}

fn protocol(value: &Value) -> Result<Protocol, String> {
    match scalars::text(value).unwrap_or_default().as_str() {
        "grpc" => Ok(Protocol::Grpc),
        "http" | "http/protobuf" => Ok(Protocol::Http),
        _ => Err("must be grpc or http".to_owned()),
    }
}

fn compression(value: &Value) -> Result<Compression, String> {
    match scalars::text(value).unwrap_or_default().as_str() {
        "none" => Ok(Compression::None),
        "gzip" => Ok(Compression::Gzip),
        "zstd" => Ok(Compression::Zstd),
        _ => Err("must be none, gzip or zstd".to_owned()),
    }
}

fn read_headers(section: &mut Section<'_>, report: &mut Report) -> BTreeMap<String, HeaderValue> {
    let mut headers = BTreeMap::new();
    let Some(entries) = section.section("headers", report) else {
        return headers;
    };
    for (name, field) in entries.named(report) {
        let token = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if name.is_empty() || !name.bytes().all(token) {
            field.problem("not a header name: letters, digits, '-', '_' and '.' only", report);
        } else if let Ok(value) = header_value(&field.node.value) {
            headers.insert(name.to_ascii_lowercase(), value);
        } else {
            // The value is not repeated, because it may be a credential.
            field.problem("must be a text of printable ASCII characters", report);
        }
    }
    headers
}

fn header_value(value: &Value) -> Result<HeaderValue, String> {
    let text = scalars::text(value)?;
    if text.bytes().all(|b| (b' '..=b'~').contains(&b)) { Ok(HeaderValue(text)) } else { Err(String::new()) }
}
