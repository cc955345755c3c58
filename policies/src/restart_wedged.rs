//! An instance that is stuck is started anew.
//!
//! Answers which instance of a service would be helped by a restart: one that holds requests and finishes none while others
//! do. When it is stuck again after two restarts, the cause is elsewhere, and a person is told instead. Does not look at why
//! it is stuck.

use homeostat_core::actions;
use homeostat_core::{
    FindingState, Incident, IncidentKind, InstanceId, Label, LedgerEntry, Millis, Policy, PolicyView, Progress,
    Proposal, ServiceName, Severity, Target,
};

pub(crate) const RESTART_WEDGED: RestartWedged = RestartWedged;

/// Restarts of one instance after which it is left to people: one may be bad luck, two are a pattern.
const RESTARTS_MAX: usize = 2;

/// Restarts within this time belong together. As long as decisions are remembered.
const TOGETHER: Millis = Millis::from_secs(3600);

pub(crate) struct RestartWedged;

impl Policy for RestartWedged {
    fn name(&self) -> &'static str {
        "restart_wedged"
    }

    fn propose(&self, view: &PolicyView<'_>, proposals: &mut Vec<Proposal>) {
        for (service, permitted) in &view.settings.permissions.services {
            if permitted.restart.is_none() || !is_wedged(service, view) {
                continue;
            }
            let stuck = view.snapshot.instances(service).filter(|(_, progress)| progress.is_stuck());
            let incident = view.assessment.incidents.iter().find(|incident| incident.services.contains(service));
            for (instance, progress) in stuck {
                let action = match past_restarts(service, instance, view).as_slice() {
                    restarts if restarts.len() < RESTARTS_MAX => {
                        Some((actions::restart_instance(service, instance), why(service, instance, progress)))
                    }
                    [last, ..] => incident.and_then(|incident| tell(service, instance, incident, last, view)),
                    [] => None,
                };
                let proposal = |(action, why)| {
                    let (policy, incident) = (Label::new(self.name()), incident.map(|incident| incident.id));
                    Proposal { policy, incident, action, why }
                };
                proposals.extend(action.map(proposal));
            }
        }
    }
}

/// Whether silence has lasted long enough to count.
fn is_wedged(service: &ServiceName, view: &PolicyView<'_>) -> bool {
    let mut findings = view.assessment.findings.iter().filter(|finding| finding.service == *service);
    findings.any(|finding| finding.kind == IncidentKind::Wedged && finding.state == FindingState::Firing)
}

/// Restarts of this instance, newest first.
fn past_restarts<'a>(service: &ServiceName, instance: &InstanceId, view: &PolicyView<'a>) -> Vec<&'a LedgerEntry> {
    let target = Target::Instance(service.clone(), instance.clone());
    let lately = view.ledger.within(view.snapshot.at, TOGETHER);
    lately.filter(|entry| entry.kind == actions::RESTART_INSTANCE.name && entry.target == target).collect()
}

/// Says that restarts do not help, once after the last of them.
fn tell(
    service: &ServiceName,
    instance: &InstanceId,
    incident: &Incident,
    last: &LedgerEntry,
    view: &PolicyView<'_>,
) -> Option<(actions::Action, String)> {
    let told = view.ledger.last(&actions::NOTIFY.name, &Target::Service(service.clone()));
    if told.is_some_and(|told| last.at < told.at) {
        return None;
    }
    let text =
        format!("{instance} of {service} is stuck again after {RESTARTS_MAX} restarts; a restart does not cure it");
    Some((actions::notify(service, incident.id, Severity::Page, text.clone()), text))
}

fn why(service: &ServiceName, instance: &InstanceId, progress: Progress) -> String {
    let held = progress.held.unwrap_or(0);
    format!("{instance} of {service} holds {held} requests and finishes none, while others do")
}

#[cfg(test)]
mod tests {
    use homeostat_core::{Actuation, RestartPermission, ServicePermissions};

    use super::*;
    use crate::testing::World;

    /// Two of three instances are stuck; it is second 1000.
    fn stuck(permission: Option<RestartPermission>) -> World {
        World::default()
            .at(1000)
            .permits("cart", ServicePermissions { restart: permission, ..Default::default() })
            .instance("cart", "a", (4, 0))
            .instance("cart", "b", (9, 0))
            .instance("cart", "c", (4, 9000))
            .firing("cart", IncidentKind::Wedged)
            .incident("cart", 900)
    }

    fn proposed(world: &World) -> Vec<String> {
        world.proposals(&RESTART_WEDGED).iter().map(|proposal| proposal.action.actuation.to_string()).collect()
    }

    fn restart(instance: &str) -> actions::Action {
        actions::restart_instance(&"cart".into(), &instance.into())
    }

    /// Scenario: two stuck instances beside one that is well, of a service that may be restarted; of one that may not.
    /// Guarantees: exactly the stuck ones are proposed, and only where people allow it.
    #[test]
    fn what_is_stuck_is_restarted() {
        assert_eq!(proposed(&stuck(Some(RestartPermission::Asked))), ["restart a of cart", "restart b of cart"]);
        assert!(proposed(&stuck(None)).is_empty());
    }

    /// Scenario: one of them was restarted once, then twice, and people were then told.
    /// Guarantees: it is restarted once more, then people are told instead, once.
    #[test]
    fn a_restart_that_does_not_help_is_given_up() {
        let once = || stuck(Some(RestartPermission::Unasked)).done(restart("a"), 700);
        assert_eq!(proposed(&once())[0], "restart a of cart");
        let twice = || once().done(restart("a"), 850);
        let proposals = twice().proposals(&RESTART_WEDGED);
        assert!(
            matches!(&proposals[0].action.actuation, Actuation::Notify { text, .. } if text.contains("stuck again"))
        );
        assert!(matches!(&proposals[1].action.actuation, Actuation::Restart { .. }));
        let told = actions::notify(&"cart".into(), Default::default(), Severity::Page, String::new());
        assert_eq!(proposed(&twice().done(told, 950)), ["restart b of cart"]);
    }

    /// Scenario: the same instances before their silence has lasted long enough.
    /// Guarantees: nothing is proposed from a moment's silence.
    #[test]
    fn a_moment_of_silence_restarts_nothing() {
        let permitted = ServicePermissions { restart: Some(RestartPermission::Unasked), ..Default::default() };
        let world = World::default().at(1000).permits("cart", permitted);
        let world = world.instance("cart", "a", (4, 0)).instance("cart", "b", (4, 9000));
        assert!(proposed(&world).is_empty());
    }
}
