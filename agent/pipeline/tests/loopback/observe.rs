//! What the control plane is told.

use homeostat_core::{Indicator, Observation, Target, Timestamp};
use homeostat_pipeline::Pipeline;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric::Data, number_data_point,
};

use crate::spans::{CLIENT, SERVER, config, failed, plan, request, resource, span};

fn gauge(name: &str, value: f64) -> Metric {
    let point = NumberDataPoint { value: Some(number_data_point::Value::AsDouble(value)), ..Default::default() };
    Metric { name: name.into(), data: Some(Data::Gauge(Gauge { data_points: vec![point] })), ..Default::default() }
}

fn value(observations: &[Observation], target: &Target, indicator: Indicator) -> Option<u64> {
    observations.iter().find_map(|observation| match observation {
        Observation::Measured { signal, value, .. } if signal.target == *target && signal.indicator == indicator => {
            Some(*value)
        }
        _ => None,
    })
}

/// Scenario: a service is called by another, fails once, and reports its utilisation.
/// Guarantees: totals, latencies, edge and utilisation are observed with their targets; latencies only once; after thirty
/// seconds of silence nothing is said of the services any more, only of the agent.
#[tokio::test]
async fn the_control_plane_is_told_what_was_seen() {
    let pipeline = Pipeline::start(config(vec![]), plan(1_000_000)).await.unwrap();
    let address = format!("http://{}", pipeline.grpc_addr().unwrap());
    let mut traces = TraceServiceClient::connect(address.clone()).await.unwrap();
    let cart = vec![failed(span(1, 3, Some(2), SERVER)), span(2, 4, None, SERVER)];
    traces.export(request(vec![("web", vec![span(1, 2, Some(1), CLIENT)]), ("cart", cart)])).await.unwrap();
    let metrics = vec![gauge("worker.pool.utilization", 0.73), gauge("anything.else", 0.1)];
    let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
    let resource_metrics =
        vec![ResourceMetrics { resource: Some(resource("cart")), scope_metrics, ..Default::default() }];
    let mut client = MetricsServiceClient::connect(address).await.unwrap();
    client.export(ExportMetricsServiceRequest { resource_metrics }).await.unwrap();

    let at = |secs: u64| Timestamp(1_000_000 + secs * 1000);
    let (cart, first) = (Target::Service("cart".into()), pipeline.observe(at(0)));
    let said = |indicator| value(&first, &cart, indicator);
    assert_eq!(said(Indicator::RequestsTotal), Some(2));
    assert_eq!(said(Indicator::ErrorsTotal), Some(1));
    assert_eq!(said(Indicator::SlowTotal), Some(0));
    assert_eq!(said(Indicator::Utilization), Some(7300));
    assert_eq!(said(Indicator::SpansReceivedTotal), Some(2));
    assert!(said(Indicator::LatencyP99).is_some_and(|micros| (4900..=5100).contains(&micros)));
    assert_eq!(value(&first, &Target::Agent, Indicator::SpansReceivedTotal), Some(3));
    assert_eq!(value(&first, &Target::Agent, Indicator::SpansKeptByRuleTotal), Some(1 + 1));
    let called = Observation::Called { caller: "web".into(), callee: "cart".into(), total: 1, at: at(0) };
    assert!(first.contains(&called));

    let second = pipeline.observe(at(1));
    assert_eq!(value(&second, &cart, Indicator::RequestsTotal), Some(2));
    assert_eq!(value(&second, &cart, Indicator::LatencyP50), None);
    let silent = pipeline.observe(at(60));
    assert!(silent.iter().all(|observation| matches!(observation,
        Observation::Measured { signal, .. } if signal.target == Target::Agent)));
    assert_eq!(silent.len(), 3);
}
