//! What ingesting a span costs.
//!
//! Answers spans per second and CPU time per span on one thread, from received bytes to the decision: validation,
//! aggregates, service graph, buffer, sampler, and the rewriting and batching of what is kept. Does not measure sockets.
//! Prints and asserts nothing: a figure without its machine is no promise.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

use bytes::Bytes;
use homeostat_core::{Generation, Micros, Millis, SamplingPlan, SamplingProbability, ServiceSampling};
use homeostat_pipeline::views::TracesView;
use homeostat_pipeline::{
    BufferConfig, ExportProtocol, ExportSignals, ExporterConfig, Pipeline, PipelineConfig, Telemetry,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

const SERVICES: usize = 8;
const TRACES_PER_REQUEST: usize = 64;
const SPANS_PER_REQUEST: usize = SERVICES * TRACES_PER_REQUEST;
const RUN: Duration = Duration::from_secs(3);

fn attribute(key: &str, text: &str) -> KeyValue {
    let value = AnyValue { value: Some(any_value::Value::StringValue(text.into())) };
    KeyValue { key: key.into(), value: Some(value), ..Default::default() }
}

/// One chain of calls through all services per trace.
fn span(service: usize, trace: usize) -> Span {
    let attributes = ["http.request.method", "http.route", "server.address", "user_agent.original", "url.path"]
        .map(|key| attribute(key, "GET /api/v1/items"));
    Span {
        trace_id: vec![1; 16],
        span_id: vec![service as u8 + 1; 8],
        parent_span_id: if service == 0 { vec![] } else { vec![service as u8; 8] },
        name: format!("GET /api/v1/items/{}", trace % 4),
        kind: if service.is_multiple_of(2) { 2 } else { 3 },
        start_time_unix_nano: 1_700_000_000_000_000_000,
        end_time_unix_nano: 1_700_000_000_000_000_000 + 1_000_000 * (1 + trace as u64),
        attributes: attributes.to_vec(),
        ..Default::default()
    }
}

fn template() -> Vec<u8> {
    let resource_spans = (0..SERVICES).map(|service| {
        let attributes = vec![attribute("service.name", &format!("service-{service}")), attribute("host.name", "node")];
        let spans = (0..TRACES_PER_REQUEST).map(|trace| span(service, trace)).collect();
        ResourceSpans {
            resource: Some(Resource { attributes, ..Default::default() }),
            scope_spans: vec![ScopeSpans { spans, ..Default::default() }],
            ..Default::default()
        }
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }.encode_to_vec()
}

/// Where the trace ids are, span by span.
fn trace_id_offsets(request: &[u8]) -> Vec<usize> {
    let view = TracesView::parse(request).expect("the template is well-formed");
    let spans = view.scopes().iter().flat_map(|scope| view.spans(scope));
    spans.map(|span| span.trace_id.as_ptr() as usize - request.as_ptr() as usize).collect()
}

/// The template with trace ids that were never used before.
fn fresh(template: &[u8], offsets: &[usize], round: u64) -> Bytes {
    let mut request = template.to_vec();
    for (index, offset) in offsets.iter().enumerate() {
        let trace = round * TRACES_PER_REQUEST as u64 + (index % TRACES_PER_REQUEST) as u64;
        // Multiplying by an odd number spreads the low bits, which are the trace's randomness.
        let random = trace.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        request[*offset..offset + 8].copy_from_slice(&trace.to_be_bytes());
        request[offset + 8..offset + 16].copy_from_slice(&random.to_be_bytes());
    }
    request.into()
}

fn config() -> PipelineConfig {
    let nowhere = ExporterConfig {
        name: "nowhere".into(),
        protocol: ExportProtocol::HttpProtobuf,
        endpoint: "127.0.0.1:9".into(),
        headers: vec![],
        tls: homeostat_pipeline::ClientTls::default(),
        compression: homeostat_pipeline::Compression::None,
        signals: ExportSignals::default(),
    };
    // Refused connections are given up at once, so that the queue stays empty and kept spans are still written.
    let buffer =
        BufferConfig { lag: Millis(200), wait_max: Millis(1000), retry_give_up: Millis(0), ..BufferConfig::default() };
    PipelineConfig { grpc: None, http: None, buffer, exporters: vec![nowhere], ..PipelineConfig::default() }
}

fn plan(ppm: u32) -> SamplingPlan {
    let tail = SamplingProbability::from_ppm(ppm).expect("at most one million");
    SamplingPlan {
        generation: Generation(1),
        default: ServiceSampling { head: SamplingProbability::ALWAYS, tail },
        services: BTreeMap::new(),
        operations: BTreeMap::new(),
        default_slow_above: Micros(10_000_000),
        slow_above: BTreeMap::new(),
    }
}

/// CPU time of this thread, from Linux; zero elsewhere.
fn cpu_nanos() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn clock() -> Instant {
    Instant::now()
}

async fn run(ppm: u32) -> String {
    let (template, pipeline) = (template(), Pipeline::start(config(), plan(ppm)).await.expect("binds nothing"));
    let offsets = trace_id_offsets(&template);
    let (began, mut busy, mut cpu, mut round) = (clock(), Duration::ZERO, 0, 0);
    while clock().duration_since(began) < RUN {
        let request = fresh(&template, &offsets, round);
        let (wall_before, cpu_before) = (clock(), cpu_nanos());
        pipeline.ingest(Telemetry::Traces, &request).expect("well-formed, and there is room");
        // The sweeper and the exporter run here, on the same thread.
        tokio::task::yield_now().await;
        busy += clock().duration_since(wall_before);
        cpu += cpu_nanos() - cpu_before;
        round += 1;
    }
    let spans = round * SPANS_PER_REQUEST as u64;
    let stats = pipeline.stats();
    format!(
        "tail {:>3} %: {:.0} spans/s, {:.3} CPU us/span, {} B/span, {} spans, {} kept, {} decided by memory",
        ppm / 10_000,
        spans as f64 / busy.as_secs_f64(),
        cpu as f64 / 1000.0 / spans as f64,
        template.len() / SPANS_PER_REQUEST,
        stats.spans_accepted,
        stats.kept(),
        stats.traces_decided["memory"],
    )
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    for ppm in [10_000, 100_000, 1_000_000] {
        let line = runtime.block_on(run(ppm));
        writeln!(std::io::stdout(), "{line}").expect("standard output is open");
    }
}
