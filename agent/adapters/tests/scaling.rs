//! Actuators and sources against real servers: a scale endpoint, a webhook, and servers that misbehave.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test binary has no public items, and a failed unwrap is a failed test"
)]

use std::collections::BTreeMap;
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use homeostat_adapters::{ActuatorConfig, ActuatorError, Actuators, ScaleEndpoint, SourceConfig, Sources, Webhook};
use homeostat_core::{
    ActionId, Actuation, IncidentId, Indicator, Observation, Replicas, SamplingProbability, ServiceName,
    ServiceSampling, Severity, Target, Timestamp, Witness,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Rounds of reading until a test gives up. One is enough on a machine that is not overloaded.
const ROUNDS_MAX: u64 = 30;

/// Everything a server was sent.
type Seen = Arc<Mutex<Vec<Value>>>;

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A worker pool with a scale endpoint; it starts with two replicas and takes every number at once.
async fn pool() -> (ScaleEndpoint, Seen) {
    async fn read(State(seen): State<Seen>) -> Json<Value> {
        let wanted = seen.lock().unwrap().last().map_or(json!(2), |put| put["replicas"].clone());
        Json(json!({"replicas": wanted, "utilization": 0.93}))
    }
    async fn write(State(seen): State<Seen>, Json(put): Json<Value>) -> Json<Value> {
        seen.lock().unwrap().push(put.clone());
        Json(json!({"replicas": put["replicas"]}))
    }
    let seen = Seen::default();
    let address = serve(Router::new().route("/scale", get(read).put(write)).with_state(seen.clone())).await;
    (ScaleEndpoint::parse(&format!("http://{address}/scale")).unwrap(), seen)
}

/// A server that answers every GET and PUT with `status` and `body`.
async fn stubborn(status: u16, body: &str) -> ScaleEndpoint {
    let answer = (StatusCode::from_u16(status).unwrap(), body.to_owned());
    let other = answer.clone();
    let address = serve(Router::new().route("/", get(async || answer).put(async || other))).await;
    ScaleEndpoint::parse(&format!("http://{address}/")).unwrap()
}

/// A port that takes connections and never says a word.
async fn mute() -> ScaleEndpoint {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    ScaleEndpoint::parse(&format!("http://{address}/")).unwrap()
}

/// A port on which nobody listens.
async fn closed() -> ScaleEndpoint {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    ScaleEndpoint::parse(&format!("http://{address}/")).unwrap()
}

fn shop() -> ServiceName {
    ServiceName::from("shop")
}

fn replicas(count: u32) -> Actuation {
    Actuation::SetReplicas { service: shop(), replicas: Replicas(count) }
}

fn scaling(endpoint: ScaleEndpoint) -> Actuators {
    let scale_endpoints = BTreeMap::from([(shop(), endpoint)]);
    Actuators::new(ActuatorConfig { scale_endpoints, ..ActuatorConfig::default() })
}

/// Scenario: a service is scaled, the command is repeated, the change is taken back, and made once more.
/// Guarantees: a repetition sends nothing, the way back has a request id of its own, and the world is read back truly.
#[tokio::test]
async fn scaling_is_idempotent_and_can_be_taken_back() {
    let (endpoint, seen) = pool().await;
    let actuators = scaling(endpoint);
    assert_eq!(actuators.read_back(ActionId(17), &replicas(4)).await, Some(replicas(2)));
    actuators.apply(ActionId(17), &replicas(4)).await.unwrap();
    actuators.apply(ActionId(17), &replicas(4)).await.unwrap();
    assert_eq!(actuators.read_back(ActionId(17), &replicas(4)).await, Some(replicas(4)));
    actuators.undo(ActionId(17), &replicas(2)).await.unwrap();
    actuators.undo(ActionId(17), &replicas(2)).await.unwrap();
    actuators.apply(ActionId(18), &replicas(2)).await.unwrap();
    let sent = |count, id| json!({"replicas": count, "request_id": id});
    assert_eq!(*seen.lock().unwrap(), [sent(4, "a-17"), sent(2, "a-17-undo"), sent(2, "a-18")]);
}

/// Scenario: the endpoint refuses with a long text, is not there, or does not know the service; sampling is asked for.
/// Guarantees: each error names the service, the URL and the status, shows at most 200 bytes, and a refused action is sent
/// again when it is asked for again.
#[tokio::test]
async fn failed_scaling_is_explained() {
    let endpoint = stubborn(503, &format!("no room{}", "!".repeat(5000))).await;
    let url = endpoint.to_string();
    let actuators = scaling(endpoint);
    for _ in 0..2 {
        let error = actuators.apply(ActionId(1), &replicas(4)).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot scale shop");
        let cause = error.source().unwrap().to_string();
        assert!(cause.starts_with(&format!("PUT {url} was answered 503")) && cause.contains("no room!!"), "{cause}");
        assert!(cause.len() < 300, "{cause}");
    }
    assert_eq!(actuators.read_back(ActionId(17), &replicas(4)).await, None);

    let error = scaling(closed().await).apply(ActionId(1), &replicas(4)).await.unwrap_err();
    assert!(error.source().unwrap().to_string().contains("refused"), "{error:?}");

    let nowhere = Actuators::new(ActuatorConfig::default());
    let error = nowhere.apply(ActionId(1), &replicas(4)).await.unwrap_err();
    assert_eq!(error.to_string(), "no scale endpoint is configured for shop");
    assert_eq!(nowhere.read_back(ActionId(17), &replicas(4)).await, None);

    let half = SamplingProbability::from_ppm_saturating(500_000);
    let sampling = Actuation::SetSampling {
        service: shop(),
        operation: None,
        sampling: ServiceSampling { head: half, tail: half },
    };
    let error = nowhere.apply(ActionId(1), &sampling).await.unwrap_err();
    assert!(matches!(error, ActuatorError::Unsupported { .. }), "{error}");
}

/// A webhook that answers the given statuses in turn, the last one for ever.
async fn webhook(statuses: &'static [u16]) -> (Webhook, Seen) {
    let seen = Seen::default();
    let take = async move |State(seen): State<Seen>, Json(notice): Json<Value>| {
        let mut seen = seen.lock().unwrap();
        let status = statuses[seen.len().min(statuses.len() - 1)];
        seen.push(notice);
        StatusCode::from_u16(status).unwrap()
    };
    let address = serve(Router::new().route("/hook", post(take)).with_state(seen.clone())).await;
    (Webhook::parse(&format!("http://{address}/hook")).unwrap(), seen)
}

async fn notify(statuses: &'static [u16]) -> (Result<(), ActuatorError>, Vec<Value>) {
    let (webhook, seen) = webhook(statuses).await;
    let actuators = Actuators::new(ActuatorConfig { webhook: Some(webhook), ..ActuatorConfig::default() });
    let notice =
        Actuation::Notify { incident: Some(IncidentId(3)), urgency: Severity::Page, text: "shop is \"slow\"".into() };
    let result = actuators.apply(ActionId(9), &notice).await;
    let seen = seen.lock().unwrap().clone();
    (result, seen)
}

/// Scenario: webhooks that take the notice, take it at the second attempt, never take it, or refuse it for good.
/// Guarantees: passing failures are tried three times in all, a refusal once, and every attempt carries the same notice.
#[tokio::test]
async fn notices_are_delivered_or_given_up() {
    let (result, seen) = notify(&[204]).await;
    result.unwrap();
    assert_eq!(seen.len(), 1);
    let notice = &seen[0];
    assert_eq!(
        (&notice["id"], &notice["incident"], &notice["urgency"]),
        (&json!("a-9"), &json!("i-3"), &json!("page"))
    );
    assert_eq!(notice["text"], json!("shop is \"slow\""));
    assert!(1_577_836_800_000 < notice["at"].as_u64().unwrap());

    let (result, seen) = notify(&[500, 429, 200]).await;
    result.unwrap();
    assert!(seen.len() == 3 && seen.iter().all(|attempt| attempt == &seen[0]), "{seen:?}");

    let (result, seen) = notify(&[503]).await;
    assert!(matches!(result, Err(ActuatorError::Notify { attempts: 3, .. })), "{result:?}");
    assert_eq!(seen.len(), 3);

    let (result, seen) = notify(&[400]).await;
    assert!(matches!(result, Err(ActuatorError::Notify { attempts: 1, .. })), "{result:?}");
    assert_eq!(seen.len(), 1);
}

/// Scenario: nobody configured a webhook.
/// Guarantees: a notice is told to the log, and counts as delivered.
#[tokio::test]
async fn without_a_webhook_the_log_is_told() {
    let notice = Actuation::Notify { incident: Some(IncidentId(3)), urgency: Severity::Ticket, text: "look".into() };
    let actuators = Actuators::new(ActuatorConfig::default());
    actuators.apply(ActionId(1), &notice).await.unwrap();
    assert_eq!(actuators.read_back(ActionId(17), &notice).await, None);
}

/// Scenario: two pools answer, one without utilization; beside them are endpoints that are silent, closed, refusing, endless
/// or talking nonsense.
/// Guarantees: what answers is observed with the tick's time, and the rest is never observed at all.
#[tokio::test]
async fn what_answers_is_observed_and_nothing_else() {
    let endpoints = [
        ("a-pool", pool().await.0),
        ("b-plain", stubborn(200, r#"{"replicas": 7}"#).await),
        ("c-mute", mute().await),
        ("d-closed", closed().await),
        ("e-refusing", stubborn(500, "").await),
        ("f-nonsense", stubborn(200, "<html>").await),
        ("g-negative", stubborn(200, r#"{"replicas": -1}"#).await),
        ("h-endless", stubborn(200, &format!(r#"{{"replicas": 1, "note": "{}"}}"#, "x".repeat(2 << 20))).await),
    ];
    let scale_endpoints = endpoints.map(|(service, endpoint)| (ServiceName::from(service), endpoint)).into();
    let sources = Sources::new(SourceConfig { scale_endpoints, ..SourceConfig::default() });
    let expected = |service, indicator, value, now| {
        Observation::new(Target::Service(ServiceName::from(service)), indicator, value, now).by(Witness::ScaleEndpoint)
    };
    // A machine that is too busy to answer in time is asked again; what must not be observed never is.
    for round in 0..ROUNDS_MAX {
        let now = Timestamp(round * 1000);
        let all = [
            expected("a-pool", Indicator::ReplicasReady, 2, now),
            expected("a-pool", Indicator::Utilization, 9300, now),
            expected("b-plain", Indicator::ReplicasReady, 7, now),
        ];
        let observations = sources.read(now).await;
        assert!(observations.iter().all(|observation| all.contains(observation)), "{observations:?}");
        if observations == all {
            return;
        }
    }
    panic!("the good endpoints never answered in one round");
}

/// Scenario: two endpoints of which each answers only when the other has been asked too.
/// Guarantees: both are observed in one round, so they are asked at once.
#[tokio::test]
async fn endpoints_are_asked_at_once() {
    let both_asked = Arc::new(tokio::sync::Barrier::new(2));
    let answer = async move |State(both_asked): State<Arc<tokio::sync::Barrier>>| {
        both_asked.wait().await;
        Json(json!({"replicas": 1}))
    };
    let address = serve(Router::new().route("/", get(answer)).with_state(both_asked)).await;
    let endpoint = ScaleEndpoint::parse(&format!("http://{address}/")).unwrap();
    let scale_endpoints =
        [("a", endpoint.clone()), ("b", endpoint)].map(|(name, url)| (ServiceName::from(name), url)).into();
    let sources = Sources::new(SourceConfig { scale_endpoints, ..SourceConfig::default() });
    for round in 0..ROUNDS_MAX {
        if sources.read(Timestamp(round * 1000)).await.len() == 2 {
            return;
        }
    }
    panic!("the two were never asked at once");
}
