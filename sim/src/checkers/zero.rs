//! Nothing goes to zero or comes from it.
//!
//! Checks what is sent, and where it was sent from, unless people allowed zero.

use homeostat_core::{ActionRequest, Actuation, Effect, Parameter};

use crate::checkers::{Checker, Complaint, Scene};

/// Has no memory.
pub(crate) struct Zero;

impl Checker for Zero {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { actuation, .. }, Some(request)) = (effect, request) else { return };
        let was_nothing = request.action.way_back.as_ref().is_some_and(is_nothing);
        let crosses = is_nothing(actuation) != was_nothing;
        if crosses && !scene.settings.guards.allow_zero {
            complaints.push(scene.complain("nothing to or from zero", format!("\"{actuation}\"")));
        }
    }
}

fn is_nothing(actuation: &Actuation) -> bool {
    match actuation {
        Actuation::SetReplicas { replicas, .. } => replicas.0 == 0,
        Actuation::SetSampling { sampling, .. } => sampling.head.ppm() == 0 || sampling.tail.ppm() == 0,
        Actuation::SetParameter { parameter, value, .. } => *parameter == Parameter::ConcurrencyLimit && *value == 0,
        Actuation::Restart { .. } | Actuation::Profile { .. } | Actuation::Notify { .. } => false,
    }
}
