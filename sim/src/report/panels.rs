//! The plots of a page.
//!
//! Answers which quantities are shown, and against what. Each is drawn from the plant's truth; shares and spans are averaged
//! over fifteen seconds, because single seconds are mostly noise.

use homeostat_core::ObjectiveKind;

use crate::report::panel::{Limit, Line, Panel, Path};
use crate::scenario::RunReport;
use crate::series::{Sample, Second};

/// Points per line; more could not be told apart on a screen.
const POINTS_MAX: usize = 900;
/// Seconds that shares are averaged over.
const SMOOTHED_S: usize = 15;

/// All plots, in reading order.
pub(crate) fn all(report: &RunReport) -> Vec<Panel> {
    vec![
        bad_share(report, "Slow requests", ObjectiveKind::Latency, |sample| sample.slow),
        bad_share(report, "Failed requests", ObjectiveKind::Availability, |sample| sample.errors),
        latency(report),
        utilization(report),
        replicas(report),
        sampling(report),
        spans(report),
    ]
}

fn bad_share(report: &RunReport, title: &'static str, kind: ObjectiveKind, bad: fn(&Sample) -> u32) -> Panel {
    let budgets: Vec<u32> =
        report.series.services.iter().map(|name| report.scenario.settings.objectives.of(name).budget(kind).0).collect();
    let tightest = f64::from(budgets.iter().copied().min().unwrap_or(0)) / 100.0;
    let share = |window: &[&Sample]| {
        let of = |count: fn(&Sample) -> u32| window.iter().map(|sample| f64::from(count(sample))).sum::<f64>();
        of(bad) * 100.0 / of(|sample| sample.requests).max(1.0)
    };
    Panel {
        title,
        about: format!("share of the last {SMOOTHED_S} s, against the error budget"),
        unit: " %",
        lines: of_each(report, Path::Straight, share),
        limits: vec![Limit { label: format!("budget {tightest} %"), value: tightest }],
        top_min: tightest * 1.5,
    }
}

fn latency(report: &RunReport) -> Panel {
    let worst = |window: &[&Sample]| {
        let recent = window.iter().rev().take(5);
        recent.map(|sample| f64::from(sample.p99_us)).sum::<f64>() / 5_f64.min(window.len() as f64) / 1000.0
    };
    Panel {
        title: "Latency",
        about: "99th percentile of each second, averaged over five".to_owned(),
        unit: " ms",
        lines: of_each(report, Path::Straight, worst),
        limits: Vec::new(),
        top_min: 1.0,
    }
}

fn utilization(report: &RunReport) -> Panel {
    let mean = |window: &[&Sample]| {
        let recent = window.iter().rev().take(5);
        recent.map(|sample| f64::from(sample.utilization_bp)).sum::<f64>() / 5_f64.min(window.len() as f64) / 100.0
    };
    let target = f64::from(report.scenario.settings.scaling.utilization_target.0) / 100.0;
    Panel {
        title: "Utilization",
        about: "share of worker time in use, averaged over five seconds".to_owned(),
        unit: " %",
        lines: of_each(report, Path::Straight, mean),
        limits: vec![Limit { label: format!("target {target} %"), value: target }],
        top_min: 100.0,
    }
}

fn replicas(report: &RunReport) -> Panel {
    let last = |window: &[&Sample]| window.last().map_or(0.0, |sample| f64::from(sample.replicas));
    Panel {
        title: "Replicas",
        about: "instances serving".to_owned(),
        unit: "",
        lines: of_each(report, Path::Steps, last),
        limits: Vec::new(),
        top_min: 3.0,
    }
}

/// Head and tail of all services together; services that are sampled alike share one line.
fn sampling(report: &RunReport) -> Panel {
    let percent = |of: fn(&Sample) -> u32| {
        move |window: &[&Sample]| window.last().map_or(0.0, |sample| f64::from(of(sample)) / 10_000.0)
    };
    let mut lines = of_each(report, Path::Steps, percent(|sample| sample.tail_ppm));
    lines.iter_mut().for_each(|line| line.label.insert_str(0, "tail "));
    let heads = of_each(report, Path::Steps, percent(|sample| sample.head_ppm));
    let unlike_tail = heads.into_iter().filter(|line| line.points.iter().any(|(_, value)| *value < 100.0));
    lines.extend(unlike_tail.map(|line| Line { label: format!("head {}", line.label), ..line }));
    Panel {
        title: "Sampling",
        about: "probability that an ordinary trace is kept; a head probability below one is shown too".to_owned(),
        unit: " %",
        lines,
        limits: Vec::new(),
        top_min: 100.0,
    }
}

fn spans(report: &RunReport) -> Panel {
    let settings = &report.scenario.settings.sampling;
    let line = |label: &str, colour, of: fn(&Second) -> u32| Line {
        label: label.to_owned(),
        colour,
        points: windows(report.series.seconds.len())
            .map(|(at, window)| {
                let mean =
                    report.series.seconds[window.clone()].iter().map(|second| f64::from(of(second))).sum::<f64>();
                (at, mean / window.len().max(1) as f64)
            })
            .collect(),
        path: Path::Straight,
    };
    let lines = vec![line("received", 7, |second| second.spans_received), line("kept", 0, |second| second.spans_kept)];
    let budget = settings.kept_spans_per_second_max as f64;
    let highest = lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value).fold(1.0, f64::max);
    // A budget far above everything would flatten the lines and says nothing.
    let limits = match budget <= highest * 2.0 {
        true => vec![Limit { label: format!("budget {budget}/s"), value: budget }],
        false => Vec::new(),
    };
    Panel {
        title: "Spans",
        about: format!("per second, averaged over {SMOOTHED_S} s; at most {budget} may be kept"),
        unit: "",
        lines,
        limits,
        top_min: 10.0,
    }
}

/// One line per service; `value` sees the samples of the smoothing window.
fn of_each(report: &RunReport, path: Path, value: impl Fn(&[&Sample]) -> f64) -> Vec<Line> {
    let line = |(index, name): (usize, &homeostat_core::ServiceName)| {
        let samples: Vec<&Sample> = report.series.of(index).collect();
        Line {
            label: name.to_string(),
            colour: index,
            points: windows(samples.len()).map(|(at, window)| (at, value(&samples[window]))).collect(),
            path,
        }
    };
    together(report.series.services.iter().enumerate().map(line).collect())
}

/// The instants that are drawn, each with the seconds before it that it stands for.
fn windows(seconds: usize) -> impl Iterator<Item = (f64, std::ops::Range<usize>)> {
    let step = seconds.div_ceil(POINTS_MAX).max(1);
    let wide = step.max(SMOOTHED_S);
    (1..=seconds).step_by(step).map(move |end| (end as f64, end.saturating_sub(wide)..end))
}

/// Lines that lie on top of each other become one.
fn together(lines: Vec<Line>) -> Vec<Line> {
    let all = lines.len();
    let mut merged: Vec<(Line, usize)> = Vec::new();
    for line in lines {
        match merged.iter_mut().find(|(known, _)| known.points == line.points) {
            Some((_, more)) => *more += 1,
            None => merged.push((line, 0)),
        }
    }
    let name = |(line, more): (Line, usize)| match more {
        0 => line,
        _ if more + 1 == all => Line { label: "all services".to_owned(), ..line },
        _ => Line { label: format!("{} +{more}", line.label), ..line },
    };
    merged.into_iter().map(name).collect()
}
