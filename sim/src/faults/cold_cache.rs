//! What was remembered of answers is forgotten.
//!
//! What a flushed or failed-over cache looks like: every request costs its full work and its calls until it is warm again.

use homeostat_core::ServiceName;
use serde::Deserialize;

use crate::conditions::Conditions;
use crate::faults::Fault;
use crate::plants::ServiceSpec;

/// What was remembered of answers is forgotten, once, when it begins.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColdCache {
    /// Whose cache.
    pub(crate) service: String,
}

impl Fault for ColdCache {
    fn apply(&self, names: &[ServiceName], conditions: &mut Conditions) {
        conditions.each(names, Some(&self.service), |service| service.cache_flushed = true);
    }

    fn service(&self) -> Option<&str> {
        Some(&self.service)
    }

    fn lacks(&self, service: &ServiceSpec) -> Option<&'static str> {
        service.cache.is_none().then_some("has no cache that could be cold")
    }

    fn describe(&self) -> String {
        format!("{} forgets its cache", self.service)
    }
}
