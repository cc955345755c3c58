//! The scale endpoint of a service, read.
//!
//! Answers how many replicas a service says it has, and how busy they are. It does not know what they should be. An endpoint
//! that does not answer gives no observation, so the loop sees the signal go stale instead of reading a zero.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use homeostat_core::{Indicator, Millis, Observation, ServiceName, Target, Timestamp, Witness};
use serde::Deserialize;

use super::parallel::in_parallel;
use super::{Reading, Source};
use crate::endpoint::ScaleEndpoint;
use crate::http_client::{ExchangeError, HttpClient};

/// How long an endpoint may take. Below the second between two rounds, so that rounds never overlap.
const TIMEOUT: Duration = Duration::from_millis(800);

/// A silent endpoint is complained about this often: once a minute is seen, and does not fill the log.
const COMPLAIN_EVERY: Millis = Millis::from_secs(60);

/// The source of all services in `endpoints`.
pub(super) fn source(endpoints: BTreeMap<ServiceName, ScaleEndpoint>) -> ScaleSource {
    ScaleSource { endpoints, client: HttpClient::new(TIMEOUT), complained: Mutex::default() }
}

pub(super) struct ScaleSource {
    endpoints: BTreeMap<ServiceName, ScaleEndpoint>,
    client: HttpClient,
    /// The services that do not answer, and when that was last said. At most one entry per endpoint.
    complained: Mutex<BTreeMap<ServiceName, Timestamp>>,
}

/// What an endpoint answers.
#[derive(Debug, Deserialize)]
struct Answer {
    replicas: u32,
    utilization: Option<f64>,
}

impl Source for ScaleSource {
    fn read(&self, now: Timestamp) -> Reading<'_> {
        Box::pin(async move {
            let questions = self.endpoints.iter().map(|(service, endpoint)| -> Reading<'_> {
                Box::pin(async move {
                    let answer = self.client.get::<Answer>(endpoint.url()).await;
                    self.note(service, answer.as_ref().err(), now);
                    answer.map_or_else(|_| Vec::new(), |answer| observations(service, &answer, now))
                })
            });
            in_parallel(questions).await.into_iter().flatten().collect()
        })
    }
}

impl ScaleSource {
    /// Says that an endpoint is silent, and that it speaks again; says whether it said so.
    fn note(&self, service: &ServiceName, error: Option<&ExchangeError>, now: Timestamp) -> bool {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = error else {
            let was_silent = complained.remove(service).is_some();
            if was_silent {
                tracing::info!(%service, "the scale endpoint answers again");
            }
            return was_silent;
        };
        let is_due = complained.get(service).is_none_or(|last| COMPLAIN_EVERY <= now.since(*last));
        if is_due {
            complained.insert(service.clone(), now);
            tracing::warn!(%service, %error, "the scale endpoint cannot be read; its signals go stale");
        }
        is_due
    }
}

fn observations(service: &ServiceName, answer: &Answer, now: Timestamp) -> Vec<Observation> {
    let target = Target::Service(service.clone());
    let replicas = Observation::new(target.clone(), Indicator::ReplicasReady, u64::from(answer.replicas), now);
    let utilization = answer.utilization.and_then(basis_points);
    let utilization = utilization.map(|value| Observation::new(target, Indicator::Utilization, value, now));
    std::iter::once(replicas).chain(utilization).map(|said| said.by(Witness::ScaleEndpoint)).collect()
}

/// A fraction in basis points. A negative one is nonsense and not observed; one above a hundred times capacity reads as that.
fn basis_points(fraction: f64) -> Option<u64> {
    const MAX: f64 = 100.0;
    (0.0 <= fraction).then(|| (fraction.min(MAX) * 10_000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: fractions as endpoints report them: plain, over capacity, negative, absurd, not a number.
    /// Guarantees: they are rounded to whole basis points; nonsense is not observed.
    #[test]
    fn utilization_is_rounded_to_basis_points() {
        let check = |fraction, expected| assert_eq!(basis_points(fraction), expected);
        check(0.93, Some(9300));
        check(0.0, Some(0));
        check(1.5, Some(15_000));
        check(0.000_049, Some(0));
        check(1e300, Some(1_000_000));
        check(-0.1, None);
        check(f64::NAN, None);
    }

    /// Scenario: an endpoint is silent for two minutes of one reading a second, answers once, and falls silent again.
    /// Guarantees: one complaint a minute, one word when it is back, and a fresh silence is told at once.
    #[test]
    fn complaints_are_rate_limited() {
        let source = source(BTreeMap::new());
        let shop = ServiceName::from("shop");
        let url = "http://shop/".parse().unwrap();
        let silent = ExchangeError::Timeout { method: http::Method::GET, url, limit: TIMEOUT };
        let said = (0..120).filter(|second| source.note(&shop, Some(&silent), Timestamp(second * 1000))).count();
        assert_eq!(said, 2);
        assert!(source.note(&shop, None, Timestamp(120_000)));
        assert!(!source.note(&shop, None, Timestamp(121_000)));
        assert!(source.note(&shop, Some(&silent), Timestamp(122_000)));
    }
}
