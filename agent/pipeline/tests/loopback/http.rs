//! The HTTP door, with a plain HTTP client.

use std::convert::Infallible;
use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use homeostat_core::Millis;
use homeostat_pipeline::{Pipeline, PipelineConfig};
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sink::PATIENCE;
use crate::spans::{SERVER, config, plan, request, span};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const ZSTD: (&str, &str) = ("content-encoding", "zstd");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

async fn started(config: PipelineConfig) -> Pipeline {
    Pipeline::start(config, plan(1_000_000)).await.unwrap()
}

async fn send(
    pipeline: &Pipeline,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: BoxBody<Bytes, Infallible>,
) -> Response<Bytes> {
    let uri = format!("http://{}{path}", pipeline.http_addr().unwrap());
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

async fn post(pipeline: &Pipeline, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
    send(pipeline, ("POST", "/v1/traces"), headers, Full::new(body.into()).boxed()).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn good() -> Vec<u8> {
    request(vec![("web", vec![span(1, 1, None, SERVER), span(1, 2, Some(1), SERVER)])]).encode_to_vec()
}

const GOOD_JSON: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":
    {"stringValue":"web"}}]},"scopeSpans":[{"scope":{},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
    "spanId":"eee19b7ec3c1b174","name":"pay","kind":2,"startTimeUnixNano":"1","endTimeUnixNano":"2","status":{}},
    {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"","name":"bad"}]}]}]}"#;

/// Scenario: the same kind of request as protobuf, compressed, in chunks without a length, and as JSON.
/// Guarantees: each is accepted and answered in its own format; every span is counted once.
#[tokio::test]
async fn every_form_is_accepted() {
    let pipeline = started(config(vec![])).await;
    let response = post(&pipeline, &[PROTOBUF], good()).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].as_bytes()),
        (200, PROTOBUF.1.as_bytes())
    );
    assert_eq!(ExportTraceServiceResponse::decode(&**response.body()).unwrap().partial_success, None);

    assert_eq!(post(&pipeline, &[PROTOBUF, GZIP], gzip(&good())).await.status(), 200);

    assert_eq!(post(&pipeline, &[PROTOBUF, ZSTD], zstd::encode_all(&*good(), 3).unwrap()).await.status(), 200);

    let chunks: Vec<_> = good().chunks(7).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    let body = StreamBody::new(tokio_stream::iter(chunks)).boxed();
    assert_eq!(send(&pipeline, ("POST", "/v1/traces"), &[PROTOBUF], body).await.status(), 200);

    let response = post(&pipeline, &[JSON, GZIP], gzip(GOOD_JSON.as_bytes())).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["content-type"].as_bytes()),
        (200, &b"application/json"[..])
    );
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(body["partialSuccess"]["rejectedSpans"], "1");
    let message = "resource_spans[0].scope_spans[0].spans[1].span_id: expected 8 bytes, found 0";
    assert_eq!(body["partialSuccess"]["errorMessage"], message);

    let stats = pipeline.stats();
    assert_eq!((stats.requests, stats.spans_accepted, stats.spans_rejected), (5, 9, 1));
}

/// Scenario: metrics, logs and profiles as JSON.
/// Guarantees: all are counted; an empty JSON response is an empty object.
#[tokio::test]
async fn every_kind_has_its_path() {
    let pipeline = started(config(vec![])).await;
    let metrics =
        r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"g","gauge":{"dataPoints":[{"asInt":"3"}]}}]}]}]}"#;
    let response = send(&pipeline, ("POST", "/v1/metrics"), &[JSON], Full::new(metrics.into()).boxed()).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (200, &b"{}"[..]));
    let logs = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}},{}]}]}]}"#;
    assert_eq!(send(&pipeline, ("POST", "/v1/logs"), &[JSON], Full::new(logs.into()).boxed()).await.status(), 200);
    let profiles = r#"{"resourceProfiles":[{"scopeProfiles":[{"profiles":[{"profileId":"0a","samples":[{"values":["1"]}]}]}]}],
        "dictionary":{"stringTable":["",null]}}"#;
    let send_profiles = |body: &str| {
        let body = Full::new(Bytes::from(body.to_owned())).boxed();
        send(&pipeline, ("POST", "/v1development/profiles"), &[JSON], body)
    };
    assert_eq!(send_profiles(profiles).await.status(), 400, "a list holds no null");
    assert_eq!(send_profiles(&profiles.replace(",null", "")).await.status(), 200);
    let stats = pipeline.stats();
    assert_eq!((stats.data_points_accepted, stats.log_records_accepted, stats.profiles_accepted), (1, 2, 1));
}

