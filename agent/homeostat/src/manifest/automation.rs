//! `spec.automation`.
//!
//! Answers what the agent may do without asking, and by which address. The ladder (`Observe`, `Approve`, `Act`) is the
//! model; the plain `autoScaling: true` is another way of writing `scaling: Act`, and `autoRemediation` of `remediation: Act`.

use std::collections::BTreeMap;

use homeostat_core::{Autonomy, Replicas, Seed, ServiceName, ServicePermissions, ServiceScaling, Settings};

use super::permissions::{self, HelpEndpoints};
use super::problems::Report;
use super::scalars;
use super::section::{Field, Section};

/// What the section says beyond the loop's settings.
#[derive(Default)]
pub(super) struct Automation {
    pub(super) scale_endpoints: BTreeMap<ServiceName, String>,
    pub(super) help_endpoints: HelpEndpoints,
    pub(super) webhook: Option<String>,
    pub(super) hold_at_start: bool,
}

/// Reads the section; autonomy and envelopes go into `settings`.
pub(super) fn read(mut section: Section<'_>, settings: &mut Settings, report: &mut Report) -> Automation {
    let mut automation = Automation::default();
    if let Some(sampling) = section.get("sampling", report, scalars::autonomy) {
        settings.autonomy.sampling = sampling;
    }
    if let Some(notification) = section.get("notification", report, scalars::autonomy) {
        settings.autonomy.notification = notification;
    }
    if let Some(expires) = section.get("approvalExpires", report, scalars::millis) {
        settings.autonomy.approval_expires = expires;
    }
    if let Some(exploration) = section.get("exploration", report, scalars::share) {
        settings.learning.exploration = exploration;
    }
    if let Some(seed) = section.get("explorationSeed", report, scalars::count_or_zero) {
        settings.learning.seed = Seed(seed.into());
    }
    if let Some(hold) = section.get("hold", report, scalars::flag) {
        automation.hold_at_start = hold;
    }
    automation.webhook = section.get("webhook", report, scalars::endpoint);
    if let Some(services) = section.section("services", report) {
        for (name, field) in services.named(report) {
            read_service(name, &field, settings, &mut automation, report);
        }
    }
    read_scaling_autonomy(&mut section, settings, report);
    read_help_autonomy(&mut section, settings, report);
    if let Some(field) = section.take("autoInstrumentation")
        && field.read(report, scalars::flag) == Some(true)
    {
        field.not_yet(report);
    }
    section.close(report);
    automation
}

fn read_scaling_autonomy(section: &mut Section<'_>, settings: &mut Settings, report: &mut Report) {
    let unsaid = ("scaling", settings.autonomy.scaling);
    let (key, scaling) = or_auto(section, ("scaling", "autoScaling"), report).unwrap_or(unsaid);
    settings.autonomy.scaling = scaling;
    if scaling != Autonomy::Observe && settings.scaling.services.is_empty() {
        let path = section.path_of(key);
        report.remark(&path, "nothing can be scaled: no service under spec.automation.services has a scale");
    }
}

fn read_help_autonomy(section: &mut Section<'_>, settings: &mut Settings, report: &mut Report) {
    let (autonomy, allowed) = (&mut settings.autonomy, settings.permissions.services.values());
    let unsaid = ("remediation", autonomy.remediation);
    let (key, remediation) = or_auto(section, ("remediation", "autoRemediation"), report).unwrap_or(unsaid);
    autonomy.remediation = remediation;
    autonomy.shedding = section.get("shedding", report, scalars::autonomy).unwrap_or(autonomy.shedding);
    autonomy.profiling = section.get("profiling", report, scalars::autonomy).unwrap_or(autonomy.profiling);
    let any = |has: fn(&ServicePermissions) -> bool| allowed.clone().any(has);
    let classes = [
        (key, autonomy.remediation, any(|service| service.restart.is_some()), "a restart"),
        ("shedding", autonomy.shedding, any(|service| service.limit.or(service.dimmer).is_some()), "a limit or dimmer"),
        ("profiling", autonomy.profiling, any(|service| service.profile), "a profile"),
    ];
    for (name, autonomy, is_possible, missing) in classes {
        if autonomy != Autonomy::Observe && !is_possible {
            let what = format!("nothing can be done: no service under spec.automation.services has {missing}");
            report.remark(&section.path_of(name), what);
        }
    }
}

/// An autonomy, which may also be written as a flag: true is `Act`. With the key under which it was found.
fn or_auto(
    section: &mut Section<'_>,
    (name, auto_name): (&'static str, &'static str),
    report: &mut Report,
) -> Option<(&'static str, Autonomy)> {
    let said = section.get(name, report, scalars::autonomy);
    let auto_field = section.take(auto_name);
    let auto = auto_field.as_ref().and_then(|field| field.read(report, scalars::flag)).map(|auto| match auto {
        true => Autonomy::Act,
        false => Autonomy::Observe,
    });
    if let (Some(said), Some(auto), Some(field)) = (said, auto, &auto_field)
        && said != auto
    {
        field.problem(format!("contradicts {name}; leave one of the two out"), report);
    }
    said.map(|said| (name, said)).or(auto.map(|auto| (auto_name, auto)))
}

fn read_service(
    name: &str,
    field: &Field<'_>,
    settings: &mut Settings,
    automation: &mut Automation,
    report: &mut Report,
) {
    let mut service = Section::open(field, report);
    if let Some(mut scale) = service.section("scale", report) {
        let url = scale.require("url", report).and_then(|field| field.read(report, scalars::endpoint));
        let min = scale.require("min", report).and_then(|field| field.read(report, scalars::count));
        let max_field = scale.require("max", report);
        let max = max_field.as_ref().and_then(|field| field.read(report, scalars::count));
        if let (Some(min), Some(max), Some(field)) = (min, max, max_field)
            && max < min
        {
            field.problem(format!("must be at least min, which is {min}, found {max}"), report);
        }
        if let (Some(url), Some(min), Some(max)) = (url, min, max) {
            let name = ServiceName::from(name);
            settings.scaling.services.insert(name.clone(), ServiceScaling { min: Replicas(min), max: Replicas(max) });
            automation.scale_endpoints.insert(name, url);
        }
        scale.close(report);
    }
    let name = ServiceName::from(name);
    let permitted = permissions::read(&name, &mut service, &mut automation.help_endpoints, report);
    if permitted != ServicePermissions::default() {
        settings.permissions.services.insert(name, permitted);
    }
    service.close(report);
}
