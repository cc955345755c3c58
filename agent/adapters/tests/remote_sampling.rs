//! Remote sampling, asked by real clients over real sockets: plain HTTP, tonic, and the Rust SDK's own sampler.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test binary has no public items, and a failed unwrap is a failed test"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use homeostat_adapters::remote_sampling::proto::{
    OneOperationSampling, OperationSampling, ProbabilisticSampling, SamplingStrategyParameters,
    SamplingStrategyResponse,
};
use homeostat_adapters::{HeadSampling, Heads, RemoteSampling};
use homeostat_core::{Indicator, Observation, SamplingProbability, ServiceName, Target, Timestamp};
use opentelemetry::trace::{SpanKind, TraceId};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, ShouldSample};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LOOPBACK: &str = "127.0.0.1:0";

/// `shop` has its own probability, which can be turned, and one for its operation `buy`, once that is set; everybody else a
/// tenth.
#[derive(Default)]
struct Plan {
    shop_ppm: AtomicU32,
    buy_ppm: AtomicU32,
}

impl Plan {
    fn turn(&self, ppm: u32) {
        self.shop_ppm.store(ppm, Ordering::SeqCst);
    }
}

impl HeadSampling for Plan {
    fn heads(&self, service: &str) -> Heads {
        let of = |ppm: u32| SamplingProbability::from_ppm_saturating(ppm.into());
        let ppm = if service == "shop" { self.shop_ppm.load(Ordering::SeqCst) } else { 100_000 };
        let buy = Some(self.buy_ppm.load(Ordering::SeqCst)).filter(|ppm| service == "shop" && 0 < *ppm);
        Heads { default: of(ppm), operations: buy.map(|ppm| ("buy".into(), of(ppm))).into_iter().collect() }
    }
}

fn start() -> (RemoteSampling, Arc<Plan>) {
    let plan = Arc::new(Plan::default());
    let address = Some(LOOPBACK.parse().unwrap());
    (RemoteSampling::start(address, address, plan.clone()).unwrap(), plan)
}

/// The whole answer to one request, status line and all.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{request} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Scenario: the three paths that SDKs are configured with, a probability of zero, and a name that needs decoding.
/// Guarantees: every field is written, zeros too, and never another strategy; an unknown service gets the default with 200.
#[tokio::test]
async fn http_answers_are_complete() {
    let (doors, plan) = start();
    let address = doors.http_addr().unwrap();
    let check = async |path: &str, rate: &str| {
        let answer = ask(address, &format!("GET {path}")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("content-type: application/json"), "{answer}");
        let expected = format!(
            r#"{{"strategyType":"PROBABILISTIC","probabilisticSampling":{{"samplingRate":{rate}}},"operationSampling":{{"defaultSamplingProbability":{rate},"defaultLowerBoundTracesPerSecond":0.0,"perOperationStrategies":[],"defaultUpperBoundTracesPerSecond":0.0}}}}"#
        );
        assert!(answer.ends_with(&expected), "{answer}");
    };
    check("/sampling?service=shop", "0.0").await;
    plan.turn(250_000);
    check("/sampling?service=shop", "0.25").await;
    check("/?service=shop", "0.25").await;
    check("/api/sampling?service=shop", "0.25").await;
    check("/sampling?service=configured&service=shop", "0.25").await;
    check("/sampling?service=s%68op", "0.25").await;
    check("/sampling?service=nobody%20knows", "0.1").await;
    doors.shutdown().await;
}

