//! Incidents.
//!
//! Answers which findings belong together and which incident they continue. Findings of services that call one another are
//! one incident, because trouble travels along calls. An incident closes only when its services have been seen healthy for
//! a while: silence closes nothing.

use std::collections::{BTreeMap, BTreeSet};

use homeostat_core::{Assessment, Finding, FindingState, Incident, IncidentId, Indicator, Millis, ServiceName};

use crate::View;
use crate::hypotheses::{self, Kinds};

/// How long an incident must be without a finding before it closes. Longer than [`homeostat_core::Window::Now`], so that the
/// end of a fault and the end of an incident are not the same noise.
const CLOSES_AFTER: Millis = Millis::from_secs(20);

/// The first incident's number; people count from one.
const FIRST: IncidentId = IncidentId(1);

/// Incidents open at once. More at a time are one storm; the oldest stay, so nothing flaps.
const INCIDENTS_MAX: usize = 256;

pub(crate) fn assess(view: &View<'_>, findings: Vec<Finding>) -> Assessment {
    let groups = group(view, findings.iter().filter(|finding| finding.state == FindingState::Firing));
    let mut next_incident = view.last.next_incident.max(FIRST);
    let mut incidents: Vec<Incident> =
        view.last.incidents.iter().map(|incident| Incident { findings: Vec::new(), ..incident.clone() }).collect();
    let kinds = hypotheses::kinds_of(&findings);
    let mut touched = touched(&incidents);
    for group in groups {
        let services: Vec<ServiceName> = group.iter().map(|finding| finding.service.clone()).collect();
        let index = match services.iter().filter_map(|service| touched.get(service)).min() {
            Some(index) => *index,
            None if incidents.len() < INCIDENTS_MAX => {
                incidents.push(open(next_incident, &group, view));
                next_incident = next_incident.next();
                incidents.len() - 1
            }
            None => continue,
        };
        carry_on(&mut incidents[index], group, &kinds, view);
        for service in services {
            let first = touched.entry(service).or_insert(index);
            *first = index.min(*first);
        }
    }
    let (incidents, closed): (Vec<_>, Vec<_>) = incidents.into_iter().partition(|incident| !is_over(incident, view));
    Assessment {
        at: view.snapshot.at,
        findings,
        incidents,
        closed: closed.into_iter().map(|incident| incident.id).collect(),
        next_incident,
        goals: Default::default(),
        forecasts: Vec::new(),
        storm: None,
    }
}

/// Groups findings by services that call one another, directly or through others in trouble; in order of the first service.
fn group<'a>(view: &View<'_>, findings: impl Iterator<Item = &'a Finding>) -> Vec<Vec<Finding>> {
    let mut by_service: BTreeMap<&ServiceName, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        by_service.entry(&finding.service).or_default().push(finding);
    }
    let near = neighbours(view, &by_service);
    let mut groups = Vec::new();
    let mut left: BTreeSet<&ServiceName> = by_service.keys().copied().collect();
    while let Some(first) = left.pop_first() {
        // Every pass takes one service off `left` or off `frontier`, so both loops end.
        let (mut frontier, mut members) = (vec![first], vec![first]);
        while let Some(service) = frontier.pop() {
            for other in near.get(service).into_iter().flatten().copied() {
                if left.remove(other) {
                    frontier.push(other);
                    members.push(other);
                }
            }
        }
        groups.push(members.iter().flat_map(|service| by_service[service].iter().copied().cloned()).collect());
    }
    groups
}

/// For each service in trouble, the others in trouble that it calls or that call it, in name order.
fn neighbours<'a>(
    view: &View<'_>,
    troubled: &BTreeMap<&'a ServiceName, Vec<&Finding>>,
) -> BTreeMap<&'a ServiceName, BTreeSet<&'a ServiceName>> {
    let mut near: BTreeMap<&ServiceName, BTreeSet<&ServiceName>> = BTreeMap::new();
    for service in troubled.keys().copied() {
        for callee in view.snapshot.callees(service) {
            if let Some((callee, _)) = troubled.get_key_value(callee) {
                near.entry(service).or_default().insert(callee);
                near.entry(callee).or_default().insert(service);
            }
        }
    }
    near
}

/// For each service that an open incident touches, the oldest such incident's place.
fn touched(incidents: &[Incident]) -> BTreeMap<ServiceName, usize> {
    let mut touched = BTreeMap::new();
    for (index, incident) in incidents.iter().enumerate() {
        for service in &incident.services {
            touched.entry(service.clone()).or_insert(index);
        }
    }
    touched
}

/// The incident that `findings` open; they are not yet part of it.
fn open(id: IncidentId, findings: &[Finding], view: &View<'_>) -> Incident {
    let loudest = findings.iter().max_by_key(|finding| (finding.severity, std::cmp::Reverse(finding.kind)));
    let loudest = loudest.expect("a group has at least one finding");
    Incident {
        id,
        kind: loudest.kind,
        severity: loudest.severity,
        opened: view.snapshot.at,
        last_seen: view.snapshot.at,
        services: Vec::new(),
        findings: Vec::new(),
        hypotheses: Vec::new(),
    }
}

