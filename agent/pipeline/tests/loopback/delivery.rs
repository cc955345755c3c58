//! What survives, with a log on disk.

use std::path::Path;

use homeostat_core::Millis;
use homeostat_pipeline::{Durability, ExportProtocol, Pipeline, PipelineConfig, StartError};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use tonic::Code;
use tonic::transport::Channel;

use crate::sink::{PATIENCE, Sink};
use crate::spans::{SERVER, config, exporter, failed, plan, request, span};

/// The settings of the other tests, with a log in `dir`.
fn durable(dir: &Path, exporters: Vec<homeostat_pipeline::ExporterConfig>) -> PipelineConfig {
    PipelineConfig { durability: Durability::Disk { dir: dir.to_owned(), bytes_max: 64 << 20 }, ..config(exporters) }
}

/// Starts on a log that a former life may not have let go of yet.
async fn started(config: PipelineConfig) -> (Pipeline, TraceServiceClient<Channel>) {
    let starting = async {
        loop {
            match Pipeline::start(config.clone(), plan(1_000_000)).await {
                Ok(pipeline) => return pipeline,
                Err(StartError::Store(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let pipeline = tokio::time::timeout(PATIENCE, starting).await.unwrap();
    let client = TraceServiceClient::connect(format!("http://{}", pipeline.grpc_addr().unwrap())).await.unwrap();
    (pipeline, client)
}

/// An address where nobody listens, until it is asked to.
fn reserved() -> (tokio::net::TcpSocket, std::net::SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// Scenario: traces are undecided, others are decided and not sent, when the agent vanishes; the destination comes up later.
/// Guarantees: every acknowledged span arrives exactly once, and none is counted a second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_arrives_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (socket, address) = reserved();
    let mut config = durable(dir.path(), vec![exporter(ExportProtocol::Grpc, address)]);
    config.buffer.wait_max = Millis::from_secs(3600);
    let (pipeline, mut client) = started(config.clone()).await;
    let (certain, undecided) = (failed(span(1, 1, None, SERVER)), span(2, 2, Some(1), SERVER));
    client.export(request(vec![("web", vec![certain.clone(), undecided])])).await.unwrap();
    let waiting = async {
        while pipeline.stats().exporters[0].items_queued == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    drop((pipeline, client));
    config.buffer.wait_max = Millis(500);
    let (pipeline, mut client) = started(config).await;
    let stats = pipeline.stats();
    assert_eq!((stats.spans_accepted, stats.store.as_ref().unwrap().spans_recovered), (0, 1));
    assert!(pipeline.aggregates().services.iter().all(|service| service.spans_received == 0));
    // A span of the trace that was kept in the former life follows its rule.
    client.export(request(vec![("cart", vec![span(1, 3, Some(1), 1)])])).await.unwrap();
    let sink = Sink::default().grpc_on(socket.listen(16).unwrap());
    let mut came: Vec<_> = sink.sink.spans(3).await.into_iter().map(|(_, span)| span).collect();
    came.sort_by_key(|span| span.span_id.clone());
    assert_eq!(came.iter().map(|span| span.span_id[0]).collect::<Vec<_>>(), [1, 2, 3]);
    let rule = format!("{:?}", came[2].attributes.last().unwrap());
    assert!(rule.contains("\"error\""), "{rule}");
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!((stats.exporters[0].items_exported, stats.exporters[0].items_queued), (3, 0));
    let store = stats.store.unwrap();
    assert_eq!((store.received_segments, store.kept_segments, store.bytes), (0, 0, 0));
    assert_eq!(sink.sink.spans(3).await.len(), 3);
}

/// Scenario: the agent vanishes after a request is in the log, and its sender, who saw no answer, sends it again.
/// Guarantees: it is accepted, counted as repeated, and its span arrives once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_is_not_doubled() {
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::default().grpc().await;
    let config = durable(dir.path(), vec![exporter(ExportProtocol::Grpc, sink.address)]);
    let (pipeline, mut client) = started(config.clone()).await;
    let message = request(vec![("web", vec![span(1, 1, Some(2), SERVER)])]);
    client.export(message.clone()).await.unwrap();
    drop((pipeline, client));
    let (pipeline, mut client) = started(config).await;
    client.export(message).await.unwrap();
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!((stats.spans_accepted, stats.kept(), stats.store.unwrap().requests_repeated), (0, 1, 1));
    assert_eq!(sink.sink.spans(1).await.len(), 1);
}

/// Scenario: logs are sent, and the agent is stopped, while one of two destinations is down; it comes up later.
/// Guarantees: the other is served meanwhile, and each receives every log once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_destination_has_a_cursor_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (up, (_socket, down)) = (Sink::default().http().await, reserved());
    let mut exporters = [up.address, down].map(|at| exporter(ExportProtocol::HttpProtobuf, at)).to_vec();
    exporters[1].name = "other".into();
    let (pipeline, _) = started(durable(dir.path(), exporters.clone())).await;
    let scope_logs = vec![ScopeLogs { log_records: vec![LogRecord::default(); 3], ..Default::default() }];
    let message = ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..Default::default() }] };
    let mut client = LogsServiceClient::connect(format!("http://{}", pipeline.grpc_addr().unwrap())).await.unwrap();
    client.export(message).await.unwrap();
    up.sink.wait(|seen| (seen.logs == 1).then_some(())).await;
    let stats = pipeline.shutdown(std::time::Duration::from_millis(200)).await;
    assert_eq!((stats.exporters[0].items_queued, stats.exporters[1].items_queued), (0, 3));
    assert_eq!(stats.exporters[1].items_dropped.values().sum::<u64>(), 0);
    let late = Sink::default().http().await;
    exporters[1].endpoint = format!("http://{}", late.address);
    let (pipeline, _) = started(durable(dir.path(), exporters)).await;
    late.sink.wait(|seen| (seen.logs == 1).then_some(())).await;
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!((stats.exporters[0].items_exported, stats.exporters[1].items_exported), (0, 3));
    assert_eq!(up.sink.wait(|seen| Some(seen.logs)).await, 1);
}

/// Scenario: the log has no room for a request.
/// Guarantees: the sender is told to come back, and nothing is counted as received.
#[tokio::test]
async fn a_full_log_refuses_retryably() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = durable(dir.path(), vec![]);
    config.durability = Durability::Disk { dir: dir.path().to_owned(), bytes_max: 10 };
    let (pipeline, mut client) = started(config).await;
    let refused = client.export(request(vec![("web", vec![span(1, 1, None, SERVER)])])).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "delivery log full, try again later"));
    assert!(!refused.details().is_empty(), "carries RetryInfo");
    let stats = pipeline.stats();
    assert_eq!((stats.requests_refused["overload"], stats.spans_accepted), (1, 0));
}

/// Scenario: a destination is down for so long that its circuit opens, then it comes up.
/// Guarantees: the state is visible, one request tries, and everything arrives.
#[tokio::test]
async fn the_circuit_opens_and_closes() {
    let (socket, address) = reserved();
    let (pipeline, mut client) = started(config(vec![exporter(ExportProtocol::Grpc, address)])).await;
    client.export(request(vec![("web", vec![failed(span(1, 1, None, SERVER))])])).await.unwrap();
    let opening = async {
        while pipeline.stats().exporters[0].circuit_opened == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, opening).await.unwrap();
    let sink = Sink::default().grpc_on(socket.listen(16).unwrap());
    sink.sink.spans(1).await;
    let stats = pipeline.shutdown(PATIENCE).await;
    assert_eq!((stats.exporters[0].circuit.as_str(), stats.exporters[0].items_exported), ("closed", 1));
}
