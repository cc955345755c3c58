//! Limits, dimmers, restarts and profiles against a real server that does what it is told and remembers what it was told.

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
use axum::routing::get;
use axum::{Json, Router};
use homeostat_adapters::{
    ActuatorConfig, Actuators, DimmerEndpoint, LimitEndpoint, ProfileEndpoint, RestartEndpoint, SourceConfig, Sources,
};
use homeostat_core::{
    ActionId, Actuation, Indicator, InstanceId, Observation, Parameter, ProfileKind, ServiceName, Target, Timestamp,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Rounds of reading until a test gives up. One is enough on a machine that is not overloaded.
const ROUNDS_MAX: u64 = 30;

/// A service that can be limited, dimmed, restarted and profiled.
#[derive(Clone)]
struct Shop {
    state: Arc<Mutex<Value>>,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Shop {
    fn new() -> Shop {
        let state = json!({
            "limit": 64, "in_flight": 12, "shed_total": 3, "dimmer": 1.0, "request_id": null,
            "instances": [
                {"id": "shop-0", "ready": true, "in_flight": 5, "completed_total": 40},
                {"id": "shop-1", "ready": false, "in_flight": 0, "completed_total": 0},
            ],
        });
        Shop { state: Arc::new(Mutex::new(state)), seen: Arc::default() }
    }

    async fn open(&self) -> SocketAddr {
        let read = async |State(shop): State<Shop>| Json(shop.state.lock().unwrap().clone());
        let write = async |State(shop): State<Shop>, Json(sent): Json<Value>| {
            shop.seen.lock().unwrap().push(sent.clone());
            let mut state = shop.state.lock().unwrap();
            for key in ["limit", "dimmer", "request_id"] {
                if let Some(value) = sent.get(key) {
                    state[key] = value.clone();
                }
            }
            StatusCode::ACCEPTED
        };
        let router = Router::new().route("/", get(read).put(write).post(write)).with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }

    fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }
}

fn shop() -> ServiceName {
    ServiceName::from("shop")
}

fn actuators(address: SocketAddr) -> Actuators {
    let url = format!("http://{address}/");
    Actuators::new(ActuatorConfig {
        limit_endpoints: BTreeMap::from([(shop(), LimitEndpoint::parse(&url).unwrap())]),
        dimmer_endpoints: BTreeMap::from([(shop(), DimmerEndpoint::parse(&url).unwrap())]),
        restart_endpoints: BTreeMap::from([(shop(), RestartEndpoint::parse(&url).unwrap())]),
        profile_endpoints: BTreeMap::from([(shop(), ProfileEndpoint::parse(&url).unwrap())]),
        ..ActuatorConfig::default()
    })
}

fn set(parameter: Parameter, value: u64) -> Actuation {
    Actuation::SetParameter { service: shop(), parameter, value }
}

fn restart() -> Actuation {
    Actuation::Restart { service: shop(), instance: InstanceId::from("shop-0") }
}

fn profile() -> Actuation {
    Actuation::Profile { service: shop(), profile: ProfileKind::Cpu, seconds: 30 }
}

/// Scenario: a limit and a dimmer are set, the command is repeated, and both are taken back.
/// Guarantees: a repetition sends nothing, the way back has an id of its own, and the value in force is read back truly.
#[tokio::test]
async fn knobs_are_turned_and_turned_back() {
    let service = Shop::new();
    let actuators = actuators(service.open().await);
    let (lower, higher) = (set(Parameter::ConcurrencyLimit, 32), set(Parameter::ConcurrencyLimit, 64));
    assert_eq!(actuators.read_back(ActionId(17), &lower).await, Some(higher.clone()));
    actuators.apply(ActionId(17), &lower).await.unwrap();
    actuators.apply(ActionId(17), &lower).await.unwrap();
    assert_eq!(actuators.read_back(ActionId(17), &lower).await, Some(lower));
    actuators.undo(ActionId(17), &higher).await.unwrap();
    let dimmed = set(Parameter::Dimmer, 2500);
    actuators.apply(ActionId(18), &dimmed).await.unwrap();
    assert_eq!(actuators.read_back(ActionId(18), &dimmed).await, Some(dimmed));
    let limit = |limit, id: &str| json!({"limit": limit, "request_id": id});
    let dimmer = json!({"dimmer": 0.25, "request_id": "a-18"});
    assert_eq!(service.seen(), [limit(32, "a-17"), limit(64, "a-17-undo"), dimmer]);
}

/// Scenario: an instance is restarted and a profile taken, each asked for twice; after a crash the agent asks for both.
/// Guarantees: each is sent once with its id, and only the request that was carried out last counts as done.
#[tokio::test]
async fn what_happens_once_is_known_by_its_id() {
    let service = Shop::new();
    let actuators = actuators(service.open().await);
    assert_eq!(actuators.read_back(ActionId(3), &restart()).await, None);
    for _ in 0..2 {
        actuators.apply(ActionId(3), &restart()).await.unwrap();
    }
    assert_eq!(actuators.read_back(ActionId(3), &restart()).await, Some(restart()));
    assert_eq!(actuators.read_back(ActionId(4), &profile()).await, None);
    actuators.apply(ActionId(4), &profile()).await.unwrap();
    assert_eq!(actuators.read_back(ActionId(4), &profile()).await, Some(profile()));
    let restarted = json!({"instance": "shop-0", "request_id": "a-3"});
    let profiled = json!({"profile": "cpu", "seconds": 30, "request_id": "a-4"});
    assert_eq!(service.seen(), [restarted, profiled]);
}

/// Scenario: nobody named an endpoint; a port on which nobody listens.
/// Guarantees: the error says what could not be done, to whom, and why; nothing is read back.
#[tokio::test]
async fn what_cannot_be_done_is_explained() {
    let nowhere = Actuators::new(ActuatorConfig::default());
    let error = nowhere.apply(ActionId(1), &restart()).await.unwrap_err();
    assert_eq!(error.to_string(), "no endpoint is configured to restart shop-0 of shop");
    let limit = set(Parameter::ConcurrencyLimit, 8);
    let error = nowhere.apply(ActionId(1), &limit).await.unwrap_err();
    assert_eq!(error.to_string(), "no endpoint is configured to set the concurrency limit of shop");
    assert_eq!(nowhere.read_back(ActionId(1), &limit).await, None);

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let closed = actuators(closed);
    let error = closed.apply(ActionId(1), &profile()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot take a cpu profile of shop for 30 s");
    assert!(error.source().unwrap().to_string().contains("refused"), "{error:?}");
    assert_eq!(closed.read_back(ActionId(1), &profile()).await, None);
}

/// Scenario: the service is read at all its endpoints, with one instance that serves and one that is starting.
/// Guarantees: limit, dimmer and the serving instance are observed with the tick's time; the starting one is not.
#[tokio::test]
async fn what_the_service_says_is_observed() {
    let url = format!("http://{}/", Shop::new().open().await);
    let sources = Sources::new(SourceConfig {
        limit_endpoints: BTreeMap::from([(shop(), LimitEndpoint::parse(&url).unwrap())]),
        dimmer_endpoints: BTreeMap::from([(shop(), DimmerEndpoint::parse(&url).unwrap())]),
        restart_endpoints: BTreeMap::from([(shop(), RestartEndpoint::parse(&url).unwrap())]),
        ..SourceConfig::default()
    });
    let instance = Target::Instance(shop(), InstanceId::from("shop-0"));
    for round in 0..ROUNDS_MAX {
        let now = Timestamp(round * 1000);
        let of = |target: Target, indicator, value| Observation::new(target, indicator, value, now);
        let expected = [
            of(Target::Service(shop()), Indicator::RequestsInFlight, 12),
            of(Target::Service(shop()), Indicator::ConcurrencyLimit, 64),
            of(Target::Service(shop()), Indicator::ShedTotal, 3),
            of(Target::Service(shop()), Indicator::Dimmer, 10_000),
            of(instance.clone(), Indicator::RequestsInFlight, 5),
            of(instance.clone(), Indicator::CompletedTotal, 40),
        ];
        let observed = sources.read(now).await;
        assert!(observed.iter().all(|observation| expected.contains(observation)), "{observed:?}");
        if observed == expected {
            return;
        }
    }
    panic!("the endpoints never all answered in one round");
}
