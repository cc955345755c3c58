//! `spec.guards`, `spec.scaling` and `spec.perception`.
//!
//! Answers how often, how far, and on how fresh a reading the loop may act. No guard can be switched off here: a budget can
//! be wide, but it is a budget.

use homeostat_core::{
    BasisPoints, BlastRadius, GuardSettings, PerceptionSettings, PredictiveSettings, RateBudget, ScalingSettings,
};

use super::problems::Report;
use super::scalars;
use super::section::Section;
use super::text::Value;

/// Reads `spec.guards`.
pub(super) fn read_guards(mut section: Section<'_>, settings: &mut GuardSettings, report: &mut Report) {
    read_budget(&mut section, "perTarget", &mut settings.per_target, report);
    read_budget(&mut section, "sampling", &mut settings.sampling, report);
    read_budget(&mut section, "scaling", &mut settings.scaling, report);
    read_budget(&mut section, "notification", &mut settings.notification, report);
    read_budget(&mut section, "remediation", &mut settings.remediation, report);
    read_budget(&mut section, "shedding", &mut settings.shedding, report);
    read_budget(&mut section, "profiling", &mut settings.profiling, report);
    read_budget(&mut section, "global", &mut settings.global, report);
    if let Some(factor) = section.get("replicaFactorMax", report, scalars::factor) {
        settings.replica_factor_max = factor;
    }
    if let Some(factor) = section.get("samplingFactorMax", report, scalars::factor) {
        settings.sampling_factor_max = factor;
    }
    if let Some(factor) = section.get("limitFactorMax", report, scalars::factor) {
        settings.limit_factor_max = factor;
    }
    if let Some(step) = section.get("dimmerStepMax", report, scalars::share) {
        settings.dimmer_step_max = step;
    }
    read_blast_radius(&mut section, &mut settings.blast_radius, report);
    read_patience(&mut section, settings, report);
    section.close(report);
}

fn read_blast_radius(section: &mut Section<'_>, radius: &mut BlastRadius, report: &mut Report) {
    let Some(mut entry) = section.section("blastRadius", report) else {
        return;
    };
    if let Some(targets) = entry.get("targets", report, scalars::count) {
        radius.targets_max = targets;
    }
    if let Some(share) = entry.get("services", report, scalars::share) {
        radius.services_max = share;
    }
    if let Some(share) = entry.get("replicas", report, scalars::share) {
        radius.replicas_max = share;
    }
    if let Some(window) = entry.get("within", report, scalars::millis) {
        radius.window = window;
    }
    entry.close(report);
}

fn read_patience(section: &mut Section<'_>, settings: &mut GuardSettings, report: &mut Report) {
    if let Some(allowed) = section.get("allowZero", report, scalars::flag) {
        settings.allow_zero = allowed;
    }
    if let Some(factor) = section.get("dwellFactor", report, scalars::factor) {
        settings.dwell_factor = factor;
    }
    if let Some(share) = section.get("stormAbove", report, scalars::share) {
        settings.storm_above = share;
    }
    if let Some(times) = section.get("disarmAfter", report, scalars::count) {
        settings.disarm.undone_max = times;
    }
    if let Some(after) = section.get("rearmAfter", report, scalars::millis) {
        settings.disarm.rearm_after = after;
    }
    if let Some(time) = section.get("yieldFor", report, scalars::millis) {
        settings.yield_for = time;
    }
}

fn read_budget(section: &mut Section<'_>, name: &'static str, budget: &mut RateBudget, report: &mut Report) {
    let Some(mut entry) = section.section(name, report) else {
        return;
    };
    if let Some(actions) = entry.get("actions", report, scalars::count_or_zero) {
        budget.actions_max = actions;
    }
    if let Some(window) = entry.get("within", report, scalars::millis) {
        budget.window = window;
    }
    entry.close(report);
}

/// Reads `spec.scaling`.
pub(super) fn read_scaling(mut section: Section<'_>, settings: &mut ScalingSettings, report: &mut Report) {
    if let Some(target) = section.get("utilizationTarget", report, utilization) {
        settings.utilization_target = target;
    }
    if let Some(tolerance) = section.get("tolerance", report, scalars::share) {
        settings.tolerance = tolerance;
    }
    if let Some(after) = section.get("reduceAfter", report, scalars::millis) {
        settings.reduce_after = after;
    }
    if let Some(predictive) = section.section("predictive", report) {
        read_predictive(predictive, &mut settings.predictive, report);
    }
    section.close(report);
}

/// Reads `spec.scaling.predictive`.
fn read_predictive(mut section: Section<'_>, settings: &mut PredictiveSettings, report: &mut Report) {
    if let Some(enabled) = section.get("enabled", report, scalars::flag) {
        settings.enabled = enabled;
    }
    if let Some(coverage) = section.get("coverage", report, coverage) {
        settings.coverage = coverage;
    }
    if let Some(delay) = section.get("startDelay", report, scalars::millis) {
        settings.start_delay = delay;
    }
    if let Some(after) = section.get("reduceAfter", report, scalars::millis) {
        settings.reduce_after = after;
    }
    section.close(report);
}

/// How often a bound is to hold. Below a half it would be no bound, and near one a single burst would be held for ever.
fn coverage(value: &Value) -> Result<BasisPoints, String> {
    scalars::share(value)
        .ok()
        .filter(|share| (5000..=9990).contains(&share.0))
        .ok_or_else(|| "must be between 50% and 99.9%".to_owned())
}

/// A utilisation to steer for. Near zero or one, target tracking divides by almost nothing or queues without end.
fn utilization(value: &Value) -> Result<BasisPoints, String> {
    scalars::share(value)
        .ok()
        .filter(|share| (500..=9500).contains(&share.0))
        .ok_or_else(|| "must be between 5% and 95%".to_owned())
}

/// Reads `spec.perception`.
pub(super) fn read_perception(mut section: Section<'_>, settings: &mut PerceptionSettings, report: &mut Report) {
    if let Some(after) = section.get("staleAfter", report, scalars::millis) {
        settings.stale_after = after;
    }
    let forget_field = section.take("forgetAfter");
    if let Some(after) = forget_field.as_ref().and_then(|field| field.read(report, scalars::millis)) {
        settings.forget_after = after;
    }
    if let Some(above) = section.get("blindAbove", report, scalars::share) {
        settings.blind_above = above;
    }
    if let Some(above) = section.get("contradictionAbove", report, scalars::share) {
        settings.contradiction_above = above;
    }
    if settings.forget_after <= settings.stale_after {
        let what = format!("must be longer than staleAfter, which is {}", settings.stale_after);
        match forget_field {
            Some(field) => field.problem(what, report),
            None => report.problem(section.at(), &section.path_of("forgetAfter"), what),
        }
    }
    section.close(report);
}
