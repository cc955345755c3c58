//! What is done to a service once.
//!
//! Answers whether an instance was restarted or a profile begun. Neither is a state that could be read off, so the endpoint
//! must remember the id of the last request: one that comes again changes nothing, and after a restart of the agent the
//! endpoint can say whether it had come.

use std::collections::BTreeMap;

use homeostat_core::ServiceName;
use http::{Method, Uri};
use serde::{Deserialize, Serialize};

use super::{ActuatorError, TIMEOUT};
use crate::http_client::HttpClient;

/// One kind of deed, at every service that offers it.
#[derive(Debug)]
pub(super) struct OnceActuator {
    endpoints: BTreeMap<ServiceName, Uri>,
    client: HttpClient,
}

/// What a restart is asked with.
#[derive(Serialize)]
pub(super) struct Restart<'a> {
    pub(super) instance: &'a str,
    pub(super) request_id: &'a str,
}

/// What a profile is asked with.
#[derive(Serialize)]
pub(super) struct Profile<'a> {
    pub(super) profile: &'a str,
    pub(super) seconds: u32,
    pub(super) request_id: &'a str,
}

#[derive(Deserialize)]
struct Found {
    /// The id of the last request that was carried out.
    request_id: Option<String>,
}

impl OnceActuator {
    pub(super) fn new(endpoints: BTreeMap<ServiceName, Uri>) -> OnceActuator {
        OnceActuator { endpoints, client: HttpClient::new(TIMEOUT) }
    }

    /// Asks `service` for it; `actuation` says what for people.
    pub(super) async fn ask(
        &self,
        service: &ServiceName,
        body: &impl Serialize,
        actuation: String,
    ) -> Result<(), ActuatorError> {
        let Some(url) = self.endpoints.get(service) else { return Err(ActuatorError::NoEndpoint { actuation }) };
        let sent = self.client.send(Method::POST, url, body).await;
        sent.map_err(|source| ActuatorError::Endpoint { actuation, source })
    }

    /// Whether `request_id` is the last one that `service` has carried out; false where it does not say.
    pub(super) async fn has_done(&self, service: &ServiceName, request_id: &str) -> bool {
        let Some(url) = self.endpoints.get(service) else { return false };
        match self.client.get::<Found>(url).await {
            Ok(found) => found.request_id.as_deref() == Some(request_id),
            Err(error) => {
                tracing::warn!(%service, %error, "cannot read back the last request");
                false
            }
        }
    }
}
