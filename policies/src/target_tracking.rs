//! Replicas follow utilisation.
//!
//! Answers how many replicas bring a service's utilisation to its target: `ceil(replicas × utilisation / target)`, the rule
//! of Kubernetes' Horizontal Pod Autoscaler, with its tolerance and its patience before reducing. Does not forecast. The
//! rule everybody knows is used first because its mistakes are known too.

use std::collections::BTreeMap;

use homeostat_core::actions::{self, Measure};
use homeostat_core::{
    BasisPoints, Finding, IncidentId, IncidentKind, Indicator, Label, Millis, Policy, PolicyView, Proposal, Replicas,
    ServiceName, ServiceScaling, Signal, Target,
};

use crate::scaling::{answered, relief, replicas};

pub(crate) const TARGET_TRACKING: TargetTracking = TargetTracking;

/// How long utilisation must have been too high. A burst shorter than this is over before new capacity would be there.
const GROW_AFTER: Millis = Millis::from_secs(5);

/// Utilisation after a reduction may exceed the tolerated band by this much before the reduction counts as harmful.
const REDUCTION_MARGIN: BasisPoints = BasisPoints(1000);

pub(crate) struct TargetTracking;

impl Policy for TargetTracking {
    fn name(&self) -> &'static str {
        "target_tracking"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        let findings = Findings::of(view);
        for (service, envelope) in &view.settings.scaling.services {
            // Where the forecast holds, replicas follow it.
            if view.assessment.trusted_forecast(service).is_some() {
                continue;
            }
            let Some(used) = view.snapshot.service_value(service, Indicator::Utilization) else { continue };
            let Some(replicas) = view.snapshot.service_value(service, Indicator::ReplicasReady) else { continue };
            let load = Load { service, envelope, used, replicas, findings: &findings };
            proposals.extend(load.grow(view).or_else(|| load.shrink(view)));
        }
    }
}

/// How a service is loaded.
struct Load<'a> {
    service: &'a ServiceName,
    envelope: &'a ServiceScaling,
    used: u64,
    replicas: u64,
    findings: &'a Findings<'a>,
}

/// What was found of each service, so that it is looked for once a tick and not once a service.
struct Findings<'a>(BTreeMap<(IncidentKind, &'a ServiceName), &'a Finding>);

impl<'a> Findings<'a> {
    fn of(view: &PolicyView<'a>) -> Findings<'a> {
        let mut findings = BTreeMap::new();
        for finding in &view.assessment.findings {
            findings.entry((finding.kind, &finding.service)).or_insert(finding);
        }
        Findings(findings)
    }
}

impl Load<'_> {
    fn grow(&self, view: &PolicyView<'_>) -> Option<Proposal> {
        let scaling = &view.settings.scaling;
        let pressed = self.finding(IncidentKind::Pressure)?;
        if view.snapshot.at.since(pressed.since) < GROW_AFTER {
            return None;
        }
        let highest = view.settings.guards.replica_factor_max.of(self.replicas).max(self.replicas + 1);
        let wanted = self.wanted(self.used, view).min(highest).min(self.envelope.max.0.into());
        if wanted <= self.replicas {
            return None;
        }
        let action = actions::scale_out(self.service, self.from(), replicas(wanted), relief(self.service, view));
        let why = self.why(wanted, scaling.utilization_target);
        Some(self.proposal(action, answered(self.service, view), why))
    }

    fn shrink(&self, view: &PolicyView<'_>) -> Option<Proposal> {
        let (scaling, now) = (&view.settings.scaling, view.snapshot.at);
        let idle = self.finding(IncidentKind::Slack)?;
        let target = Target::Service(self.service.clone());
        let last = view.ledger.last(&actions::SCALE_REPLICAS.name, &target);
        let since_last = last.map_or(scaling.reduce_after, |entry| now.since(entry.at));
        if now.since(idle.since) < scaling.reduce_after || since_last < scaling.reduce_after {
            return None;
        }
        let lowest = self.replicas.div_ceil(2).max(self.envelope.min.0.into()).max(1);
        let peak = idle.evidence.first().map_or(self.used, |peak| peak.value);
        let wanted = self.wanted(peak, view).max(lowest);
        if self.replicas <= wanted {
            return None;
        }
        let measure = Measure::Reading(Signal::new(target, Indicator::Utilization));
        let limit = scaling.highest_tolerated() + u64::from(REDUCTION_MARGIN.0);
        // What is believed may lie above the envelope; the way back may not.
        let back = self.from().min(self.envelope.max);
        let action = actions::scale_in(self.service, back, replicas(wanted), measure, limit);
        Some(self.proposal(action, None, self.why(wanted, scaling.utilization_target)))
    }

