//! A journey's path.
//!
//! Answers which services a journey passes and how its error budget is split among them. Does not know which of a service's
//! calls belong to which operation: the graph is seen service by service, so every call that a service may make counts as made
//! at least once. That asks too much of what is called seldom, and never too little.
//!
//! A journey succeeds only if all its parts do, so its reliability is at most the product of theirs, R ≤ Π (1 - bᵢ)^vᵢ
//! (serial system: Trivedi, Probability and Statistics with Reliability, 2nd ed., section 1.10), and the promise holds if the
//! budgets of all visits add up to its own, Σ vᵢ bᵢ ≤ B (Boole's inequality). Every visit gets the same share, b = B / Σ vᵢ. A
//! service that calls others fails when they do, so what it answers for is its own share and those of the calls below it:
//! B u(s) / u(entry), where u(s) = 1 + Σ c(s→t) u(t) visits are made for one request to s. For the entry that is the promise.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use homeostat_core::{Indicator, Journey, ObjectiveKind, PathPart, ServiceName, Snapshot};

/// Services of one journey that are followed. Beyond it no objective is derived, and that is said.
const SERVICES_MAX: usize = 64;

/// One visit, in hundredths.
const ONE: u64 = 100;

/// Calls per request are not believed beyond this: it is a loop, or a burst that two windows saw differently.
const CALLS_MAX: u64 = 100 * ONE;

/// Visits of one journey are not counted beyond this.
const VISITS_MAX: u64 = 1_000_000 * ONE;

/// The services on the path of `journey`, entries first, and whether there are more than are followed.
pub(super) fn follow(journey: &Journey, snapshot: &Snapshot) -> (Vec<PathPart>, bool) {
    let (services, is_cut) = discover(journey, snapshot);
    let graph = Graph::of(&services, journey, snapshot);
    let below = graph.below();
    let entries = services.iter().filter(|service| is_entry(journey, service));
    let whole = entries.map(|service| below[service]).max().unwrap_or(ONE);
    let visits = graph.visits(journey);
    let budget_ppm = u64::from(journey.budget_ppm(ObjectiveKind::Availability).unwrap_or(0));
    let part = |service: &ServiceName| PathPart {
        service: service.clone(),
        visits_centi: visits.get(service).copied().unwrap_or(0),
        budget_ppm: match is_entry(journey, service) {
            true => budget_ppm as u32,
            false => (budget_ppm * below[service].min(whole) / whole).max(1) as u32,
        },
    };
    (services.iter().map(part).collect(), is_cut)
}

fn is_entry(journey: &Journey, service: &ServiceName) -> bool {
    journey.entries.iter().any(|entry| entry.service == *service)
}

/// Everything reached from the entries along calls that were seen; where people said what is passed, only that.
fn discover(journey: &Journey, snapshot: &Snapshot) -> (Vec<ServiceName>, bool) {
    let is_wanted = |service: &ServiceName| journey.through.is_empty() || journey.through.contains(service);
    let mut found: Vec<ServiceName> = Vec::new();
    let mut seen: BTreeSet<ServiceName> = BTreeSet::new();
    let given = journey.entries.iter().map(|entry| &entry.service).chain(&journey.through);
    let mut waiting: VecDeque<ServiceName> = given.filter(|service| seen.insert((*service).clone())).cloned().collect();
    // Each turn takes one service out of the queue, and each enters it once.
    while let Some(service) = waiting.pop_front() {
        if found.len() == SERVICES_MAX {
            return (found, true);
        }
        let callees = snapshot.callees(&service).filter(|callee| is_wanted(callee));
        waiting.extend(callees.filter(|callee| seen.insert((*callee).clone())).cloned());
        found.push(service);
    }
    (found, false)
}

/// Calls per request between the services of a path, in hundredths.
struct Graph<'a> {
    services: &'a [ServiceName],
    calls: BTreeMap<&'a ServiceName, Vec<(&'a ServiceName, u64)>>,
}

