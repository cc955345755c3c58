//! The report of a run, for people.
//!
//! Answers what happened, as one self-contained page: plots, what was done and why, what was complained about, and how to
//! repeat it. Plain SVG without scripts, so that it opens anywhere, prints, and can be attached to an issue.

pub(crate) mod page;
pub(crate) mod panel;
mod panels;
mod tables;
mod timeline;

use std::fmt::Write;

use crate::report::page::{clock, escape, thousands};
use crate::report::panel::Frame;
use crate::scenario::RunReport;

/// How every page looks.
pub(crate) const STYLE: &str = include_str!("report/style.css");

/// Renders the report as one HTML file.
pub fn html(report: &RunReport) -> String {
    let frame = Frame::new(report);
    let mut page = String::with_capacity(256 * 1024);
    head(&mut page, report);
    tiles(&mut page, report);
    timeline::draw(&mut page, report, &frame);
    for panel in panels::all(report) {
        panel.draw(&mut page, &frame);
    }
    tables::complaints(&mut page, report);
    tables::actions(&mut page, report);
    tables::expectations(&mut page, report);
    let (command, digest) = (escape(&report.command()), report.digest);
    put(&mut page, format_args!("<footer>Repeat this run: <code>{command}</code> · digest {digest:016x}</footer>"));
    page.push_str("</main></body></html>\n");
    page
}

fn head(page: &mut String, report: &RunReport) {
    let name = escape(&report.scenario.name.replace('_', " "));
    let (class, verdict) = if report.is_good() { ("good", "kept every promise") } else { ("bad", "broke a promise") };
    put(
        page,
        format_args!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>{name}, seed {seed}</title><style>{style}</style></head><body><main><header>\
             <h1>{name}<span class=\"badge {class}\">{verdict}</span></h1><p>{about}</p></header>",
            seed = report.seed.0,
            style = STYLE,
            about = escape(&report.scenario.about),
        ),
    );
}

fn tiles(page: &mut String, report: &RunReport) {
    let all = || (0..report.series.seconds.len()).flat_map(|second| report.series.samples(second));
    let requests: u64 = all().map(|sample| u64::from(sample.requests)).sum();
    let bad: u64 = all().map(|sample| u64::from(sample.errors.max(sample.slow))).sum();
    let sent = report.actions.iter().filter(|action| action.sent).count();
    let values = [
        (report.seed.0.to_string(), "seed"),
        (clock(report.scenario.duration_s), "simulated"),
        (thousands(requests), "requests, over all services"),
        (format!("{:.2} %", bad as f64 * 100.0 / requests.max(1) as f64), "failed or slow"),
        (report.incidents.len().to_string(), "incidents"),
        (sent.to_string(), "actions carried out"),
        (report.complaints_total.to_string(), "broken promises"),
    ];
    page.push_str("<div class=\"tiles\">");
    for (value, what) in values {
        put(page, format_args!("<div class=\"tile\"><b>{value}</b><span>{what}</span></div>"));
    }
    page.push_str("</div>");
}

/// Appends to a page. Writing to a string cannot fail.
pub(crate) fn put(page: &mut String, what: std::fmt::Arguments<'_>) {
    page.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests {
    use homeostat_core::Seed;

    use super::*;
    use crate::scenario::{Options, run, shipped};

    /// Scenario: the report of a run with faults, incidents and actions.
    /// Guarantees: one file that needs nothing else, names the seed and the command, draws every panel, and has no number
    /// that is not one.
    #[test]
    fn a_report_is_one_complete_file() {
        let report = run(&shipped("starved_service").unwrap(), Seed(1), &Options::default());
        let page = html(&report);
        assert!(page.contains("homeostat sim run starved_service --seed 1"));
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(7 <= page.matches("<svg").count());
        for unwanted in ["<script", "http://", "https://", "NaN", "inf"] {
            assert!(!page.contains(unwanted), "{unwanted}");
        }
    }
}
