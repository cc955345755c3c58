//! The shop's users.
//!
//! Answers who comes and what they saw: an open stream of requests at random times, and for each how long it took and
//! whether it worked. Users do not wait for each other, as in life; a closed loop of a few patient users would hide the very
//! overload the demo shows. What they saw is the truth that the agent's view is held against.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homeostat_core::{Micros, Seed, Stream};
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

use super::shop::{ShopClient, client, request, uniform};

/// Requests per second at the entrance.
pub(crate) const RATE: f64 = 110.0;

/// The share of them that are orders; the rest look at products.
const ORDERS: f64 = 0.29;

/// Users in the shop at once. In a starved shop a few hundred wait; beyond this they do not come in and are counted.
const INSIDE_MAX: usize = 1000;

/// Visits remembered: a quarter of an hour of them. The demo ends long before; the bound is for the day somebody prolongs it.
const VISITS_MAX: usize = 100_000;

/// What one user saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// When they came, since the demo's start.
    pub(crate) came: Duration,
    /// How long it took.
    pub(crate) took: Micros,
    /// Whether it worked.
    pub(crate) worked: bool,
}

/// The users, coming.
pub(crate) struct Load {
    visits: Arc<Mutex<Vec<Visit>>>,
    coming: tokio::task::JoinHandle<()>,
}

impl Load {
    /// Lets users come from now on, on the runtime of the caller; times are given since `start`.
    pub(crate) fn begin(entrance: SocketAddr, seed: Seed, start: Instant) -> Load {
        let visits = Arc::new(Mutex::new(Vec::new()));
        let coming = tokio::spawn(come(entrance, seed.stream("load/arrivals"), start, Arc::clone(&visits)));
        Load { visits, coming }
    }

    /// Nobody comes any more; those inside leave as they can.
    pub(crate) fn end(&self) {
        self.coming.abort();
    }

    /// What everybody who has left saw.
    pub(crate) fn visits(&self) -> Vec<Visit> {
        self.visits.lock().expect("no code panics while it notes a visit").clone()
    }
}

async fn come(entrance: SocketAddr, mut chance: Stream, start: Instant, visits: Arc<Mutex<Vec<Visit>>>) {
    let client = client();
    let inside = Arc::new(AtomicUsize::new(0));
    let mut next = Instant::now();
    loop {
        // Exponential gaps make arrivals a Poisson stream.
        next += Duration::from_secs_f64(-(1.0 - uniform(&mut chance)).ln() / RATE);
        tokio::time::sleep_until(next).await;
        let wants_to_order = uniform(&mut chance) < ORDERS;
        if INSIDE_MAX <= inside.load(Ordering::Relaxed) {
            note(&visits, Visit { came: start.elapsed(), took: Micros(0), worked: false });
            continue;
        }
        inside.fetch_add(1, Ordering::Relaxed);
        let (client, inside, visits) = (client.clone(), Arc::clone(&inside), Arc::clone(&visits));
        tokio::spawn(async move {
            note(&visits, visit(&client, entrance, wants_to_order, start).await);
            inside.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn visit(client: &ShopClient, entrance: SocketAddr, wants_to_order: bool, start: Instant) -> Visit {
    let came = start.elapsed();
    let (method, path) = if wants_to_order { ("POST", "/orders") } else { ("GET", "/products") };
    let status = request(client, entrance, method, path, HeaderMap::new()).await;
    let took = start.elapsed().saturating_sub(came);
    Visit { came, took: Micros(took.as_micros() as u64), worked: status == StatusCode::OK }
}

fn note(visits: &Mutex<Vec<Visit>>, visit: Visit) {
    let mut visits = visits.lock().expect("no code panics while it notes a visit");
    if visits.len() < VISITS_MAX {
        visits.push(visit);
    }
}
