//! The webhook.
//!
//! Answers whether a notification was taken by somebody else's program. It does not know who reads it. Unlike a scaling
//! action it is retried here, a few times: nothing about the world makes a notification wrong a second later, and nobody
//! measures whether it arrived.

use std::time::Duration;

use homeostat_core::{ActionId, IncidentId, Urgency};
use http::{Method, Uri};
use serde::Serialize;

use super::ActuatorError;
use crate::clock::SystemClock;
use crate::endpoint::Webhook;
use crate::http_client::HttpClient;

/// How long one attempt may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The pauses between attempts, so there is one attempt more than pauses. All attempts together end within ten
/// seconds, well before the half minute after which the loop stops waiting for a report.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(600)];

/// What is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice<'a> {
    pub(super) id: ActionId,
    pub(super) incident: IncidentId,
    pub(super) urgency: Urgency,
    pub(super) text: &'a str,
}

/// A notice on the wire. `id` is the same in every attempt, so that the receiver can drop repetitions; `at` is in
/// milliseconds since the Unix epoch.
#[derive(Serialize)]
struct Posted<'a> {
    id: String,
    at: u64,
    incident: String,
    urgency: Urgency,
    text: &'a str,
}

#[derive(Debug)]
pub(super) struct WebhookActuator {
    url: Uri,
    client: HttpClient,
    clock: SystemClock,
}

impl WebhookActuator {
    pub(super) fn new(webhook: Webhook) -> WebhookActuator {
        WebhookActuator { url: webhook.into(), client: HttpClient::new(TIMEOUT), clock: SystemClock::new(None) }
    }

    /// Posts `notice` until it is taken, refused for good, or tried often enough.
    pub(super) async fn notify(&self, notice: &Notice<'_>) -> Result<(), ActuatorError> {
        let posted = Posted {
            id: notice.id.to_string(),
            at: self.clock.now().as_millis(),
            incident: notice.incident.to_string(),
            urgency: notice.urgency,
            text: notice.text,
        };
        let mut pauses = PAUSES.into_iter();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let Err(source) = self.client.send(Method::POST, &self.url, &posted).await else { return Ok(()) };
            match pauses.next() {
                Some(pause) if source.is_passing() => tokio::time::sleep(pause).await,
                _ => return Err(ActuatorError::Notify { attempts, source }),
            }
        }
    }
}
