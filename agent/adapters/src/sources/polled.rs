//! Endpoints that are asked once a second.
//!
//! Answers what each service says at its endpoint, as observations. It does not know what is asked. An endpoint that does not
//! answer gives no observation, so the loop sees the signal go stale instead of reading a zero.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use homeostat_core::{Millis, Observation, ServiceName, Timestamp};
use http::Uri;
use serde::de::DeserializeOwned;

use super::parallel::in_parallel;
use super::{Reading, Source};
use crate::http_client::{ExchangeError, HttpClient};

/// How long an endpoint may take. Below the second between two rounds, so that rounds never overlap.
pub(super) const TIMEOUT: Duration = Duration::from_millis(800);

/// A silent endpoint is complained about this often: once a minute is seen, and does not fill the log.
const COMPLAIN_EVERY: Millis = Millis::from_secs(60);

/// The endpoints of one kind, by service. Each answers an `A`.
pub(super) struct Polled<A> {
    /// What it is, in complaints.
    what: &'static str,
    endpoints: BTreeMap<ServiceName, Uri>,
    observe: fn(&ServiceName, &A, Timestamp) -> Vec<Observation>,
    client: HttpClient,
    /// The services that do not answer, and when that was last said. At most one entry per endpoint.
    complained: Mutex<BTreeMap<ServiceName, Timestamp>>,
}

impl<A> Polled<A> {
    /// A source of what `observe` makes of each answer.
    pub(super) fn new(
        what: &'static str,
        endpoints: BTreeMap<ServiceName, Uri>,
        observe: fn(&ServiceName, &A, Timestamp) -> Vec<Observation>,
    ) -> Polled<A> {
        Polled { what, endpoints, observe, client: HttpClient::new(TIMEOUT), complained: Mutex::default() }
    }

    /// Says that an endpoint is silent, and that it speaks again; says whether it said so.
    fn note(&self, service: &ServiceName, error: Option<&ExchangeError>, now: Timestamp) -> bool {
        let what = self.what;
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = error else {
            let was_silent = complained.remove(service).is_some();
            if was_silent {
                tracing::info!(%service, "the {what} endpoint answers again");
            }
            return was_silent;
        };
        let is_due = complained.get(service).is_none_or(|last| COMPLAIN_EVERY <= now.since(*last));
        if is_due {
            complained.insert(service.clone(), now);
            tracing::warn!(%service, %error, "the {what} endpoint cannot be read; its signals go stale");
        }
        is_due
    }
}

impl<A: DeserializeOwned + Send + Sync> Source for Polled<A> {
    fn read(&self, now: Timestamp) -> Reading<'_> {
        Box::pin(async move {
            let questions = self.endpoints.iter().map(|(service, url)| -> Reading<'_> {
                Box::pin(async move {
                    let answer = self.client.get::<A>(url).await;
                    self.note(service, answer.as_ref().err(), now);
                    answer.map_or_else(|_| Vec::new(), |answer| (self.observe)(service, &answer, now))
                })
            });
            in_parallel(questions).await.into_iter().flatten().collect()
        })
    }
}

/// A fraction in basis points. A negative one is nonsense and not observed; one above a hundred times the whole reads as that.
pub(super) fn basis_points(fraction: f64) -> Option<u64> {
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
        let source = Polled::<u8>::new("scale", BTreeMap::new(), |_, _, _| Vec::new());
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
