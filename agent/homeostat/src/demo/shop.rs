//! The shop.
//!
//! Answers what the demo watches and repairs: five small HTTP services on loopback that ask one another, each instrumented
//! with an OpenTelemetry SDK of its own and each with a worker pool that can be scaled over HTTP. Does not know the agent,
//! except as the address of a collector. It runs on threads of its own so that its work is not counted as the agent's.

mod plan;
mod pool;
mod service;
mod telemetry;

pub(crate) use plan::{ENTRANCE, SERVICES, VICTIM};
pub(crate) use service::{ShopClient, client, request, uniform};
pub(crate) use telemetry::Doors;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use homeostat_core::Seed;
use tokio::runtime::Runtime;

use plan::ServicePlan;
use pool::Pool;
use service::Service;
use telemetry::{Telemetry, TelemetryError};

/// Threads the shop works on. Its requests mostly sleep, so two are plenty, and two leave the machine to the agent.
const THREADS: usize = 2;

/// How long the shop's open requests may take to notice that it closes.
const CLOSING: Duration = Duration::from_secs(1);

/// Why the shop could not be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShopError {
    /// No port on loopback.
    #[error("cannot listen on loopback for {service}")]
    Listen {
        /// For which service.
        service: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// No threads.
    #[error("cannot start the shop's threads")]
    Threads {
        /// Why.
        source: std::io::Error,
    },
    /// No instruments.
    #[error("cannot instrument the shop")]
    Telemetry(#[from] TelemetryError),
}

/// The shop before it opens: its addresses are known, which the agent needs, and it needs the agent's to open.
pub(crate) struct Site {
    runtime: Runtime,
    listeners: Vec<(&'static ServicePlan, TcpListener)>,
    addresses: BTreeMap<&'static str, SocketAddr>,
}

impl Site {
    /// Takes a free port on loopback for every service.
    pub(crate) fn find() -> Result<Site, ShopError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("shop")
            .enable_all()
            .build()
            .map_err(|source| ShopError::Threads { source })?;
        let mut site = Site { runtime, listeners: Vec::new(), addresses: BTreeMap::new() };
        for plan in SERVICES {
            let listen = || {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
                listener.set_nonblocking(true)?;
                Ok((listener.local_addr()?, listener))
            };
            let (address, listener) = listen().map_err(|source| ShopError::Listen { service: plan.name, source })?;
            site.addresses.insert(plan.name, address);
            site.listeners.push((plan, listener));
        }
        Ok(site)
    }

    /// The threads the shop will run on; what belongs to its surroundings may share them.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Where each service will be.
    pub(crate) fn addresses(&self) -> &BTreeMap<&'static str, SocketAddr> {
        &self.addresses
    }

    /// Opens the shop; with `doors`, its telemetry goes there.
    pub(crate) fn open(self, doors: Option<&Doors>, seed: Seed) -> Result<Shop, ShopError> {
        let runtime = self.runtime;
        let entered = runtime.enter();
        let addresses = Arc::new(self.addresses);
        let mut services = BTreeMap::new();
        for (plan, listener) in self.listeners {
            let pool = Pool::new(plan.workers);
            let telemetry = doors.map(|doors| Telemetry::start(plan.name, doors, &pool)).transpose()?;
            let service = Service::new(plan, pool, telemetry, Arc::clone(&addresses), seed);
            let listener = tokio::net::TcpListener::from_std(listener)
                .map_err(|source| ShopError::Listen { service: plan.name, source })?;
            let router = service.router();
            // It serves until the runtime ends; there is no error it could return before.
            runtime.spawn(async move { axum::serve(NoDelay(listener), router).await });
            services.insert(plan.name, service);
        }
        drop(entered);
        Ok(Shop { runtime, services, addresses })
    }
}

/// The shop, open.
pub(crate) struct Shop {
    runtime: Runtime,
    services: BTreeMap<&'static str, Arc<Service>>,
    addresses: Arc<BTreeMap<&'static str, SocketAddr>>,
}

impl Shop {
    /// Where users enter.
    pub(crate) fn entrance(&self) -> SocketAddr {
        self.addresses[ENTRANCE]
    }

