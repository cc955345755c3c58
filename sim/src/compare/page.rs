//! A comparison, for people.
//!
//! Answers how everybody fared, as one self-contained page: a table for each workload, and below it the load with everybody's
//! replicas, the share of bad requests, and what was spent, over time. The plots show the first seed.

use std::ops::Range;

use crate::compare::{CompareReport, Contender, StageReport, Standing};
use crate::report::page::{clock, escape};
use crate::report::panel::{Frame, Limit, Line, Panel, Path};
use crate::report::{STYLE, put};

/// Points per line; more could not be told apart on a screen.
const POINTS_MAX: usize = 700;

/// Renders a comparison as one HTML file; `command` repeats it.
pub fn html(report: &CompareReport, command: &str) -> String {
    let mut page = String::with_capacity(256 * 1024);
    let (first, seeds) = report.seeds;
    put(
        &mut page,
        format_args!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
             <title>Managers side by side</title><style>{STYLE}</style></head><body><main><header>\
             <h1>Managers side by side</h1><p>Who keeps the objective for how many replicas. Utility is good requests less bad \
             ones less replica-seconds, as a share of what the oracle earns, who knows every arrival in advance. A bad request \
             costs {bad}, a replica-second {price} of what a replica earns when it is never idle; beside it the same at half \
             and twice that price. {seeds} seeds from {first}; the plots show the first.</p></header>",
            bad = report.prices.bad,
            price = report.prices.replica,
        ),
    );
    for stage in &report.stages {
        draw_stage(&mut page, stage);
    }
    put(
        &mut page,
        format_args!("<footer>Repeat this: <code>{}</code></footer></main></body></html>\n", escape(command)),
    );
    page
}

fn draw_stage(page: &mut String, stage: &StageReport) {
    let frame = Frame { duration_s: stage.seconds as f64, faults: Vec::new(), marks: Vec::new() };
    put(
        page,
        format_args!(
            "<section><h2>{}<small>{}; {}, one replica answers {:.2} requests/s</small></h2><div class=\"scroll\"><table>\
             <tr><th>manager</th><th>utility</th><th>at half price</th><th>at twice</th><th>objective broken</th>\
             <th>bad requests</th><th>replica-hours</th><th>changes</th><th>reversals</th></tr>",
            escape(&stage.name),
            escape(&stage.about),
            clock(stage.seconds),
            stage.capacity
        ),
    );
    stage.standings.iter().for_each(|standing| row(page, standing));
    page.push_str("</table></div></section>");
    for panel in [replicas(stage), bad_share(stage), spent(stage)] {
        panel.draw(page, &frame);
    }
}

fn row(page: &mut String, standing: &Standing) {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let cells = [
        percent(standing.share[0]),
        percent(standing.share[1]),
        percent(standing.share[2]),
        format!("{:.0} s", standing.mean(|score| score.broken_s as f64)),
        format!("{:.2} %", standing.mean(|score| score.bad_share()) * 100.0),
        format!("{:.2}", standing.mean(|score| score.replica_s as f64) / 3600.0),
        format!("{:.0}", standing.mean(|score| score.actions as f64)),
        format!("{:.0}", standing.mean(|score| score.reversals as f64)),
    ];
    put(page, format_args!("<tr><td>{}</td>", standing.contender));
    cells.iter().for_each(|cell| put(page, format_args!("<td class=\"n\">{cell}</td>")));
    page.push_str("</tr>");
}

fn replicas(stage: &StageReport) -> Panel {
    let mut lines = of_each(stage, Path::Steps, |window| window.last().map_or(0.0, |moment| f64::from(moment.wanted)));
    if let Some(first) = stage.standings.first() {
        let busy = |range: Range<usize>| {
            let answered: f64 = first.moments[range.clone()].iter().map(|moment| f64::from(moment.requests)).sum();
            answered / range.len().max(1) as f64 / stage.capacity
        };
        let points = windows(first.moments.len()).map(|(at, range)| (at, busy(range))).collect();
        lines.insert(0, Line { label: "load".to_owned(), colour: 7, points, path: Path::Straight });
    }
    Panel {
        title: "Replicas and load",
        about: "replicas asked for, and the load in replicas that are never idle".to_owned(),
        unit: "",
        lines,
        limits: Vec::new(),
        top_min: 3.0,
    }
}

fn bad_share(stage: &StageReport) -> Panel {
    let share = |window: &[crate::compare::Moment]| {
        let of =
            |count: fn(&crate::compare::Moment) -> u32| window.iter().map(|one| f64::from(count(one))).sum::<f64>();
        of(|one| one.bad) * 100.0 / of(|one| one.requests).max(1.0)
    };
    Panel {
        title: "Bad requests",
        about: "share of what was answered".to_owned(),
        unit: " %",
        lines: of_each(stage, Path::Straight, share),
        limits: vec![Limit { label: "budget 1 %".to_owned(), value: 1.0 }],
        top_min: 2.0,
    }
}

fn spent(stage: &StageReport) -> Panel {
    let line = |(index, standing): (usize, &Standing)| {
        let mut sum = 0.0;
        let sums: Vec<f64> = standing
            .moments
            .iter()
            .map(|moment| {
                sum += f64::from(moment.wanted) / 3600.0;
                sum
            })
            .collect();
        Line {
            label: standing.contender.to_string(),
            colour: index,
            points: windows(sums.len()).map(|(at, range)| (at, sums[range.end - 1])).collect(),
            path: Path::Straight,
        }
    };
    Panel {
        title: "Replica-hours",
        about: "asked for since the beginning".to_owned(),
        unit: "",
        lines: stage.standings.iter().enumerate().filter(|(_, one)| is_drawn(one)).map(line).collect(),
        limits: Vec::new(),
        top_min: 1.0,
    }
}

/// What is held at the peak would only press the others together.
fn is_drawn(standing: &Standing) -> bool {
    standing.contender != Contender::Peak
}

fn of_each(stage: &StageReport, path: Path, value: impl Fn(&[crate::compare::Moment]) -> f64) -> Vec<Line> {
    let line = |(index, standing): (usize, &Standing)| Line {
        label: standing.contender.to_string(),
        colour: index,
        points: windows(standing.moments.len()).map(|(at, range)| (at, value(&standing.moments[range]))).collect(),
        path,
    };
    stage.standings.iter().enumerate().filter(|(_, standing)| is_drawn(standing)).map(line).collect()
}

/// The instants that are drawn, each with the seconds before it that it stands for.
fn windows(seconds: usize) -> impl Iterator<Item = (f64, Range<usize>)> {
    let step = seconds.div_ceil(POINTS_MAX).max(1);
    let wide = step.max(15);
    (1..=seconds).step_by(step).map(move |end| (end as f64, end.saturating_sub(wide)..end))
}
