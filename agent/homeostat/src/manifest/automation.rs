//! `spec.automation`.
//!
//! Answers what the agent may do without asking, and by which address. The ladder (`Observe`, `Approve`, `Act`) is the
//! model; the plain `autoScaling: true` is another way of writing `scaling: Act`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use homeostat_core::{Autonomy, Replicas, RuleSettings, Seed, ServiceName, ServiceScaling, Settings};

use homeostat_documents::rules;

use super::Report;
use super::scalars;
use super::section::{Field, Section};

/// What the section says beyond the loop's settings.
#[derive(Default)]
pub(super) struct Automation {
    pub(super) scale_endpoints: BTreeMap<ServiceName, String>,
    pub(super) webhook: Option<String>,
    pub(super) rules_dir: Option<PathBuf>,
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
    if let Some(rules) = section.section("rules", report) {
        automation.rules_dir = read_rules(rules, settings, report);
    }
    read_scaling_autonomy(&mut section, settings, report);
    for name in ["autoRemediation", "autoInstrumentation"] {
        if let Some(field) = section.take(name)
            && field.read(report, scalars::flag) == Some(true)
        {
            field.not_yet(report);
        }
    }
    section.close(report);
    automation
}

/// Operator rules: a folder of files, or rules written here, or both.
fn read_rules(mut section: Section<'_>, settings: &mut Settings, report: &mut Report) -> Option<PathBuf> {
    let dir = section.get("dir", report, scalars::text).map(PathBuf::from);
    if let Some(field) = section.take("inline") {
        settings.rules = RuleSettings::new(rules::read_list(&field, report));
    }
    section.close(report);
    dir
}

fn read_scaling_autonomy(section: &mut Section<'_>, settings: &mut Settings, report: &mut Report) {
    let scaling = section.get("scaling", report, scalars::autonomy);
    let auto_field = section.take("autoScaling");
    let auto = auto_field.as_ref().and_then(|field| field.read(report, scalars::flag)).map(|auto| match auto {
        true => Autonomy::Act,
        false => Autonomy::Observe,
    });
    if let (Some(scaling), Some(auto), Some(field)) = (scaling, auto, &auto_field)
        && scaling != auto
    {
        field.problem("contradicts scaling; leave one of the two out", report);
    }
    settings.autonomy.scaling = scaling.or(auto).unwrap_or(settings.autonomy.scaling);
    if settings.autonomy.scaling != Autonomy::Observe && settings.scaling.services.is_empty() {
        let path = section.path_of(if scaling.is_some() { "scaling" } else { "autoScaling" });
        report.remark(&path, "nothing can be scaled: no service under spec.automation.services has a scale");
    }
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
    service.close(report);
}
