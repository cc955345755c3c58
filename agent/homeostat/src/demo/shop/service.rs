//! One service of the shop.
//!
//! Answers requests: takes a worker, works, asks the services its plan names, and reports a span for each. Also answers its
//! operator on `/scale`, which is how the agent changes the number of workers. A worker is held for the service's own work
//! only, as in an asynchronous server, so that a slow service starves itself and not everybody above it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use homeostat_core::{Seed, Stream};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry::Context;
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::plan::{CallPlan, RoutePlan, ServicePlan};
use super::pool::{Pool, PoolFull};
use super::telemetry::{Telemetry, answered};

/// How long a caller waits for an answer: longer than a full queue takes, so that it is the queue's bound that refuses.
pub(crate) const CALLER_WAITS: Duration = Duration::from_secs(8);

/// Connections a caller keeps open to each service; more are opened when needed and closed afterwards.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// The most workers a service lets itself be given, whoever asks.
const WORKERS_MAX: u32 = 64;

/// How much the duration of work varies: its standard deviation as a share of its mean.
const VARIATION: f64 = 0.3;

/// The client with which services and users ask.
pub(crate) type ShopClient = Client<HttpConnector, Empty<Bytes>>;

/// A client without delays of TCP's own.
pub(crate) fn client() -> ShopClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        .build(connector)
}

/// A running service.
pub(crate) struct Service {
    /// What it is meant to be.
    pub(crate) plan: &'static ServicePlan,
    /// Its workers.
    pub(crate) pool: Arc<Pool>,
    /// Requests answered, whatever the answer: the truth that the agent's counts can be held against.
    pub(crate) served: AtomicU64,
    /// How much longer work takes than planned, in percent.
    slowness_percent: AtomicU32,
    chance: Mutex<Stream>,
    telemetry: Option<Telemetry>,
    addresses: Arc<BTreeMap<&'static str, SocketAddr>>,
    client: ShopClient,
}

impl Service {
    /// A service that finds the others at `addresses`.
    pub(crate) fn new(
        plan: &'static ServicePlan,
        pool: Arc<Pool>,
        telemetry: Option<Telemetry>,
        addresses: Arc<BTreeMap<&'static str, SocketAddr>>,
        seed: Seed,
    ) -> Arc<Service> {
        Arc::new(Service {
            plan,
            pool,
            served: AtomicU64::new(0),
            slowness_percent: AtomicU32::new(100),
            chance: Mutex::new(seed.stream(&format!("shop/{}", plan.name))),
            telemetry,
            addresses,
            client: client(),
        })
    }

    /// What it answers over HTTP.
    pub(crate) fn router(self: &Arc<Service>) -> Router {
        Router::new().route("/scale", get(read_scale).put(write_scale)).fallback(serve).with_state(Arc::clone(self))
    }

    /// Makes its backend slower or faster: its work takes `percent` of what is planned.
    pub(crate) fn slow_down(&self, percent: u32) {
        self.slowness_percent.store(percent, Ordering::Relaxed);
    }

    /// Sends the last telemetry. Blocks for a few seconds at most.
    pub(crate) fn finish(&self) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.finish();
        }
    }

    fn route(&self, request: &Request) -> Option<&'static RoutePlan> {
        let (method, path) = (request.method().as_str(), request.uri().path());
        self.plan.routes.iter().find(|route| route.method == method && route.path == path)
    }

    async fn answer(&self, route: &RoutePlan, span: Option<&Context>) -> StatusCode {
        match self.work().await {
            Ok(()) => {}
            Err(PoolFull) => return StatusCode::SERVICE_UNAVAILABLE,
        }
        for call in route.asks {
            let status = self.ask(call, span).await;
            if !status.is_success() {
                return StatusCode::BAD_GATEWAY;
            }
        }
        StatusCode::OK
    }

    async fn work(&self) -> Result<(), PoolFull> {
        let _worker = self.pool.acquire().await?;
        let slowness = f64::from(self.slowness_percent.load(Ordering::Relaxed)) / 100.0;
        let factor = {
            let mut chance = self.chance.lock().expect("no code panics while it draws");
            lognormal(&mut chance, VARIATION)
        };
        tokio::time::sleep(self.plan.work.mul_f64(slowness * factor)).await;
        Ok(())
    }

    async fn ask(&self, call: &CallPlan, within: Option<&Context>) -> StatusCode {
        let mut headers = HeaderMap::new();
        let span = match (&self.telemetry, within) {
            (Some(telemetry), Some(within)) => Some(telemetry.calling(within, call, &mut headers)),
            _ => None,
        };
        let status = match self.addresses.get(call.service) {
            Some(address) => request(&self.client, *address, call.method, call.path, headers).await,
            None => StatusCode::BAD_GATEWAY,
        };
        if let Some(span) = span {
            answered(&span, status);
        }
        status
    }
}

