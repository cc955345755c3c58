//! What went wrong, as far as it shows.
//!
//! Answers which faults explain what was seen: a service whose work takes longer, that fails by itself, that lost
//! instances; eyes that saw nothing or late; hands that refused or did not answer. How long work takes is read off how busy
//! workers were for what they got done, because latency holds waiting too and would blame the overload for itself.

use homeostat_core::{Actuation, Effect, ReportKind, ServiceName};

use crate::record::Acted;
use crate::record::fit::{Fitted, median};
use crate::record::seen::{Row, Seen};

/// Seconds that are looked at together: shorter ones are mostly noise, longer ones blur when it began.
const WINDOW_S: usize = 5;

/// Windows that a fault must last to be believed.
const WINDOWS_MIN: usize = 3;

/// Windows in between that may look well without ending a fault.
const GAP_MAX: usize = 2;

/// Work that takes this much longer than on a quiet day is slow.
const SLOW_FROM: f64 = 1.4;

/// A share of failures this much above that of a quiet day is a fault.
const FAILING_FROM: f64 = 0.03;

/// Workers busier than this fail requests for want of time, and not by themselves.
const SATURATED: f64 = 0.95;

/// A fault that was found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) from_s: usize,
    pub(super) to_s: usize,
    /// As a scenario has it.
    pub(super) text: String,
}

/// Everything that explains something.
pub(super) fn faults(seen: &Seen, fitted: &[Fitted], acted: &Acted) -> Vec<Found> {
    let mut found = Vec::new();
    for service in fitted {
        let rows = &seen.services[&service.name];
        found.extend(slow(service, rows));
        found.extend(failing(seen, service, fitted, rows));
        found.extend(lost_replicas(service, rows, acted));
        found.extend(unseen(&service.name, rows));
        found.extend(late(&service.name, rows));
    }
    found.extend(away(seen));
    found.extend(hands(seen, acted));
    found.sort_by_key(|fault| (fault.from_s, fault.to_s));
    found
}

/// Spans of windows in which `value` is at least `from`, each with the values it had.
fn spans(rows: usize, from: f64, value: impl Fn(usize, usize) -> Option<f64>) -> Vec<(usize, usize, Vec<f64>)> {
    let mut spans: Vec<(usize, usize, Vec<f64>)> = Vec::new();
    for (window, start) in (0..rows).step_by(WINDOW_S).enumerate() {
        let end = (start + WINDOW_S).min(rows);
        let Some(found) = value(start, end).filter(|found| from <= *found) else { continue };
        match spans.last_mut() {
            Some((_, to, values)) if window * WINDOW_S <= *to + GAP_MAX * WINDOW_S => {
                *to = end;
                values.push(found);
            }
            _ => spans.push((start, end, vec![found])),
        }
    }
    spans.retain(|(_, _, values)| WINDOWS_MIN <= values.len());
    spans
}

fn sum(rows: &[Row], of: impl Fn(&Row) -> f64) -> f64 {
    rows.iter().map(of).sum()
}

fn is_saturated(rows: &[Row]) -> bool {
    rows.iter().filter_map(|row| row.utilization).any(|busy| SATURATED < busy)
}

fn slow(service: &Fitted, rows: &[Row]) -> Vec<Found> {
    let usual = service.work_s();
    let found = spans(rows.len(), SLOW_FROM, |from, to| {
        let rows = &rows[from..to];
        let (requests, errors) = (sum(rows, |row| row.requests), sum(rows, |row| row.errors));
        // What fails at workers that have time was worked on; what fails at others was refused or given up in the queue.
        let done = if is_saturated(rows) { requests - errors } else { requests };
        // Of a few requests nothing can be told, and less of requests that mostly failed.
        if done < 5.0 || done < requests / 2.0 {
            return None;
        }
        let busy_s = |row: &Row| {
            let workers = f64::from(row.replicas.unwrap_or(service.replicas) * service.workers);
            row.utilization.unwrap_or(0.0) * workers
        };
        service.workers_known.then(|| sum(rows, busy_s) / done / usual)
    });
    let text = |values: Vec<f64>| {
        let factor_bp = (median(values.into_iter()).unwrap_or(1.0) * 10_000.0) as u64;
        format!("slow_service: {{ service: {}, factor_bp: {factor_bp} }}", quoted(&service.name))
    };
    found.into_iter().map(|(from_s, to_s, values)| Found { from_s, to_s, text: text(values) }).collect()
}

