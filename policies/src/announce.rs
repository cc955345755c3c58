//! People are told about incidents that concern users.
//!
//! Answers who should know what, how soon and in which order, once per incident and suspect. Does not choose the channel. What
//! hurts an important journey is told even when it can wait, and what hurts only a journey of low importance can always wait.

use std::cmp::Reverse;

use homeostat_core::actions;
use homeostat_core::{
    Importance, Incident, JourneyName, Label, Policy, PolicyView, Proposal, ServiceName, Severity, Target,
};

pub(crate) const ANNOUNCE: Announce = Announce;

pub(crate) struct Announce;

impl Policy for Announce {
    fn name(&self) -> &'static str {
        "announce"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        let mut incidents: Vec<(Importance, &Incident)> = Vec::new();
        for incident in view.assessment.incidents.iter().filter(|incident| incident.is_active()) {
            incidents.push((view.assessment.importance_of(incident), incident));
        }
        // Sorting is stable: of equals the older comes first.
        incidents.sort_by_key(|(importance, _)| Reverse(*importance));
        for (importance, incident) in incidents {
            let Some(suspect) = incident.suspect() else { continue };
            let Some(urgency) = urgency(importance, incident.severity) else { continue };
            if is_told(view, incident, suspect) {
                continue;
            }
            let text = sentence(incident, suspect) + &hurt(view, incident);
            proposals.push(Proposal {
                policy: Label::new(self.name()),
                incident: Some(incident.id),
                action: actions::notify(suspect, incident.id, urgency, text.clone()),
                why: text,
            });
        }
    }
}

/// How soon an incident should be read; `None`: it need not be told.
fn urgency(importance: Importance, severity: Severity) -> Option<Severity> {
    match (importance, severity) {
        (Importance::Low, Severity::Page) => Some(Severity::Ticket),
        (_, Severity::Page) => Some(Severity::Page),
        (Importance::High | Importance::Critical, Severity::Ticket) => Some(Severity::Ticket),
        (Importance::Low | Importance::Normal, Severity::Ticket) => None,
    }
}

/// The journeys that pass a service of the incident, as the end of a sentence.
fn hurt(view: &PolicyView<'_>, incident: &Incident) -> String {
    let goals = &view.assessment.goals;
    let passes = |name: &JourneyName| {
        let path = goals.journeys.get(name).into_iter().flat_map(|state| &state.path);
        path.into_iter().any(|part| incident.services.contains(&part.service))
    };
    let passing = view.settings.goals.journeys.iter().filter(|(name, _)| passes(name));
    let journeys: Vec<String> = passing.map(|(name, journey)| format!("{name} ({})", journey.importance)).collect();
    if journeys.is_empty() { String::new() } else { format!("; on the path of {}", journeys.join(", ")) }
}

fn is_told(view: &PolicyView<'_>, incident: &Incident, suspect: &ServiceName) -> bool {
    let last = view.ledger.last(&actions::NOTIFY.name, &Target::Service(suspect.clone()));
    last.is_some_and(|entry| incident.opened <= entry.at)
}

fn sentence(incident: &Incident, suspect: &ServiceName) -> String {
    let services: Vec<&str> = incident.services.iter().map(ServiceName::as_str).collect();
    let hypothesis = &incident.hypotheses[0];
    format!(
        "{} of {}; suspected cause: {suspect}, {} ({} sure)",
        incident.kind,
        services.join(", "),
        hypothesis.mechanism,
        hypothesis.confidence.rounded(),
    )
}

#[cfg(test)]
mod tests {
    use homeostat_core::{
        Actuation, BasisPoints, DerivedObjective, Hypothesis, IncidentId, IncidentKind, Millis, Timestamp,
    };

    use super::*;
    use crate::testing::World;

    fn incident(id: u64, service: &str, severity: Severity) -> Incident {
        Incident {
            id: IncidentId(id),
            kind: IncidentKind::LatencyBurn,
            severity,
            opened: Timestamp(0),
            last_seen: Timestamp(0),
            services: vec![service.into()],
            findings: vec![crate::testing::finding(service)],
            hypotheses: vec![Hypothesis {
                cause: service.into(),
                mechanism: Label::new("slow itself"),
                confidence: BasisPoints(8000),
                because: Vec::new(),
            }],
        }
    }

    fn told(world: &World) -> Vec<(u64, Severity)> {
        let said = |proposal: &Proposal| match &proposal.action.actuation {
            Actuation::Notify { incident, urgency, .. } => (incident.0, *urgency),
            other => panic!("{other}"),
        };
        world.proposals(&ANNOUNCE).iter().map(said).collect()
    }

    /// Scenario: pages on services of low, normal and critical journeys, and tickets on a normal and a high one.
    /// Guarantees: the critical one is told first; low importance turns a page into a ticket, high tells a ticket at all.
    #[test]
    fn importance_decides_how_soon_and_in_which_order() {
        let importances = [
            ("low", Importance::Low),
            ("normal", Importance::Normal),
            ("high", Importance::High),
            ("critical", Importance::Critical),
        ];
        let world = importances.into_iter().fold(World::default(), |world, (service, importance)| {
            let objective = DerivedObjective {
                budget_ppm: None,
                journey: "j".into(),
                window: Millis::from_secs(86_400),
                importance,
            };
            world.derived(service, objective)
        });
        let world = world
            .opened(incident(1, "low", Severity::Page))
            .opened(incident(2, "normal", Severity::Page))
            .opened(incident(3, "normal", Severity::Ticket))
            .opened(incident(4, "high", Severity::Ticket))
            .opened(incident(5, "critical", Severity::Page));
        let expected = [(5, Severity::Page), (4, Severity::Ticket), (2, Severity::Page), (1, Severity::Ticket)];
        assert_eq!(told(&world), expected);
    }
}
