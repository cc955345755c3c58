//! The manifest: what an operator wants of the agent, in one document.
//!
//! Answers which doors open, where telemetry goes, what is promised and what may be done without asking. Does not open,
//! send or decide anything. It is read in two steps, the text as a tree and the tree as settings, so that every problem is
//! found in one go and carries the line it stands in; deriving a parser would stop at the first.

mod automation;
mod delivery;
mod doors;
mod exporters;
mod goals;
mod guards;
mod intake;
mod objectives;
mod permissions;
mod problems;
mod sampling;
mod scalars;
mod section;
mod security;
mod text;

pub(crate) use delivery::{Delivery, Durability};
pub(crate) use doors::Doors;
pub(crate) use exporters::{Compression, ExporterSpec, Protocol, TelemetryKind};
pub(crate) use permissions::HelpEndpoints;
pub(crate) use problems::{Note, Place, Problem, Problems};
pub(crate) use security::{DoorSecurity, ExporterTls, Tokens};

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use homeostat_core::{Millis, ServiceName, Settings};
use homeostat_pipeline::SamplerConfig;
use serde::Serialize;

use automation::Automation;
use exporters::Exporters;
use intake::Intake;
use problems::Report;
use section::{Field, Section};
use text::{Node, Value};

/// The manifest that runs when no file is given; also the documentation of every key.
pub(crate) const DEFAULT_TEXT: &str = include_str!("manifest/default.yaml");

/// The largest file that is read: a thousand services with all their keys fit ten times over.
const BYTES_MAX: u64 = 1024 * 1024;

/// The groups under which the document may stand. The second is the project's own.
const API_VERSIONS: [&str; 2] = ["observability.cncf.io/v1", "homeostat.dev/v1alpha1"];

/// How often the counts of spans leave as metrics unless told: as often as SDKs export metrics.
const SPAN_METRICS_INTERVAL: Millis = Millis::from_secs(60);

/// More often would cost more than it shows; more seldom, a backend takes the series for gone.
const SPAN_METRICS_INTERVALS: RangeInclusive<Millis> = Millis::from_secs(1)..=Millis::from_secs(3600);

const KIND: &str = "ObservabilityManifest";

/// Where a manifest came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ManifestSource {
    /// The default that is built in.
    Embedded,
    /// A file.
    File(PathBuf),
}

impl fmt::Display for ManifestSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ManifestSource::Embedded => f.write_str("embedded default"),
            ManifestSource::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A manifest without problems.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// `metadata.name`.
    pub(crate) name: String,
    /// Where it came from.
    pub(crate) source: ManifestSource,
    /// What the loop is told.
    pub(crate) settings: Settings,
    /// Where the agent listens.
    pub(crate) doors: Doors,
    /// How the OTLP doors prove themselves, and whom they let in.
    pub(crate) security: DoorSecurity,
    /// How much is taken in.
    pub(crate) intake: Intake,
    /// Where kept telemetry is sent.
    pub(crate) exporters: Vec<ExporterSpec>,
    /// How it waits for that.
    pub(crate) delivery: Delivery,
    /// Which sampling rules decide, and how much may leave.
    pub(crate) sampler: SamplerConfig,
    /// How often the counts of spans leave as metrics; `None`: not at all.
    pub(crate) span_metrics_interval: Option<Millis>,
    /// Where each scalable service's number of replicas is read and set.
    pub(crate) scale_endpoints: BTreeMap<ServiceName, String>,
    /// Where else each service can be helped.
    pub(crate) help_endpoints: HelpEndpoints,
    /// Where notifications are posted.
    pub(crate) webhook: Option<String>,
    /// Whether the agent starts in hold.
    pub(crate) hold_at_start: bool,
    /// What an operator should know, in reading order.
    pub(crate) notes: Vec<Note>,
}

impl Manifest {
    /// The manifest that runs when no file is given.
    pub(crate) fn embedded() -> Manifest {
        Manifest::parse(DEFAULT_TEXT, ManifestSource::Embedded)
            .expect("the embedded manifest has no problems, which a test holds")
    }

