//! `limit`, `dimmer`, `restart` and `profile` of `spec.automation.services`.
//!
//! Answers what else than scaling may be done to a service, how far, and at which address. What is not written here may not
//! be done. A restart is asked first even where remediation may act, unless `withoutAsking` says otherwise, because it cannot
//! be taken back.

use std::collections::BTreeMap;

use homeostat_core::{Range, RestartPermission, ServiceName, ServicePermissions};

use super::problems::Report;
use super::scalars;
use super::section::{Reader, Section};

/// Where each kind of help is asked for, by service.
#[derive(Clone, Debug, Default)]
pub(crate) struct HelpEndpoints {
    /// Concurrency limits.
    pub(crate) limits: BTreeMap<ServiceName, String>,
    /// Dimmers.
    pub(crate) dimmers: BTreeMap<ServiceName, String>,
    /// Instances, and their restart.
    pub(crate) restarts: BTreeMap<ServiceName, String>,
    /// Profiles.
    pub(crate) profiles: BTreeMap<ServiceName, String>,
}

/// Reads what `service` allows besides scaling.
pub(super) fn read(
    name: &ServiceName,
    service: &mut Section<'_>,
    endpoints: &mut HelpEndpoints,
    report: &mut Report,
) -> ServicePermissions {
    let mut permitted = ServicePermissions::default();
    if let Some((url, range)) = ranged(service, "limit", scalars::count, report) {
        permitted.limit = Some(Range { min: range.0.into(), max: range.1.into() });
        endpoints.limits.insert(name.clone(), url);
    }
    if let Some((url, range)) = ranged(service, "dimmer", scalars::share, report) {
        permitted.dimmer = Some(Range { min: range.0.0.into(), max: range.1.0.into() });
        endpoints.dimmers.insert(name.clone(), url);
    }
    if let Some(mut restart) = service.section("restart", report) {
        let url = restart.require("url", report).and_then(|field| field.read(report, scalars::endpoint));
        let unasked = restart.get("withoutAsking", report, scalars::flag).unwrap_or(false);
        if let Some(url) = url {
            permitted.restart = Some(if unasked { RestartPermission::Unasked } else { RestartPermission::Asked });
            endpoints.restarts.insert(name.clone(), url);
        }
        restart.close(report);
    }
    if let Some(mut profile) = service.section("profile", report) {
        if let Some(url) = profile.require("url", report).and_then(|field| field.read(report, scalars::endpoint)) {
            permitted.profile = true;
            endpoints.profiles.insert(name.clone(), url);
        }
        profile.close(report);
    }
    permitted
}

/// An address with the smallest and largest value that may be set there.
fn ranged<T: Copy + PartialOrd>(
    service: &mut Section<'_>,
    key: &'static str,
    read: Reader<T>,
    report: &mut Report,
) -> Option<(String, (T, T))> {
    let mut section = service.section(key, report)?;
    let url = section.require("url", report).and_then(|field| field.read(report, scalars::endpoint));
    let min = section.require("min", report).and_then(|field| field.read(report, read));
    let max_field = section.require("max", report);
    let max = max_field.as_ref().and_then(|field| field.read(report, read));
    if let (Some(min), Some(max), Some(field)) = (min, max, max_field)
        && max < min
    {
        field.problem("must not be less than min", report);
    }
    section.close(report);
    Some((url?, (min?, max?)))
}