    /// The threads it runs on; its users may share them.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Makes the backend of `service` take `percent` of its planned time.
    pub(crate) fn slow_down(&self, service: &str, percent: u32) {
        self.services[service].slow_down(percent);
    }

    /// How many workers `service` has.
    pub(crate) fn workers(&self, service: &str) -> u32 {
        self.services[service].pool.workers()
    }

    /// Requests answered so far, by all services together.
    pub(crate) fn served(&self) -> u64 {
        self.services.values().map(|service| service.served.load(Ordering::Relaxed)).sum()
    }

    /// Sends the last telemetry. Blocks for some seconds at most.
    pub(crate) fn flush(&self) {
        std::thread::scope(|scope| {
            for service in self.services.values() {
                scope.spawn(|| service.finish());
            }
        });
    }

    /// Closes. Blocks for a second at most; nothing of the shop survives.
    pub(crate) fn close(self) {
        self.runtime.shutdown_timeout(CLOSING);
    }
}

/// A listener whose connections send at once; otherwise small answers wait up to 40 ms for the acknowledgement.
struct NoDelay(tokio::net::TcpListener);

impl axum::serve::Listener for NoDelay {
    type Io = tokio::net::TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = axum::serve::Listener::accept(&mut self.0).await;
        // A socket that refuses the option still works, only slower.
        let _ = stream.set_nodelay(true);
        (stream, address)
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::demo::backend::Backend;

    /// How long the machine may be busy with other things.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Waits until `done`.
    async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
        let waiting = async {
            while !done() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "{what}");
    }

    async fn scale(address: SocketAddr, workers: u32) -> (StatusCode, String) {
        use http_body_util::{BodyExt, Full};
        let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        let body = format!(r#"{{"replicas":{workers},"request_id":"a-1"}}"#);
        let request = http::Request::put(format!("http://{address}/scale"))
            .header("content-type", "application/json")
            .body(Full::new(bytes::Bytes::from(body)))
            .unwrap();
        let answer = client.request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// Scenario: the shop is open, its telemetry goes to a backend; an order and a look at the products, then the victim is
    /// scaled, within its bounds and beyond them.
    /// Guarantees: every service serves and reports a span for it under its own name, metrics arrive, the scale endpoint does
    /// what it is told, says what it did, and refuses nonsense.
    #[test]
    fn the_shop_serves_reports_and_scales() {
        let site = Site::find().unwrap();
        let victim = site.addresses()[VICTIM];
        let backend = site.runtime().block_on(Backend::listen()).unwrap();
        let doors = Doors {
            otlp_grpc: format!("http://{}", backend.address),
            sampling: format!("http://{}/sampling", backend.address),
        };
        let shop = site.open(Some(&doors), Seed(1)).unwrap();
        shop.runtime().block_on(buy_and_look(&shop, &backend));
        assert_eq!(shop.served(), 6);
        shop.runtime().block_on(async {
            let (status, body) = scale(victim, 4).await;
            assert_eq!(status, StatusCode::OK);
            assert!(body.starts_with(r#"{"replicas":4,"utilization":"#), "{body}");
            assert_eq!(shop.workers(VICTIM), 4);
            assert_eq!(scale(victim, 0).await.0, StatusCode::UNPROCESSABLE_ENTITY);
            assert_eq!(shop.workers(VICTIM), 4);
        });
        shop.flush();
        shop.close();
    }

    async fn buy_and_look(shop: &Shop, backend: &Backend) {
        let client = client();
        for (method, path) in [("POST", "/orders"), ("GET", "/products")] {
            let status = request(&client, shop.entrance(), method, path, HeaderMap::new()).await;
            assert_eq!(status, StatusCode::OK, "{method} {path}");
        }
        let nothing = request(&client, shop.entrance(), "GET", "/nothing", HeaderMap::new()).await;
        assert_eq!(nothing, StatusCode::NOT_FOUND);
        eventually("every span arrives", || backend.arrived().spans == 10).await;
        eventually("metrics arrive", || 0 < backend.arrived().metric_exports).await;
        let arrived = backend.arrived();
        let names: Vec<&str> = arrived.served.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["catalog", "checkout", "frontend", "inventory", "payment"]);
        assert_eq!(arrived.estimate(), 6.0);
    }
}
