//! Doors.
//!
//! Answers on which addresses the agent listens. Does not open any of them. Everything is loopback unless the manifest says
//! otherwise, because no door asks who is there unless it is told to.

use std::net::SocketAddr;

use serde::Serialize;

use super::intake::Intake;
use super::scalars;
use super::section::{Field, Section};
use super::security::{self, DoorSecurity};
use super::{Place, Report};

/// Where the agent listens; `None` where a door is off. Port 0 lets the machine choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Doors {
    /// OTLP over gRPC.
    pub(crate) otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP.
    pub(crate) otlp_http: Option<SocketAddr>,
    /// Jaeger remote sampling over HTTP.
    pub(crate) sampling_http: Option<SocketAddr>,
    /// Jaeger remote sampling over gRPC.
    pub(crate) sampling_grpc: Option<SocketAddr>,
    /// The agent's own API and page.
    pub(crate) api: Option<SocketAddr>,
    /// The agent's own metrics.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Default for Doors {
    fn default() -> Doors {
        let loopback = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        Doors {
            otlp_grpc: loopback(4317),
            otlp_http: loopback(4318),
            sampling_http: loopback(5778),
            sampling_grpc: loopback(14250),
            api: loopback(4390),
            metrics: loopback(9464),
        }
    }
}

/// Reads `spec.receivers`, `spec.api` and `spec.telemetry`.
pub(super) fn read(spec: &mut Section<'_>, intake: &mut Intake, report: &mut Report) -> (Doors, DoorSecurity) {
    let mut doors = Doors::default();
    let mut security = DoorSecurity::default();
    let receivers = vec![
        ("otlpGrpc", &mut doors.otlp_grpc),
        ("otlpHttp", &mut doors.otlp_http),
        ("remoteSamplingHttp", &mut doors.sampling_http),
        ("remoteSamplingGrpc", &mut doors.sampling_grpc),
    ];
    let groups = [
        ("receivers", receivers),
        ("api", vec![("address", &mut doors.api)]),
        ("telemetry", vec![("metricsAddress", &mut doors.metrics)]),
    ];
    let mut claims = Claims::default();
    for (group, keys) in groups {
        let mut section = spec.section(group, report);
        if let Some(receivers) = section.as_mut().filter(|_| group == "receivers") {
            security = security::read(receivers, report);
            intake.read_limits(receivers, report);
        }
        for (key, door) in keys {
            let field = section.as_mut().and_then(|section| section.take(key));
            if let Some(field) = &field
                && let Some(address) = field.read(report, scalars::listener)
            {
                *door = address;
                if !key.starts_with("otlp") || security.is_open() {
                    remark_if_reachable(field, address, report);
                }
            }
            let at = field.map_or(spec.at(), |field| field.node.at);
            claims.add(*door, at, format!("spec.{group}.{key}"), report);
        }
        if let Some(section) = section {
            section.close(report);
        }
    }
    (doors, security)
}

fn remark_if_reachable(field: &Field<'_>, address: Option<SocketAddr>, report: &mut Report) {
    if address.is_some_and(|address| !address.ip().is_loopback()) {
        let remedy = if field.path.contains(".otlp") { "; give receivers.tls or receivers.bearerTokens" } else { "" };
        report.remark(
            &field.path,
            format!("reachable from other machines, and this door asks nobody who they are{remedy}"),
        );
    }
}

/// Addresses that are spoken for. Two doors on one address would fail at start with an error that names neither key.
#[derive(Default)]
struct Claims(Vec<(SocketAddr, String)>);

impl Claims {
    fn add(&mut self, door: Option<SocketAddr>, at: Place, path: String, report: &mut Report) {
        let Some(address) = door.filter(|address| address.port() != 0) else {
            return;
        };
        match self.0.iter().find(|(claimed, _)| *claimed == address) {
            Some((_, owner)) => report.problem(at, &path, format!("{address} is already the address of {owner}")),
            None => self.0.push((address, path)),
        }
    }
}