    fn finding(&self, kind: IncidentKind) -> Option<&Finding> {
        self.findings.0.get(&(kind, self.service)).copied()
    }

    /// ceil(replicas × utilisation / target)
    fn wanted(&self, used: u64, view: &PolicyView<'_>) -> u64 {
        let target = u64::from(view.settings.scaling.utilization_target.0).max(1);
        self.replicas.saturating_mul(used).div_ceil(target)
    }

    fn from(&self) -> Replicas {
        replicas(self.replicas)
    }

    fn why(&self, wanted: u64, target: BasisPoints) -> String {
        let Load { service, used, replicas, .. } = self;
        let used = Indicator::Utilization.unit().render(*used);
        format!("{service} uses {used} of {replicas} replicas; {wanted} bring it towards {}", target.rounded())
    }

    fn proposal(&self, action: actions::Action, incident: Option<IncidentId>, why: String) -> Proposal {
        Proposal { policy: Label::new(TARGET_TRACKING.name()), incident, action, why }
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Actuation, FindingState, Severity, Timestamp};

    use super::*;
    use crate::testing::World;

    fn proposed(world: &World) -> Option<u32> {
        match world.proposals(&TARGET_TRACKING).first().map(|proposal| &proposal.action.actuation) {
            Some(Actuation::SetReplicas { replicas, .. }) => Some(replicas.0),
            _ => None,
        }
    }

    /// A service that has used `used` of `replicas` replicas since second 0; it is second 1000.
    fn loaded(used: u64, replicas: u64) -> World {
        let world = World::default().at(1000).scalable("cart", 1, 8).gauge("cart", Indicator::Utilization, used).gauge(
            "cart",
            Indicator::ReplicasReady,
            replicas,
        );
        if used <= 6600 { world } else { since(world, IncidentKind::Pressure, 0) }
    }

    fn since(world: World, kind: IncidentKind, second: u64) -> World {
        world.finding(Finding {
            detector: Label::new("test"),
            service: "cart".into(),
            kind,
            severity: Severity::Ticket,
            since: Timestamp(second * 1000),
            state: FindingState::Pending,
            evidence: Vec::new(),
        })
    }

    /// Scenario: a target of 60 % with a tolerance of a tenth: 60, 65, 67, 100 % of two, three and eight replicas.
    /// Guarantees: nothing inside the tolerance; beyond it the HPA's number, at most doubled, never above the envelope.
    #[test]
    fn replicas_follow_the_known_rule() {
        assert_eq!(proposed(&loaded(6000, 2)), None);
        assert_eq!(proposed(&loaded(6500, 2)), None);
        assert_eq!(proposed(&loaded(6700, 2)), Some(3));
        assert_eq!(proposed(&loaded(10_000, 3)), Some(5));
        assert_eq!(proposed(&loaded(50_000, 2)), Some(4));
        assert_eq!(proposed(&loaded(10_000, 8)), None);
    }

    /// Scenario: a service idles, for less and for more than the patience of 300 s.
    /// Guarantees: it is reduced only after that, by half at most.
    #[test]
    fn a_reduction_waits() {
        let idle = |second| since(loaded(500, 8), IncidentKind::Slack, second);
        assert_eq!(proposed(&idle(701)), None);
        assert_eq!(proposed(&idle(700)), Some(4));
    }

    /// Scenario: an idle service is believed to have twelve instances, where eight are allowed.
    /// Guarantees: it is reduced, and the way back leads to eight: what is believed is not a licence.
    #[test]
    fn the_way_back_stays_within_the_envelope() {
        let world = since(loaded(500, 12), IncidentKind::Slack, 0);
        let way_back = world.proposals(&TARGET_TRACKING).first().and_then(|proposal| proposal.action.way_back.clone());
        let replicas = homeostat_core::Replicas(8);
        assert_eq!(way_back, Some(Actuation::SetReplicas { service: "cart".into(), replicas }));
    }

    /// Scenario: utilisation has been too high for four seconds, and for five.
    /// Guarantees: the noise of a few seconds adds no replica; a lasting load does.
    #[test]
    fn noise_adds_nothing() {
        let pressed = |second| {
            let calm = loaded(6000, 2).gauge("cart", Indicator::Utilization, 10_000);
            since(calm, IncidentKind::Pressure, second)
        };
        assert_eq!(proposed(&pressed(996)), None);
        assert_eq!(proposed(&pressed(995)), Some(4));
    }

    /// Scenario: utilisation is known, the number of replicas is stale.
    /// Guarantees: nothing is proposed from half of the evidence.
    #[test]
    fn stale_evidence_proposes_nothing() {
        let world = loaded(10_000, 2).stale("cart", Indicator::ReplicasReady, Millis::from_secs(60));
        assert_eq!(proposed(&world), None);
    }
}
