//! No action is a leap.
//!
//! Answers whether one action changes a value by more than the allowed factor. A wrong decision then costs one step, and its
//! effect is seen before the next.

use homeostat_core::{Actuation, BasisPoints, Parameter, WithholdReason};

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
            (
                Some(Actuation::SetParameter { value: from, .. }),
                Actuation::SetParameter { parameter: Parameter::ConcurrencyLimit, value: to, .. },
            ) => leap(*from, *to, guards.limit_factor_max),
            (
                Some(Actuation::SetParameter { value: from, .. }),
                Actuation::SetParameter { parameter: Parameter::Dimmer, value: to, .. },
            ) => stride(*from, *to, guards.dimmer_step_max),
            _ => None,
        }
    }
}

/// Shares may become nothing and come back from there, so their steps are bounded by a difference and not by a factor.
fn stride(from: u64, to: u64, most: BasisPoints) -> Option<Refusal> {
    let limit = if from < to { from + u64::from(most.0) } else { from.saturating_sub(most.0.into()) };
    (u64::from(most.0) < from.abs_diff(to)).then(|| WithholdReason::StepTooLarge { asked: to, limit }.into())
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
    use homeostat_core::actions::dim;

    use super::*;
    use crate::guards::testing::{World, limit, sample, scale};

    /// Scenario: replicas doubled, more than doubled, halved, more than halved, one by one; limits halved and more; dimmers
    /// moved by half of the whole and more; sampling moved tenfold and more.
    /// Guarantees: twofold, half of the whole and tenfold are steps, anything more is a leap, and one replica is always a step.
    #[test]
    fn a_leap_is_refused() {
        let world = World::default();
        let passes = |action| world.asks(&BOUNDED_STEP, &action).is_none();
        assert!(passes(scale("cart", 2, 4)) && !passes(scale("cart", 2, 5)));
        assert!(passes(scale("cart", 8, 4)) && !passes(scale("cart", 8, 3)));
        assert!(passes(scale("cart", 1, 2)) && passes(scale("cart", 3, 2)) && passes(scale("cart", 1, 0)));
        assert!(passes(limit("cart", 64, 32)) && !passes(limit("cart", 64, 31)));
        let dims = |from, to| passes(dim(&"cart".into(), BasisPoints(from), BasisPoints(to), 1));
        assert!(dims(10_000, 5000) && !dims(10_000, 4999) && dims(0, 5000) && !dims(0, 5001));
        assert!(passes(sample("cart", 1_000_000, 100_000)) && !passes(sample("cart", 1_000_000, 99_999)));
    }
}
