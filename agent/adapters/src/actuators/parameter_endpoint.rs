//! The knobs of a service, turned.
//!
//! Answers whether a service took a new concurrency limit or a new share of optional work. It does not know whether the value
//! is wise. Like a scale endpoint it is plain HTTP, because anything can offer one: a proxy, an admission filter, a script.

use std::collections::BTreeMap;

use homeostat_core::{Actuation, Parameter, ServiceName};
use http::{Method, Uri};
use serde::{Deserialize, Serialize};

use super::{ActuatorError, TIMEOUT};
use crate::http_client::HttpClient;

/// Whole basis points in one.
const ONE_BP: f64 = 10_000.0;

#[derive(Debug)]
pub(super) struct ParameterActuator {
    endpoints: BTreeMap<(ServiceName, Parameter), Uri>,
    client: HttpClient,
}

/// What is sent: exactly one of the two values. The dimmer is a fraction on the wire, as people write shares.
#[derive(Serialize)]
struct Wanted<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimmer: Option<f64>,
    request_id: &'a str,
}

#[derive(Deserialize)]
struct Found {
    limit: Option<u64>,
    dimmer: Option<f64>,
}

impl ParameterActuator {
    pub(super) fn new(endpoints: BTreeMap<(ServiceName, Parameter), Uri>) -> ParameterActuator {
        ParameterActuator { endpoints, client: HttpClient::new(TIMEOUT) }
    }

    /// Asks the endpoint of `service` for `value` of `parameter`.
    pub(super) async fn set(
        &self,
        request_id: &str,
        (service, parameter, value): (&ServiceName, Parameter, u64),
    ) -> Result<(), ActuatorError> {
        let actuation = || format!("set the {parameter} of {service}");
        let no_endpoint = || ActuatorError::NoEndpoint { actuation: actuation() };
        let url = self.endpoints.get(&(service.clone(), parameter)).ok_or_else(no_endpoint)?;
        let (limit, dimmer) = match parameter {
            Parameter::ConcurrencyLimit => (Some(value), None),
            Parameter::Dimmer => (None, Some(value as f64 / ONE_BP)),
        };
        let sent = self.client.send(Method::PUT, url, &Wanted { limit, dimmer, request_id }).await;
        sent.map_err(|source| ActuatorError::Endpoint { actuation: actuation(), source })
    }

    /// The value of `parameter` that `service` says it goes by.
    pub(super) async fn read_back(&self, service: &ServiceName, parameter: Parameter) -> Option<Actuation> {
        let url = self.endpoints.get(&(service.clone(), parameter))?;
        match self.client.get::<Found>(url).await {
            Ok(found) => {
                let value = match parameter {
                    Parameter::ConcurrencyLimit => found.limit,
                    Parameter::Dimmer => found.dimmer.map(|share| (share.clamp(0.0, 1.0) * ONE_BP).round() as u64),
                };
                value.map(|value| Actuation::SetParameter { service: service.clone(), parameter, value })
            }
            Err(error) => {
                tracing::warn!(%service, %error, "cannot read back the {parameter}");
                None
            }
        }
    }
}
