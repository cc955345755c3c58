//! Values stay within what people allowed.
//!
//! Answers whether the value asked for lies between the floor and the ceiling of the manifest. What nobody named is not to
//! be changed at all: an empty envelope allows nothing.

use homeostat_core::{Actuation, SamplingProbability, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const ENVELOPE: Envelope = Envelope;

pub(crate) struct Envelope;

impl Guard for Envelope {
    fn name(&self) -> &'static str {
        "envelope"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let settings = view.view.settings;
        match &candidate.action.actuation {
            Actuation::SetReplicas { service, replicas } => match settings.scaling.services.get(service) {
                None => Some(WithholdReason::NotAllowed.into()),
                Some(allowed) => outside(replicas.0.into(), allowed.min.0.into(), allowed.max.0.into()),
            },
            Actuation::SetSampling { sampling, .. } => {
                let (floor, ceiling) = (settings.sampling.floor.ppm(), SamplingProbability::ALWAYS.ppm());
                let lowest = sampling.head.min(sampling.tail).ppm();
                outside(lowest.into(), floor.into(), ceiling.into())
            }
            Actuation::SetParameter { service, parameter, value } => {
                match settings.permissions.of(service).range(*parameter) {
                    None => Some(WithholdReason::NotAllowed.into()),
                    Some(allowed) => outside(*value, allowed.min, allowed.max),
                }
            }
            Actuation::Restart { service, .. } => unless(settings.permissions.of(service).restart.is_some()),
            Actuation::Profile { service, .. } => unless(settings.permissions.of(service).profile),
            Actuation::Notify { .. } => None,
        }
    }
}

fn unless(allowed: bool) -> Option<Refusal> {
    (!allowed).then(|| WithholdReason::NotAllowed.into())
}

fn outside(asked: u64, floor: u64, ceiling: u64) -> Option<Refusal> {
    let inside = floor <= asked && asked <= ceiling;
    (!inside).then(|| WithholdReason::OutsideEnvelope { asked, floor, ceiling }.into())
}

#[cfg(test)]
mod tests {
    use homeostat_core::ProfileKind;
    use homeostat_core::actions::profile_service;

    use super::*;
    use crate::guards::testing::{World, limit, restart, sample, scale};

    /// Scenario: replicas, probabilities and limits inside, at the edges of, and outside the envelope; services and deeds
    /// that nobody named.
    /// Guarantees: exactly what lies inside passes.
    #[test]
    fn only_what_lies_inside_passes() {
        let world = World::default();
        let passes = |action| world.asks(&ENVELOPE, &action).is_none();
        assert!(passes(scale("cart", 2, 1)) && passes(scale("cart", 4, 8)));
        assert!(!passes(scale("cart", 1, 0)) && !passes(scale("cart", 8, 9)));
        assert!(!passes(scale("stranger", 2, 3)));
        assert!(passes(limit("cart", 8, 4)) && passes(limit("cart", 32, 64)));
        assert!(!passes(limit("cart", 4, 3)) && !passes(limit("cart", 64, 65)) && !passes(limit("stranger", 8, 4)));
        assert!(passes(restart("cart", "a")) && !passes(restart("stranger", "a")));
        assert!(!passes(profile_service(&"cart".into(), ProfileKind::Cpu, 10)));
        assert!(passes(sample("cart", 1_000_000, 100)) && !passes(sample("cart", 1_000_000, 99)));
    }
}
