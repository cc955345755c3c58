//! The scenario's text.
//!
//! Answers how what was found is written down, so that a person can read it, correct it and keep it. Every number stands
//! with its reason in a comment where it is not the one that was measured.

use std::fmt::Write;

use homeostat_core::{Autonomy, OperatorCommand, ServiceName, Settings};

use crate::record::fit::{Fitted, calls, mean};
use crate::record::infer::quoted;
use crate::record::seen::Row;
use crate::record::{Opened, Told};

/// Seconds of load that are averaged.
const LEVEL_S: usize = 5;

/// Rates on one line.
const LEVELS_PER_LINE: usize = 16;

/// The whole text.
pub(super) fn scenario(told: &Told<'_>) -> String {
    let mut text = String::new();
    about(told, &mut text);
    services(told, &mut text);
    workloads(told, &mut text);
    settings(told, &mut text);
    faults(told, &mut text);
    operator(told, &mut text);
    expectations(told, &mut text);
    text
}

/// Writing to a text cannot fail.
macro_rules! line {
    ($text:expr, $($what:tt)*) => {{
        let _ = writeln!($text, $($what)*);
    }};
}

fn about(told: &Told<'_>, text: &mut String) {
    for note in told.notes {
        line!(text, "# {note}");
    }
    line!(
        text,
        "# Not in a log, and therefore the usual: timeouts, queue limits, start delays, retries, pools, caches, hosts."
    );
    let kinds: Vec<String> = told.acted.incidents.iter().map(told_incident).collect();
    let what = if kinds.is_empty() { "Nothing was wrong".to_owned() } else { kinds.join("; ") };
    let what = format!("Recorded from {} s of {} services. {what}.", told.seen.seconds, told.fitted.len());
    line!(text, "about: {}", serde_json::Value::from(what));
    line!(text, "duration_s: {}", told.seen.seconds);
}

fn told_incident(incident: &Opened) -> String {
    let Opened { kind, suspect, from_s, to_s } = incident;
    let suspect = suspect.as_ref().map_or_else(String::new, |suspect| format!(", suspect {suspect}"));
    format!("From {from_s} s to {to_s} s {kind}{suspect}")
}

fn services(told: &Told<'_>, text: &mut String) {
    line!(text, "services:");
    for service in told.fitted {
        let Fitted { replicas, workers, median_us, p99_us, error_ppm, .. } = service;
        line!(text, "  - name: {}", quoted(&service.name));
        line!(text, "    replicas: {replicas}");
        line!(text, "    workers_per_replica: {workers}");
        let (median_us, p99_us) = (median_us.round().max(1.0), p99_us.round().max(1.0));
        line!(text, "    service_time: {{ lognormal: {{ median_us: {median_us}, p99_us: {p99_us} }} }}");
        if 0 < *error_ppm {
            line!(text, "    error_ppm: {error_ppm}");
        }
        let calls = calls(service);
        if !calls.is_empty() {
            line!(text, "    calls:");
        }
        for call in calls {
            let name = quoted(&told.fitted[call.callee].name);
            line!(text, "      - {{ service: {name}, probability_ppm: {} }}", call.probability_ppm);
        }
    }
}

/// What came from outside: what came at all but for the calls of others, in proportion to their requests.
fn outside(told: &Told<'_>, service: &Fitted) -> Vec<f64> {
    let mut requests: Vec<f64> = told.seen.services[&service.name].iter().map(|row| row.requests).collect();
    for ((_, callee), calls) in &told.seen.calls {
        if *callee == service.name {
            requests.iter_mut().zip(calls).for_each(|(requests, calls)| *requests -= calls);
        }
    }
    requests
}

fn workloads(told: &Told<'_>, text: &mut String) {
    /// Less than this share of a service's requests is a difference of clocks, not load.
    const OUTSIDE_MIN: f64 = 0.02;
    line!(text, "workloads:");
    for service in told.fitted {
        let outside = outside(told, service);
        let all: f64 = told.seen.services[&service.name].iter().map(|row| row.requests).sum();
        if outside.iter().sum::<f64>() < OUTSIDE_MIN * all {
            continue;
        }
        let heard = |from: usize| told.seen.services[&service.name][from..].iter().take(LEVEL_S).any(|row| row.heard);
        let mut last = 0;
        let levels: Vec<String> = outside
            .chunks(LEVEL_S)
            .enumerate()
            .map(|(index, chunk)| {
                // Where nothing was heard, the load goes on as it was.
                if heard(index * LEVEL_S) {
                    last = (mean(chunk.iter().copied()).max(0.0) * 1000.0).round() as u64;
                }
                last.to_string()
            })
            .collect();
        line!(text, "  - service: {}", quoted(&service.name));
        line!(text, "    shape:");
        line!(text, "      levels:");
        line!(text, "        every_s: {LEVEL_S}");
        line!(text, "        milli_per_second:");
        let rows: Vec<String> = levels.chunks(LEVELS_PER_LINE).map(|row| row.join(", ")).collect();
        line!(text, "          [{}]", rows.join(",\n           "));
    }
}

