//! Operator rules are tried on paper, or kept to.
//!
//! Checks that nothing is done for a rule in dry run, and that nobody else takes away replicas that a rule asks for while
//! the record says that its condition holds. Looks at who asked and at what arrives, not at why it was let pass.

use homeostat_core::{ActionRequest, Actuation, Effect, Replicas, Rule, RuleAction, ScaleOut, ServiceName, TickRecord};

use crate::checkers::{Checker, Complaint, Scene};

/// Remembers what rules ask for at this tick.
#[derive(Default)]
pub(crate) struct OperatorRules {
    asked: Vec<(ServiceName, Replicas)>,
}

impl Checker for OperatorRules {
    fn record(&mut self, record: &TickRecord, scene: &Scene<'_>, _complaints: &mut Vec<Complaint>) {
        self.asked.clear();
        for rule in scene.settings.rules.iter().filter(|rule| !rule.dry_run) {
            let RuleAction::ScaleOut(ScaleOut::To(least)) = &rule.then else { continue };
            let Some(standing) = record.plan.standing.of(&rule.policy()) else { continue };
            let ripe = standing.holds.iter().filter(|(_, since)| rule.holds_for <= record.at.since(**since));
            self.asked.extend(ripe.map(|(service, _)| (service.clone(), *least)));
        }
    }

    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { actuation, .. }, Some(request)) = (effect, request) else { return };
        match scene.settings.rules.find(&request.policy) {
            Some((_, Rule { dry_run: true, name, .. })) => {
                complaints.push(
                    scene.complain(format!("nothing is done for {name}, which is in dry run"), actuation.to_string()),
                );
            }
            Some(_) => {}
            None => {
                let Actuation::SetReplicas { service, replicas } = actuation else { return };
                let asked = self.asked.iter().find(|(of, least)| of == service && replicas < least);
                if let Some((_, least)) = asked {
                    complaints.push(scene.complain(
                        format!("at least {least} replicas of {service}, as a rule asks"),
                        actuation.to_string(),
                    ));
                }
            }
        }
    }
}
