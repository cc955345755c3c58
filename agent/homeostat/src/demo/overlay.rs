//! What the demo changes about the embedded default manifest.
//!
//! Answers with which manifest the demo's agent runs, and says every difference in the manifest's own words, so that nothing
//! is staged behind the user's back. Does not change how the loop thinks; there is no demo mode in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use homeostat_core::{Autonomy, Micros, Replicas, ServiceName, ServiceObjectives, ServiceScaling};

use super::shop::VICTIM;
use crate::manifest::{Compression, Doors, ExporterSpec, ExporterTls, Manifest, Protocol, TelemetryKind};

/// Spans the agent may keep a second: two thirds of what the shop sends, so that there is something to choose.
const KEPT_SPANS_MAX: u64 = 320;

/// Workers a service may be given, and must keep.
const ENVELOPE: ServiceScaling = ServiceScaling { min: Replicas(1), max: Replicas(8) };

/// What counts as slow for the innermost service: half of what the whole may take. With one threshold for all, a caller
/// would always break its promise a moment before the service it waits for.
const INNER_THRESHOLD: Micros = Micros::from_millis(250);

/// The embedded default, plus what [`told`] says.
pub(crate) fn manifest(shop: &BTreeMap<&'static str, SocketAddr>, backend: SocketAddr) -> Manifest {
    let mut manifest = Manifest::embedded();
    manifest.name = "demo".to_owned();
    manifest.doors = any_port(manifest.doors);
    manifest.exporters = vec![ExporterSpec {
        name: "stand-in backend".to_owned(),
        protocol: Protocol::Grpc,
        endpoint: format!("http://{backend}"),
        tls: ExporterTls::default(),
        headers: BTreeMap::new(),
        compression: Compression::None,
        signals: vec![TelemetryKind::Traces],
    }];
    let settings = &mut manifest.settings;
    settings.sampling.kept_spans_per_second_max = KEPT_SPANS_MAX;
    settings.autonomy.scaling = Autonomy::Act;
    let inner = ServiceObjectives { latency_threshold: INNER_THRESHOLD, ..settings.objectives.default };
    settings.objectives.services.insert(ServiceName::from(VICTIM), inner);
    for (name, address) in shop {
        let service = ServiceName::from(*name);
        settings.scaling.services.insert(service.clone(), ENVELOPE);
        manifest.scale_endpoints.insert(service, format!("http://{address}/scale"));
    }
    manifest
}

/// The differences, key by key, each with its reason.
pub(crate) fn told() -> Vec<[String; 2]> {
    let kept = format!("tracing.sampling.maxKeptSpansPerSecond: {KEPT_SPANS_MAX}");
    let scale = format!("automation.services.*.scale: {{ min: {}, max: {} }}", ENVELOPE.min, ENVELOPE.max);
    let inner = format!("objectives.services.{VICTIM}.latency.threshold: {INNER_THRESHOLD}");
    [
        ("receivers, api, telemetry: port 0".to_owned(), "beside a collector you may have"),
        (kept, "two thirds of what the shop sends"),
        ("tracing.exporters: a stand-in backend".to_owned(), "part of the demo; it only counts"),
        (inner, "a part must be faster than the whole"),
        ("automation.scaling: Act".to_owned(), "the default is Observe"),
        (scale, "the shop's five worker pools"),
    ]
    .map(|(key, why)| [key, why.to_owned()])
    .into()
}

fn any_port(doors: Doors) -> Doors {
    let any = |door: Option<SocketAddr>| door.map(|door| SocketAddr::new(door.ip(), 0));
    Doors {
        otlp_grpc: any(doors.otlp_grpc),
        otlp_http: any(doors.otlp_http),
        sampling_http: any(doors.sampling_http),
        sampling_grpc: any(doors.sampling_grpc),
        api: any(doors.api),
        metrics: any(doors.metrics),
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::Settings;

    use super::*;

    /// Scenario: the overlay on the embedded default.
    /// Guarantees: it changes the told settings and no others, asks for no fixed port, and stays on loopback.
    #[test]
    fn the_overlay_changes_what_it_says_and_nothing_else() {
        let address = SocketAddr::from(([127, 0, 0, 1], 7));
        let manifest = manifest(&[("payment", address)].into(), address);
        let mut expected: Settings = Manifest::embedded().settings;
        expected.sampling.kept_spans_per_second_max = KEPT_SPANS_MAX;
        expected.autonomy.scaling = Autonomy::Act;
        let inner = ServiceObjectives { latency_threshold: INNER_THRESHOLD, ..expected.objectives.default };
        expected.objectives.services.insert(ServiceName::from(VICTIM), inner);
        expected.scaling.services.insert(ServiceName::from("payment"), ENVELOPE);
        assert_eq!(manifest.settings, expected);
        let doors = manifest.doors;
        for door in
            [doors.otlp_grpc, doors.otlp_http, doors.sampling_http, doors.sampling_grpc, doors.api, doors.metrics]
        {
            assert!(door.is_some_and(|door| door.port() == 0 && door.ip().is_loopback()));
        }
    }
}
