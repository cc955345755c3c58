//! No action is a leap.
//!
//! Answers whether one action changes a value by more than the allowed factor. A wrong decision then costs one step, and its
//! effect is seen before the next.

use homeostat_core::{Actuation, BasisPoints, WithholdReason};

use crate::{Candidate, Guard, GuardView, Refusal};

pub(crate) const BOUNDED_STEP: BoundedStep = BoundedStep;

pub(crate) struct BoundedStep;

impl Guard for BoundedStep {
    fn name(&self) -> &'static str {
        "bounded_step"
    }

    fn check(&self, candidate: &Candidate<'_>, view: &GuardView<'_>) -> Option<Refusal> {
        let guards = &view.view.settings.guards;
        match (&candidate.action.way_back, &candidate.action.actuation) {
            (Some(Actuation::SetReplicas { replicas: from, .. }), Actuation::SetReplicas { replicas: to, .. }) => {
                leap(from.0.into(), to.0.into(), guards.replica_factor_max)
            }
            (Some(Actuation::SetSampling { sampling: from, .. }), Actuation::SetSampling { sampling: to, .. }) => {
                let leap = |from: u32, to: u32| leap(from.into(), to.into(), guards.sampling_factor_max);
                leap(from.tail.ppm(), to.tail.ppm()).or_else(|| leap(from.head.ppm(), to.head.ppm()))
            }
            _ => None,
        }
    }
}

fn leap(from: u64, to: u64, factor: BasisPoints) -> Option<Refusal> {
    // One more than the start is always a step, so that one replica can become two under any factor.
    let highest = factor.of(from).max(from + 1);
    let lowest = (u128::from(from) * 10_000).div_ceil(u128::from(factor.0.max(1))) as u64;
    let lowest = lowest.min(from.saturating_sub(1));
    if highest < to {
        Some(WithholdReason::StepTooLarge { asked: to, limit: highest }.into())
    } else if to < lowest {
        Some(WithholdReason::StepTooLarge { asked: to, limit: lowest }.into())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guards::testing::{World, sample, scale};

    /// Scenario: replicas doubled, more than doubled, halved, more than halved, one by one; sampling moved tenfold and more.
    /// Guarantees: twofold and tenfold are steps, anything more is a leap, and one is always a step.
    #[test]
    fn a_leap_is_refused() {
        let world = World::default();
        let passes = |action| world.asks(&BOUNDED_STEP, &action).is_none();
        assert!(passes(scale("cart", 2, 4)) && !passes(scale("cart", 2, 5)));
        assert!(passes(scale("cart", 8, 4)) && !passes(scale("cart", 8, 3)));
        assert!(passes(scale("cart", 1, 2)) && passes(scale("cart", 3, 2)) && passes(scale("cart", 1, 0)));
        assert!(passes(sample("cart", 1_000_000, 100_000)) && !passes(sample("cart", 1_000_000, 99_999)));
    }
}
