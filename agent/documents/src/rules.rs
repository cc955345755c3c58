//! Operator rules, as they are written.
//!
//! Answers which rules a file holds, or everything that is wrong with it: unknown keys, wrong values, and what is wrong
//! within a condition, each with its line and column. Unlike a manifest's values a condition is a text with a grammar of its
//! own, so its problems show the line with a caret below the place.

use std::collections::BTreeMap;

use homeostat_core::{
    Condition, Millis, Replicas, Rule, RuleAction, RuleSettings, SamplingProbability, ScaleOut, Selector, Urgency,
};
use homeostat_policies::rules::language;

use crate::problems::{Note, Place, Problem, Report};
use crate::section::{Field, Section};
use crate::text::{self, Value};
use crate::{read_identity, scalars};

/// The `kind` of a file of rules.
pub const KIND: &str = "RuleSet";

/// Higher ones would say no more.
const PRIORITY_MAX: i32 = 1000;

/// Bytes of a description or a notification; a page of a pager.
const PROSE_MAX: usize = 1000;

/// Reads a file of rules. Their order is that of the file; the agent sorts them.
pub fn read(text: &str) -> Result<(Vec<Rule>, Vec<Note>), Vec<Problem>> {
    let root = text::parse(text).map_err(|problem| vec![problem])?;
    let mut report = Report::on(text);
    let field = Field { path: String::new(), key_at: root.at, node: &root };
    let mut document = Section::open(&field, &mut report);
    read_identity(&mut document, KIND, &mut report);
    read_metadata(&mut document, &mut report);
    let mut rules = Vec::new();
    if let Some(spec) = document.require("spec", &mut report) {
        let mut spec = Section::open(&spec, &mut report);
        if let Some(list) = spec.require("rules", &mut report) {
            rules = read_list(&list, &mut report);
        }
        spec.close(&mut report);
    }
    document.close(&mut report);
    Ok((rules, report.close()?))
}

/// Reads `metadata`, which is for people.
pub(crate) fn read_metadata(document: &mut Section<'_>, report: &mut Report) {
    if let Some(mut metadata) = document.section("metadata", report) {
        metadata.get("name", report, scalars::text);
        metadata.close(report);
    }
}

/// Reads a list of rules.
pub fn read_list(list: &Field<'_>, report: &mut Report) -> Vec<Rule> {
    let items = list.items(report);
    if RuleSettings::RULES_MAX < items.len() {
        list.problem(format!("more than {} rules", RuleSettings::RULES_MAX), report);
    }
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    let mut rules = Vec::new();
    for item in items {
        let Some(rule) = read_rule(&item, report) else { continue };
        match places.insert(rule.name.clone(), item.key_at) {
            Some(earlier) => {
                let what = format!("a second rule called {}; the first is in line {}", rule.name, earlier.line);
                report.problem(item.key_at, &format!("{}.name", item.path), what);
            }
            None => rules.push(rule),
        }
    }
    rules
}

fn read_rule(item: &Field<'_>, report: &mut Report) -> Option<Rule> {
    let mut section = Section::open(item, report);
    let name = section.require("name", report).and_then(|field| field.read(report, name));
    let description = section.get("description", report, prose).unwrap_or_default();
    let selector = section.require("selector", report).map(|field| read_selector(&field, report));
    let when = section.require("when", report).and_then(|field| read_condition(&field, report));
    let holds_for = section.get("for", report, patience).unwrap_or_default();
    let then = section.require("then", report).and_then(|field| read_action(&field, report));
    let dry_run = section.get("dryRun", report, scalars::flag).unwrap_or(true);
    let priority = section.get("priority", report, priority).unwrap_or(0);
    section.close(report);
    let (name, selector, when, then) = (name?, selector?, when?, then?);
    if dry_run {
        report.remark(&item.path, format!("{name} is in dry run: what it proposes is shown and counted, and not done"));
    }
    let version = String::new();
    let rule = Rule { name, version, description, selector, when, holds_for, then, dry_run, priority };
    Some(Rule { version: fingerprint(&rule), ..rule })
}

fn read_selector(field: &Field<'_>, report: &mut Report) -> Selector {
    let mut section = Section::open(field, report);
    let mut services = Vec::new();
    if let Some(list) = section.take("services") {
        for item in list.items(report) {
            services.extend(item.read(report, scalars::text));
        }
    }
    if Selector::NAMES_MAX < services.len() {
        field.problem(format!("more than {} names; use * for a part of a name", Selector::NAMES_MAX), report);
    }
    if services.is_empty() {
        report.remark(&field.path, "selects nothing; services: [\"*\"] selects every service");
    }
    section.close(report);
    Selector { services }
}

