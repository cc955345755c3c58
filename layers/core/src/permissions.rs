//! Permissions.
//!
//! Answers which services people let the loop limit, dim, restart and profile, and how far. What is not named may not be
//! touched: an empty permission permits nothing. Replicas have an envelope of their own in the scaling settings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Parameter, ServiceName};

/// What may be done to each named service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permissions {
    /// By service.
    pub services: BTreeMap<ServiceName, ServicePermissions>,
}

/// What may be done to one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePermissions {
    /// How many requests in flight it may be limited to. The largest number is the limit of a good day: it binds nobody.
    pub limit: Option<Range>,
    /// How much of its optional work may be left out, in basis points of what it does on a good day.
    pub dimmer: Option<Range>,
    /// Whether single instances may be restarted.
    pub restart: Option<RestartPermission>,
    /// Whether it may be profiled.
    pub profile: bool,
}

/// The values that a parameter may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Never less.
    pub min: u64,
    /// Never more.
    pub max: u64,
}

/// Under which condition an instance may be restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestartPermission {
    /// A person says yes each time, whatever the autonomy: a restart cannot be taken back.
    Asked,
    /// The agent's autonomy decides, as long as other instances carry on.
    Unasked,
}

impl Permissions {
    /// What may be done to `service`.
    pub fn of(&self, service: &ServiceName) -> ServicePermissions {
        self.services.get(service).copied().unwrap_or_default()
    }
}

impl ServicePermissions {
    /// The values that `parameter` may take.
    pub const fn range(&self, parameter: Parameter) -> Option<Range> {
        match parameter {
            Parameter::ConcurrencyLimit => self.limit,
            Parameter::Dimmer => self.dimmer,
        }
    }
}
