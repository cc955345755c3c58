//! A good sender, and an agent with short patience for the others.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use homeostat_core::{Generation, Micros, Millis, SamplingPlan, SamplingProbability, ServiceSampling};
use homeostat_pipeline::{Limits, Pipeline, PipelineConfig};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::raw;

/// Far beyond what any step takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Where the two doors are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Doors {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

/// An agent that takes little and waits briefly.
pub(crate) async fn agent(limits: Limits) -> (Pipeline, Doors) {
    let loopback = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let config = PipelineConfig { grpc: loopback, http: loopback, limits, ..PipelineConfig::default() };
    let plan = SamplingPlan {
        generation: Generation(1),
        default: ServiceSampling { head: SamplingProbability::ALWAYS, tail: SamplingProbability::ALWAYS },
        services: Default::default(),
        operations: Default::default(),
        default_slow_above: Micros(1_000_000),
        slow_above: Default::default(),
    };
    let pipeline = Pipeline::start(config, plan).await.unwrap();
    let doors = Doors { grpc: pipeline.grpc_addr().unwrap(), http: pipeline.http_addr().unwrap() };
    (pipeline, doors)
}

/// Small requests, short deadlines, few connections.
pub(crate) fn impatient() -> Limits {
    Limits {
        request_bytes_max: 1 << 20,
        in_flight_bytes_max: 32 << 20,
        connections_max: 64,
        header_deadline: Millis(500),
        body_deadline: Millis(500),
        ..Limits::default()
    }
}

pub(crate) fn request(services: usize, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let one = |service: usize| {
        let value = AnyValue { value: Some(any_value::Value::StringValue(format!("service-{service}"))) };
        let name = KeyValue { key: "service.name".into(), value: Some(value), ..Default::default() };
        ResourceSpans {
            resource: Some(Resource { attributes: vec![name], ..Default::default() }),
            scope_spans: vec![ScopeSpans { spans: spans.clone(), ..Default::default() }],
            ..Default::default()
        }
    };
    ExportTraceServiceRequest { resource_spans: (0..services).map(one).collect() }
}

pub(crate) fn span() -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![8; 8],
        name: "good".into(),
        kind: 2,
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        ..Default::default()
    }
}

/// One good span over each protocol, on new connections. A full door may close a newcomer to make room for the next; who
/// is good comes again.
pub(crate) async fn export(doors: Doors) {
    while !over_grpc(doors).await {}
    while !over_http(doors).await {}
}

async fn over_grpc(doors: Doors) -> bool {
    match TraceServiceClient::connect(format!("http://{}", doors.grpc)).await {
        Ok(mut client) => client.export(request(1, vec![span()])).await.is_ok(),
        Err(_) => false,
    }
}

async fn over_http(doors: Doors) -> bool {
    let message = request(1, vec![span()]).encode_to_vec();
    let request = raw::post("/v1/traces", "application/x-protobuf", "", &message);
    raw::throw(doors.http, &request).await.starts_with(b"HTTP/1.1 200")
}
