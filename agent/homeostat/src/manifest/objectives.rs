//! `spec.objectives`.
//!
//! Answers what services promise. A service that is named says only what differs from the default, so that a promise is
//! written once.

use homeostat_core::{ObjectiveSettings, ServiceName, ServiceObjectives};

use super::Report;
use super::scalars;
use super::section::Section;

/// Reads the section.
pub(super) fn read(mut section: Section<'_>, report: &mut Report) -> ObjectiveSettings {
    let mut settings = ObjectiveSettings::default();
    if let Some(default) = section.section("default", report) {
        settings.default = read_one(default, settings.default, report);
    }
    if let Some(services) = section.section("services", report) {
        for (name, field) in services.named(report) {
            let objectives = read_one(Section::open(&field, report), settings.default, report);
            settings.services.insert(ServiceName::from(name), objectives);
        }
    }
    section.close(report);
    settings
}

fn read_one(mut section: Section<'_>, base: ServiceObjectives, report: &mut Report) -> ServiceObjectives {
    let mut objectives = base;
    if let Some(availability) = section.get("availability", report, scalars::promise) {
        objectives.availability = availability;
    }
    if let Some(mut latency) = section.section("latency", report) {
        if let Some(threshold) = latency.get("threshold", report, scalars::micros) {
            objectives.latency_threshold = threshold;
        }
        if let Some(ratio) = latency.get("ratio", report, scalars::promise) {
            objectives.latency = ratio;
        }
        latency.close(report);
    }
    section.close(report);
    objectives
}