fn failing(seen: &Seen, service: &Fitted, fitted: &[Fitted], rows: &[Row]) -> Vec<Found> {
    let found = spans(rows.len(), FAILING_FROM, |from, to| {
        let requests = sum(&rows[from..to], |row| row.requests);
        if requests < 5.0 || is_saturated(&rows[from..to]) {
            return None;
        }
        let passed_on = service.calls.iter().map(|(callee, calls)| {
            let of = &seen.services[&fitted[*callee].name][from..to];
            sum(of, |row| row.errors) / sum(of, |row| row.requests).max(1.0) * calls
        });
        let own = sum(&rows[from..to], |row| row.errors) / requests - passed_on.sum::<f64>();
        Some(own - service.quiet.error_share)
    });
    let text = |values: Vec<f64>| {
        let share_bp = (median(values.into_iter()).unwrap_or(0.0).clamp(0.0, 1.0) * 10_000.0) as u64;
        format!("failing_service: {{ service: {}, share_bp: {share_bp} }}", quoted(&service.name))
    };
    found.into_iter().map(|(from_s, to_s, values)| Found { from_s, to_s, text: text(values) }).collect()
}

/// Instances that went without anybody having asked for it, until they are back or somebody asks for a number.
fn lost_replicas(service: &Fitted, rows: &[Row], acted: &Acted) -> Vec<Found> {
    /// An actuator's delay: what goes this soon after somebody asked went because of that.
    const ASKED_BEFORE_S: usize = 30;
    let asked = |from: usize, to: usize| {
        acted.effects.iter().any(|(at, effect)| {
            let (Effect::Apply { actuation, .. } | Effect::Undo { actuation, .. }) = effect else { return false };
            let is_it = matches!(actuation, Actuation::SetReplicas { service: name, .. } if *name == service.name);
            is_it && (from..to).contains(&(*at as usize))
        })
    };
    let mut found: Vec<Found> = Vec::new();
    let (mut last, mut second) = (rows.iter().find_map(|row| row.replicas).unwrap_or(0), 0);
    while second < rows.len() {
        let Some(now) = rows[second].replicas else {
            second += 1;
            continue;
        };
        if now < last && !asked(second.saturating_sub(ASKED_BEFORE_S), second + 1) {
            let back = |at: &usize| rows[*at].replicas.is_some_and(|is| last <= is) || asked(*at, *at + 1);
            let to_s = (second + 1..rows.len()).find(back).unwrap_or(rows.len());
            let name = quoted(&service.name);
            let text = format!("replica_loss: {{ service: {name}, replicas: {} }}", last - now);
            found.push(Found { from_s: second, to_s, text });
            second = to_s;
        }
        last = rows.get(second).and_then(|row| row.replicas).unwrap_or(now);
        second += 1;
    }
    found
}

/// A service of which nothing was heard for a while.
fn unseen(name: &ServiceName, rows: &[Row]) -> Vec<Found> {
    let first = rows.iter().position(|row| row.heard).unwrap_or(rows.len());
    let found = spans(rows.len(), 1.0, |from, to| {
        let is_silent = first <= from && rows[from..to].iter().all(|row| !row.heard);
        is_silent.then_some(1.0)
    });
    let text = format!("lost_observations: {{ service: {} }}", quoted(name));
    found.into_iter().map(|(from_s, to_s, _)| Found { from_s, to_s, text: text.clone() }).collect()
}

fn late(name: &ServiceName, rows: &[Row]) -> Vec<Found> {
    /// Less is the usual way from a service to the agent.
    const LATE_MS_MIN: f64 = 2000.0;
    let found = spans(rows.len(), LATE_MS_MIN, |from, to| {
        let heard = rows[from..to].iter().filter(|row| row.heard);
        median(heard.map(|row| row.late_ms as f64))
    });
    let text = |values: Vec<f64>| {
        let delay_ms = median(values.into_iter()).unwrap_or(0.0).min(600_000.0) as u64;
        format!("late_observations: {{ service: {}, delay_ms: {delay_ms} }}", quoted(name))
    };
    found.into_iter().map(|(from_s, to_s, values)| Found { from_s, to_s, text: text(values) }).collect()
}

