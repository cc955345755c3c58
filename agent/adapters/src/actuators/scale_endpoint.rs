//! The scale endpoint of a service, moved.
//!
//! Answers whether a service took a new number of replicas. It does not know whether the number is wise, and does not wait
//! until the replicas are ready: the source observes that. A plain HTTP endpoint is used because anything can offer one: a
//! worker pool, a script around a cluster's command line, a test.

use std::collections::BTreeMap;

use homeostat_core::{Actuation, Replicas, ServiceName};
use http::{Method, Uri};
use serde::{Deserialize, Serialize};

use super::{ActuatorError, TIMEOUT};
use crate::http_client::HttpClient;

#[derive(Debug)]
pub(super) struct ScaleActuator {
    endpoints: BTreeMap<ServiceName, Uri>,
    client: HttpClient,
}

#[derive(Serialize)]
struct Wanted<'a> {
    replicas: u32,
    request_id: &'a str,
}

#[derive(Deserialize)]
struct Found {
    replicas: u32,
}

impl ScaleActuator {
    pub(super) fn new(endpoints: BTreeMap<ServiceName, Uri>) -> ScaleActuator {
        ScaleActuator { endpoints, client: HttpClient::new(TIMEOUT) }
    }

    /// Asks the endpoint of `service` for `replicas`.
    pub(super) async fn scale(
        &self,
        request_id: &str,
        service: &ServiceName,
        replicas: Replicas,
    ) -> Result<(), ActuatorError> {
        let no_endpoint = || ActuatorError::NoScaleEndpoint { service: service.clone() };
        let url = self.endpoints.get(service).ok_or_else(no_endpoint)?;
        let wanted = Wanted { replicas: replicas.0, request_id };
        let sent = self.client.send(Method::PUT, url, &wanted).await;
        sent.map_err(|source| ActuatorError::Scale { service: service.clone(), source })
    }

    /// The number of replicas that `service` says it has.
    pub(super) async fn read_back(&self, service: &ServiceName) -> Option<Actuation> {
        let url = self.endpoints.get(service)?;
        match self.client.get::<Found>(url).await {
            Ok(found) => Some(Actuation::SetReplicas { service: service.clone(), replicas: Replicas(found.replicas) }),
            Err(error) => {
                tracing::warn!(%service, %error, "cannot read back the number of replicas");
                None
            }
        }
    }
}
