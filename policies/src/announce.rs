//! People are told about incidents that concern users.
//!
//! Answers who should know what, once per incident and suspect. Does not choose the channel.

use homeostat_core::actions;
use homeostat_core::{Incident, Label, Policy, PolicyView, Proposal, ServiceName, Severity, Target};

pub(crate) const ANNOUNCE: Announce = Announce;

pub(crate) struct Announce;

impl Policy for Announce {
    fn name(&self) -> &'static str {
        "announce"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for incident in &view.assessment.incidents {
            let Some(suspect) = incident.suspect() else { continue };
            if incident.is_active() && incident.severity == Severity::Page && !is_told(view, incident, suspect) {
                let text = sentence(incident, suspect);
                proposals.push(Proposal {
                    policy: Label::new(self.name()),
                    incident: Some(incident.id),
                    action: actions::notify(suspect, Some(incident.id), incident.severity, text.clone()),
                    why: text,
                });
            }
        }
    }
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
