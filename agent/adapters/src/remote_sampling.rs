//! Head sampling for SDKs.
//!
//! Answers the question that a Jaeger remote sampler asks: with which probability shall this service start a trace, and with
//! which one that begins with a certain operation? Over HTTP and over gRPC. It does not choose the probability. This protocol
//! is spoken because SDKs already do, in four languages; a sampler that cannot reach the agent keeps its last probability, so
//! a dead agent changes nothing.

mod door;
mod grpc;
mod http;
pub mod proto;
mod served;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use homeostat_core::{Observation, OperationName, SamplingProbability, Timestamp};
use thiserror::Error;

use door::Door;
use served::Served;

/// With which probabilities one service shall start traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    /// For operations that are not named.
    pub default: SamplingProbability,
    /// For those that are.
    pub operations: BTreeMap<OperationName, SamplingProbability>,
}

/// Who knows the head probabilities of a service.
pub trait HeadSampling: Send + Sync {
    /// The probabilities with which `service` shall start traces. Asked for unknown services too.
    fn heads(&self, service: &str) -> Heads;
}

/// Why a door could not be opened.
#[derive(Debug, Error)]
#[error("cannot open the {door} door on {address}; choose another address, or end what is using it")]
pub struct StartError {
    /// Which door, for people: `remote sampling HTTP` or `remote sampling gRPC`.
    pub door: &'static str,
    /// Its address.
    pub address: SocketAddr,
    /// The cause.
    pub source: std::io::Error,
}

/// The open doors. Dropping it closes them at once.
#[derive(Debug)]
pub struct RemoteSampling {
    http: Option<Door>,
    grpc: Option<Door>,
    served: Arc<Served>,
}

impl RemoteSampling {
    /// Opens the doors that have an address; port 0 takes any free one. Must be called inside a Tokio runtime.
    pub fn start(
        http: Option<SocketAddr>,
        grpc: Option<SocketAddr>,
        plan: Arc<dyn HeadSampling>,
    ) -> Result<RemoteSampling, StartError> {
        let served = Arc::new(Served::new(plan));
        let open = |door, address: Option<SocketAddr>, router| {
            address.map(|address| Door::open(door, address, router)).transpose()
        };
        Ok(RemoteSampling {
            http: open("remote sampling HTTP", http, http::router(served.clone()))?,
            grpc: open("remote sampling gRPC", grpc, grpc::router(served.clone()))?,
            served,
        })
    }

    /// Where HTTP is answered.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(Door::address)
    }

    /// Where gRPC is answered.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(Door::address)
    }

    /// One `HeadProbability` for each service whose sampler asked lately, and for each operation it was told: what it was told
    /// last, which is what it uses now.
    ///
    /// Questions are dated by the next call of this, so call it once a tick.
    pub fn observe(&self, now: Timestamp) -> Vec<Observation> {
        self.served.observe(now)
    }

    /// Closes the doors: open exchanges are finished, for a bounded time.
    pub async fn shutdown(self) {
        for door in [self.http, self.grpc].into_iter().flatten() {
            door.close().await;
        }
    }
}
