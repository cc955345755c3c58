//! Who calls whom.
//!
//! Answers which service called which, and how often: a `CLIENT` or `PRODUCER` span is matched with the `SERVER` or
//! `CONSUMER` span that names it as its parent, in whichever order they arrive. Does not guess from host names or ports.
//! Both ends are needed because either alone names only one service. Matching works in a bounded table that forgets;
//! what is forgotten unmatched is counted as such.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use homeostat_core::{Millis, Observation, ServiceName, Timestamp};

use super::services::SILENT_AFTER;
use super::{Counted, EdgeReport, OVERFLOW, Service};
use crate::config::Cardinality;
use crate::generations::Generations;

/// Independent parts of the table, by trace id; sixteen keep a few cores out of each other's way.
const SHARDS: usize = 16;
/// How long one end waits for the other at least: exporters batch for 5 s and retry for some more.
const WAIT: Millis = Millis::from_secs(30);
/// How many called spans may wait for one calling span: a message with more consumers loses the rest of its edges.
const WAITING_MAX: usize = 64;

type Key = ([u8; 16], [u8; 8]);

/// What is known of one calling span.
#[derive(Debug, Default)]
struct Call {
    caller: Option<Arc<Service>>,
    waiting: Vec<Callee>,
}

#[derive(Clone, Debug)]
struct Callee {
    service: Arc<Service>,
    is_error: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    calls: u64,
    errors: u64,
    changed: bool,
    last_change: Timestamp,
}

type Totals = BTreeMap<(ServiceName, ServiceName), Total>;

/// The service graph.
#[derive(Debug)]
pub(super) struct Edges {
    shards: Vec<Mutex<Generations<Key, Call>>>,
    totals: Mutex<Totals>,
    totals_max: usize,
    served: AtomicU64,
    matched: AtomicU64,
}

impl Edges {
    pub(super) fn new(cardinality: Cardinality) -> Edges {
        let shard = || Mutex::new(Generations::new(cardinality.pending_calls_max / SHARDS, WAIT));
        Edges {
            shards: (0..SHARDS).map(|_| shard()).collect(),
            totals: Mutex::new(BTreeMap::new()),
            totals_max: cardinality.edges_max,
            served: AtomicU64::new(0),
            matched: AtomicU64::new(0),
        }
    }

    pub(super) fn record(&self, now: Timestamp, service: &Arc<Service>, span: &Counted<'_>) {
        if span.view.is_call() {
            self.called_by(now, (span.ids.trace, span.ids.span), service);
        } else if let (true, Some(parent)) = (span.view.is_served(), span.ids.parent) {
            let callee = Callee { service: service.clone(), is_error: span.view.is_error() };
            self.served_by(now, (span.ids.trace, parent), callee);
        }
    }

    /// `Called` for every edge that changed lately.
    pub(super) fn observe(&self, now: Timestamp) -> Vec<Observation> {
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        for total in totals.values_mut() {
            if std::mem::take(&mut total.changed) {
                total.last_change = now;
            }
        }
        let live = totals.iter().filter(|((caller, callee), total)| {
            now.since(total.last_change) < SILENT_AFTER && caller.as_str() != OVERFLOW && callee.as_str() != OVERFLOW
        });
        live.map(|((caller, callee), total)| Observation::Called {
            caller: caller.clone(),
            callee: callee.clone(),
            total: total.calls,
            at: now,
        })
        .collect()
    }

    /// All edges, and how many called spans with a parent found no caller so far.
    pub(super) fn report(&self) -> (Vec<EdgeReport>, u64) {
        let totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |((caller, callee), total): (&(ServiceName, ServiceName), &Total)| EdgeReport {
            caller: caller.clone(),
            callee: callee.clone(),
            calls: total.calls,
            errors: total.errors,
        };
        let unmatched = self.served.load(Relaxed).saturating_sub(self.matched.load(Relaxed));
        (totals.iter().map(one).collect(), unmatched)
    }

    fn called_by(&self, now: Timestamp, key: Key, caller: &Arc<Service>) {
        let waiting = {
            let mut shard = self.shard(&key);
            shard.turn(now);
            match shard.get_mut(&key) {
                Some(call) => {
                    call.caller = Some(caller.clone());
                    std::mem::take(&mut call.waiting)
                }
                None => {
                    shard.insert(now, key, Call { caller: Some(caller.clone()), waiting: Vec::new() });
                    Vec::new()
                }
            }
        };
        waiting.iter().for_each(|callee| self.count(caller, callee));
    }