fn settings(told: &Told<'_>, text: &mut String) {
    let Settings { objectives, scaling, sampling, autonomy, .. } = &told.seen.settings;
    line!(text, "settings:");
    line!(text, "  objectives:");
    let default = (ServiceName::from("default"), objectives.default);
    let known = |name: &ServiceName| told.fitted.iter().any(|service| service.name == *name);
    let named = objectives.services.iter().filter(|(name, _)| known(name)).map(|(name, of)| (name.clone(), *of));
    for (name, of) in std::iter::once(default).chain(named) {
        let (availability, latency) = (of.availability.0.clamp(1, 9999), of.latency.0.clamp(1, 9999));
        let threshold_ms = (of.latency_threshold.0 / 1000).max(1);
        line!(
            text,
            "    {}: {{ availability_bp: {availability}, latency_bp: {latency}, latency_threshold_ms: {threshold_ms} }}",
            quoted(&name)
        );
    }
    line!(text, "  scaling:");
    line!(text, "    utilization_target_bp: {}", scaling.utilization_target.0);
    line!(text, "    tolerance_bp: {}", scaling.tolerance.0);
    line!(text, "    reduce_after_s: {}", scaling.reduce_after.0 / 1000);
    let scaled: Vec<String> = scaling
        .services
        .iter()
        .filter_map(|(name, allowed)| {
            let service = told.fitted.iter().find(|service| service.name == *name)?;
            // It may have started outside of what is allowed; the scenario may not.
            let (min, max) = (allowed.min.0.min(service.replicas), allowed.max.0.max(service.replicas));
            Some(format!("      {}: {{ min: {min}, max: {max} }}", quoted(name)))
        })
        .collect();
    if !scaled.is_empty() {
        line!(text, "    services:\n{}", scaled.join("\n"));
    }
    line!(text, "  sampling:");
    line!(text, "    adaptive: {}", sampling.adaptive);
    line!(text, "    initial_head_ppm: {}", sampling.initial.head.ppm().max(1));
    line!(text, "    initial_tail_ppm: {}", sampling.initial.tail.ppm().max(1));
    line!(text, "    floor_ppm: {}", sampling.floor.ppm().max(1));
    line!(text, "    kept_spans_per_second_max: {}", sampling.kept_spans_per_second_max);
    line!(text, "    kept_share_max_bp: {}", sampling.kept_share_max.0);
    line!(text, "    received_spans_per_second_max: {}", sampling.received_spans_per_second_max);
    line!(text, "  autonomy:");
    let says = |autonomy: Autonomy| serde_json::to_string(&autonomy).unwrap_or_default();
    line!(text, "    sampling: {}", says(autonomy.sampling));
    line!(text, "    scaling: {}", says(autonomy.scaling));
    line!(text, "    notification: {}", says(autonomy.notification));
}

fn faults(told: &Told<'_>, text: &mut String) {
    let end = told.seen.seconds;
    let within = told.found.iter().filter_map(|fault| {
        let (from_s, to_s) = (fault.from_s.max(1), fault.to_s.min(end));
        (from_s < to_s).then(|| format!("  - {{ from_s: {from_s}, to_s: {to_s}, fault: {{ {} }} }}", fault.text))
    });
    let within: Vec<String> = within.collect();
    if !within.is_empty() {
        line!(text, "faults:\n{}", within.join("\n"));
    }
}

fn operator(told: &Told<'_>, text: &mut String) {
    let said = told.seen.operator.iter().filter_map(|(at_s, command)| {
        let says = match command {
            OperatorCommand::Hold => "hold",
            OperatorCommand::Resume => "resume",
            // Another run has other actions.
            OperatorCommand::Approve(_) | OperatorCommand::Reject(_) | OperatorCommand::Arm { .. } => return None,
        };
        Some(format!("  - {{ at_s: {}, says: {says} }}", (*at_s).max(1)))
    });
    let said: Vec<String> = said.collect();
    if !said.is_empty() {
        line!(text, "operator:\n{}", said.join("\n"));
    }
}

fn expectations(told: &Told<'_>, text: &mut String) {
    /// Another run notices an incident a little earlier or later.
    const SLACK_S: usize = 20;
    line!(text, "# Envelopes around what was seen, wide enough for another seed.");
    line!(text, "expect:");
    for incident in &told.acted.incidents {
        let (from, to) = (incident.from_s + SLACK_S, incident.to_s.saturating_sub(SLACK_S));
        if from < to {
            line!(text, "  - {{ measure: incidents, from_s: {from}, to_s: {to}, at_least: 1 }}");
        }
    }
    if told.acted.incidents.is_empty() {
        line!(text, "  - {{ measure: incidents, at_most: 0 }}");
    }
    for service in told.fitted {
        let name = quoted(&service.name);
        let rows = &told.seen.services[&service.name];
        let rate = mean(rows.iter().filter(|row| row.heard).map(|row| row.requests));
        if 10.0 <= rate {
            let (least, most) = ((rate * 0.7).floor(), (rate * 1.4).ceil());
            let bounds = format!("mean_at_least: {least}, mean_at_most: {most}");
            line!(text, "  - {{ measure: requests_per_second, service: {name}, {bounds} }}");
        }
        let busiest = rows.iter().filter_map(|row| row.replicas).max().unwrap_or(service.replicas);
        line!(text, "  - {{ measure: replicas, service: {name}, at_most: {} }}", busiest * 2);
        shares(&name, rows, text);
    }
}

/// The shares of what was bad over the whole log.
fn shares(name: &str, rows: &[Row], text: &mut String) {
    let requests: f64 = rows.iter().map(|row| row.requests).sum();
    for (measure, bad) in [
        ("error_share_bp", rows.iter().map(|row| row.errors).sum::<f64>()),
        ("slow_share_bp", rows.iter().map(|row| row.slow).sum::<f64>()),
    ] {
        // Three times as much, and a hundredth for chance: what goes wrong in a minute depends on when help comes.
        let most = (bad / requests.max(1.0) * 30_000.0 + 100.0).ceil().min(10_000.0);
        line!(text, "  - {{ measure: {measure}, service: {name}, mean_at_most: {most} }}");
    }
}
