//! The shop on paper.
//!
//! Answers which services there are, what they offer, whom they ask and how long their own work takes. Does not run
//! anything. The numbers are chosen together: at the demo's load every pool is used to about two fifths, so that nothing is
//! slow before the fault and one service alone is starved by it.

use std::time::Duration;

/// The service whose backend will get slow.
pub(crate) const VICTIM: &str = "payment";

/// Where users enter.
pub(crate) const ENTRANCE: &str = "frontend";

/// One service.
#[derive(Debug)]
pub(crate) struct ServicePlan {
    /// Its `service.name`.
    pub(crate) name: &'static str,
    /// Workers at the start.
    pub(crate) workers: u32,
    /// The mean of its own work, without waiting and without those it asks.
    pub(crate) work: Duration,
    /// What it offers.
    pub(crate) routes: &'static [RoutePlan],
}

/// One kind of request.
#[derive(Debug)]
pub(crate) struct RoutePlan {
    /// The method.
    pub(crate) method: &'static str,
    /// The path; also the span's `http.route`.
    pub(crate) path: &'static str,
    /// Whom it asks, one after the other, after its own work.
    pub(crate) asks: &'static [CallPlan],
}

/// One request to another service.
#[derive(Debug)]
pub(crate) struct CallPlan {
    /// Which service.
    pub(crate) service: &'static str,
    /// The method.
    pub(crate) method: &'static str,
    /// The path.
    pub(crate) path: &'static str,
}

/// The five services, those who ask before those who are asked.
pub(crate) const SERVICES: &[ServicePlan] = &[
    ServicePlan {
        name: ENTRANCE,
        workers: 2,
        work: Duration::from_millis(8),
        routes: &[
            RoutePlan {
                method: "GET",
                path: "/products",
                asks: &[CallPlan { service: "catalog", method: "GET", path: "/products" }],
            },
            RoutePlan {
                method: "POST",
                path: "/orders",
                asks: &[CallPlan { service: "checkout", method: "POST", path: "/checkout" }],
            },
        ],
    },
    ServicePlan {
        name: "checkout",
        workers: 2,
        work: Duration::from_millis(26),
        routes: &[RoutePlan {
            method: "POST",
            path: "/checkout",
            asks: &[
                CallPlan { service: "inventory", method: "POST", path: "/reservations" },
                CallPlan { service: VICTIM, method: "POST", path: "/charges" },
            ],
        }],
    },
    ServicePlan {
        name: "catalog",
        workers: 2,
        work: Duration::from_millis(11),
        routes: &[RoutePlan { method: "GET", path: "/products", asks: &[] }],
    },
    ServicePlan {
        name: VICTIM,
        workers: 2,
        work: Duration::from_millis(28),
        routes: &[RoutePlan { method: "POST", path: "/charges", asks: &[] }],
    },
    ServicePlan {
        name: "inventory",
        workers: 2,
        work: Duration::from_millis(26),
        routes: &[RoutePlan { method: "POST", path: "/reservations", asks: &[] }],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: every call of every route.
    /// Guarantees: what is asked is offered, and by a service further down, so no request runs in a circle.
    #[test]
    fn every_call_has_an_answer() {
        for (position, service) in SERVICES.iter().enumerate() {
            for call in service.routes.iter().flat_map(|route| route.asks) {
                let callee = SERVICES.iter().position(|other| other.name == call.service).expect("the callee exists");
                assert!(position < callee, "{} asks {}", service.name, call.service);
                let offered = SERVICES[callee].routes.iter().any(|r| r.method == call.method && r.path == call.path);
                assert!(offered, "{} {} {}", call.service, call.method, call.path);
            }
        }
    }
}