/// Scenario: wrong path, method, type, encoding and content.
/// Guarantees: each has its status, and a body in the request's format that says what is wrong.
#[tokio::test]
async fn errors_are_clear_and_in_the_requests_format() {
    let pipeline = started(config(vec![])).await;
    let empty = || Full::new(Bytes::new()).boxed();
    let check = |response: Response<Bytes>, status: u16, json: Option<(i64, &str)>| {
        assert_eq!(response.status().as_u16(), status, "{response:?}");
        let Some((code, part)) = json else { return };
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["code"], code, "{body}");
        assert!(body["message"].as_str().unwrap().contains(part), "{body}");
    };
    check(send(&pipeline, ("POST", "/v1/nothing"), &[JSON], empty()).await, 404, Some((12, "/v1/traces")));
    check(send(&pipeline, ("GET", "/v1/traces"), &[JSON], empty()).await, 405, Some((12, "use POST")));
    check(post(&pipeline, &[("content-type", "text/plain")], "x").await, 415, None);
    check(post(&pipeline, &[JSON, ("content-encoding", "br")], "x").await, 415, Some((3, "gzip")));
    check(post(&pipeline, &[JSON], "{\"resourceSpans\":[{\"scopeSpans\":7}]}").await, 400, Some((3, "line 1")));
    check(post(&pipeline, &[JSON, GZIP], "no gzip").await, 400, Some((3, "inflate")));

    let response = post(&pipeline, &[PROTOBUF], vec![0x0a, 2, 0x12, 9]).await;
    assert_eq!(response.status().as_u16(), 400);
    let expected = "resource_spans[0]: the message ends inside a field (at byte 2)";
    assert!(String::from_utf8_lossy(response.body()).contains(expected), "{response:?}");
    let refused = pipeline.stats().requests_refused;
    assert_eq!((refused["unsupported"], refused["malformed"]), (4, 3));
}

/// Scenario: a body above the limit with and without a length, and a small one that inflates far beyond it.
/// Guarantees: all are 413 and cost no more memory than the limit; nothing is counted.
#[tokio::test]
async fn oversize_is_413_before_and_after_inflation() {
    let pipeline = started(config(vec![])).await;
    let large = vec![0_u8; 3 << 20];
    assert_eq!(post(&pipeline, &[PROTOBUF], large.clone()).await.status(), 413);
    let chunks: Vec<_> = large.chunks(64 << 10).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    let body = StreamBody::new(tokio_stream::iter(chunks)).boxed();
    assert_eq!(send(&pipeline, ("POST", "/v1/traces"), &[PROTOBUF], body).await.status(), 413);
    let zeros = vec![0_u8; 64 << 20];
    for (header, bomb) in [(GZIP, gzip(&zeros)), (ZSTD, zstd::encode_all(&*zeros, 3).unwrap())] {
        assert!(bomb.len() < 100_000);
        let response = post(&pipeline, &[JSON, header], bomb).await;
        assert_eq!(response.status(), 413);
        let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["code"], 8);
    }
    assert_eq!(pipeline.stats().requests_refused["too_large"], 4);
}

/// Scenario: a frame of zstd that asks for a window of 16 MiB, and one that is cut short.
/// Guarantees: both are refused as malformed: no sender needs more than 8 MiB, whatever a decoder could do.
#[tokio::test]
async fn a_large_window_is_refused() {
    let pipeline = started(config(vec![])).await;
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(24).unwrap();
    encoder.write_all(&good()).unwrap();
    let wide = encoder.finish().unwrap();
    let whole = zstd::encode_all(&*good(), 3).unwrap();
    for body in [wide, whole[..whole.len() - 3].to_vec()] {
        let response = post(&pipeline, &[PROTOBUF, ZSTD], body).await;
        assert_eq!(response.status(), 400);
        assert!(String::from_utf8_lossy(response.body()).contains("cannot inflate the zstd body"), "{response:?}");
    }
}