fn carry_on(incident: &mut Incident, findings: Vec<Finding>, kinds: &Kinds<'_>, view: &View<'_>) {
    incident.last_seen = view.snapshot.at;
    incident.findings.extend(findings);
    let services: BTreeSet<ServiceName> =
        incident.services.drain(..).chain(incident.findings.iter().map(|finding| finding.service.clone())).collect();
    incident.services = services.into_iter().collect();
    let loudest = incident.findings.iter().map(|finding| finding.severity).max();
    incident.severity = loudest.unwrap_or(incident.severity);
    let suspected = hypotheses::suspect(view, &incident.findings, kinds);
    incident.hypotheses = hypotheses::accumulate(std::mem::take(&mut incident.hypotheses), suspected);
}

fn is_over(incident: &Incident, view: &View<'_>) -> bool {
    let seen = |service: &ServiceName| view.snapshot.service_value(service, Indicator::RequestsTotal).is_some();
    CLOSES_AFTER <= view.snapshot.at.since(incident.last_seen) && incident.services.iter().any(seen)
        || view.settings.perception.forget_after <= view.snapshot.at.since(incident.last_seen)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use homeostat_core::{
        Edge, GoalsAssessment, IncidentKind, Label, Reading, Settings, Severity, Signal, Snapshot, Target, Timestamp,
    };

    use super::*;

    fn finding(service: &str, kind: IncidentKind) -> Finding {
        Finding {
            detector: Label::new("test"),
            service: ServiceName::from(service),
            kind,
            severity: Severity::Page,
            since: Timestamp(0),
            state: FindingState::Firing,
            evidence: Vec::new(),
        }
    }

    fn snapshot(second: u64) -> Snapshot {
        let edge = |caller: &str, callee: &str| Edge { caller: caller.into(), callee: callee.into() };
        let signal = |service: &str| Signal::new(Target::Service(service.into()), Indicator::RequestsTotal);
        Snapshot {
            at: Timestamp(second * 1000),
            edges: Arc::new([edge("web", "cart"), edge("cart", "pay"), edge("mail", "smtp")].into()),
            signals: ["web", "cart", "pay", "mail"].map(|name| (signal(name), Reading::Fresh { value: 1 })).into(),
            ..Snapshot::default()
        }
    }

    fn step(last: &Assessment, second: u64, findings: Vec<Finding>) -> Assessment {
        let (snapshot, settings) = (snapshot(second), Settings::default());
        let goals = GoalsAssessment::default();
        assess(&View { snapshot: &snapshot, last, settings: &settings, goals: &goals }, findings)
    }

    /// Scenario: a service saturates and its callers, two calls up, become slow; elsewhere an unrelated service fails.
    /// Guarantees: one incident for the chain with the saturated service as its suspect, another for the unrelated one.
    #[test]
    fn trouble_along_calls_is_one_incident() {
        let chain = ["web", "cart", "pay"].map(|name| finding(name, IncidentKind::LatencyBurn));
        let others = [finding("pay", IncidentKind::Saturation), finding("mail", IncidentKind::AvailabilityBurn)];
        let assessment = step(&Assessment::default(), 100, chain.into_iter().chain(others).collect());
        let services: Vec<_> = assessment.incidents.iter().map(|incident| incident.services.len()).collect();
        assert_eq!(services, [3, 1]);
        assert_eq!(assessment.incidents[0].suspect(), Some(&ServiceName::from("pay")));
        assert_eq!(assessment.incidents[1].suspect(), Some(&ServiceName::from("mail")));
    }

    /// Scenario: a finding comes, pauses for ten seconds, comes back, then stays away.
    /// Guarantees: it is one incident with one id throughout, and it closes once, after the quiet time.
    #[test]
    fn an_incident_outlives_a_pause_and_closes_once() {
        let mut last = Assessment::default();
        let mut closed = Vec::new();
        for second in 100..200 {
            let burning = (100..110).contains(&second) || (120..130).contains(&second);
            let findings = if burning { vec![finding("pay", IncidentKind::LatencyBurn)] } else { Vec::new() };
            last = step(&last, second, findings);
            closed.extend(last.closed.iter().map(|id| (second, *id)));
        }
        assert_eq!(closed, [(149, FIRST)]);
    }

    /// Scenario: the only service of an open incident falls silent.
    /// Guarantees: the incident stays open while nothing is known of it.
    #[test]
    fn silence_closes_nothing() {
        let last = step(&Assessment::default(), 100, vec![finding("ghost", IncidentKind::LatencyBurn)]);
        assert_eq!(step(&last, 200, Vec::new()).incidents.len(), 1);
    }
}
