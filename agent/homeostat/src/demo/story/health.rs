//! What is worth telling of a snapshot.
//!
//! Answers when a service is first seen, when a call is, and when a promise is broken or kept again. Judges promises by the
//! last fifteen seconds, which is what a person at the screen can follow; the agent's own alarm uses longer windows.

use homeostat_core::{BasisPoints, Edge, Indicator, Micros, ObjectiveKind, ServiceName, Settings, TickRecord, Window};

use super::{Story, names};
use crate::demo::line::{Line, Room, Tone};

/// Requests in fifteen seconds below which nothing is said of a promise.
const REQUESTS_MIN: u64 = 20;

impl Story {
    pub(super) fn tell_perceived(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        self.tell_services(record, lines);
        self.tell_edges(record, lines);
        self.tell_promises(record, lines);
    }

    fn tell_services(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        let new: Vec<&ServiceName> = record.snapshot.services().filter(|name| !self.services.contains(*name)).collect();
        if new.is_empty() {
            return;
        }
        let text = format!("requests at {}", names(new.iter().map(|name| name.as_str())));
        lines.push(self.line(record, Room::Perceived, text));
        self.services.extend(new.into_iter().cloned());
    }

    fn tell_edges(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        let is_known = |edge: &&Edge| self.services.contains(&edge.caller) && self.services.contains(&edge.callee);
        let new: Vec<Edge> = record.snapshot.edges.difference(&self.edges).filter(is_known).cloned().collect();
        if new.is_empty() {
            return;
        }
        let calls: Vec<String> = new.iter().map(|edge| format!("{} → {}", edge.caller, edge.callee)).collect();
        lines.push(self.line(record, Room::Perceived, format!("who calls whom: {}", calls.join(", "))));
        self.edges.extend(new);
    }

    fn tell_promises(&mut self, record: &TickRecord, lines: &mut Vec<Line>) {
        let settings = &self.settings;
        let services = record.snapshot.services();
        let judged: Vec<_> = services.filter_map(|name| Some((name, promise(record, settings, name)?))).collect();
        let (mut broken, mut kept) = (Vec::new(), Vec::new());
        for (name, promise) in judged {
            if promise.is_broken() && self.broken.insert(name.clone()) {
                broken.push(format!("{name} ({})", promise.told()));
            } else if !promise.is_broken() && self.broken.remove(name) {
                kept.push(name.as_str());
            }
        }
        if !broken.is_empty() {
            let text = format!("a promise is broken at {}", names(broken.iter().map(String::as_str)));
            lines.push(self.line(record, Room::Perceived, text).tone(Tone::Bad));
        }
        if !kept.is_empty() {
            let text = format!("promises are kept again at {}", names(kept.into_iter()));
            lines.push(self.line(record, Room::Perceived, text).tone(Tone::Good));
        }
    }
}

/// How a service did in the last fifteen seconds, against what it promises.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    /// The share of requests slower than promised.
    pub(crate) slow: BasisPoints,
    /// The share that failed.
    pub(crate) failed: BasisPoints,
    slow_allowed: BasisPoints,
    failed_allowed: BasisPoints,
    threshold: Micros,
}

impl Promise {
    /// Whether more was slow or failed than promised.
    pub(crate) fn is_broken(&self) -> bool {
        self.slow_allowed < self.slow || self.failed_allowed < self.failed
    }

    fn told(&self) -> String {
        if self.slow <= self.slow_allowed {
            return format!("{} % fail, {} % may", self.failed.0 / 100, self.failed_allowed.0 / 100);
        }
        format!("{} % over {}, {} % may be", self.slow.0 / 100, self.threshold, self.slow_allowed.0 / 100)
    }
}

/// How `service` did, if enough fresh requests say so.
pub(crate) fn promise(record: &TickRecord, settings: &Settings, service: &ServiceName) -> Option<Promise> {
    record.snapshot.service_value(service, Indicator::RequestsTotal)?;
    let counts = record.snapshot.counts.get(service)?.over(Window::Now);
    if counts.requests < REQUESTS_MIN {
        return None;
    }
    let objectives = settings.objectives.of(service);
    Some(Promise {
        slow: counts.bad_ratio(ObjectiveKind::Latency),
        failed: counts.bad_ratio(ObjectiveKind::Availability),
        slow_allowed: objectives.budget(ObjectiveKind::Latency),
        failed_allowed: objectives.budget(ObjectiveKind::Availability),
        threshold: objectives.latency_threshold,
    })
}
