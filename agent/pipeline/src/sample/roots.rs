//! Operations that somebody wants to know about by themselves.
//!
//! Answers with which probability a trace is kept that begins with one of them, and what was received and kept of such traces.
//! Does not know the other operations, which follow their services. A trace is looked up once, when it is decided, by the key
//! of its root, so that nothing is asked for each span.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use homeostat_core::{Indicator, Observation, OperationKey, SamplingPlan, SamplingProbability, Target, Timestamp};

use super::Decision;
use crate::aggregate::{operation_key, service_key};
use crate::stats::Counter;
use crate::views::SpanView;

/// The kinds of span that OTLP knows, unspecified included: a root may be of any.
const KINDS: std::ops::RangeInclusive<i32> = 0..=5;

/// Spans of traces that begin with one operation.
#[derive(Debug, Default)]
struct Counters {
    received: Counter,
    kept: Counter,
    kept_by_rule: Counter,
}

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Root {
    share: Option<SamplingProbability>,
    counters: Arc<Counters>,
}

impl Root {
    /// What was decided for it, if anything was.
    pub(super) fn share(&self) -> Option<SamplingProbability> {
        self.share
    }

    /// Counts a trace of so many spans. Spans that come later follow its decision and are not counted here.
    pub(super) fn count(&self, spans: u32, decision: Decision) {
        let spans = u64::from(spans);
        self.counters.received.add(spans);
        if let Decision::Keep { rule, .. } = decision {
            self.counters.kept.add(spans);
            self.counters.kept_by_rule.add(if rule.is_beside_share() { spans } else { 0 });
        }
    }
}

/// The operations of one plan.
#[derive(Debug, Default)]
struct Table {
    by_key: hashbrown::HashMap<u64, Root>,
    by_name: BTreeMap<OperationKey, Root>,
}

/// The operations of the plan in force.
#[derive(Debug, Default)]
pub(super) struct Roots(ArcSwap<Table>);

/// The same, held for as long as a request is worked on.
pub(super) struct Known(Guard<Arc<Table>>);

impl Known {
    /// The operation whose key is `root`, if it is one of them.
    pub(super) fn of(&self, root: u64) -> Option<&Root> {
        if self.0.by_key.is_empty() { None } else { self.0.by_key.get(&root) }
    }
}

impl Roots {
    /// The operations as they are now.
    pub(super) fn known(&self) -> Known {
        Known(self.0.load())
    }

    /// From now on the operations of `plan`. Whoever was counted before is counted on.
    pub(super) fn follow(&self, plan: &SamplingPlan) {
        let before = self.0.load();
        let mut table = Table::default();
        for (service, operations) in &plan.operations {
            for (operation, wanted) in operations {
                let name = (service.clone(), operation.clone());
                let counters = before.by_name.get(&name).map(|root| root.counters.clone()).unwrap_or_default();
                let root = Root { share: wanted.sampling.map(|sampling| sampling.tail), counters };
                for kind in KINDS {
                    let span = SpanView { name: operation.as_str(), kind, ..SpanView::default() };
                    table.by_key.insert(operation_key(service_key(service.as_str()), &span), root.clone());
                }
                table.by_name.insert(name, root);
            }
        }
        self.0.store(Arc::new(table));
    }

    /// What the control plane is told of each that was seen.
    pub(super) fn observe(&self, now: Timestamp, observations: &mut Vec<Observation>) {
        for ((service, operation), root) in &self.0.load().by_name {
            let received = root.counters.received.read();
            if received == 0 {
                continue;
            }
            let target = Target::Operation(service.clone(), operation.clone());
            let mut say = |indicator, value| {
                observations.push(Observation::new(target.clone(), indicator, value, now));
            };
            say(Indicator::SpansReceivedTotal, received);
            say(Indicator::SpansKeptTotal, root.counters.kept.read());
            say(Indicator::SpansKeptByRuleTotal, root.counters.kept_by_rule.read());
        }
    }
}