/// Asks `address` and waits for the whole answer; what cannot be reached is a 502, what takes too long a 504.
pub(crate) async fn request(
    client: &ShopClient,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: HeaderMap,
) -> StatusCode {
    let mut request =
        match http::Request::builder().method(method).uri(format!("http://{address}{path}")).body(Empty::new()) {
            Ok(request) => request,
            Err(_) => return StatusCode::BAD_GATEWAY,
        };
    *request.headers_mut() = headers;
    let whole_answer = async {
        let answer = client.request(request).await.ok()?;
        let status = answer.status();
        answer.into_body().collect().await.ok()?;
        Some(status)
    };
    match tokio::time::timeout(CALLER_WAITS, whole_answer).await {
        Ok(status) => status.unwrap_or(StatusCode::BAD_GATEWAY),
        Err(_) => StatusCode::GATEWAY_TIMEOUT,
    }
}

async fn serve(State(service): State<Arc<Service>>, request: Request) -> Response {
    let Some(route) = service.route(&request) else {
        return (StatusCode::NOT_FOUND, "the shop does not offer this").into_response();
    };
    let span = service.telemetry.as_ref().map(|t| t.serving(route.method, route.path, request.headers()));
    let status = service.answer(route, span.as_ref()).await;
    service.served.fetch_add(1, Ordering::Relaxed);
    if let Some(span) = &span {
        answered(span, status);
    }
    (status, Body::from(format!("{}: {status}\n", service.plan.name))).into_response()
}

/// What `/scale` says.
#[derive(Debug, Serialize)]
struct Scale {
    replicas: u32,
    utilization: Option<f64>,
}

/// What `/scale` is told. The request's id needs no memory here: a desired number set twice is the same number.
#[derive(Debug, Deserialize)]
struct WantedScale {
    replicas: u32,
    #[serde(rename = "request_id")]
    _request_id: Option<String>,
}

async fn read_scale(State(service): State<Arc<Service>>) -> Json<Scale> {
    let utilization = service.pool.utilization().map(|used| (used * 10_000.0).round() / 10_000.0);
    Json(Scale { replicas: service.pool.workers(), utilization })
}

async fn write_scale(State(service): State<Arc<Service>>, Json(wanted): Json<WantedScale>) -> Response {
    if !(1..=WORKERS_MAX).contains(&wanted.replicas) {
        let why = format!("replicas must be between 1 and {WORKERS_MAX}, not {}\n", wanted.replicas);
        return (StatusCode::UNPROCESSABLE_ENTITY, why).into_response();
    }
    service.pool.resize(wanted.replicas);
    read_scale(State(service)).await.into_response()
}

/// A draw from the lognormal distribution of mean one whose standard deviation is `variation`: with sigma² = ln(1 + v²) and
/// mu = -sigma²/2, exp(mu + sigma z) for a standard normal z.
fn lognormal(chance: &mut Stream, variation: f64) -> f64 {
    let sigma_squared = (1.0 + variation * variation).ln();
    (sigma_squared.sqrt() * normal(chance) - sigma_squared / 2.0).exp()
}

/// A standard normal draw by the transform of Box and Muller (1958).
fn normal(chance: &mut Stream) -> f64 {
    let (u, v) = (uniform(chance), uniform(chance));
    (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// A draw from [0, 1) with 53 random bits.
pub(crate) fn uniform(chance: &mut Stream) -> f64 {
    (chance.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: ten thousand durations of work.
    /// Guarantees: their mean is the planned one and their spread the intended one, so the chosen pool sizes fit.
    #[test]
    fn work_takes_as_long_as_planned_on_average() {
        let mut chance = Seed(1).stream("test/work");
        let draws: Vec<f64> = (0..10_000).map(|_| lognormal(&mut chance, VARIATION)).collect();
        let mean = draws.iter().sum::<f64>() / 10_000.0;
        let deviation = (draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / 10_000.0).sqrt();
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!((deviation - VARIATION).abs() < 0.02, "{deviation}");
    }
}