    /// Reads the file at `path`.
    pub(crate) fn load(path: &Path) -> Result<Manifest, Problems> {
        let source = ManifestSource::File(path.to_owned());
        let whole = |what: String, at: Option<Place>| Problems {
            source: source.clone(),
            list: vec![Problem { at, path: String::new(), what }],
        };
        let bytes = read_bounded(path).map_err(|error| whole(format!("cannot be read: {error}"), None))?;
        if BYTES_MAX < bytes.len() as u64 {
            return Err(whole(format!("larger than {} KiB; this is not a manifest", BYTES_MAX / 1024), None));
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let at = place_of(&bytes, error.valid_up_to());
            whole("not UTF-8 from here on; save the file as UTF-8".to_owned(), Some(at))
        })?;
        Manifest::parse(text, source)
    }

    /// Reads a manifest from `text`.
    pub(crate) fn parse(text: &str, source: ManifestSource) -> Result<Manifest, Problems> {
        let root = text::parse(text).map_err(|problem| Problems { source: source.clone(), list: vec![problem] })?;
        let mut report = Report::default();
        let mut manifest = read_document(&root, source, &mut report);
        manifest.notes = report.close(&manifest.source)?;
        Ok(manifest)
    }
}

/// One byte more than allowed shows that a file is too large without reading all of it.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The place of the byte at `offset`, up to which `bytes` is UTF-8.
fn place_of(bytes: &[u8], offset: usize) -> Place {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place { line: before.matches('\n').count() as u64 + 1, column: before[line_start..].chars().count() as u64 + 1 }
}

fn read_document(root: &Node, source: ManifestSource, report: &mut Report) -> Manifest {
    let field = Field { path: String::new(), key_at: root.at, node: root };
    let mut document = Section::open(&field, report);
    if matches!(root.value, Value::Nothing) {
        field.problem(format!("the document is empty; it needs apiVersion, kind: {KIND}, metadata and spec"), report);
    } else if matches!(root.value, Value::Mapping(_)) {
        read_identity(&mut document, report);
    }
    let name = read_metadata(&mut document, report);
    let spec = document.section("spec", report);
    document.close(report);
    let mut manifest = Manifest {
        name,
        source,
        settings: Settings::default(),
        doors: Doors::default(),
        security: DoorSecurity::default(),
        intake: Intake::default(),
        exporters: Vec::new(),
        delivery: Delivery::default(),
        sampler: SamplerConfig::default(),
        span_metrics_interval: Some(SPAN_METRICS_INTERVAL),
        scale_endpoints: BTreeMap::new(),
        help_endpoints: HelpEndpoints::default(),
        webhook: None,
        hold_at_start: false,
        notes: Vec::new(),
    };
    let mut exporters = Exporters::default();
    if let Some(spec) = spec {
        read_spec(spec, &mut manifest, &mut exporters, report);
    }
    manifest.exporters = exporters.finish(report);
    manifest
}

fn read_identity(document: &mut Section<'_>, report: &mut Report) {
    if let Some(field) = document.require("apiVersion", report) {
        field.read(report, |value| match scalars::text(value) {
            Ok(text) if API_VERSIONS.contains(&text.as_str()) => Ok(()),
            _ => Err(format!("must be {} or {}", API_VERSIONS[0], API_VERSIONS[1])),
        });
    }
    if let Some(field) = document.require("kind", report) {
        field.read(report, |value| match scalars::text(value) {
            Ok(text) if text == KIND => Ok(()),
            _ => Err(format!("must be {KIND}")),
        });
    }
}

fn read_metadata(document: &mut Section<'_>, report: &mut Report) -> String {
    let Some(mut metadata) = document.section("metadata", report) else {
        return "homeostat".to_owned();
    };
    let name = metadata.require("name", report).and_then(|field| field.read(report, scalars::text));
    metadata.not_yet(&["namespace", "labels", "annotations"], report);
    metadata.close(report);
    name.unwrap_or_default()
}

