//! `spec.goals`.
//!
//! Answers what people want for their business: journeys with their promises, and what telemetry of them may cost. Does not
//! derive anything; that is the loop's. A budget in money becomes spans per second here, because the loop knows no prices.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use homeostat_core::{
    BasisPoints, Confidence, Entry, GoalSettings, Importance, Journey, JourneyName, LatencyPromise, Millis,
    OperationName, ServiceName, Settings,
};

use super::problems::Report;
use super::scalars;
use super::section::{Field, Section};
use super::text::Value;

/// Shorter than a week, the workbook's windows of hours and days make no sense; longer than thirty days nobody promises.
const WINDOWS: RangeInclusive<Millis> = Millis::from_secs(7 * 86_400)..=Millis::from_secs(30 * 86_400);

/// The promise's window unless told: the workbook's.
const WINDOW: Millis = Millis::from_secs(30 * 86_400);

/// Seconds of a mean month: 365.25 days / 12.
const MONTH_SECONDS: f64 = 2_629_800.0;

/// Reads the section into `settings`; `kept_max` is what the sampling section says about kept spans, if it says anything.
pub(super) fn read(mut section: Section<'_>, settings: &mut Settings, kept_max: Option<u64>, report: &mut Report) {
    let mut goals = GoalSettings::default();
    if let Some(journeys) = section.take("journeys") {
        let named = Section::open(&journeys, report).named(report);
        if GoalSettings::JOURNEYS_MAX < named.len() {
            let what = format!("must be at most {} journeys, found {}", GoalSettings::JOURNEYS_MAX, named.len());
            journeys.problem(what, report);
        }
        for (name, field) in named {
            if let Some(journey) = read_journey(Section::open(&field, report), report) {
                goals.journeys.insert(JourneyName::from(name), journey);
            }
        }
    }
    if let Some(mut telemetry) = section.section("telemetry", report) {
        if let Some(budget) = telemetry.section("budget", report) {
            read_budget(budget, settings, kept_max, report);
        }
        if let Some(precision) = telemetry.section("precision", report) {
            read_precision(precision, &mut goals, report);
        }
        telemetry.close(report);
    }
    section.close(report);
    goals.strengthen(&mut settings.objectives);
    settings.goals = goals;
}

fn read_journey(mut section: Section<'_>, report: &mut Report) -> Option<Journey> {
    let entries = section.require("entry", report).map(|field| read_entries(&field, report));
    let reliability = section.require("reliability", report).and_then(|field| field.read(report, scalars::promise));
    let mut through = BTreeSet::new();
    for field in section.take("through").map(|list| list.items(report)).unwrap_or_default() {
        through.extend(field.read(report, scalars::text).map(|name| ServiceName::from(name.as_str())));
    }
    let importance = section.get("importance", report, importance).unwrap_or_default();
    let latency = section.section("latency", report).and_then(|latency| read_latency(latency, report));
    let window = section.get("window", report, window).unwrap_or(WINDOW);
    section.close(report);
    Some(Journey { entries: entries?, through, importance, reliability: reliability?, latency, window })
}

/// One entry, or a list of them.
fn read_entries(field: &Field<'_>, report: &mut Report) -> Vec<Entry> {
    let items = match &field.node.value {
        Value::List(_) => field.items(report),
        _ => vec![field.clone()],
    };
    if items.is_empty() || GoalSettings::ENTRIES_MAX < items.len() {
        field.problem(format!("must be one entry, or a list of 1 to {}", GoalSettings::ENTRIES_MAX), report);
    }
    items.iter().filter_map(|item| read_entry(Section::open(item, report), report)).collect()
}

fn read_entry(mut section: Section<'_>, report: &mut Report) -> Option<Entry> {
    let service = section.require("service", report).and_then(|field| field.read(report, scalars::text));
    let operation = section.get("operation", report, scalars::text);
    section.close(report);
    Some(Entry {
        service: ServiceName::from(service?.as_str()),
        operation: operation.map(|operation| OperationName::from(operation.as_str())),
    })
}

fn read_latency(mut section: Section<'_>, report: &mut Report) -> Option<LatencyPromise> {
    let threshold = section.require("threshold", report).and_then(|field| field.read(report, scalars::micros));
    let ratio = section.require("ratio", report).and_then(|field| field.read(report, scalars::promise));
    section.close(report);
    Some(LatencyPromise { threshold: threshold?, ratio: ratio? })
}

