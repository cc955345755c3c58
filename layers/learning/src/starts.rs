//! How long a start takes.
//!
//! Answers when replicas that were asked for began to serve. A request to grow is watched until as many serve as it asked
//! for; one that is taken back, refused, or overtaken by a reduction teaches nothing.

use homeostat_core::actions::SCALE_REPLICAS;
use homeostat_core::{Actuation, Awaited, Indicator, Knowledge, Millis, Outcome, Plan, Snapshot, Verdict};

/// Starts that are summed before the sums are halved, so that the past fades.
const COUNT_MAX: u64 = 32;

/// What does not serve by then never will, and is no longer waited for.
const GIVEN_UP_AFTER: Millis = Millis::from_secs(900);

/// Takes in what was decided, what became of earlier decisions, and how many serve.
pub(crate) fn settle(knowledge: &mut Knowledge, plan: &Plan, outcomes: &[Outcome], snapshot: &Snapshot) {
    for outcome in outcomes.iter().filter(|outcome| outcome.kind == SCALE_REPLICAS.name) {
        let is_off = !matches!(outcome.verdict, Verdict::Kept | Verdict::Inconclusive);
        if let Some(starts) = outcome.target.service().and_then(|service| knowledge.starts.get_mut(service))
            && is_off
        {
            starts.awaited = None;
        }
    }
    for (service, starts) in &mut knowledge.starts {
        let Some(awaited) = starts.awaited else { continue };
        let took = snapshot.at.since(awaited.since);
        let ready = snapshot.service_value(service, Indicator::ReplicasReady).unwrap_or(0);
        if awaited.replicas <= ready {
            if starts.count == COUNT_MAX {
                (starts.count, starts.sum_ms) = (starts.count / 2, starts.sum_ms / 2);
            }
            (starts.count, starts.sum_ms) = (starts.count + 1, starts.sum_ms + took.0);
        }
        starts.awaited.take_if(|_| awaited.replicas <= ready || GIVEN_UP_AFTER <= took);
    }
    for request in &plan.requests {
        let Actuation::SetReplicas { service, replicas } = &request.action.actuation else { continue };
        let ready = snapshot.service_value(service, Indicator::ReplicasReady).unwrap_or(0);
        let awaited = Awaited { since: plan.at, replicas: replicas.0.into() };
        knowledge.starts.entry(service.clone()).or_default().awaited =
            Some(awaited).filter(|_| ready < awaited.replicas);
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::actions::{Measure, scale_out};
    use homeostat_core::{
        ActionId, ActionRequest, BasisPoints, Label, Reading, Replicas, ServiceName, Signal, Target, Timestamp,
    };

    use super::*;

    fn seen(second: u64, ready: u64) -> Snapshot {
        let signal = Signal::new(Target::Service("cart".into()), Indicator::ReplicasReady);
        let signals = [(signal, Reading::Fresh { value: ready })].into_iter().collect();
        Snapshot { at: Timestamp(second * 1000), signals, ..Snapshot::default() }
    }

    fn growth(second: u64, to: u32) -> Plan {
        let service = ServiceName::from("cart");
        let measure = Measure::Reading(Signal::new(Target::Service(service.clone()), Indicator::Utilization));
        let request = ActionRequest {
            id: ActionId(1),
            decided: Timestamp(second * 1000),
            incident: None,
            policy: Label::new("test"),
            action: scale_out(&service, Replicas(2), Replicas(to), measure),
            why: String::new(),
            baseline: None,
            forecast: None,
            propensity: BasisPoints::ONE,
            alternatives: Vec::new(),
            passed: Vec::new(),
        };
        Plan { at: Timestamp(second * 1000), requests: vec![request], ..Plan::default() }
    }

    /// Scenario: four replicas instead of two are asked for at 100 s; three serve at 140 s and all at 145 s.
    /// Guarantees: until then four are wanted; the start is seen to have taken 45 s.
    #[test]
    fn a_start_is_timed_until_all_serve() {
        let mut knowledge = Knowledge::default();
        let starts = |knowledge: &Knowledge| knowledge.starts[&ServiceName::from("cart")];
        settle(&mut knowledge, &growth(100, 4), &[], &seen(100, 2));
        assert_eq!((starts(&knowledge).wanted(2), starts(&knowledge).mean()), (4, None));
        settle(&mut knowledge, &Plan::default(), &[], &seen(140, 3));
        assert_eq!(starts(&knowledge).wanted(3), 4);
        settle(&mut knowledge, &Plan::default(), &[], &seen(145, 4));
        assert_eq!((starts(&knowledge).wanted(4), starts(&knowledge).mean()), (4, Some(Millis::from_secs(45))));
    }

    /// Scenario: replicas are asked for and never serve; then the request fails.
    /// Guarantees: neither is waited for for ever, and neither teaches how long a start takes.
    #[test]
    fn what_never_serves_teaches_nothing() {
        let mut knowledge = Knowledge::default();
        settle(&mut knowledge, &growth(100, 4), &[], &seen(100, 2));
        settle(&mut knowledge, &Plan::default(), &[], &seen(1000, 2));
        assert_eq!(knowledge.starts[&ServiceName::from("cart")], Default::default());
        settle(&mut knowledge, &growth(1100, 4), &[], &seen(1100, 2));
        let failed = Outcome {
            id: ActionId(1),
            kind: SCALE_REPLICAS.name,
            target: Target::Service("cart".into()),
            incident: None,
            verdict: Verdict::Failed,
            before: None,
            after: None,
            expected: None,
            complaint: None,
        };
        settle(&mut knowledge, &Plan::default(), &[failed], &seen(1101, 2));
        assert_eq!(knowledge.starts[&ServiceName::from("cart")], Default::default());
    }
}