fn read_spec(mut spec: Section<'_>, manifest: &mut Manifest, exporters: &mut Exporters, report: &mut Report) {
    let kept_max = read_telemetry_kinds(&mut spec, manifest, exporters, report);
    let settings = &mut manifest.settings;
    (manifest.doors, manifest.security) = doors::read(&mut spec, &mut manifest.intake, report);
    manifest.intake.read_memory(&mut spec, report);
    if let Some(section) = spec.section("delivery", report) {
        manifest.delivery = delivery::read(section, report);
    }
    if let Some(section) = spec.section("objectives", report) {
        settings.objectives = objectives::read(section, report);
    }
    if let Some(section) = spec.section("goals", report) {
        goals::read(section, settings, kept_max, report);
    }
    if let Some(section) = spec.section("automation", report) {
        let Automation { scale_endpoints, help_endpoints, webhook, hold_at_start } =
            automation::read(section, settings, report);
        manifest.scale_endpoints = scale_endpoints;
        manifest.help_endpoints = help_endpoints;
        manifest.webhook = webhook;
        manifest.hold_at_start = hold_at_start;
    }
    if let Some(section) = spec.section("scaling", report) {
        guards::read_scaling(section, &mut settings.scaling, report);
    }
    if let Some(section) = spec.section("guards", report) {
        guards::read_guards(section, &mut settings.guards, report);
    }
    if let Some(section) = spec.section("perception", report) {
        guards::read_perception(section, &mut settings.perception, report);
    }
    spec.close(report);
}

/// Returns how many spans may be kept, if that is written.
fn read_telemetry_kinds(
    spec: &mut Section<'_>,
    manifest: &mut Manifest,
    exporters: &mut Exporters,
    report: &mut Report,
) -> Option<u64> {
    let mut kept_max = None;
    if let Some(mut tracing) = spec.section("tracing", report) {
        exporters.read(&mut tracing, TelemetryKind::Traces, None, report);
        if let Some(section) = tracing.section("sampling", report) {
            let sampling = sampling::read(section, report);
            (manifest.settings.sampling, manifest.sampler) = (sampling.settings, sampling.sampler);
            kept_max = sampling.kept_max;
        }
        tracing.close(report);
    }
    if let Some(mut metrics) = spec.section("metrics", report) {
        exporters.read(&mut metrics, TelemetryKind::Metrics, Some("prometheus"), report);
        if let Some(interval) = metrics.get("spanMetricsInterval", report, span_metrics_interval) {
            manifest.span_metrics_interval = interval;
        }
        if let Some(field) = metrics.take("scrapeInterval")
            && field.read(report, scalars::millis).is_some()
        {
            field.not_yet(report);
        }
        metrics.close(report);
    }
    if let Some(mut logs) = spec.section("logs", report) {
        exporters.read(&mut logs, TelemetryKind::Logs, Some("loki"), report);
        if let Some(field) = logs.take("level")
            && field.read(report, log_level).is_some()
        {
            field.not_yet(report);
        }
        logs.close(report);
    }
    read_profiling(spec, exporters, report);
    kept_max
}

fn span_metrics_interval(value: &Value) -> Result<Option<Millis>, String> {
    if scalars::text(value).is_ok_and(|text| text == "off") {
        return Ok(None);
    }
    let within = scalars::millis(value).ok().filter(|interval| SPAN_METRICS_INTERVALS.contains(interval));
    within.map(Some).ok_or_else(|| "must be a duration between 1s and 1h, like 15s or 60s, or off".to_owned())
}

fn log_level(value: &Value) -> Result<(), String> {
    match scalars::text(value).unwrap_or_default().as_str() {
        "trace" | "debug" | "info" | "warn" | "error" | "fatal" => Ok(()),
        _ => Err("must be trace, debug, info, warn, error or fatal".to_owned()),
    }
}

/// Profiles are received and passed on; the agent takes none of its own yet, so their types are checked only.
fn read_profiling(spec: &mut Section<'_>, exporters: &mut Exporters, report: &mut Report) {
    let Some(mut profiling) = spec.section("profiling", report) else {
        return;
    };
    exporters.read(&mut profiling, TelemetryKind::Profiles, Some("pyroscope"), report);
    if let Some(types) = profiling.take("types") {
        types.items(report);
        types.not_yet(report);
    }
    profiling.close(report);
}

#[cfg(test)]
mod tests;
