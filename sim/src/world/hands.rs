//! Spoilt hands.
//!
//! Answers what an actuator really sets when it goes part of the way or mistakes a value. It knows what was told and what is;
//! whether it refuses, lies or is stuck is not its question.

use homeostat_core::{Actuation, Replicas, SamplingProbability, ServiceSampling};

use crate::conditions::Actuator;

/// What is set instead of `told`, where `is` is what is set now.
pub(crate) fn spoilt(told: &Actuation, is: Option<&Actuation>, hand: Actuator) -> Actuation {
    let number = |told: u64, is: u64| part_of_the_way(mistaken(told, hand), is, hand);
    match (told, is) {
        (Actuation::SetReplicas { service, replicas: told }, Some(Actuation::SetReplicas { replicas: is, .. })) => {
            let replicas = number(u64::from(told.0), u64::from(is.0));
            Actuation::SetReplicas { service: service.clone(), replicas: Replicas(replicas.min(1000) as u32) }
        }
        (
            Actuation::SetSampling { service, operation, sampling: told },
            Some(Actuation::SetSampling { sampling: is, .. }),
        ) => {
            let one = |told: SamplingProbability, is: SamplingProbability| {
                SamplingProbability::from_ppm_saturating(number(told.ppm().into(), is.ppm().into()))
            };
            let sampling = ServiceSampling { head: one(told.head, is.head), tail: one(told.tail, is.tail) };
            Actuation::SetSampling { service: service.clone(), operation: operation.clone(), sampling }
        }
        (
            Actuation::SetParameter { service, parameter, value: told },
            Some(Actuation::SetParameter { value: is, .. }),
        ) => Actuation::SetParameter { service: service.clone(), parameter: *parameter, value: number(*told, *is) },
        // Of what has no number there is neither a part nor a multiple.
        _ => told.clone(),
    }
}

fn mistaken(told: u64, hand: Actuator) -> u64 {
    hand.wrong_bp.map_or(told, |factor_bp| (told * u64::from(factor_bp)).div_ceil(10_000))
}

/// Rounded towards what is: the last step of the way is the one that is missing.
fn part_of_the_way(told: u64, is: u64, hand: Actuator) -> u64 {
    let Some(share_bp) = hand.partial_bp.map(u64::from) else { return told };
    let way = told.abs_diff(is) * share_bp / 10_000;
    if is < told { is + way } else { is - way }
}

#[cfg(test)]
mod tests {
    use homeostat_core::ServiceName;

    use super::*;

    fn replicas(count: u32) -> Actuation {
        Actuation::SetReplicas { service: ServiceName::from("a"), replicas: Replicas(count) }
    }

    /// Scenario: half of the way up, down and nowhere; twice what was told; both; and a hand that is well.
    /// Guarantees: the value lies where it should, and nothing is spoilt without a fault.
    #[test]
    fn hands_go_part_of_the_way_or_too_far() {
        let half = Actuator { partial_bp: Some(5000), ..Actuator::default() };
        let twice = Actuator { wrong_bp: Some(20_000), ..Actuator::default() };
        let both = Actuator { partial_bp: Some(5000), wrong_bp: Some(20_000), ..Actuator::default() };
        let check = |told, is, hand, expected| {
            assert_eq!(spoilt(&replicas(told), Some(&replicas(is)), hand), replicas(expected), "{told} {is}");
        };
        check(8, 2, half, 5);
        check(3, 2, half, 2);
        check(2, 7, half, 5);
        check(2, 2, half, 2);
        check(4, 2, twice, 8);
        check(4, 2, both, 5);
        check(4, 2, Actuator::default(), 4);
    }
}