fn importance(value: &Value) -> Result<Importance, String> {
    let text = scalars::text(value).unwrap_or_default();
    let found = Importance::FIRST_TO_LAST.into_iter().find(|importance| importance.to_string() == text);
    found.ok_or_else(|| "must be critical, high, normal or low".to_owned())
}

fn window(value: &Value) -> Result<Millis, String> {
    let within = scalars::millis(value).ok().filter(|window| WINDOWS.contains(window));
    within.ok_or_else(|| "must be a duration between 7d and 30d, like 7d, 28d or 30d".to_owned())
}

fn read_budget(mut section: Section<'_>, settings: &mut Settings, kept_max: Option<u64>, report: &mut Report) {
    let (at, path) = (section.at(), section.path_of("spansPerSecond"));
    let spans = section.get("spansPerSecond", report, scalars::count).map(u64::from);
    let money = section.section("money", report).and_then(|money| read_money(money, report));
    section.close(report);
    if spans.is_some() && money.is_some() {
        report.problem(at, &path, "given twice, in spans and in money; leave one of the two out");
    }
    let Some(budget) = spans.or(money) else { return };
    if let Some(kept_max) = kept_max.filter(|kept_max| *kept_max != budget) {
        let both = "spec.tracing.sampling.maxKeptSpansPerSecond and this goal's budget";
        report.remark(&path, format!("the smaller of {both} holds: {} spans/s", budget.min(kept_max)));
    }
    settings.sampling.kept_spans_per_second_max = kept_max.map_or(budget, |kept_max| kept_max.min(budget));
}

/// What a month's money buys, in spans per second.
fn read_money(mut section: Section<'_>, report: &mut Report) -> Option<u64> {
    let per_month = section.require("perMonth", report).and_then(|field| field.read(report, money));
    let price_field = section.require("perMillionSpans", report);
    let price = price_field.as_ref().and_then(|field| field.read(report, money));
    section.close(report);
    let ((amount, currency), (price, of), field) = (per_month?, price?, price_field?);
    if currency != of {
        field.problem(format!("must be in {currency}, as perMonth is, found {of}"), report);
        return None;
    }
    let spans = amount / price * 1e6 / MONTH_SECONDS;
    if spans < 1.0 || f64::from(u32::MAX) < spans {
        field.problem("must leave at least one span per second, and at most 4 billion", report);
        return None;
    }
    Some(spans as u64)
}

/// An amount and its currency.
fn money(value: &Value) -> Result<(f64, String), String> {
    let must = || "must be an amount above zero and a currency, like 400 EUR or 0.5 USD".to_owned();
    let text = scalars::text(value).map_err(|_| must())?;
    let (amount, currency) = text.split_once(' ').ok_or_else(must)?;
    let is_currency = currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase());
    let amount = amount.parse::<f64>().ok().filter(|amount| 0.0 < *amount && *amount <= 1e12 && is_currency);
    amount.map(|amount| (amount, currency.to_owned())).ok_or_else(must)
}

fn read_precision(mut section: Section<'_>, goals: &mut GoalSettings, report: &mut Report) {
    let precision = &mut goals.precision;
    if let Some(error) = section.get("errorRate", report, scalars::positive_share) {
        precision.error_rate = error;
    }
    if let Some(rank) = section.get("p99", report, scalars::positive_share) {
        precision.p99_rank = rank;
    }
    if let Some(confidence) = section.get("confidence", report, confidence) {
        precision.confidence = confidence;
    }
    if let Some(window) = section.get("window", report, precision_window) {
        precision.window = window;
    }
    section.close(report);
}

fn precision_window(value: &Value) -> Result<Millis, String> {
    let within = scalars::millis(value).ok().filter(|window| (1000..=86_400_000).contains(&window.0));
    within.ok_or_else(|| "must be a duration between 1s and 1d, like 5m, 10m or 1h".to_owned())
}

fn confidence(value: &Value) -> Result<Confidence, String> {
    let share: Option<BasisPoints> = scalars::share(value).ok();
    let found = Confidence::ALL.into_iter().find(|confidence| Some(confidence.share()) == share);
    found.ok_or_else(|| "must be 80%, 90%, 95% or 99%".to_owned())
}