fn read_condition(field: &Field<'_>, report: &mut Report) -> Option<Condition> {
    let text = match &field.node.value {
        Value::Text(text) => text.clone(),
        Value::Flag(flag) => flag.to_string(),
        other => {
            field.problem(
                format!("must be a condition, like service.utilization > 0.8, found {}", other.describe()),
                report,
            );
            return None;
        }
    };
    match language::read(&text) {
        Ok(condition) => Some(condition),
        Err(flaws) => {
            for flaw in flaws {
                report.problem_within((field.node.at, &text, flaw.start), &field.path, flaw.what);
            }
            None
        }
    }
}

fn read_action(field: &Field<'_>, report: &mut Report) -> Option<RuleAction> {
    let mut section = Section::open(field, report);
    let scale_out = section.take("scaleOut").map(|field| read_scale_out(&field, report));
    let sample = section.take("sample").map(|field| field.read(report, probability).map(RuleAction::Sample));
    let notify = section.take("notify").map(|field| read_notify(&field, report));
    let at = section.at();
    section.close(report);
    let mut given = [scale_out, sample, notify].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(action), None) => action,
        (first, _) => {
            let what = "must be one of scaleOut, sample and notify";
            let found = if first.is_none() { "none" } else { "more" };
            report.problem(at, &field.path, format!("{what}, found {found}"));
            None
        }
    }
}

fn read_scale_out(field: &Field<'_>, report: &mut Report) -> Option<RuleAction> {
    let mut section = Section::open(field, report);
    let by = section.get("by", report, scalars::count);
    let to = section.get("to", report, scalars::count);
    let given = (section.is_given("by"), section.is_given("to"));
    section.close(report);
    match given {
        (true, false) => by.map(|by| RuleAction::ScaleOut(ScaleOut::By(Replicas(by)))),
        (false, true) => to.map(|to| RuleAction::ScaleOut(ScaleOut::To(Replicas(to)))),
        _ => {
            field.problem("must say by (so many more) or to (at least so many), and not both", report);
            None
        }
    }
}

fn read_notify(field: &Field<'_>, report: &mut Report) -> Option<RuleAction> {
    let mut section = Section::open(field, report);
    let text = section.require("text", report).and_then(|field| field.read(report, prose));
    let urgency = section.get("urgency", report, urgency).unwrap_or(Urgency::Ticket);
    section.close(report);
    Some(RuleAction::Notify { urgency, text: text? })
}

/// A name that can stand in a metric, a path and a sentence.
fn name(value: &Value) -> Result<String, String> {
    let fits = |name: &String| {
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
    };
    let name = scalars::text(value).ok().filter(fits);
    name.ok_or_else(|| "must be 1 to 63 lower-case letters, digits and dashes, like busy-checkout".to_owned())
}

fn prose(value: &Value) -> Result<String, String> {
    let text = scalars::text(value).ok().filter(|text| text.len() <= PROSE_MAX);
    text.ok_or_else(|| format!("must be a text of 1 to {PROSE_MAX} bytes"))
}

/// How long a condition must hold: at once, or at least a millisecond.
fn patience(value: &Value) -> Result<Millis, String> {
    match value {
        Value::Text(text) if text == "0s" => Ok(Millis(0)),
        other => scalars::millis(other),
    }
}

fn priority(value: &Value) -> Result<i32, String> {
    let number = match value {
        Value::Number(text) => text.parse().ok(),
        _ => None,
    };
    number
        .filter(|number: &i32| number.unsigned_abs() <= PRIORITY_MAX.unsigned_abs())
        .ok_or_else(|| format!("must be a whole number between -{PRIORITY_MAX} and {PRIORITY_MAX}"))
}

/// Keeping nothing is no sampling; the floor of the manifest holds below this anyway.
fn probability(value: &Value) -> Result<SamplingProbability, String> {
    let above_zero = |probability: &SamplingProbability| SamplingProbability::NEVER < *probability;
    scalars::probability(value).ok().filter(above_zero).ok_or_else(|| "must be above 0% and up to 100%".to_owned())
}

fn urgency(value: &Value) -> Result<Urgency, String> {
    match scalars::text(value).unwrap_or_default().as_str() {
        "page" => Ok(Urgency::Page),
        "ticket" => Ok(Urgency::Ticket),
        _ => Err("must be page or ticket".to_owned()),
    }
}

/// Eight hex digits of what a rule says, by FNV-1a: enough to tell versions of one rule apart, and the same everywhere.
fn fingerprint(rule: &Rule) -> String {
    let text = serde_json::to_string(rule).expect("a rule is plain data, which JSON can hold");
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{:08x}", (hash >> 32) as u32 ^ hash as u32)
}

#[cfg(test)]
mod tests;