/// Scenario: one operation has a probability of its own; asked over both protocols.
/// Guarantees: it stands beside the default with every field, and is observed as what its sampler uses.
#[tokio::test]
async fn an_operation_is_told_its_own() {
    let (doors, plan) = start();
    plan.turn(250_000);
    plan.buy_ppm.store(500_000, Ordering::SeqCst);
    let answer = ask(doors.http_addr().unwrap(), "GET /sampling?service=shop").await;
    let expected = r#"{"defaultSamplingProbability":0.25,"defaultLowerBoundTracesPerSecond":0.0,"perOperationStrategies":[{"operation":"buy","probabilisticSampling":{"samplingRate":0.5}}],"defaultUpperBoundTracesPerSecond":0.0}"#;
    assert!(answer.contains(expected), "{answer}");
    let address = doors.grpc_addr().unwrap();
    let answer = ask_grpc(address, "shop", "/jaeger.api_v2.SamplingManager/GetSamplingStrategy").await.unwrap();
    let half = ProbabilisticSampling { sampling_rate: 0.5 };
    let buy = OneOperationSampling { operation: "buy".into(), probabilistic_sampling: Some(half) };
    assert_eq!(answer.operation_sampling.unwrap().per_operation_strategies, [buy]);
    let observed = doors.observe(Timestamp(1000));
    let target = Target::Operation("shop".into(), "buy".into());
    assert_eq!(observed[1], Observation::new(target, Indicator::HeadProbability, 500_000, Timestamp(1000)));
    doors.shutdown().await;
}

/// Scenario: no name, an empty one, a wrong path, a wrong method.
/// Guarantees: each is refused with a status that fits and, where something is missing, its name.
#[tokio::test]
async fn bad_questions_are_told_what_is_missing() {
    let (doors, _) = start();
    let address = doors.http_addr().unwrap();
    let check = async |request: &str, status: u16, text: &str| {
        let answer = ask(address, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(text), "{answer}");
    };
    check("GET /sampling", 400, "the query parameter `service` is missing").await;
    check("GET /sampling?service=", 400, "`service` is missing or empty").await;
    check("GET /metrics", 404, "/sampling?service=NAME").await;
    check("POST /sampling?service=shop", 405, "").await;
    doors.shutdown().await;
}

async fn ask_grpc(
    address: SocketAddr,
    service: &str,
    path: &'static str,
) -> Result<SamplingStrategyResponse, tonic::Status> {
    let channel = tonic::transport::Endpoint::new(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let question = tonic::Request::new(SamplingStrategyParameters { service_name: service.into() });
    let codec = tonic_prost::ProstCodec::default();
    let answer = client.unary(question, http::uri::PathAndQuery::from_static(path), codec).await;
    answer.map(tonic::Response::into_inner)
}

/// Scenario: a tonic client asks for a known and an unknown service, for none, and calls a method that does not exist.
/// Guarantees: the answers carry both strategies; errors have the status codes of gRPC and name the field.
#[tokio::test]
async fn grpc_answers_as_http_does() {
    const METHOD: &str = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy";
    let (doors, plan) = start();
    let address = doors.grpc_addr().unwrap();
    plan.turn(250_000);
    for (service, rate) in [("shop", 0.25), ("nobody", 0.1)] {
        let answer = ask_grpc(address, service, METHOD).await.unwrap();
        assert_eq!(answer.strategy_type, 0);
        assert_eq!(answer.probabilistic_sampling.unwrap().sampling_rate, rate);
        let operations = answer.operation_sampling.unwrap();
        assert_eq!(operations.default_sampling_probability, rate);
        assert!(operations.per_operation_strategies.is_empty());
    }
    let status = ask_grpc(address, "", METHOD).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    assert!(status.message().contains("serviceName"), "{status}");
    let status = ask_grpc(address, "shop", "/jaeger.api_v2.SamplingManager/Other").await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented);
    doors.shutdown().await;
}

/// Scenario: question and answer as they lie on the wire, from the field numbers of the public protocol.
/// Guarantees: the messages mean to somebody else's client what they mean to ours.
#[test]
fn messages_have_the_field_numbers_of_the_protocol() {
    let question = SamplingStrategyParameters::decode(&b"\x0a\x04shop"[..]).unwrap();
    assert_eq!(question.service_name, "shop");
    let one_half = [[0x09].as_slice(), &0.5_f64.to_le_bytes()].concat();
    let operation = [b"\x0a\x03buy\x12\x09".as_slice(), &one_half].concat();
    let operations = [&one_half, b"\x1a\x10".as_slice(), &operation].concat();
    let bytes = [b"\x12\x09".as_slice(), &one_half, b"\x22\x1b", &operations].concat();
    let half = ProbabilisticSampling { sampling_rate: 0.5 };
    let buy = OneOperationSampling { operation: "buy".into(), probabilistic_sampling: Some(half) };
    let answer = SamplingStrategyResponse {
        strategy_type: 0,
        probabilistic_sampling: Some(half),
        operation_sampling: Some(OperationSampling {
            default_sampling_probability: 0.5,
            per_operation_strategies: vec![buy],
            ..OperationSampling::default()
        }),
    };
    assert_eq!(answer.encode_to_vec(), bytes);
}

