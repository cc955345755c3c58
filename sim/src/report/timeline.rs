//! The timeline.
//!
//! Answers when what went wrong, when the loop noticed, and when it did something. Everything that happened is labelled here
//! once, so that the plots below need only thin lines.

use homeostat_core::Regime;

use crate::report::page::escape;
use crate::report::panel::{Frame, WIDTH, axis};
use crate::report::put;
use crate::scenario::RunReport;

const ROW: f64 = 22.0;
const TOP: f64 = 8.0;

/// Bars per lane; on a page with more, the last ones could not be read.
const BARS_MAX: usize = 12;

/// One bar or mark.
struct Bar {
    class: String,
    from_s: f64,
    to_s: f64,
    label: String,
}

/// Draws one lane each for regimes, faults, incidents and kinds of action.
pub(crate) fn draw(page: &mut String, report: &RunReport, frame: &Frame) {
    let mut rows: Vec<(String, Vec<Bar>)> = vec![("regime".to_owned(), regimes(report))];
    rows.extend(lane("faults", faults(report)));
    rows.extend(lane("incidents", incidents(report)));
    let mut kinds: Vec<&str> = report.actions.iter().map(|action| action.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    rows.extend(
        kinds.into_iter().enumerate().map(|(index, kind)| (kind.replace('_', " "), actions(report, kind, index))),
    );
    let height = TOP + ROW * rows.len() as f64 + 24.0;
    put(
        page,
        format_args!(
            "<section><h2>What happened<small>faults, what the loop made of them, and what it did</small></h2>\
             <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"timeline\">"
        ),
    );
    for (index, (name, bars)) in rows.iter().enumerate() {
        draw_row(page, frame, TOP + ROW * index as f64, name, bars);
    }
    axis(page, frame, height - 22.0, height - 6.0);
    page.push_str("</svg></section>");
}

fn draw_row(page: &mut String, frame: &Frame, y: f64, name: &str, bars: &[Bar]) {
    let mut free_from = 0.0;
    for (index, bar) in bars.iter().enumerate() {
        let (from, to) = (frame.x(bar.from_s), frame.x(bar.to_s.max(bar.from_s)));
        let width = (to - from).max(3.0);
        put(
            page,
            format_args!(
                "<rect class=\"bar {}\" x=\"{from:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"{}\"><title>{}</title></rect>",
                bar.class,
                ROW - 6.0,
                escape(&bar.label)
            ),
        );
        // A label is written only where it runs into neither the one before it nor the bar after it.
        let (x, base) = (from + if width <= 3.0 { 6.0 } else { 5.0 }, y + 12.0);
        let end = x + bar.label.chars().count() as f64 * 6.3 + 6.0;
        let next = bars.get(index + 1).map_or(f64::MAX, |next| frame.x(next.from_s));
        if free_from <= from && end <= next {
            put(page, format_args!("<text class=\"on-bar\" x=\"{x:.1}\" y=\"{base}\">{}</text>", escape(&bar.label)));
            free_from = end;
        }
    }
    let place = WIDTH - crate::report::panel::RIGHT + 16.0;
    put(page, format_args!("<text class=\"lane\" x=\"{place}\" y=\"{}\">{}</text>", y + 12.0, escape(name)));
}

/// Bars that overlap go to rows of their own.
fn lane(name: &str, bars: Vec<Bar>) -> Vec<(String, Vec<Bar>)> {
    let mut rows: Vec<(String, Vec<Bar>)> = Vec::new();
    for bar in bars.into_iter().take(BARS_MAX) {
        let room = rows.iter_mut().find(|(_, row)| row.last().is_none_or(|last| last.to_s <= bar.from_s));
        match room {
            Some((_, row)) => row.push(bar),
            None => rows.push((if rows.is_empty() { name.to_owned() } else { String::new() }, vec![bar])),
        }
    }
    rows
}

fn regimes(report: &RunReport) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for (second, entry) in report.series.seconds.iter().enumerate() {
        let (class, label) = match entry.regime {
            Some(Regime::Engaged) => ("regime-engaged", "engaged"),
            Some(Regime::Holding) => ("regime-holding", "held"),
            Some(Regime::Blind) => ("regime-blind", "blind"),
            Some(Regime::Starting) => ("regime-other", "starting"),
            Some(Regime::Draining) => ("regime-other", "draining"),
            None => ("regime-down", "down"),
        };
        match bars.last_mut() {
            Some(last) if last.label == label => last.to_s = second as f64 + 1.0,
            _ => bars.push(Bar {
                class: class.to_owned(),
                from_s: second as f64,
                to_s: second as f64 + 1.0,
                label: label.to_owned(),
            }),
        }
    }
    bars
}

fn faults(report: &RunReport) -> Vec<Bar> {
    let bar = |fault: &crate::scenario::FaultSpan| Bar {
        class: "fault".to_owned(),
        from_s: fault.from_s as f64,
        to_s: fault.to_s as f64,
        label: fault.what.clone(),
    };
    report.faults.iter().map(bar).collect()
}

fn incidents(report: &RunReport) -> Vec<Bar> {
    let bar = |incident: &crate::world::IncidentStory| Bar {
        class: "incident".to_owned(),
        from_s: incident.opened_s as f64,
        to_s: incident.closed_s.unwrap_or(report.scenario.duration_s) as f64,
        label: match &incident.suspect {
            Some(suspect) => format!("{} {}, suspects {suspect}", incident.id, incident.kind),
            None => format!("{} {}", incident.id, incident.kind),
        },
    };
    report.incidents.iter().map(bar).collect()
}

/// Marks of one kind; those of one second share a mark.
fn actions(report: &RunReport, kind: &str, colour: usize) -> Vec<Bar> {
    let mut bars: Vec<(Bar, usize)> = Vec::new();
    for action in report.actions.iter().filter(|action| action.kind == kind && action.sent) {
        let at = action.at_s as f64;
        match bars.last_mut() {
            Some((last, count)) if last.from_s == at => *count += 1,
            _ => bars.push((
                Bar {
                    class: format!("f{}", [0, 2, 5, 3, 4, 6][colour % 6]),
                    from_s: at,
                    to_s: at,
                    label: action.id.to_string(),
                },
                1,
            )),
        }
    }
    let name = |(bar, count): (Bar, usize)| match count {
        1 => bar,
        _ => Bar { label: format!("{} +{}", bar.label, count - 1), ..bar },
    };
    bars.into_iter().map(name).collect()
}