/// A request of which only the beginning is sent.
async fn begun(pipeline: &Pipeline, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(pipeline.http_addr().unwrap()).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-protobuf\r\ncontent-length: 450\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[0; 300]).await.unwrap();
    stream
}

/// Scenario: all requests together may hold very little memory, and three slow senders hold it; then they leave.
/// Guarantees: meanwhile a request is refused retryably with a pause, and afterwards it is accepted.
#[tokio::test]
async fn memory_in_flight_is_bounded() {
    let mut config = config(vec![]);
    config.limits.in_flight_bytes_max = 1000;
    let pipeline = started(config).await;
    let slow = [
        begun(&pipeline, "/v1/traces").await,
        begun(&pipeline, "/v1/logs").await,
        begun(&pipeline, "/v1/metrics").await,
    ];
    assert!(good().len() > 100, "too much beside nine hundred");
    let answered = async |status: u16| {
        let answered = async {
            loop {
                let response = post(&pipeline, &[PROTOBUF], good()).await;
                if response.status() == status {
                    return response;
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.unwrap()
    };
    assert_eq!(answered(503).await.headers()["retry-after"].as_bytes(), &b"1"[..]);
    drop(slow);
    answered(200).await;
    assert_eq!(post(&pipeline, &[PROTOBUF], vec![0; 600]).await.status(), 413, "would not fit alone either");
}

/// Scenario: the process occupies more memory than it may, while the pipeline holds nothing.
/// Guarantees: metrics, logs and profiles are refused before their bodies are read, traces are taken in, and the level and
/// what it was judged by can be seen.
#[tokio::test]
async fn traces_go_last_when_memory_is_tight() {
    let mut config = config(vec![]);
    config.memory_max = Some(1 << 20);
    let pipeline = started(config).await;
    let lean = async {
        while post(&pipeline, &[PROTOBUF], good()).await.status() != 200 || pipeline.stats().memory.level != "lean" {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, lean).await.unwrap();
    for path in ["/v1/metrics", "/v1/logs", "/v1development/profiles"] {
        let mut stream = begun(&pipeline, path).await;
        let mut answer = vec![0; 4096];
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]);
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("memory full"), "{answer}");
    }
    let memory = pipeline.stats().memory;
    assert!(memory.limit_bytes == 1 << 20 && memory.resident_bytes > memory.limit_bytes, "{memory:?}");
}

async fn talk(pipeline: &Pipeline, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(pipeline.http_addr().unwrap()).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    reading.expect("the door closes the connection").ok();
    String::from_utf8(answer).unwrap()
}

/// Scenario: a sender announces a body and never sends it.
/// Guarantees: it is answered 408 after its deadline, and counted.
#[tokio::test]
async fn a_body_that_never_comes_meets_a_deadline() {
    let mut config = config(vec![]);
    config.limits.body_deadline = Millis(50);
    let pipeline = started(config).await;
    let head = b"POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    assert!(talk(&pipeline, head).await.starts_with("HTTP/1.1 408"));
    assert_eq!(pipeline.stats().requests_refused["timeout"], 1);
}

/// Scenario: senders stop in the middle of their headers, of HTTP/2's greeting, or before saying anything.
/// Guarantees: each is closed by the deadline; none reaches the pipeline.
#[tokio::test]
async fn headers_that_never_end_meet_a_deadline() {
    let mut config = config(vec![]);
    config.limits.header_deadline = Millis(50);
    let pipeline = started(config).await;
    for sent in [&b"POST /v1/traces HTTP/1.1\r\nhost:"[..], b"PRI * HTTP/2.0", b""] {
        talk(&pipeline, sent).await;
    }
    assert_eq!(pipeline.stats().requests, 0);
}
