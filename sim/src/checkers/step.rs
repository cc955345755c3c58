//! No step is larger than one action may take.
//!
//! The step is measured from the recorded way back, because that is the state the loop believed in.

use homeostat_core::{ActionRequest, Actuation, BasisPoints, Effect, SamplingProbability};

use crate::checkers::{Checker, Complaint, Scene};

/// Has no memory.
pub(crate) struct Step;

impl Checker for Step {
    fn effect(
        &mut self,
        effect: &Effect,
        request: Option<&ActionRequest>,
        scene: &Scene<'_>,
        complaints: &mut Vec<Complaint>,
    ) {
        let (Effect::Apply { actuation, .. }, Some(request)) = (effect, request) else { return };
        let guards = scene.settings.guards;
        let small = match (actuation, &request.action.way_back) {
            (Actuation::SetReplicas { replicas: to, .. }, Some(Actuation::SetReplicas { replicas: from, .. })) => {
                within(u64::from(from.0), u64::from(to.0), guards.replica_factor_max)
            }
            (Actuation::SetSampling { sampling: to, .. }, Some(Actuation::SetSampling { sampling: from, .. })) => {
                let small = |from: SamplingProbability, to: SamplingProbability| {
                    within(u64::from(from.ppm()), u64::from(to.ppm()), guards.sampling_factor_max)
                };
                small(from.head, to.head) && small(from.tail, to.tail)
            }
            _ => true,
        };
        if !small {
            let from = request.action.way_back.as_ref().map(ToString::to_string).unwrap_or_default();
            let expected = format!(
                "a factor of at most {} for replicas and {} for sampling, from \"{from}\"",
                guards.replica_factor_max, guards.sampling_factor_max
            );
            complaints.push(scene.complain(expected, format!("\"{actuation}\"")));
        }
    }
}

/// Whether `to` is at most `factor` times `from`, and the other way round. One instance more or less is always a step that
/// may be taken, otherwise a small fleet could not move at all.
fn within(from: u64, to: u64, factor: BasisPoints) -> bool {
    let (small, large) = (from.min(to), from.max(to));
    large - small <= 1 || large * 10_000 <= small * u64::from(factor.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: steps at and beyond a factor of two, in both directions, and from nothing.
    /// Guarantees: the bound is inclusive and holds for growth and reduction alike.
    #[test]
    fn a_step_is_bounded_in_both_directions() {
        let check = |from, to, expected| assert_eq!(within(from, to, BasisPoints(20_000)), expected, "{from} to {to}");
        check(3, 6, true);
        check(3, 7, false);
        check(6, 3, true);
        check(7, 3, false);
        check(0, 1, true);
        check(0, 2, false);
    }
}