impl<'a> Graph<'a> {
    fn of(services: &'a [ServiceName], journey: &Journey, snapshot: &Snapshot) -> Graph<'a> {
        let known: BTreeSet<&ServiceName> = services.iter().collect();
        let rate = |service: &ServiceName| snapshot.service_value(service, Indicator::RequestsTotal).unwrap_or(0);
        let mut callers: BTreeMap<&ServiceName, Vec<&ServiceName>> = BTreeMap::new();
        for caller in services {
            for callee in snapshot.callees(caller).filter_map(|callee| known.get(callee).copied()) {
                callers.entry(callee).or_default().push(caller);
            }
        }
        let mut calls: BTreeMap<&ServiceName, Vec<(&ServiceName, u64)>> = BTreeMap::new();
        for callee in services.iter().filter(|service| !is_entry(journey, service)) {
            // Of what people named and nobody was seen to call, every entry is taken to ask once.
            let entries = || services.iter().filter(|service| is_entry(journey, service)).collect();
            let callers = callers.remove(callee).unwrap_or_else(entries);
            let asked: u64 = callers.iter().map(|caller| rate(caller)).sum();
            // What is asked is shared by all who ask, by their own requests: each request is taken to cause equally many.
            let per_request = (rate(callee) * ONE).checked_div(asked).unwrap_or(ONE).clamp(ONE, CALLS_MAX);
            for caller in callers {
                calls.entry(caller).or_default().push((callee, per_request));
            }
        }
        Graph { services, calls }
    }

    fn callees(&self, service: &ServiceName) -> &[(&'a ServiceName, u64)] {
        self.calls.get(service).map(Vec::as_slice).unwrap_or_default()
    }

    /// u(s) of every service, in hundredths. Services that call in a circle are counted once around it.
    fn below(&self) -> BTreeMap<&'a ServiceName, u64> {
        let mut below: BTreeMap<&ServiceName, u64> = BTreeMap::new();
        for service in self.order() {
            let calls = self.callees(service).iter();
            let parts =
                calls.map(|(callee, calls)| calls.saturating_mul(below.get(callee).copied().unwrap_or(0)) / ONE);
            below.insert(service, parts.fold(ONE, u64::saturating_add).min(VISITS_MAX));
        }
        below
    }

    /// How often one journey asks each service, in hundredths.
    fn visits(&self, journey: &Journey) -> BTreeMap<&'a ServiceName, u64> {
        let mut visits: BTreeMap<&ServiceName, u64> = BTreeMap::new();
        for service in self.order().into_iter().rev() {
            let own = visits.entry(service).or_default();
            *own = (*own).max(if is_entry(journey, service) { ONE } else { 0 });
            let own = *own;
            for (callee, calls) in self.callees(service) {
                let known = visits.entry(callee).or_default();
                *known = known.saturating_add(own.saturating_mul(*calls) / ONE).min(VISITS_MAX);
            }
        }
        visits
    }