    fn served_by(&self, now: Timestamp, key: Key, callee: Callee) {
        self.served.fetch_add(1, Relaxed);
        let caller = {
            let mut shard = self.shard(&key);
            shard.turn(now);
            match shard.get_mut(&key) {
                Some(Call { caller: Some(caller), .. }) => Some(caller.clone()),
                Some(call) => {
                    if call.waiting.len() < WAITING_MAX {
                        call.waiting.push(callee.clone());
                    }
                    None
                }
                None => {
                    shard.insert(now, key, Call { caller: None, waiting: vec![callee.clone()] });
                    None
                }
            }
        };
        if let Some(caller) = caller {
            self.count(&caller, &callee);
        }
    }

    fn count(&self, caller: &Service, callee: &Callee) {
        self.matched.fetch_add(1, Relaxed);
        if caller.name == callee.service.name {
            return;
        }
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (caller.name.clone(), callee.service.name.clone());
        if totals.len() >= self.totals_max && !totals.contains_key(&key) {
            key = (OVERFLOW.into(), OVERFLOW.into());
        }
        let total = totals.entry(key).or_default();
        total.calls += 1;
        total.errors += u64::from(callee.is_error);
        total.changed = true;
    }

    fn shard(&self, key: &Key) -> std::sync::MutexGuard<'_, Generations<Key, Call>> {
        let index = usize::from(key.0[15]) % SHARDS;
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{SpanIds, SpanView};

    fn span(kind: i32, id: u8, parent: Option<u8>) -> Counted<'static> {
        let ids = SpanIds { trace: [1; 16], span: [id; 8], parent: parent.map(|id| [id; 8]) };
        Counted { ids, view: SpanView { kind, ..SpanView::default() }, slow: false }
    }

    fn calls(edges: &Edges) -> Vec<(String, u64)> {
        edges.report().0.iter().map(|edge| (format!("{}>{}", edge.caller, edge.callee), edge.calls)).collect()
    }

    /// Scenario: caller first, callee first, a message with two consumers, and a service that calls itself.
    /// Guarantees: each call between two services counts once, in whichever order its ends arrive.
    #[test]
    fn both_orders_count_once() {
        let edges = Edges::new(Cardinality::default());
        let [web, cart, mail] = ["web", "cart", "mail"].map(|name| Arc::new(Service::new(name, 1)));
        let say = |service: &Arc<Service>, span| edges.record(Timestamp(1), service, &span);
        say(&web, span(3, 1, None));
        say(&cart, span(2, 2, Some(1)));
        say(&cart, span(2, 4, Some(3)));
        say(&web, span(3, 3, None));
        say(&cart, span(4, 5, Some(4)));
        say(&mail, span(5, 6, Some(5)));
        say(&mail, span(5, 7, Some(5)));
        say(&web, span(3, 8, None));
        say(&web, span(2, 9, Some(8)));
        say(&cart, span(2, 10, Some(99)));
        assert_eq!(calls(&edges), [("cart>mail".to_owned(), 2), ("web>cart".to_owned(), 2)]);
        assert_eq!(edges.report().1, 1);
    }

    /// Scenario: the caller arrives long after the called span.
    /// Guarantees: the table has forgotten; no edge, and the call is counted as unmatched.
    #[test]
    fn an_end_does_not_wait_for_ever() {
        let edges = Edges::new(Cardinality::default());
        let [web, cart] = ["web", "cart"].map(|name| Arc::new(Service::new(name, 1)));
        edges.record(Timestamp(60_000), &cart, &span(2, 2, Some(1)));
        for at in [100_000, 140_000, 180_000] {
            edges.record(Timestamp(at), &cart, &span(3, 50, None));
        }
        edges.record(Timestamp(180_001), &web, &span(3, 1, None));
        assert_eq!((calls(&edges), edges.report().1), (vec![], 1));
    }

    /// Scenario: an edge is used once; time passes.
    /// Guarantees: it is observed while it is young, then left out.
    #[test]
    fn an_unused_edge_is_left_out() {
        let edges = Edges::new(Cardinality::default());
        let [web, cart] = ["web", "cart"].map(|name| Arc::new(Service::new(name, 1)));
        edges.record(Timestamp(1), &web, &span(3, 1, None));
        edges.record(Timestamp(1), &cart, &span(2, 2, Some(1)));
        assert_eq!(edges.observe(Timestamp(100_000)).len(), 1);
        assert_eq!(edges.observe(Timestamp(129_000)).len(), 1);
        assert_eq!(edges.observe(Timestamp(131_000)).len(), 0);
    }
}
