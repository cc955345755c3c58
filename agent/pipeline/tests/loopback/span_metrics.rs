//! The aggregates on their way to a destination of metrics.

use homeostat_core::Millis;
use homeostat_pipeline::{ExportProtocol, Pipeline, PipelineConfig, SpanMetrics};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::metrics::v1::{metric::Data, number_data_point};

use crate::sink::{PATIENCE, Sink};
use crate::spans::{SERVER, config, exporter, plan, request, span};

/// The calls of all series together.
fn calls(request: &ExportMetricsServiceRequest) -> i64 {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| &scope.metrics).filter(|metric| metric.name == "traces.span.metrics.calls");
    let points = metrics.filter_map(|metric| match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => Some(&sum.data_points),
        _ => None,
    });
    let value = |point: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| match point.value {
        Some(number_data_point::Value::AsInt(count)) => count,
        _ => 0,
    };
    points.flatten().map(value).sum()
}

/// Scenario: spans of which none is kept; the aggregates leave often, then never in time before the agent stops, then not
/// at all.
/// Guarantees: every accepted span is counted although nothing is kept: at the latest when the agent stops; and nobody
/// who did not ask for metrics gets any.
#[tokio::test]
async fn counts_arrive_whatever_is_kept() {
    for interval in [Some(Millis(20)), Some(Millis::from_secs(3600)), None] {
        let sink = Sink::default().http().await;
        let span_metrics = SpanMetrics { interval, identity: vec![("service.name".into(), "homeostat".into())] };
        let exporters = vec![exporter(ExportProtocol::HttpProtobuf, sink.address)];
        let config = PipelineConfig { span_metrics, ..config(exporters) };
        let pipeline = Pipeline::start(config, plan(0)).await.unwrap();
        let address = format!("http://{}", pipeline.grpc_addr().unwrap());
        let mut client = TraceServiceClient::connect(address).await.unwrap();
        for trace in 1..=5 {
            client.export(request(vec![("web", vec![span(trace, trace, None, SERVER)])])).await.unwrap();
        }
        if interval == Some(Millis(20)) {
            sink.sink.wait(|seen| seen.metrics.iter().any(|request| calls(request) == 5).then_some(())).await;
        }
        let stats = pipeline.shutdown(PATIENCE).await;
        let seen = sink.sink.wait(|seen| Some(seen.metrics.clone())).await;
        assert_eq!(seen.last().map(calls), interval.map(|_| 5), "{interval:?}");
        assert_eq!(stats.kept(), 0);
        assert!(seen.iter().map(calls).is_sorted(), "what was counted stays counted");
    }
}
