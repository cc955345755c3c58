//! A suspect that nothing else explains is looked into.
//!
//! Answers which service deserves a profile of where its processor time goes: the leading suspect of an incident whose
//! requests became slow or whose capacity was used up without more of them being asked. Once per incident. Does not read
//! the profile.

use homeostat_core::actions;
use homeostat_core::{
    BasisPoints, Finding, Hypothesis, Incident, IncidentKind, Indicator, Label, Millis, Policy, PolicyView,
    ProfileKind, Proposal, ServiceName, Signal, Target,
};

pub(crate) const PROFILE_SUSPECT: ProfileSuspect = ProfileSuspect;

/// Hypotheses below this are guesses: nothing singles the service out.
const CONFIDENCE_MIN: BasisPoints = BasisPoints(5000);

/// Mechanisms behind which work itself may have become dearer. The others (it fails, it waits for others) need no profile.
const OF_THE_PROCESSOR: [&str; 2] = ["slow by itself", "capacity used up"];

/// More requests than this share of the usual explain why capacity is used up, and a profile would show a good day.
const TRAFFIC_EXPLAINS_FROM: BasisPoints = BasisPoints(12_500);

/// Readings below which nobody can say what is usual: two minutes.
const USUAL_FROM: u64 = 120;

/// How long an incident must stand: what is over by then needs no profile.
const PATIENCE: Millis = Millis::from_secs(15);

/// Long enough for a few hundred samples on a quiet service, short enough to be over while the trouble lasts.
const SECONDS: u32 = 30;

pub(crate) struct ProfileSuspect;

impl Policy for ProfileSuspect {
    fn name(&self) -> &'static str {
        "profile_suspect"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for incident in view.assessment.incidents.iter().filter(|incident| incident.is_active()) {
            let Some(leading) = incident.hypotheses.first() else { continue };
            let suspect = &leading.cause;
            let is_due = PATIENCE <= view.snapshot.at.since(incident.opened) && !is_taken(suspect, incident, view);
            if is_due && view.settings.permissions.of(suspect).profile && is_unexplained(leading, incident, view) {
                proposals.push(Proposal {
                    policy: Label::new(self.name()),
                    incident: Some(incident.id),
                    action: actions::profile_service(suspect, ProfileKind::Cpu, SECONDS),
                    why: format!(
                        "{suspect} is suspected ({}, {} sure) and no rise in traffic explains it",
                        leading.mechanism,
                        leading.confidence.rounded()
                    ),
                });
            }
        }
    }
}

/// Whether a profile was decided on since the incident opened.
fn is_taken(suspect: &ServiceName, incident: &Incident, view: &PolicyView<'_>) -> bool {
    let last = view.ledger.last(&actions::PROFILE_SERVICE.name, &Target::Service(suspect.clone()));
    last.is_some_and(|entry| incident.opened <= entry.at)
}

/// Whether the service is slow or full at this moment. A cause stays suspected after it is over, and a profile would then show
/// a good day.
fn is_felt_now(service: &ServiceName, view: &PolicyView<'_>) -> bool {
    let threshold = view.settings.objectives.of(service).latency_threshold;
    let p99 = view.snapshot.service_value(service, Indicator::LatencyP99);
    let is_full = |finding: &Finding| finding.kind == IncidentKind::Saturation && finding.service == *service;
    p99.is_some_and(|p99| threshold.0 < p99) || view.assessment.findings.iter().any(is_full)
}

/// Whether the suspect stands alone, its work may have become dearer, and traffic does not explain it.
fn is_unexplained(leading: &Hypothesis, incident: &Incident, view: &PolicyView<'_>) -> bool {
    let rival = incident.hypotheses.get(1).map_or(BasisPoints(0), |second| second.confidence);
    let stands_alone = CONFIDENCE_MIN <= leading.confidence && rival < leading.confidence;
    let may_be_dearer = OF_THE_PROCESSOR.contains(&leading.mechanism.as_str());
    stands_alone && may_be_dearer && is_felt_now(&leading.cause, view) && !has_more_traffic(&leading.cause, view)
}

fn has_more_traffic(service: &ServiceName, view: &PolicyView<'_>) -> bool {
    let signal = Signal::new(Target::Service(service.clone()), Indicator::RequestsTotal);
    let usual = view.knowledge.baselines.get(&signal).filter(|usual| USUAL_FROM <= usual.count);
    let now = view.snapshot.service_value(service, Indicator::RequestsTotal);
    match (usual, now) {
        (Some(usual), Some(now)) => {
            u128::from(TRAFFIC_EXPLAINS_FROM.0) * u128::from(usual.sum)
                <= u128::from(now) * u128::from(usual.count) * 10_000
        }
        // Without knowing what is usual, traffic cannot be ruled out.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Baseline, ServicePermissions};

    use super::*;
    use crate::testing::World;

    /// An incident of a service since second 950, with a usual rate of 10 requests a second; it is second 1000.
    fn troubled(mechanism: &'static str, confidence: u32, rate_milli: u64) -> World {
        let usual = Baseline { count: 1000, sum: 10_000_000, sum_of_squares: 100_000_000_000 };
        World::default()
            .at(1000)
            .permits("cart", ServicePermissions { profile: true, ..Default::default() })
            .gauge("cart", Indicator::RequestsTotal, rate_milli)
            .gauge("cart", Indicator::LatencyP99, 600_000)
            .usual("cart", Indicator::RequestsTotal, usual)
            .incident("cart", 950)
            .suspected("cart", mechanism, confidence)
    }

    fn proposes(world: &World) -> bool {
        !world.proposals(&PROFILE_SUSPECT).is_empty()
    }

    /// Scenario: a suspect slow by itself; one that waits for others; one hardly singled out; one with a quarter more traffic; one
    /// that is over.
    /// Guarantees: only what lasts and is not explained is looked into.
    #[test]
    fn only_what_nothing_explains_is_profiled() {
        assert!(proposes(&troubled("slow by itself", 5500, 11_000)));
        assert!(proposes(&troubled("capacity used up", 9000, 11_000)));
        assert!(!proposes(&troubled("waits for what it calls", 5500, 11_000)));
        assert!(!proposes(&troubled("slow by itself", 1500, 11_000)));
        assert!(!proposes(&troubled("capacity used up", 9000, 12_500)));
        assert!(!proposes(&troubled("slow by itself", 5500, 11_000).gauge("cart", Indicator::LatencyP99, 100_000)));
        assert!(!proposes(&troubled("slow by itself", 5500, 11_000).suspected("web", "slow by itself", 5500)));
    }

    /// Scenario: a profile was taken before the incident opened, and since.
    /// Guarantees: each incident gets one.
    #[test]
    fn an_incident_gets_one_profile() {
        let profile = || actions::profile_service(&"cart".into(), ProfileKind::Cpu, 30);
        let world = |second| troubled("slow by itself", 5500, 10_000).done(profile(), second);
        assert!(proposes(&world(900)) && !proposes(&world(960)));
    }
}
