//! Actuators.
//!
//! Answers whether an actuation was carried out outside, and how the world stands now. It does not decide, and it does not
//! retry a scaling action: that is the next tick's work. Sampling is not among them, because the plan is swapped inside the
//! process by the driver.

mod log;
mod once_endpoint;
mod parameter_endpoint;
mod scale_endpoint;
mod sent;
mod webhook;

use std::collections::BTreeMap;
use std::time::Duration;

use homeostat_core::{ActionId, Actuation, Parameter, ServiceName};
use thiserror::Error;

pub use crate::http_client::ExchangeError;

use crate::endpoint::{DimmerEndpoint, LimitEndpoint, ProfileEndpoint, RestartEndpoint, ScaleEndpoint, Webhook, urls};
use once_endpoint::{OnceActuator, Profile, Restart};
use sent::Sent;

/// What can be moved, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActuatorConfig {
    /// Where services are scaled; what is not named cannot be.
    pub scale_endpoints: BTreeMap<ServiceName, ScaleEndpoint>,
    /// Where concurrency limits are set.
    pub limit_endpoints: BTreeMap<ServiceName, LimitEndpoint>,
    /// Where dimmers are set.
    pub dimmer_endpoints: BTreeMap<ServiceName, DimmerEndpoint>,
    /// Where instances are restarted.
    pub restart_endpoints: BTreeMap<ServiceName, RestartEndpoint>,
    /// Where profiles are taken.
    pub profile_endpoints: BTreeMap<ServiceName, ProfileEndpoint>,
    /// Where notifications are posted, besides the log.
    pub webhook: Option<Webhook>,
}

/// Why an actuation was not carried out.
#[derive(Debug, Error)]
pub enum ActuatorError {
    /// No actuator does this.
    #[error("no actuator can {actuation}; it is done inside the agent")]
    Unsupported {
        /// What was asked, for people.
        actuation: String,
    },
    /// Nobody said how this service is scaled.
    #[error("no scale endpoint is configured for {service}")]
    NoScaleEndpoint {
        /// The service.
        service: ServiceName,
    },
    /// The scale endpoint did not do it.
    #[error("cannot scale {service}")]
    Scale {
        /// The service.
        service: ServiceName,
        /// The cause.
        source: ExchangeError,
    },
    /// Nobody said where this is done.
    #[error("no endpoint is configured to {actuation}")]
    NoEndpoint {
        /// What was asked, for people.
        actuation: String,
    },
    /// The endpoint did not do it.
    #[error("cannot {actuation}")]
    Endpoint {
        /// What was asked, for people.
        actuation: String,
        /// The cause.
        source: ExchangeError,
    },
    /// The webhook did not take it.
    #[error("cannot deliver the notification after {attempts} attempts; it stands in the log")]
    Notify {
        /// How often it was sent.
        attempts: u32,
        /// The last cause.
        source: ExchangeError,
    },
}

/// How long an endpoint may take to accept a change. Accepting is all it must do: the effect may come later, and is observed.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Whether a change is made or taken back. The two must not look alike to an endpoint that remembers request ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// Everything that can be moved outside.
#[derive(Debug)]
pub struct Actuators {
    scale_endpoint: scale_endpoint::ScaleActuator,
    parameters: parameter_endpoint::ParameterActuator,
    restarts: OnceActuator,
    profiles: OnceActuator,
    webhook: Option<webhook::WebhookActuator>,
    sent: Sent,
}

impl Actuators {
    /// Actuators for `config`. Nothing is called yet.
    pub fn new(config: ActuatorConfig) -> Actuators {
        let limits = urls(config.limit_endpoints).into_iter();
        let limits = limits.map(|(service, url)| ((service, Parameter::ConcurrencyLimit), url));
        let dimmers = urls(config.dimmer_endpoints).into_iter();
        let dimmers = dimmers.map(|(service, url)| ((service, Parameter::Dimmer), url));
        Actuators {
            scale_endpoint: scale_endpoint::ScaleActuator::new(urls(config.scale_endpoints)),
            parameters: parameter_endpoint::ParameterActuator::new(limits.chain(dimmers).collect()),
            restarts: OnceActuator::new(urls(config.restart_endpoints)),
            profiles: OnceActuator::new(urls(config.profile_endpoints)),
            webhook: config.webhook.map(webhook::WebhookActuator::new),
            sent: Sent::default(),
        }
    }

    /// Brings `actuation` about. What action `id` last brought about is not sent again.
    pub async fn apply(&self, id: ActionId, actuation: &Actuation) -> Result<(), ActuatorError> {
        self.send_once(id, actuation, Way::There).await
    }

    /// Takes action `id` back by bringing `way_back` about. The endpoint sees another request id than for the action itself.
    pub async fn undo(&self, id: ActionId, way_back: &Actuation) -> Result<(), ActuatorError> {
        self.send_once(id, way_back, Way::Back).await
    }

    /// How the world stands where `actuation` of action `id` would change it; `None` if it cannot be told.
    pub async fn read_back(&self, id: ActionId, actuation: &Actuation) -> Option<Actuation> {
        let request_id = request_id(id, Way::There);
        match actuation {
            Actuation::SetReplicas { service, .. } => self.scale_endpoint.read_back(service).await,
            Actuation::SetParameter { service, parameter, .. } => self.parameters.read_back(service, *parameter).await,
            Actuation::Restart { service, .. } => {
                self.restarts.has_done(service, &request_id).await.then(|| actuation.clone())
            }
            Actuation::Profile { service, .. } => {
                self.profiles.has_done(service, &request_id).await.then(|| actuation.clone())
            }
            Actuation::SetSampling { .. } | Actuation::Notify { .. } => None,
        }
    }

    async fn send_once(&self, id: ActionId, actuation: &Actuation, way: Way) -> Result<(), ActuatorError> {
        if self.sent.was_last(id, actuation) {
            return Ok(());
        }
        self.send(id, actuation, way).await?;
        self.sent.remember(id, actuation);
        Ok(())
    }

    async fn send(&self, id: ActionId, actuation: &Actuation, way: Way) -> Result<(), ActuatorError> {
        match actuation {
            Actuation::SetReplicas { service, replicas } => {
                self.scale_endpoint.scale(&request_id(id, way), service, *replicas).await
            }
            Actuation::Notify { incident, urgency, text } => {
                let notice = webhook::Notice { id, incident: *incident, urgency: *urgency, text };
                log::notify(&notice);
                match &self.webhook {
                    Some(webhook) => webhook.notify(&notice).await,
                    None => Ok(()),
                }
            }
            Actuation::SetParameter { service, parameter, value } => {
                self.parameters.set(&request_id(id, way), (service, *parameter, *value)).await
            }
            Actuation::Restart { service, instance } => {
                let body = Restart { instance: instance.as_str(), request_id: &request_id(id, way) };
                self.restarts.ask(service, &body, actuation.to_string()).await
            }
            Actuation::Profile { service, profile, seconds } => {
                let request_id = request_id(id, way);
                let body = Profile { profile: profile.as_str(), seconds: *seconds, request_id: &request_id };
                self.profiles.ask(service, &body, actuation.to_string()).await
            }
            Actuation::SetSampling { .. } => Err(ActuatorError::Unsupported { actuation: actuation.to_string() }),
        }
    }
}

fn request_id(id: ActionId, way: Way) -> String {
    match way {
        Way::There => id.to_string(),
        Way::Back => format!("{id}-undo"),
    }
}
