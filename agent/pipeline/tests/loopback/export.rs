//! From the doors to a destination.

use homeostat_pipeline::{Compression, ExportProtocol, ExportSignals, Pipeline, PipelineConfig, StartError, Telemetry};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::profiles::v1development::{Profile, ResourceProfiles, ScopeProfiles};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tonic::transport::Channel;

use crate::sink::{PATIENCE, Served, Sink};
use crate::spans::{SERVER, config, exporter, failed, plan, request, span};

async fn started(config: PipelineConfig, tail: u32) -> (Pipeline, TraceServiceClient<Channel>) {
    let pipeline = Pipeline::start(config, plan(tail)).await.unwrap();
    let client = TraceServiceClient::connect(format!("http://{}", pipeline.grpc_addr().unwrap())).await.unwrap();
    (pipeline, client)
}

/// What the pipeline adds to a kept span, taken off again.
fn bare(mut span: Span) -> (Span, String, String) {
    let rule = span.attributes.pop().unwrap();
    assert_eq!(rule.key, "homeostat.sampling.rule");
    let state = std::mem::take(&mut span.trace_state);
    (span, format!("{:?}", rule.value.unwrap().value.unwrap()), state)
}

async fn through(sink: Served, protocol: ExportProtocol, compression: Compression) {
    let exporter = homeostat_pipeline::ExporterConfig { compression, ..exporter(protocol, sink.address) };
    let (pipeline, mut client) = started(config(vec![exporter]), 1_000_000).await;
    let sent = vec![span(1, 1, None, SERVER), failed(span(2, 2, None, SERVER))];
    client.export(request(vec![("web", sent.clone())])).await.unwrap();
    let mut came = sink.sink.spans(2).await;
    came.sort_by_key(|(_, span)| span.span_id.clone());
    for ((service, span), (sent, rule)) in came.into_iter().zip(sent.into_iter().zip(["probability", "error"])) {
        assert!(service.contains("web"));
        let (span, said, state) = bare(span);
        assert_eq!((span, state.as_str()), (sent, "ot=th:0"));
        assert!(said.contains(rule), "{said}");
    }
    let seen = sink.sink.wait(|seen| Some((seen.requests.clone(), seen.tenants.clone(), seen.encodings.clone()))).await;
    assert!(seen.0.iter().all(|request| request.resource_spans[0].schema_url == "urn:resource"));
    assert!(seen.0.iter().all(|request| request.resource_spans[0].scope_spans[0].schema_url == "urn:scope"));
    assert!(seen.1.iter().all(|tenant| tenant == "shop"));
    let expected = match compression {
        Compression::None => "",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    };
    assert!(seen.2.iter().all(|encoding| encoding == expected), "{:?}", seen.2);
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!((stats.exporters[0].items_exported, stats.exporters[0].items_queued), (2, 0));
}

/// Scenario: an ordinary and a failed request go through to a gRPC and to an HTTP destination, plain and compressed.
/// Guarantees: spans come out as they went in, with resource, scope and headers; only threshold and rule are added.
#[tokio::test]
async fn spans_come_out_as_they_went_in() {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        through(Sink::default().grpc().await, ExportProtocol::Grpc, compression).await;
        through(Sink::default().http().await, ExportProtocol::HttpProtobuf, compression).await;
    }
}

/// Scenario: destinations answer UNAVAILABLE or 503 three times before they accept.
/// Guarantees: the span arrives once, and each retry is counted.
#[tokio::test]
async fn a_failed_export_is_tried_again() {
    let sinks = [
        (Sink::failing(3).grpc().await, ExportProtocol::Grpc),
        (Sink::failing(3).http().await, ExportProtocol::HttpProtobuf),
    ];
    for (sink, protocol) in sinks {
        let (pipeline, mut client) = started(config(vec![exporter(protocol, sink.address)]), 1_000_000).await;
        client.export(request(vec![("web", vec![span(1, 1, None, SERVER)])])).await.unwrap();
        assert_eq!(sink.sink.spans(1).await.len(), 1);
        let stats = pipeline.shutdown(PATIENCE).await;
        let out = &stats.exporters[0];
        assert_eq!((out.items_exported, out.retries, out.failures), (1, 3, 3));
    }
}

/// Scenario: the destination is down when the agent starts and comes up later.
/// Guarantees: nothing is lost.
#[tokio::test]
async fn a_destination_may_come_later() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let (pipeline, mut client) = started(config(vec![exporter(ExportProtocol::Grpc, address)]), 1_000_000).await;
    client.export(request(vec![("web", vec![failed(span(1, 1, None, SERVER))])])).await.unwrap();
    let failing = async {
        while pipeline.stats().exporters[0].retries == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, failing).await.unwrap();
    let sink = Sink::default().grpc_on(socket.listen(16).unwrap());
    assert_eq!(sink.sink.spans(1).await.len(), 1);
}

/// Scenario: one destination refuses for good, another is never there.
/// Guarantees: both are given up, with the reason counted.
#[tokio::test]
async fn what_is_given_up_is_counted() {
    let sink = Sink::default().grpc().await;
    sink.sink.seen.lock().unwrap().refuse = true;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = exporter(ExportProtocol::HttpProtobuf, socket.local_addr().unwrap());
    let mut config = config(vec![exporter(ExportProtocol::Grpc, sink.address), nobody]);
    config.buffer.retry_give_up = homeostat_core::Millis(100);
    let (pipeline, mut client) = started(config, 1_000_000).await;
    client.export(request(vec![("web", vec![failed(span(1, 1, None, SERVER))])])).await.unwrap();
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!(stats.exporters[0].items_dropped["refused"], 1);
    assert_eq!(stats.exporters[1].items_dropped["gave_up"], 1);
    assert_eq!(stats.kept(), 1);
}

