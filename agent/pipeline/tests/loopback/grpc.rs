//! The gRPC door, with a generated client.

use homeostat_core::Millis;
use homeostat_pipeline::{Limits, Pipeline, PipelineConfig};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};

use crate::spans::{CLIENT, SERVER, config, exporter, failed, plan, request, span};

async fn channel(pipeline: &Pipeline) -> Channel {
    let endpoint = format!("http://{}", pipeline.grpc_addr().unwrap());
    Endpoint::from_shared(endpoint).unwrap().connect().await.unwrap()
}

async fn started(config: PipelineConfig) -> (Pipeline, TraceServiceClient<Channel>) {
    let pipeline = Pipeline::start(config, plan(1_000_000)).await.unwrap();
    let client = TraceServiceClient::new(channel(&pipeline).await);
    (pipeline, client)
}

/// Scenario: two services send spans, plain and compressed.
/// Guarantees: requests, errors and the edge between them are exactly what was sent, and nothing is called partial.
#[tokio::test]
async fn what_is_sent_is_what_is_counted() {
    let (pipeline, client) = started(config(vec![])).await;
    let mut gzip =
        client.clone().send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
    let mut zstd = client.clone().send_compressed(CompressionEncoding::Zstd);
    let mut plain = client;
    for trace in 1..=20 {
        let web = vec![span(trace, 1, None, SERVER), span(trace, 2, Some(1), CLIENT)];
        let response = plain.export(request(vec![("web", web)])).await.unwrap().into_inner();
        assert_eq!(response.partial_success, None);
        let served = span(trace, 3, Some(2), SERVER);
        let served = if trace % 5 == 0 { failed(served) } else { served };
        let compressed = if trace % 2 == 0 { &mut gzip } else { &mut zstd };
        compressed.export(request(vec![("cart", vec![served])])).await.unwrap();
    }
    let report = pipeline.aggregates();
    let red: Vec<_> =
        report.services.iter().map(|s| (s.service.as_str(), s.requests, s.errors, s.spans_received)).collect();
    assert_eq!(red, [("cart", 20, 4, 20), ("web", 20, 0, 40)]);
    let edges: Vec<_> =
        report.edges.iter().map(|e| (e.caller.as_str(), e.callee.as_str(), e.calls, e.errors)).collect();
    assert_eq!(edges, [("web", "cart", 20, 4)]);
    let p50 = report.services[0].operations[0].durations.p50;
    assert!((4_940..=5_060).contains(&p50.0), "5 ms within 1.2 percent: {p50}");
    let stats = pipeline.shutdown(crate::sink::PATIENCE).await;
    assert_eq!((stats.spans_accepted, stats.kept(), stats.spans_undecided), (60, 60, 0));
}

/// Scenario: a request with good spans and two whose ids are wrong.
/// Guarantees: the good ones are taken, the others counted, and the first of them is named.
#[tokio::test]
async fn wrong_ids_are_rejected_one_by_one() {
    let (pipeline, mut client) = started(config(vec![])).await;
    let mut spans = vec![span(1, 1, None, SERVER), span(1, 2, None, SERVER), span(0, 3, None, SERVER)];
    spans[1].trace_id = vec![1; 8];
    let partial = client.export(request(vec![("web", spans)])).await.unwrap().into_inner().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert_eq!(partial.error_message, "resource_spans[0].scope_spans[0].spans[1].trace_id: expected 16 bytes, found 8");
    let stats = pipeline.stats();
    assert_eq!((stats.spans_received, stats.spans_accepted, stats.spans_rejected), (3, 1, 2));
    assert_eq!(pipeline.aggregates().services[0].requests, 1);
}

/// Scenario: a message above the limit, and a small one that inflates beyond it.
/// Guarantees: both are answered with the code that no sender retries, and counted as too large.
#[tokio::test]
async fn oversize_is_resource_exhausted_before_and_after_inflation() {
    let (pipeline, client) = started(config(vec![])).await;
    let mut span = span(1, 1, None, SERVER);
    span.name = "n".repeat(3 << 20);
    let large = request(vec![("web", vec![span])]);
    let plain = client.clone().export(large.clone()).await.unwrap_err();
    assert_eq!(plain.code(), Code::ResourceExhausted, "{plain:?}");
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let bomb = client.clone().send_compressed(encoding).export(large.clone()).await.unwrap_err();
        assert_eq!(bomb.code(), Code::ResourceExhausted, "{bomb:?}");
        assert!(bomb.message().contains("1048576 bytes"), "{bomb:?}");
    }
    assert_eq!(pipeline.stats().requests_refused["too_large"], 3);
    assert_eq!(pipeline.stats().spans_received, 0);
}