/// Scenario: two services ask, one over each protocol; a third does not.
/// Guarantees: each that asked is observed with what it was told last, and nobody else.
#[tokio::test]
async fn what_was_told_is_observed() {
    let (doors, plan) = start();
    assert_eq!(doors.observe(Timestamp(500)), []);
    ask(doors.http_addr().unwrap(), "GET /sampling?service=shop").await;
    plan.turn(250_000);
    ask(doors.http_addr().unwrap(), "GET /sampling?service=shop").await;
    ask_grpc(doors.grpc_addr().unwrap(), "cart", "/jaeger.api_v2.SamplingManager/GetSamplingStrategy").await.unwrap();
    let expected = |service, ppm| {
        let target = Target::Service(ServiceName::from(service));
        Observation::new(target, Indicator::HeadProbability, ppm, Timestamp(1000))
    };
    assert_eq!(doors.observe(Timestamp(1000)), [expected("cart", 100_000), expected("shop", 250_000)]);
    doors.shutdown().await;
}

/// Scenario: the port of a door is taken.
/// Guarantees: the error names the door, the address and what to do, and the other door does not stay open.
#[tokio::test]
async fn a_port_in_use_is_named() {
    let (doors, plan) = start();
    let taken = doors.grpc_addr().unwrap();
    let error = RemoteSampling::start(None, Some(taken), plan).unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("remote sampling gRPC") && shown.contains(&taken.to_string()), "{shown}");
    assert!(shown.contains("choose another address"), "{shown}");
    assert_eq!(error.source.kind(), std::io::ErrorKind::AddrInUse);
    doors.shutdown().await;
    assert!(TcpStream::connect(taken).await.is_err());
}

/// The share of 20 000 fixed trace ids that `sampler` starts with an operation nobody named.
fn share(sampler: &Sampler) -> f64 {
    share_of(sampler, "checkout")
}

fn share_of(sampler: &Sampler, operation: &str) -> f64 {
    const TRACES: u32 = 20_000;
    let kept = (0..TRACES).filter(|number| {
        // Multiplying by an odd constant spreads the ids over the whole range, as random ones are.
        let id = u128::from(*number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let id = TraceId::from_bytes(id.to_be_bytes());
        let result = sampler.should_sample(None, id, operation, &SpanKind::Server, &[], &[]);
        result.decision == SamplingDecision::RecordAndSample
    });
    kept.count() as f64 / f64::from(TRACES)
}

/// Asks until the sampler's share is about `expected`; the deadline is for a machine that has stopped.
async fn follows(sampler: &Sampler, expected: f64) {
    let reached = async {
        while (expected + 0.01) < share(sampler) || share(sampler) < (expected - 0.01) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let result = tokio::time::timeout(Duration::from_secs(60), reached).await;
    assert!(result.is_ok(), "wanted {expected}, the sampler keeps {}", share(sampler));
}

/// Scenario: the Rust SDK's remote sampler is told a tenth, then a half, then nothing at all but for one operation.
/// Guarantees: it takes every answer and samples accordingly, the operation by its own probability.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_sdk_follows() {
    let (doors, plan) = start();
    plan.turn(100_000);
    let client = HyperClient::with_default_connector(Duration::from_secs(5), None);
    let sampler = Sampler::jaeger_remote(Tokio, client, Sampler::AlwaysOn, "shop")
        .with_endpoint(format!("http://{}/sampling", doors.http_addr().unwrap()))
        .with_update_interval(Duration::from_millis(20))
        .build()
        .unwrap();
    follows(&sampler, 0.1).await;
    plan.turn(500_000);
    follows(&sampler, 0.5).await;
    plan.turn(0);
    plan.buy_ppm.store(200_000, Ordering::SeqCst);
    follows(&sampler, 0.0).await;
    let buy = share_of(&sampler, "buy");
    assert!((0.19..0.21).contains(&buy), "{buy}");
    doors.shutdown().await;
}
