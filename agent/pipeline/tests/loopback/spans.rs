//! Requests to send, and pipelines to send them to.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use homeostat_core::{Generation, Micros, Millis, SamplingPlan, SamplingProbability, ServiceSampling};
use homeostat_pipeline::{
    BufferConfig, Compression, ExportProtocol, ExportSignals, ExporterConfig, Limits, PipelineConfig,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

pub(crate) const SERVER: i32 = 2;
pub(crate) const CLIENT: i32 = 3;

/// Keeps everything that is ordinary with `tail` parts per million; requests above 1 s are slow.
pub(crate) fn plan(tail: u32) -> SamplingPlan {
    let tail = SamplingProbability::from_ppm(tail).unwrap();
    SamplingPlan {
        generation: Generation(1),
        default: ServiceSampling { head: SamplingProbability::ALWAYS, tail },
        services: BTreeMap::new(),
        operations: BTreeMap::new(),
        default_slow_above: Micros(1_000_000),
        slow_above: BTreeMap::new(),
    }
}

/// Both doors on loopback, quick decisions, small limits.
pub(crate) fn config(exporters: Vec<ExporterConfig>) -> PipelineConfig {
    let loopback = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let buffer = BufferConfig {
        lag: Millis(50),
        wait_max: Millis(500),
        batch_delay: Millis(20),
        retry_initial: Millis(10),
        retry_max: Millis(50),
        ..BufferConfig::default()
    };
    let limits = Limits { request_bytes_max: 1 << 20, ..Limits::default() };
    PipelineConfig { grpc: loopback, http: loopback, limits, buffer, exporters, ..PipelineConfig::default() }
}

pub(crate) fn exporter(protocol: ExportProtocol, address: SocketAddr) -> ExporterConfig {
    ExporterConfig {
        name: "sink".into(),
        protocol,
        endpoint: format!("http://{address}"),
        headers: vec![("x-tenant".into(), "shop".into())],
        tls: homeostat_pipeline::ClientTls::default(),
        compression: Compression::None,
        signals: ExportSignals::default(),
    }
}

pub(crate) fn span(trace: u8, id: u8, parent: Option<u8>, kind: i32) -> Span {
    Span {
        trace_id: vec![trace; 16],
        span_id: vec![id; 8],
        parent_span_id: parent.map(|id| vec![id; 8]).unwrap_or_default(),
        name: format!("op{kind}"),
        kind,
        start_time_unix_nano: 1_000_000_000,
        end_time_unix_nano: 1_005_000_000,
        ..Default::default()
    }
}

pub(crate) fn failed(span: Span) -> Span {
    Span { status: Some(Status { code: 2, message: "no".into() }), ..span }
}

pub(crate) fn resource(service: &str) -> Resource {
    let value = AnyValue { value: Some(any_value::Value::StringValue(service.into())) };
    let name = KeyValue { key: "service.name".into(), value: Some(value), ..Default::default() };
    Resource { attributes: vec![name], ..Default::default() }
}

pub(crate) fn request(services: Vec<(&str, Vec<Span>)>) -> ExportTraceServiceRequest {
    let one = |(service, spans): (&str, Vec<Span>)| ResourceSpans {
        resource: Some(resource(service)),
        scope_spans: vec![ScopeSpans { spans, schema_url: "urn:scope".into(), ..Default::default() }],
        schema_url: "urn:resource".into(),
    };
    ExportTraceServiceRequest { resource_spans: services.into_iter().map(one).collect() }
}
