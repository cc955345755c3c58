//! The tables of a page.
//!
//! Answers what was complained about, what was done and why, and what was expected, row by row.

use homeostat_core::Verdict;

use crate::report::page::{clock, escape};
use crate::report::put;
use crate::scenario::RunReport;
use crate::world::ActionStory;

/// Rows per table. A page with more would not be read; the journal has the rest.
const ROWS_MAX: usize = 200;

/// Broken promises, if there are any.
pub(crate) fn complaints(page: &mut String, report: &RunReport) {
    if report.complaints.is_empty() {
        return;
    }
    let total = report.complaints_total;
    put(page, format_args!("<section><h2 class=\"bad\">Broken promises<small>{total} in all</small></h2>"));
    page.push_str(
        "<div class=\"scroll\"><table><tr><th>at</th><th>tick</th><th>checker</th><th>expected</th><th>found</th></tr>",
    );
    for complaint in &report.complaints {
        put(
            page,
            format_args!(
                "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                clock(complaint.at.as_secs()),
                complaint.tick,
                complaint.checker,
                escape(&complaint.expected),
                escape(&complaint.found)
            ),
        );
    }
    page.push_str("</table></div></section>");
}

/// What was done, why, and what became of it.
pub(crate) fn actions(page: &mut String, report: &RunReport) {
    let (shown, total) = (report.actions.len().min(ROWS_MAX), report.actions.len());
    let about = if shown < total { format!("the first {shown} of {total}") } else { format!("{total} in all") };
    put(page, format_args!("<section><h2>Actions<small>{about}</small></h2><div class=\"scroll\"><table>"));
    page.push_str("<tr><th>at</th><th>id</th><th>what</th><th>why</th><th>verdict</th><th>promise</th></tr>");
    for action in report.actions.iter().take(shown) {
        let (class, verdict) = verdict(action);
        put(
            page,
            format_args!(
                "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"soft\">{}</td>\
                 <td><span class=\"badge {class}\">{verdict}</span></td><td class=\"soft\">{}</td></tr>",
                clock(action.at_s),
                action.id,
                escape(&action.what),
                escape(&action.why),
                escape(&promise(action))
            ),
        );
    }
    if total == 0 {
        page.push_str("<tr><td colspan=\"6\" class=\"soft\">There was nothing to do, and nothing was done.</td></tr>");
    }
    page.push_str("</table></div></section>");
}

/// What the scenario expects, and what was found.
pub(crate) fn expectations(page: &mut String, report: &RunReport) {
    if report.measured.is_empty() {
        return;
    }
    page.push_str("<section><h2>Expectations</h2><div class=\"scroll\"><table>");
    page.push_str("<tr><th>expected</th><th>found</th><th></th></tr>");
    for measured in &report.measured {
        let (class, text) = if measured.met { ("good", "met") } else { ("bad", "missed") };
        put(
            page,
            format_args!(
                "<tr><td>{}</td><td class=\"n\">{}</td><td><span class=\"badge {class}\">{text}</span></td></tr>",
                escape(&measured.expected),
                escape(&measured.found)
            ),
        );
    }
    page.push_str("</table></div></section>");
}

fn verdict(action: &ActionStory) -> (&'static str, String) {
    match action.end {
        None => ("soft", "open at the end".to_owned()),
        Some(end) => {
            let class = match end.verdict {
                Verdict::Kept => "good",
                Verdict::Undone | Verdict::Failed => "bad",
                Verdict::Inconclusive => "warn",
                Verdict::NotActed | Verdict::Declined => "soft",
            };
            (class, end.verdict.to_string())
        }
    }
}

/// The promised measure before and after, in its own unit.
fn promise(action: &ActionStory) -> String {
    let Some(measure) = &action.measure else { return String::new() };
    let render = |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| measure.unit().render(value));
    match action.end {
        Some(end) => format!("{measure}: {} → {}", render(end.before), render(end.after)),
        None => measure.to_string(),
    }
}