/// Scenario: another message is sent to the trace service, and a method is called that does not exist.
/// Guarantees: the first is an invalid argument that names the field, the second is unimplemented.
#[tokio::test]
async fn malformed_is_invalid_argument() {
    let (pipeline, _) = started(config(vec![])).await;
    let mut client = tonic::client::Grpc::new(channel(&pipeline).await);
    let mut call = async |path: &'static str| {
        client.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<KeyValue, ExportTraceServiceResponse>::default();
        let message = KeyValue { key: "\u{1}".into(), ..Default::default() };
        client.unary(tonic::Request::new(message), path.parse().unwrap(), codec).await.unwrap_err()
    };
    let malformed = call("/opentelemetry.proto.collector.trace.v1.TraceService/Export").await;
    assert_eq!(malformed.code(), Code::InvalidArgument);
    assert_eq!(malformed.message(), "resource_spans[0]: invalid field key (at byte 2)");
    assert_eq!(call("/opentelemetry.proto.collector.trace.v1.TraceService/Import").await.code(), Code::Unimplemented);
    assert_eq!(pipeline.stats().requests_refused["malformed"], 1);
}

/// Scenario: the only destination is down and its queue is full.
/// Guarantees: senders of logs are told to come back, and when; spans are still counted and sampled, and what does not fit
/// into the queue is counted as dropped for that reason.
#[tokio::test]
async fn a_full_queue_refuses_what_is_only_passed_on() {
    let reserved = tokio::net::TcpSocket::new_v4().unwrap();
    reserved.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let down = exporter(homeostat_pipeline::ExportProtocol::Grpc, reserved.local_addr().unwrap());
    let mut config = config(vec![down]);
    config.buffer.queue_bytes_max = 1;
    config.limits = Limits { retry_after: Millis(1500), ..config.limits };
    let (pipeline, mut client) = started(config).await;
    let mut sent = 0;
    while pipeline.stats().exporters[0].items_dropped["queue_full"] == 0 {
        // Refused at first, as long as the destination might only be slow.
        sent += u64::from(client.export(request(vec![("web", vec![failed(span(1, 1, None, SERVER))])])).await.is_ok());
        tokio::task::yield_now().await;
    }
    let mut logs = LogsServiceClient::new(channel(&pipeline).await);
    let refused = logs.export(ExportLogsServiceRequest::default()).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unavailable, "export queue full, try again later"));
    assert!(!refused.details().is_empty(), "carries RetryInfo");
    let stats = pipeline.stats();
    assert_eq!((stats.spans_accepted, stats.kept()), (sent, sent));
    assert!(stats.requests_refused["overload"] >= 1);
    assert!(stats.exporters[0].items_queued >= 1);
}

/// Scenario: an empty request.
/// Guarantees: it is accepted; an SDK may send one.
#[tokio::test]
async fn nothing_is_fine() {
    let (pipeline, mut client) = started(config(vec![])).await;
    client.export(ExportTraceServiceRequest::default()).await.unwrap();
    assert_eq!(pipeline.stats().requests, 1);
}

/// Scenario: eight senders at once, each with traces of its own, some failing, some with a wrong id.
/// Guarantees: every count is exact, and received is kept, unsampled, undecided or rejected; nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_are_exact_under_concurrency() {
    let (pipeline, client) = started(config(vec![])).await;
    pipeline.set_plan(plan(300_000));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8_u8 {
        let mut client = client.clone();
        senders.spawn(async move {
            for round in 0..50_u8 {
                let mut spans = vec![span(sender * 20 + round % 20 + 1, round + 1, None, SERVER); 4];
                spans[1] = failed(spans[1].clone());
                spans[1].trace_id[0] = round;
                spans[2].span_id = vec![];
                client.export(request(vec![("web", spans)])).await.unwrap();
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    let report = pipeline.aggregates();
    assert_eq!((report.services[0].requests, report.services[0].errors), (1200, 400));
    assert_eq!(report.services[0].operations[0].durations.count, 1200);
    let stats = pipeline.stats();
    let (received, accepted, rejected) = (stats.spans_received, stats.spans_accepted, stats.spans_rejected);
    assert_eq!((received, accepted, rejected), (1600, 1200, 400));
    let stats = pipeline.shutdown(crate::sink::PATIENCE).await;
    assert_eq!(stats.kept() + stats.spans_unsampled.values().sum::<u64>(), 1200);
    assert_eq!((stats.spans_undecided, stats.buffer_bytes), (0, 0));
}