    /// Every service after those it calls, as far as calls do not go in a circle.
    fn order(&self) -> Vec<&'a ServiceName> {
        let mut done: Vec<&ServiceName> = Vec::new();
        let mut seen: BTreeSet<&ServiceName> = BTreeSet::new();
        for start in self.services {
            // A service is on the stack once to be opened and once to be closed.
            let mut stack = vec![(start, false)];
            while let Some((service, opened)) = stack.pop() {
                if opened {
                    done.push(service);
                } else if seen.insert(service) {
                    stack.push((service, true));
                    stack.extend(self.callees(service).iter().rev().map(|(callee, _)| (*callee, false)));
                }
            }
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use homeostat_core::{BasisPoints, Edge, Entry, Importance, Millis, Reading, Signal, Target};
    use proptest::prelude::*;

    use super::*;

    fn snapshot(rates: &[(String, u64)], edges: &[(String, String)]) -> Snapshot {
        let name = |name: &String| ServiceName::from(name.as_str());
        let signal = |service| Signal::new(Target::Service(service), Indicator::RequestsTotal);
        Snapshot {
            signals: rates.iter().map(|(of, rate)| (signal(name(of)), Reading::Fresh { value: *rate })).collect(),
            edges: Arc::new(edges.iter().map(|(a, b)| Edge { caller: name(a), callee: name(b) }).collect()),
            ..Snapshot::default()
        }
    }

    fn owned<const N: usize>(edges: [(&str, &str); N]) -> Vec<(String, String)> {
        edges.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    fn journey(entry: &str, through: &[&str], reliability: u32) -> Journey {
        Journey {
            entries: vec![Entry { service: entry.into(), operation: None }],
            through: through.iter().map(|name| ServiceName::from(*name)).collect(),
            importance: Importance::Normal,
            reliability: BasisPoints(reliability),
            latency: None,
            window: Millis::from_secs(86_400),
        }
    }

    fn budgets(path: &[PathPart]) -> Vec<(&str, u64, u32)> {
        path.iter().map(|part| (part.service.as_str(), part.visits_centi, part.budget_ppm)).collect()
    }

    /// Scenario: web calls cart, which asks stock twice per request; 99.9 % of journeys are to succeed.
    /// Guarantees: Boole's inequality worked by hand: four visits share 0.1 %; who calls answers for those below it.
    #[test]
    fn the_budget_is_split_by_visits() {
        let rates = [("web", 1000), ("cart", 1000), ("stock", 2000)].map(|(name, rate)| (name.to_owned(), rate));
        let seen = snapshot(&rates, &owned([("web", "cart"), ("cart", "stock")]));
        let (path, is_cut) = follow(&journey("web", &[], 9990), &seen);
        // u(stock) = 1, u(cart) = 1 + 2, u(web) = 1 + 3; a stock visit gets 1000 / 4 ppm.
        assert_eq!(budgets(&path), [("web", 100, 1000), ("cart", 100, 750), ("stock", 200, 250)]);
        assert!(!is_cut);
    }

    /// Scenario: people name two services, of which nobody has been seen calling the second; a third is called and not named.
    /// Guarantees: what was named is on the path, asked once by the entry; what was not is left out.
    #[test]
    fn what_people_name_is_the_path() {
        let seen = snapshot(&[], &owned([("web", "cart"), ("web", "ads")]));
        let (path, _) = follow(&journey("web", &["cart", "mail"], 9990), &seen);
        assert_eq!(budgets(&path), [("web", 100, 1000), ("cart", 100, 333), ("mail", 100, 333)]);
    }

    /// Scenario: services call one another in a circle, and a chain is longer than is followed.
    /// Guarantees: both end; nobody's budget exceeds the promise, and the cut is told.
    #[test]
    fn circles_and_long_chains_end() {
        let circle = snapshot(&[], &owned([("web", "a"), ("a", "b"), ("b", "a"), ("b", "web")]));
        let (path, _) = follow(&journey("web", &[], 9000), &circle);
        assert_eq!(path.len(), 3);
        assert!(path.iter().all(|part| 1 <= part.budget_ppm && part.budget_ppm <= 100_000));
        let chain: Vec<_> = (0..100).map(|n| (format!("s{n}"), format!("s{}", n + 1))).collect();
        let (path, is_cut) = follow(&journey("s0", &[], 9000), &snapshot(&[], &chain));
        assert_eq!((path.len(), is_cut), (SERVICES_MAX, true));
    }

    fn graphs() -> impl Strategy<Value = Snapshot> {
        let rates = proptest::collection::vec(0..100_000_u64, 8);
        let edges = proptest::collection::vec((0..8_usize, 0..8_usize), 0..20);
        (rates, edges).prop_map(|(rates, edges)| {
            let name = |number: usize| format!("s{number}");
            let rates: Vec<_> = rates.into_iter().enumerate().map(|(n, rate)| (name(n), rate)).collect();
            // Calls lead to higher numbers only, so that there is no circle.
            let downward = edges.into_iter().filter(|(a, b)| a < b);
            snapshot(&rates, &downward.map(|(a, b)| (name(a), name(b))).collect::<Vec<_>>())
        })
    }

    proptest! {
        /// Scenario: any graph without circles, any rates, two promises.
        /// Guarantees: the stricter promise asks no service for less than the laxer one does.
        #[test]
        fn a_stricter_promise_is_nowhere_laxer(seen in graphs(), one in 5000..9999_u32, other in 5000..9999_u32) {
            let (lax, strict) = (one.min(other), one.max(other));
            let lax = follow(&journey("s0", &[], lax), &seen).0;
            let strict = follow(&journey("s0", &[], strict), &seen).0;
            prop_assert!(strict.iter().zip(&lax).all(|(strict, lax)| strict.budget_ppm <= lax.budget_ppm));
        }

        /// Scenario: any graph without circles in which every service just spends the budget of its own visits.
        /// Guarantees: R ≥ Π (1 - bᵢ)^vᵢ keeps the promise: parts that keep their share keep the whole (Trivedi, section 1.10).
        #[test]
        fn parts_that_keep_their_share_keep_the_promise(seen in graphs(), promise in 5000..9999_u32) {
            let journey = journey("s0", &[], promise);
            let (path, _) = follow(&journey, &seen);
            let visits: u64 = path.iter().map(|part| part.visits_centi).sum();
            // Hundredths are rounded down at each step of the walk, so a chain of eight may lose some.
            let budget = 1.0 - f64::from(promise) / 1e4;
            let own = budget / (visits as f64 / 100.0);
            let kept: f64 = path.iter().map(|part| (1.0 - own).powf(part.visits_centi as f64 / 100.0)).product();
            prop_assert!(1.0 - budget - 1e-9 <= kept, "{kept}");
            let leaves = path.iter().filter(|part| seen.callees(&part.service).next().is_none());
            for leaf in leaves.filter(|leaf| leaf.service.as_str() != "s0") {
                let share = f64::from(leaf.budget_ppm) / 1e6;
                prop_assert!(share <= own * 1.01 + 2e-6, "{} gets {share}, a visit's share is {own}", leaf.service);
            }
        }
    }
}
