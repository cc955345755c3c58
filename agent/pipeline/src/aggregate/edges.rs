//! Who calls whom.
//!
//! Answers which service called which, and how often: a `CLIENT` or `PRODUCER` span is matched with the `SERVER` or
//! `CONSUMER` span that names it as its parent, in whichever order they arrive. Does not guess from host names or ports.
//! Both ends are needed because either alone names only one service. Matching works in a bounded table that forgets;
//! what is forgotten unmatched is counted as such. When more calls wait than the table holds, only the calls of every
//! second, fourth, … trace are matched and counted for the others too: an estimate without bias instead of gaps.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// The hash of the trace id, and the calling span's id.
type Key = (u64, [u8; 8]);
type Shard = Generations<Key, Call>;

/// What is known of one calling span.
#[derive(Debug)]
struct Call {
    /// How far the table was thinned out when the first end came.
    level: u32,
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
    shards: Vec<Mutex<Shard>>,
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

    /// Matches what it can.
    pub(super) fn record(&self, now: Timestamp, service: &Arc<Service>, spans: &[Counted<'_>]) {
        let mut held: Option<(usize, MutexGuard<'_, Shard>)> = None;
        for span in spans {
            let parent = span.ids.parent.filter(|_| span.view.is_served());
            if parent.is_none() && !span.view.is_call() {
                continue;
            }
            // Spans of one trace come together, so the shard is mostly the one at hand. Low bits thin out, high bits choose.
            let index = (span.trace_hash >> 32) as usize % SHARDS;
            let mut shard = match held.take() {
                Some((held, shard)) if held == index => shard,
                other => {
                    drop(other);
                    self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
                }
            };
            if shard.admits(span.trace_hash) {
                match parent {
                    None => self.called_by(now, &mut shard, (span.trace_hash, span.ids.span), service),
                    Some(parent) => {
                        let callee = Callee { service: service.clone(), is_error: span.view.is_error() };
                        self.served_by(now, &mut shard, (span.trace_hash, parent), callee);
                    }
                }
            }
            held = Some((index, shard));
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

    fn called_by(&self, now: Timestamp, shard: &mut Shard, key: Key, caller: &Arc<Service>) {
        shard.turn(now);
        let level = shard.level();
        match shard.get_mut(&key) {
            Some(call) => {
                call.caller = Some(caller.clone());
                let level = call.level.max(level);
                std::mem::take(&mut call.waiting).iter().for_each(|callee| self.count(level, caller, callee));
            }
            None => shard.insert(now, key, Call { level, caller: Some(caller.clone()), waiting: Vec::new() }),
        }
    }

    fn served_by(&self, now: Timestamp, shard: &mut Shard, key: Key, callee: Callee) {
        shard.turn(now);
        let level = shard.level();
        self.served.fetch_add(1 << level, Relaxed);
        match shard.get_mut(&key) {
            Some(Call { caller: Some(caller), level: first, .. }) => self.count(level.max(*first), caller, &callee),
            Some(call) if call.waiting.len() < WAITING_MAX => call.waiting.push(callee),
            Some(_) => {}
            None => shard.insert(now, key, Call { level, caller: None, waiting: vec![callee] }),
        }
    }

    /// Counts a call for itself and for those that were not looked at.
    fn count(&self, level: u32, caller: &Service, callee: &Callee) {
        let calls = 1_u64 << level;
        self.matched.fetch_add(calls, Relaxed);
        if caller.name == callee.service.name {
            return;
        }
        let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (caller.name.clone(), callee.service.name.clone());
        if totals.len() >= self.totals_max && !totals.contains_key(&key) {
            key = (OVERFLOW.into(), OVERFLOW.into());
        }
        let total = totals.entry(key).or_default();
        total.calls += calls;
        total.errors += calls * u64::from(callee.is_error);
        total.changed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{SpanIds, SpanView};

    fn record(edges: &Edges, at: u64, service: &Arc<Service>, (kind, id, parent): (i32, u8, Option<u8>)) {
        let ids = SpanIds { trace: [1; 16], span: [id; 8], parent: parent.map(|id| [id; 8]) };
        let view = SpanView { kind, ..SpanView::default() };
        let span = Counted { ids, view: &view, trace_hash: 0, operation: 0, source: 0, slow: false };
        edges.record(Timestamp(at), service, &[span]);
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
        let say = |service: &Arc<Service>, span| record(&edges, 1, service, span);
        say(&web, (3, 1, None));
        say(&cart, (2, 2, Some(1)));
        say(&cart, (2, 4, Some(3)));
        say(&web, (3, 3, None));
        say(&cart, (4, 5, Some(4)));
        say(&mail, (5, 6, Some(5)));
        say(&mail, (5, 7, Some(5)));
        say(&web, (3, 8, None));
        say(&web, (2, 9, Some(8)));
        say(&cart, (2, 10, Some(99)));
        assert_eq!(calls(&edges), [("cart>mail".to_owned(), 2), ("web>cart".to_owned(), 2)]);
        assert_eq!(edges.report().1, 1);
    }

    /// Scenario: the caller arrives long after the called span.
    /// Guarantees: the table has forgotten; no edge, and the call is counted as unmatched.
    #[test]
    fn an_end_does_not_wait_for_ever() {
        let edges = Edges::new(Cardinality::default());
        let [web, cart] = ["web", "cart"].map(|name| Arc::new(Service::new(name, 1)));
        record(&edges, 60_000, &cart, (2, 2, Some(1)));
        for at in [100_000, 140_000, 180_000] {
            record(&edges, at, &cart, (3, 50, None));
        }
        record(&edges, 180_001, &web, (3, 1, None));
        assert_eq!((calls(&edges), edges.report().1), (vec![], 1));
    }

    /// Scenario: an edge is used once; time passes.
    /// Guarantees: it is observed while it is young, then left out.
    #[test]
    fn an_unused_edge_is_left_out() {
        let edges = Edges::new(Cardinality::default());
        let [web, cart] = ["web", "cart"].map(|name| Arc::new(Service::new(name, 1)));
        record(&edges, 1, &web, (3, 1, None));
        record(&edges, 1, &cart, (2, 2, Some(1)));
        assert_eq!(edges.observe(Timestamp(100_000)).len(), 1);
        assert_eq!(edges.observe(Timestamp(129_000)).len(), 1);
        assert_eq!(edges.observe(Timestamp(131_000)).len(), 0);
    }

    /// Scenario: far more calls than the table holds, each end in a request of its own, in both orders.
    /// Guarantees: the count is an estimate within five percent; nothing grows beyond the bound.
    #[test]
    fn a_flood_of_calls_is_estimated() {
        let edges = Edges::new(Cardinality { pending_calls_max: 16_000, ..Cardinality::default() });
        let [web, cart] = ["web", "cart"].map(|name| Arc::new(Service::new(name, 1)));
        let mut stream = homeostat_core::Seed(5).stream("test/calls");
        let calls = 400_000_u64;
        for number in 0..calls {
            let trace_hash = rand::Rng::next_u64(&mut stream);
            let ids = |span: u8, parent: Option<u8>| SpanIds {
                trace: [1; 16],
                span: [span; 8],
                parent: parent.map(|parent| [parent; 8]),
            };
            let (asking, serving) =
                (SpanView { kind: 3, ..SpanView::default() }, SpanView { kind: 2, ..SpanView::default() });
            let asking = Counted { ids: ids(1, None), view: &asking, trace_hash, operation: 0, source: 0, slow: false };
            let serving =
                Counted { ids: ids(2, Some(1)), view: &serving, trace_hash, operation: 0, source: 0, slow: false };
            let ends = [(&web, asking), (&cart, serving)];
            let order = if number % 2 == 0 { [0, 1] } else { [1, 0] };
            order.iter().for_each(|end| edges.record(Timestamp(60_000 + number / 40), ends[*end].0, &[ends[*end].1]));
        }
        let counted = super::tests::calls(&edges)[0].1;
        assert!((counted as f64 / calls as f64 - 1.0).abs() < 0.05, "{counted}");
        assert!(edges.shards.iter().all(|shard| shard.lock().unwrap().len() <= 1002));
    }
}