/// Seconds without a thought: the agent was not there.
fn away(seen: &Seen) -> Vec<Found> {
    /// A tick that is late by less is a busy machine.
    const AWAY_S_MIN: usize = 4;
    let first = seen.ticks.iter().position(|tick| *tick).unwrap_or(seen.seconds);
    let mut found = Vec::new();
    let mut since = None;
    for (second, tick) in seen.ticks.iter().enumerate().skip(first) {
        match (tick, since) {
            (false, None) => since = Some(second),
            (true, Some(from_s)) => {
                if AWAY_S_MIN <= second - from_s {
                    found.push(Found { from_s, to_s: second, text: "crash_restart: {}".to_owned() });
                }
                since = None;
            }
            _ => {}
        }
    }
    found
}

/// Hands that refused, and hands that never answered.
fn hands(seen: &Seen, acted: &Acted) -> Vec<Found> {
    /// An answer that takes longer counts as lost.
    const ANSWER_S_MAX: u64 = 30;
    let mut found = Vec::new();
    let refused = seen.reports.iter().filter(|(_, report)| matches!(report.kind, ReportKind::Failed { .. }));
    let refused: Vec<usize> = refused.map(|(at, _)| *at as usize).collect();
    if let (Some(first), Some(last)) = (refused.first(), refused.last()) {
        let share_bp = refused.len() * 10_000 / seen.reports.len().max(1);
        let text = format!("failing_actuator: {{ share_bp: {} }}", share_bp.clamp(1, 10_000));
        found.push(Found { from_s: first.saturating_sub(1), to_s: last + 1, text });
    }
    let answered = |at: u64, effect: &Effect| {
        let (Effect::Apply { id, .. } | Effect::Undo { id, .. } | Effect::ReadBack { id, .. }) = effect;
        let mut answers = seen.reports.iter().filter(|(when, report)| report.id == *id && at <= *when);
        answers.any(|(when, _)| *when <= at + ANSWER_S_MAX)
    };
    let end = seen.seconds as u64;
    let due: Vec<&(u64, Effect)> = acted.effects.iter().filter(|(at, _)| at + ANSWER_S_MAX < end).collect();
    let silent: Vec<usize> =
        due.iter().filter(|(at, effect)| !answered(*at, effect)).map(|(at, _)| *at as usize).collect();
    if let (Some(first), Some(last)) = (silent.first().copied(), silent.last().copied()) {
        let within = due.iter().filter(|(at, _)| (first..=last).contains(&(*at as usize))).count();
        let text = format!("lost_reports: {{ share_bp: {} }}", (silent.len() * 10_000 / within.max(1)).max(1));
        found.push(Found { from_s: first.saturating_sub(1), to_s: last + ANSWER_S_MAX as usize, text });
    }
    found
}

/// A name as YAML understands it, whatever is in it.
pub(super) fn quoted(name: &ServiceName) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
    let is_plain = name.as_str().starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.as_str().chars().all(plain)
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&name.as_str());
    if is_plain { name.to_string() } else { serde_json::Value::from(name.as_str()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scenario: windows that are above the limit for one, for three with a gap, and for many.
    /// Guarantees: one is noise; a short gap belongs to the span around it.
    #[test]
    fn a_span_is_neither_noise_nor_broken_by_a_gap() {
        let values = [0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 3.0, 4.0, 0.0, 0.0];
        let found = spans(values.len() * WINDOW_S, 1.0, |from, _| Some(values[from / WINDOW_S]));
        assert_eq!(found, [(30, 50, vec![2.0, 3.0, 4.0])]);
    }

    /// Scenario: names with letters, a number, a colon, and one that YAML takes for a truth.
    /// Guarantees: each is written so that it is read back as text.
    #[test]
    fn names_are_read_back_as_text() {
        for name in ["cart", "cart-2", "2", "a: b", "yes", "ä\"'"] {
            let text = quoted(&ServiceName::from(name));
            assert_eq!(serde_saphyr::from_str::<String>(&text).unwrap(), name);
        }
    }
}
