//! What each body is answered with.

use homeostat_pipeline::Limits;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use crate::good::{Doors, agent, export, impatient, request, span};
use crate::{content, raw};

async fn posted(doors: Doors, content_type: &str, encoding: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let answer = raw::throw(doors.http, &raw::post("/v1/traces", content_type, encoding, body)).await;
    let status = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    let body = answer.windows(4).position(|four| four == b"\r\n\r\n").map(|at| answer[at + 4..].to_vec());
    (status, body.unwrap_or_default())
}

/// Scenario: bodies that are no OTLP, as protobuf and as JSON, plain and compressed.
/// Guarantees: each is 400, nothing is counted as received, and a good export works afterwards.
#[tokio::test]
async fn what_is_malformed_is_refused() {
    let (pipeline, doors) = agent(impatient()).await;
    let bodies = content::protobuf().into_iter().map(|(name, body)| ("application/x-protobuf", name, body));
    let bodies = bodies.chain(content::json().into_iter().map(|(name, body)| ("application/json", name, body)));
    let mut sent = 0;
    for (content_type, name, body) in bodies {
        assert_eq!(posted(doors, content_type, "", &body).await.0, 400, "{content_type}: {name}");
        assert_eq!(posted(doors, content_type, "gzip", &content::gzip(&body)).await.0, 400, "{content_type}: {name}");
        sent += 2;
    }
    let stats = pipeline.stats();
    assert_eq!((stats.requests_refused["malformed"], stats.spans_received), (sent, 0));
    export(doors).await;
}

/// Scenario: bodies that are well-formed but make no sense.
/// Guarantees: each is accepted, perhaps with some spans rejected and a reason; services stay within their bound.
#[tokio::test]
async fn what_is_senseless_is_borne() {
    let mut limits = impatient();
    limits.request_bytes_max = 8 << 20;
    let (pipeline, doors) = agent(limits).await;
    for (name, body) in content::senseless() {
        let (status, answer) = posted(doors, "application/x-protobuf", "", &body).await;
        assert_eq!(status, 200, "{name}");
        let partial = ExportTraceServiceResponse::decode(&*answer).unwrap().partial_success;
        assert!(
            partial.is_none_or(|partial| partial.rejected_spans > 0 && !partial.error_message.is_empty()),
            "{name}"
        );
    }
    assert!(pipeline.aggregates().services.len() <= 501);
    export(doors).await;
}

/// Scenario: requests of as many resources, scopes or spans as fit, none of which can be accepted; each alone and with a good
/// span behind it, while there is little room for what is noted of requests.
/// Guarantees: each span is rejected and counted, the answer names the first, and the good one is accepted.
#[tokio::test]
async fn crowds_are_rejected_one_by_one() {
    let limits = Limits { request_bytes_max: 2 << 20, in_flight_bytes_max: 16 << 20, ..impatient() };
    let (pipeline, doors) = agent(limits).await;
    let good = request(1, vec![span()]).encode_to_vec();
    let (mut accepted, mut rejected) = (0, 0);
    for crowd in content::crowds() {
        for more in [&[][..], &good] {
            let body = [&crowd.body, more].concat();
            let (status, answer) = posted(doors, "application/x-protobuf", "", &body).await;
            assert_eq!(status, 200, "{}", crowd.name);
            let partial = ExportTraceServiceResponse::decode(&*answer).unwrap().partial_success.unwrap_or_default();
            assert_eq!(partial.rejected_spans, crowd.spans as i64, "{}", crowd.name);
            let first = "resource_spans[0].scope_spans[0].spans[0].";
            let told = partial.error_message.strip_prefix(first).unwrap_or_default();
            assert_eq!(told, crowd.problem, "{}: {}", crowd.name, partial.error_message);
            (accepted, rejected) = (accepted + u64::from(!more.is_empty()), rejected + crowd.spans as u64);
        }
    }
    let stats = pipeline.stats();
    assert_eq!((stats.spans_accepted, stats.spans_rejected), (accepted, rejected));
    assert_eq!(stats.spans_received, accepted + rejected);
    export(doors).await;
}

/// Scenario: a request of thousands of scopes with one span each, whose resource is as large as all of them and stands last.
/// Guarantees: it is accepted; what is done for a resource is done once, or this test would take minutes and gigabytes.
#[tokio::test]
async fn a_scattered_trace_is_accepted() {
    let limits = Limits { request_bytes_max: 2 << 20, in_flight_bytes_max: 16 << 20, ..impatient() };
    let (pipeline, doors) = agent(limits).await;
    let (body, spans) = content::scattered();
    let (status, answer) = posted(doors, "application/x-protobuf", "", &body).await;
    assert_eq!((status, answer.len()), (200, 0));
    assert_eq!(pipeline.stats().spans_accepted, spans as u64);
    export(doors).await;
}

/// Scenario: bodies that inflate far beyond the limit, are nested, cut short, or ask for a window of 128 MiB.
/// Guarantees: each is 413 or 400, and no memory stays reserved.
#[tokio::test]
async fn bombs_are_defused() {
    let (pipeline, doors) = agent(impatient()).await;
    for (encoding, bomb) in content::bombs() {
        for content_type in ["application/x-protobuf", "application/json"] {
            let (status, _) = posted(doors, content_type, encoding, &bomb).await;
            assert!([400, 413].contains(&status), "{encoding} of {} bytes: {status}", bomb.len());
        }
    }
    export(doors).await;
    let settled = async {
        while pipeline.stats().memory.held_bytes > 4096 {
            tokio::task::yield_now().await
        }
    };
    tokio::time::timeout(crate::good::PATIENCE, settled).await.expect("memory is given back");
}

/// Scenario: requests that two parsers could read differently, with headers beyond all measure, and by every other method.
/// Guarantees: none is taken for two requests, none is accepted, and a good export works afterwards.
#[tokio::test]
async fn ambiguous_requests_are_refused() {
    let (pipeline, doors) = agent(impatient()).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    let heads = [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n".to_owned(),
        "content-length: 0\r\ncontent-length: 40\r\n".to_owned(),
        "content-length: +5\r\n".to_owned(),
        "content-length: 99999999999999999999999\r\n".to_owned(),
        "transfer-encoding: chunked, identity\r\n".to_owned(),
        "transfer-encoding : chunked\r\n".to_owned(),
        "x: y\nz: w\r\n".to_owned(),
        format!("x: {}\r\n", "y".repeat(1 << 20)),
        "x: y\r\n".repeat(10_000),
    ];
    for head in heads {
        let request = format!("POST /v1/traces HTTP/1.1\r\nhost: a\r\n{head}\r\n0\r\n\r\n{smuggled}");
        let answer = String::from_utf8_lossy(&raw::throw(doors.http, request.as_bytes()).await).into_owned();
        assert!(!answer.contains(" 200 ") && !answer.contains(" 404 "), "{head:.60}: {answer}");
    }
    for method in ["GET", "HEAD", "PUT", "DELETE", "TRACE", "CONNECT", "OPTIONS", "PRI", "nonsense"] {
        let request = format!("{method} /v1/traces HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
        let answer = raw::throw(doors.http, request.as_bytes()).await;
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{method}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert_eq!(pipeline.stats().spans_received, 0);
    export(doors).await;
}