/// Scenario: nothing is to be kept by chance; a trace fails, then a span of it comes late, and one of an ordinary trace.
/// Guarantees: the late span follows its trace's decision; the ordinary trace never leaves.
#[tokio::test]
async fn late_spans_follow_over_the_wire() {
    let sink = Sink::default().grpc().await;
    let (pipeline, mut client) = started(config(vec![exporter(ExportProtocol::Grpc, sink.address)]), 0).await;
    client
        .export(request(vec![("web", vec![failed(span(1, 1, None, SERVER)), span(2, 2, None, SERVER)])]))
        .await
        .unwrap();
    sink.sink.spans(1).await;
    client.export(request(vec![("cart", vec![span(1, 3, Some(1), 1)])])).await.unwrap();
    let came = sink.sink.spans(2).await;
    assert!(came[1].0.contains("cart") && came[1].1.span_id == [3; 8]);
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!((stats.spans_kept["error"], stats.spans_unsampled["probability"]), (2, 1));
    assert_eq!(sink.sink.spans(0).await.len(), 2);
}

/// Scenario: traces are still undecided when the agent is stopped.
/// Guarantees: they are decided and sent before it ends.
#[tokio::test]
async fn shutdown_sends_what_is_buffered() {
    let sink = Sink::default().http().await;
    let mut config = config(vec![exporter(ExportProtocol::HttpProtobuf, sink.address)]);
    config.buffer.wait_max = homeostat_core::Millis::from_secs(3600);
    let (pipeline, mut client) = started(config, 1_000_000).await;
    client.export(request(vec![("web", vec![span(1, 2, Some(1), SERVER)])])).await.unwrap();
    assert_eq!(pipeline.stats().traces_undecided, 1);
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!((stats.traces_decided["shutdown"], stats.exporters[0].items_exported), (1, 1));
    assert_eq!(sink.sink.spans(1).await.len(), 1);
}

/// Scenario: one destination takes only traces, another only logs.
/// Guarantees: each receives its kind and nothing else; logs are not sampled.
#[tokio::test]
async fn each_destination_gets_what_it_asked_for() {
    let (traces, logs) = (Sink::default().http().await, Sink::default().http().await);
    let none = ExportSignals { traces: false, metrics: false, logs: false, profiles: false };
    let mut exporters = [traces.address, logs.address].map(|at| exporter(ExportProtocol::HttpProtobuf, at));
    exporters[0].signals = ExportSignals { traces: true, ..none };
    exporters[1].signals = ExportSignals { logs: true, ..none };
    let (pipeline, mut client) = started(config(exporters.to_vec()), 1_000_000).await;
    client.export(request(vec![("web", vec![span(1, 1, None, SERVER)])])).await.unwrap();
    let scope_logs = vec![ScopeLogs { log_records: vec![LogRecord::default(); 3], ..Default::default() }];
    let message = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] };
    let mut client = LogsServiceClient::connect(format!("http://{}", pipeline.grpc_addr().unwrap())).await.unwrap();
    client.export(message).await.unwrap();
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!((stats.exporters[0].items_exported, stats.exporters[1].items_exported), (1, 3));
    let seen = (traces.sink.seen.lock().unwrap(), logs.sink.seen.lock().unwrap());
    assert_eq!((seen.0.requests.len(), seen.0.logs, seen.1.requests.len(), seen.1.logs), (1, 0, 0, 1));
}

/// Scenario: profiles with a field of a later version go through one agent over gRPC and another over HTTP.
/// Guarantees: they arrive byte for byte, and every agent has counted them.
#[tokio::test]
async fn profiles_pass_through_byte_for_byte() {
    let sink = Sink::default().http().await;
    let to_sink = exporter(ExportProtocol::HttpProtobuf, sink.address);
    let second = Pipeline::start(config(vec![to_sink]), plan(0)).await.unwrap();
    let to_second = exporter(ExportProtocol::Grpc, second.grpc_addr().unwrap());
    let first = Pipeline::start(config(vec![to_second]), plan(0)).await.unwrap();
    let scope_profiles = vec![ScopeProfiles { profiles: vec![Profile::default(); 2], ..Default::default() }];
    let resource_profiles = vec![ResourceProfiles { scope_profiles, ..Default::default() }];
    let mut bytes = ExportProfilesServiceRequest { resource_profiles, dictionary: None }.encode_to_vec();
    bytes.extend_from_slice(&[0xfa, 0x07, 3, 1, 2, 3]);
    first.ingest(Telemetry::Profiles, &bytes.clone().into()).unwrap();
    let came = sink.sink.wait(|seen| seen.profiles.first().cloned()).await;
    assert_eq!(came, bytes);
    for agent in [first, second] {
        let stats = agent.shutdown(PATIENCE).await;
        assert_eq!((stats.profiles_accepted, stats.exporters[0].items_exported), (2, 2));
    }
}

/// Scenario: a port that is taken.
/// Guarantees: the agent does not start, and says which address and what to do.
#[tokio::test]
async fn start_errors_say_what_to_do() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let mut config = config(vec![]);
    config.http = Some(address);
    let error = Pipeline::start(config, plan(0)).await.unwrap_err();
    assert!(matches!(error, StartError::Bind { protocol: "HTTP", .. }));
    let text = error.to_string();
    assert!(text.contains(&address.to_string()) && text.contains("or configure another"), "{text}");
}
